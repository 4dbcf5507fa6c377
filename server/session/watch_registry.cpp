#include "server/session/watch_registry.h"

#include <vector>

namespace verso::server {

struct WatchedKey {
  WatchSet* set;
  WatchRegistry::Map::value_type* key;
  WatchState state;
  WatchedKey* next_of_set;
  WatchedKey* next_of_key;
  WatchedKey* previous_of_key;
};

namespace {

std::pmr::polymorphic_allocator<> Allocator() {
  return std::pmr::polymorphic_allocator<>(ClientMemory());
}

}  // namespace

// Walks the shorter of the two lists: neither many keys of one client nor many clients of one key
// make it slow.
bool WatchSet::Has(const KeyPlace& place) const {
  const auto found = registry_->keys_.find(place);
  if (found == registry_->keys_.end()) return false;
  if (count_ < found->second.count) {
    for (const WatchedKey* watch = first_; watch != nullptr; watch = watch->next_of_set) {
      if (watch->key == &*found) return true;
    }
  } else {
    for (const WatchedKey* watch = found->second.first; watch != nullptr;
         watch = watch->next_of_key) {
      if (watch->set == this) return true;
    }
  }
  return false;
}

void WatchSet::Add(const KeyPlace& place, WatchState state) {
  if (dirty_ || Has(place)) return;  // W4
  auto found = registry_->keys_.find(place);
  if (found == registry_->keys_.end()) {
    found = registry_->keys_.emplace(OwnedKeyPlace(place), WatchRegistry::Watchers()).first;
  }
  WatchRegistry::Watchers& watchers = found->second;
  auto* watch = Allocator().new_object<WatchedKey>(
      WatchedKey{this, &*found, state, first_, watchers.first, nullptr});
  if (watchers.first != nullptr) watchers.first->previous_of_key = watch;
  watchers.first = watch;
  ++watchers.count;
  first_ = watch;
  if (count_++ == 0) ++registry_->sets_;
  ++registry_->watches_;
}

bool WatchSet::ExpiredSince(const Look& look) const {
  for (const WatchedKey* watch = first_; watch != nullptr; watch = watch->next_of_set) {
    if (watch->state == WatchState::kLive && look(watch->key->first) != WatchState::kLive) {
      return true;
    }
  }
  return false;
}

void WatchSet::Clear() {
  if (first_ == nullptr) return;
  while (first_ != nullptr) {
    WatchedKey* watch = first_;
    first_ = watch->next_of_set;
    WatchRegistry::Watchers& watchers = watch->key->second;
    if (watch->previous_of_key != nullptr) {
      watch->previous_of_key->next_of_key = watch->next_of_key;
    } else {
      watchers.first = watch->next_of_key;
    }
    if (watch->next_of_key != nullptr) watch->next_of_key->previous_of_key = watch->previous_of_key;
    if (--watchers.count == 0) registry_->keys_.erase(registry_->keys_.find(watch->key->first));
    Allocator().delete_object(watch);
  }
  registry_->watches_ -= count_;
  --registry_->sets_;
  count_ = 0;
}

void WatchRegistry::KeyChanged(const KeyPlace& place, bool expired) {
  const auto found = keys_.find(place);
  if (found == keys_.end()) return;
  for (WatchedKey* watch = found->second.first; watch != nullptr;) {
    WatchedKey* const next = watch->next_of_key;
    if (expired && watch->state == WatchState::kExpired) {
      watch->state = WatchState::kMissing;  // W2
    } else {
      WatchSet* const set = watch->set;
      set->dirty_ = true;
      set->Clear();  // W4; the last one takes the key's entry along, and then next is null
    }
    watch = next;
  }
}

void WatchRegistry::DatabaseChanged(storage::LineId line, int db, bool all,
                                    const WatchSet::Look& look) {
  std::vector<WatchSet*> dirty;
  for (auto& [place, watchers] : keys_) {
    if (place.line != line || (db >= 0 && place.db != db)) continue;
    const WatchState now = look(place);
    for (WatchedKey* watch = watchers.first; watch != nullptr; watch = watch->next_of_key) {
      if (all || watch->state == WatchState::kLive || now == WatchState::kLive) {
        if (!watch->set->dirty_) dirty.push_back(watch->set);
        watch->set->dirty_ = true;
      } else {
        watch->state = now;  // W3
      }
    }
  }
  for (WatchSet* set : dirty) set->Clear();
}

}  // namespace verso::server
