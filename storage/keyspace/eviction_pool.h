// EvictionPool: which keys of a line go first when memory is short.
//
// By use (idle time or frequency) it approximates, as Redis does: it looks at a few keys at a time,
// whole leaves at random places, and keeps the coldest of all it has seen lately in a pool. By
// deadline it is exact: the deadline index begins with it.
//
// Keys in pages shared with a parent line never go: that would copy a page only to delete from it,
// and free nothing (DESIGN 5). Keys in pages that a pin shares do go; what that frees, it frees
// when the pin is dropped.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "storage/keyspace/keyspace.h"

namespace verso::storage {

struct EvictionRule {
  enum class Order : uint8_t { kColdest, kRandom, kFirstDeadline };
  Order order = Order::kColdest;
  bool with_deadline_only = false;
  size_t samples = 5;  // keys looked at for one that goes, at least
};

class EvictionPool {
 public:
  struct Victim {
    std::string key;
    int db = 0;
    uint16_t coldness = 0;
  };

  // nullopt: no key was found that may go. Expired ones are left to active expiry. Takes notice of
  // clocks it has looked at (AccessRule).
  std::optional<Victim> Next(const Store& store, const Line& line, int databases,
                             const EvictionRule& rule, uint64_t now_ms, uint64_t random);
  void Clear() { pool_.clear(); }

 private:
  struct Search;

  void Sample(const Search& search, uint64_t random);
  void SampleLeaves(const Search& search, uint64_t random);
  void SampleDeadlines(const Search& search, uint64_t random);
  void Offer(const Search& search, int db, const TrieEntry& entry);

  std::vector<Victim> pool_;  // the coldest last
};

}  // namespace verso::storage
