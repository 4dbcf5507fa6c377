// KeyPlace: which key, in which database of which line. WATCH and blocked clients are filed under
// it (BRANCH and TXN have lines of their own, so a bare key would not do).
#pragma once

#include <cstdint>
#include <memory_resource>
#include <string>
#include <unordered_map>

#include "server/buffer_pool.h"
#include "storage/base/bytes.h"
#include "storage/memory/line.h"

namespace verso::server {

struct KeyPlace {
  storage::LineId line = 0;
  int db = 0;
  ByteView key;
  uint64_t hash = 0;  // of the key, as the keyspace makes it: keyed, so nobody can make it collide
};

// The same with bytes of its own.
struct OwnedKeyPlace {
  explicit OwnedKeyPlace(const KeyPlace& place)
      : line(place.line), db(place.db), key(place.key, ClientMemory()), hash(place.hash) {}
  operator KeyPlace() const { return {line, db, key, hash}; }  // NOLINT: they are one thing

  storage::LineId line;
  int db;
  std::pmr::string key;
  uint64_t hash;
};

struct KeyPlaceHash {
  using is_transparent = void;
  size_t operator()(const KeyPlace& place) const {
    return place.hash ^ (static_cast<uint64_t>(place.db) << 48 | place.line) * 0x9E3779B97F4A7C15;
  }
};
struct KeyPlaceEqual {
  using is_transparent = void;
  bool operator()(const KeyPlace& a, const KeyPlace& b) const {
    return a.hash == b.hash && a.db == b.db && a.line == b.line && a.key == b.key;
  }
};

// Entries do not move, so others may point to them.
template <typename Value>
using KeyPlaceMap = std::pmr::unordered_map<OwnedKeyPlace, Value, KeyPlaceHash, KeyPlaceEqual>;

}  // namespace verso::server
