// An empty store for tests. Equal seeds hash keys equally, so the same writes make the same pages.
#pragma once

#include <memory>

#include "storage/memory/store.h"

namespace verso::storage {

inline StoreOptions TestStoreOptions(const Clock* clock, uint64_t seed = 7) {
  StoreOptions options;
  options.arena.bytes_max = size_t{8} << 30;
  options.clock = clock;
  options.secret = HashSecret::FromSeed(seed);
  return options;
}

inline std::unique_ptr<Store> FreshStore(const Clock* clock, uint64_t seed = 7) {
  return Store::Create(TestStoreOptions(clock, seed)).value();
}

}  // namespace verso::storage
