#include "storage/keyspace/eviction_pool.h"

#include <algorithm>
#include <array>
#include <iterator>
#include <limits>
#include <span>

#include "storage/base/random.h"
#include "storage/index/counted_btree.h"
#include "storage/index/hash_trie.h"
#include "storage/memory/store.h"

namespace verso::storage {
namespace {

constexpr size_t kPoolMax = 16;
// Leaves may hold nothing that may go; some tries later there is nothing.
constexpr int kTries = 16;

uint64_t Below(uint64_t random, uint64_t bound) {
  return static_cast<uint64_t>(static_cast<unsigned __int128>(random) * bound >> 64);
}

}  // namespace

struct EvictionPool::Search {
  const Store& store;
  const Line& line;
  const EvictionRule& rule;
  uint64_t now_ms;
  std::span<const DatabaseRoot> databases;

  const PageArena& arena() const { return line.arena(); }
  // Deadlines that have passed; those keys are absent.
  uint64_t Expired(const DatabaseRoot& root) const {
    return TreeRank(arena(), root.deadlines, TreeItem{now_ms + 1, 0});
  }
  uint64_t Eligible(const DatabaseRoot& root) const {
    if (!rule.with_deadline_only) return root.count;
    return TreeCount(arena(), root.deadlines) - Expired(root);
  }
  bool MayGo(const TrieEntry& entry) const {
    return entry.value.deadline_ms > now_ms && entry.place.leaf.birth() > line.fork();
  }
  uint16_t ColdnessOf(const TrieEntry& entry) const {
    const uint16_t clock = *arena().Clock(entry.place.leaf, entry.place.slot);
    return store.access().Coldness(clock, now_ms);
  }
  std::optional<TrieEntry> ByDeadline(const DatabaseRoot& root, const TreeItem& item) const {
    return TrieReader(arena(), root.keys)
        .FindByHash(item.b, store.secret(),
                    [&item](const TrieEntry& entry) { return entry.value.deadline_ms == item.a; });
  }
};

std::optional<EvictionPool::Victim> EvictionPool::Next(const Store& store, const Line& line,
                                                       int databases, const EvictionRule& rule,
                                                       uint64_t now_ms, uint64_t random) {
  if (line.head().null()) return std::nullopt;
  const PageArena& arena = line.arena();
  const auto* root = reinterpret_cast<const LineRoot*>(arena.Resolve(line.head()));
  const Search search{store, line, rule, now_ms, {root->databases, static_cast<size_t>(databases)}};
  if (rule.order != EvictionRule::Order::kColdest) pool_.clear();
  for (int tries = 0; tries < kTries; ++tries) {
    random = NextRandom(random);
    Sample(search, random);
    while (!pool_.empty()) {
      Victim victim = std::move(pool_.back());
      pool_.pop_back();
      const DatabaseRoot& database = root->databases[victim.db];
      const Key key{victim.key, Hash64(victim.key, store.secret())};
      const std::optional<TrieEntry> entry = TrieReader(arena, database.keys).Find(key);
      if (!entry || !search.MayGo(*entry)) continue;
      if (rule.with_deadline_only && entry->value.deadline_ms == kNoDeadline) continue;
      const bool used_since = search.ColdnessOf(*entry) < victim.coldness;
      if (rule.order == EvictionRule::Order::kColdest && used_since) continue;
      return victim;
    }
  }
  return std::nullopt;
}

void EvictionPool::Sample(const Search& search, uint64_t random) {
  if (search.rule.order == EvictionRule::Order::kFirstDeadline || search.rule.with_deadline_only) {
    SampleDeadlines(search, random);
  } else {
    SampleLeaves(search, random);
  }
}

// In one database, which each key is as likely to be in as in its own.
void EvictionPool::SampleLeaves(const Search& search, uint64_t random) {
  uint64_t keys = 0;
  for (const DatabaseRoot& root : search.databases) keys += root.count;
  if (keys == 0) return;
  uint64_t chosen = Below(random, keys);
  int db = 0;
  for (; chosen >= search.databases[db].count; ++db) chosen -= search.databases[db].count;
  const TrieReader reader(search.arena(), search.databases[db].keys);
  if (search.rule.order == EvictionRule::Order::kRandom) {
    const std::optional<TrieEntry> entry = reader.Random(NextRandom(random));
    if (entry) Offer(search, db, *entry);
    return;
  }
  size_t left = search.rule.samples;
  const auto look = [&](const TrieEntry& entry) {
    left -= left > 0 ? 1 : 0;
    Offer(search, db, entry);
  };
  reader.Scan(NextRandom(random), left, search.store.secret(), look);
  if (left > 0) reader.Scan(0, left, search.store.secret(), look);  // the end was near
}

void EvictionPool::SampleDeadlines(const Search& search, uint64_t random) {
  std::array<uint64_t, kDatabases> eligible;
  uint64_t keys = 0;
  for (size_t db = 0; db < search.databases.size(); ++db) {
    eligible[db] = search.Eligible(search.databases[db]);
    keys += eligible[db];
  }
  if (keys == 0) return;
  const auto item_at = [&](size_t db, uint64_t live_index) {
    const DatabaseRoot& root = search.databases[db];
    return *TreeByIndex(search.arena(), root.deadlines, search.Expired(root) + live_index);
  };
  const auto offer = [&](size_t db, const TreeItem& item) {
    const auto entry = search.ByDeadline(search.databases[db], item);
    if (entry) Offer(search, static_cast<int>(db), *entry);
  };
  if (search.rule.order == EvictionRule::Order::kFirstDeadline) {
    size_t first = 0;
    uint64_t deadline_ms = std::numeric_limits<uint64_t>::max();
    for (size_t db = 0; db < search.databases.size(); ++db) {
      if (eligible[db] == 0) continue;
      const uint64_t at = item_at(db, 0).a;
      if (at < deadline_ms) {
        deadline_ms = at;
        first = db;
      }
    }
    offer(first, item_at(first, 0));
    return;
  }
  const bool one = search.rule.order == EvictionRule::Order::kRandom;
  for (size_t i = 0; i < (one ? 1 : search.rule.samples); ++i) {
    random = NextRandom(random);
    uint64_t chosen = Below(random, keys);
    size_t db = 0;
    for (; chosen >= eligible[db]; ++db) chosen -= eligible[db];
    offer(db, item_at(db, chosen));
  }
}

void EvictionPool::Offer(const Search& search, int db, const TrieEntry& entry) {
  if (!search.MayGo(entry)) return;
  const uint16_t coldness = search.ColdnessOf(entry);
  if (search.store.access().by_frequency()) {  // what has decayed is written down
    const auto counter = static_cast<uint8_t>(255 - coldness);
    search.arena().Touch(entry.place.leaf, entry.place.slot,
                         search.store.access().OfFrequency(counter, search.now_ms));
  }
  if (pool_.size() == kPoolMax) {
    if (coldness <= pool_.front().coldness) return;
  }
  std::string key = entry.KeyCopy(search.arena());
  for (const Victim& victim : pool_) {
    if (victim.db == db && victim.key == key) return;
  }
  const auto at = std::upper_bound(pool_.begin(), pool_.end(), coldness,
                                   [](uint16_t a, const Victim& b) { return a < b.coldness; });
  pool_.insert(at, Victim{std::move(key), db, coldness});
  if (pool_.size() > kPoolMax) pool_.erase(pool_.begin());
}

}  // namespace verso::storage
