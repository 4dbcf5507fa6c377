// WatchRegistry: who wants to know that a key has changed (WATCH; TXN will ask the same).
//
//   registry:  place of a key ──> list of its WatchedKeys, one for each set
//   WatchSet:  the WatchedKeys of one client, and whether one of them has changed
//
// W1 A watch knows what was there when it began: nothing, a live entry, or an expired one that
//    nobody had removed. As long as the set is not dirty, that is still so.
// W2 A key that had expired before and goes now has not changed. A live one that expires has, even
//    if no one has removed it yet: ExpiredSince() looks.
// W3 FLUSHDB and SWAPDB change a key only if a live entry was there before or is there now.
// W4 A dirty set watches nothing more: what is lost is lost.
// W5 Nobody watches: size() is 0, and the caller asks nothing else.
#pragma once

#include <functional>

#include "server/session/key_place.h"

namespace verso::server {

enum class WatchState : uint8_t { kMissing, kLive, kExpired };

class WatchRegistry;
struct WatchedKey;

class WatchSet {
 public:
  // What is at a place now.
  using Look = std::function<WatchState(const KeyPlace& place)>;

  explicit WatchSet(WatchRegistry* registry) : registry_(registry) {}
  ~WatchSet() { Clear(); }
  WatchSet(const WatchSet&) = delete;
  WatchSet& operator=(const WatchSet&) = delete;

  // Watching the same key again changes nothing.
  void Add(const KeyPlace& place, WatchState state);
  // True if a key that was live is not so any more, though nobody has removed it (W2).
  bool ExpiredSince(const Look& look) const;
  void Clear();

  size_t size() const { return count_; }
  bool dirty() const { return dirty_; }

 private:
  friend class WatchRegistry;
  bool Has(const KeyPlace& place) const;

  WatchRegistry* registry_;
  WatchedKey* first_ = nullptr;
  size_t count_ = 0;
  bool dirty_ = false;
};

class WatchRegistry {
 public:
  WatchRegistry() : keys_(ClientMemory()) {}
  WatchRegistry(const WatchRegistry&) = delete;
  WatchRegistry& operator=(const WatchRegistry&) = delete;

  void KeyChanged(const KeyPlace& place, bool expired);
  // After the change. `all`: whatever is there now is another (ROLLBACK, PROMOTE).
  void DatabaseChanged(storage::LineId line, int db, bool all, const WatchSet::Look& look);

  size_t size() const { return watches_; }  // of all sets
  size_t keys() const { return keys_.size(); }
  size_t sets() const { return sets_; }  // that watch something

 private:
  friend class WatchSet;
  struct Watchers {
    WatchedKey* first = nullptr;
    size_t count = 0;
  };
  using Map = KeyPlaceMap<Watchers>;
  friend struct WatchedKey;

  Map keys_;
  size_t watches_ = 0;
  size_t sets_ = 0;
};

}  // namespace verso::server
