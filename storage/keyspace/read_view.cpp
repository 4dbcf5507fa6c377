#include <algorithm>

#include "storage/base/random.h"
#include "storage/index/counted_btree.h"
#include "storage/index/hash_trie.h"
#include "storage/keyspace/keyspace.h"
#include "storage/memory/store.h"
#include "storage/memory/subtree.h"

namespace verso::storage {
namespace {

// Deadlines at or before the moment: the items below (moment + 1, 0).
uint64_t ExpiredCount(const PageArena& arena, const DatabaseRoot& root, uint64_t moment_ms) {
  return TreeRank(arena, root.deadlines, TreeItem{moment_ms + 1, 0});
}

}  // namespace

ReadView::ReadView(const Store& store, const Line& line, int db, uint64_t moment_ms)
    : store_(&store),
      arena_(&store.arena()),
      line_(&line),
      root_(&line.head()),
      db_(db),
      moment_ms_(moment_ms) {}

ReadView::ReadView(const Store& store, const Ref& pinned_root, int db, uint64_t moment_ms)
    : store_(&store), arena_(&store.arena()), pinned_(pinned_root), db_(db), moment_ms_(moment_ms) {
  root_ = &pinned_;
}

ReadView::ReadView(const ReadView& other) { *this = other; }

ReadView& ReadView::operator=(const ReadView& other) {
  if (this == &other) return *this;
  store_ = other.store_;
  arena_ = other.arena_;
  line_ = other.line_;
  pinned_ = other.pinned_;
  root_ = other.line_ != nullptr ? other.root_ : &pinned_;
  db_ = other.db_;
  moment_ms_ = other.moment_ms_;
  return *this;
}

const HashSecret& ReadView::secret() const { return store_->secret(); }

Key ReadView::MakeKey(ByteView bytes) const { return Key{bytes, Hash64(bytes, store_->secret())}; }

std::optional<TrieEntry> ReadView::FindEntry(const Key& key) const {
  const DatabaseRoot* root = Root();
  if (root == nullptr) return std::nullopt;
  return TrieReader(*arena_, root->keys).Find(key);
}

void ReadView::Touch(const TriePlace& place) const {
  if (line_ == nullptr) return;
  const uint16_t before = *arena_->Clock(place.leaf, place.slot);
  arena_->Touch(place.leaf, place.slot, store_->access().Used(before, moment_ms_));
}

std::optional<ValueView> ReadView::Find(const Key& key, Access access) const {
  const std::optional<TrieEntry> entry = FindEntry(key);
  if (!entry || Expired(entry->value.deadline_ms)) return std::nullopt;
  if (access == Access::kTouch) Touch(entry->place);
  return entry->value;
}

uint64_t ReadView::Count() const {
  const DatabaseRoot* root = Root();
  return root == nullptr ? 0 : root->count - ExpiredCount(*arena_, *root, moment_ms_);
}

uint64_t ReadView::CountWithDeadline() const {
  const DatabaseRoot* root = Root();
  if (root == nullptr) return 0;
  return TreeCount(*arena_, root->deadlines) - ExpiredCount(*arena_, *root, moment_ms_);
}

uint64_t ReadView::AverageTtlMs() const {
  const DatabaseRoot* root = Root();
  if (root == nullptr) return 0;
  const uint64_t first = ExpiredCount(*arena_, *root, moment_ms_);
  const uint64_t live = TreeCount(*arena_, root->deadlines) - first;
  const uint64_t samples = std::min<uint64_t>(live, 16);
  uint64_t sum = 0;
  for (uint64_t i = 0; i < samples; ++i) {
    sum += TreeByIndex(*arena_, root->deadlines, first + i * live / samples)->a - moment_ms_;
  }
  return samples == 0 ? 0 : sum / samples;
}

uint64_t ReadView::Scan(uint64_t cursor, size_t count, const ScanVisitor& visit) const {
  const DatabaseRoot* root = Root();
  if (root == nullptr) return 0;
  std::string long_key;
  return TrieReader(*arena_, root->keys)
      .Scan(cursor, count, store_->secret(), [&](const TrieEntry& entry) {
        if (Expired(entry.value.deadline_ms)) return;
        if (const auto key = entry.KeyContiguous(*arena_)) {
          visit(*key, entry.value);
        } else {
          long_key = entry.KeyCopy(*arena_);
          visit(long_key, entry.value);
        }
      });
}

std::optional<std::string> ReadView::RandomKey(uint64_t random) const {
  const DatabaseRoot* root = Root();
  if (root == nullptr || Count() == 0) return std::nullopt;
  const TrieReader keys(*arena_, root->keys);
  for (int i = 0; i < 64; ++i) {
    const std::optional<TrieEntry> entry = keys.Random(random);
    if (entry && !Expired(entry->value.deadline_ms)) return entry->KeyCopy(*arena_);
    random = NextRandom(random);
  }
  // Nearly everything has expired: the first live one from a random place on.
  std::optional<std::string> found;
  for (uint64_t cursor = random;;) {
    cursor = Scan(cursor, 1, [&](ByteView key, const ValueView&) {
      if (!found) found = std::string(key);
    });
    if (found) return found;
  }
}

void ReadView::Prefetch(const Key* keys, size_t count) const {
  if (const DatabaseRoot* root = Root()) TrieReader(*arena_, root->keys).Prefetch(keys, count);
}

void ReadView::Probe(const Key& key, PageProbe* probe) const {
  if (!probe->Has(*root_)) return;
  if (const DatabaseRoot* root = Root()) TrieReader(*arena_, root->keys).Probe(key, probe);
}

std::optional<uint16_t> ReadView::ClockOf(const Key& key) const {
  const std::optional<TrieEntry> entry = FindEntry(key);
  if (!entry || Expired(entry->value.deadline_ms)) return std::nullopt;
  return *arena_->Clock(entry->place.leaf, entry->place.slot);
}

const AccessRule& ReadView::access() const { return store_->access(); }

uint16_t ReadView::NewClock() const { return access().OfNew(moment_ms_); }

std::optional<uint64_t> ReadView::MemoryUsage(const Key& key) const {
  const std::optional<TrieEntry> entry = FindEntry(key);
  if (!entry || Expired(entry->value.deadline_ms)) return std::nullopt;
  constexpr uint64_t kSlotBytes = 3 + sizeof(uint16_t);  // fingerprint, offset, clock
  uint64_t bytes = entry->bytes + kSlotBytes;
  if (entry->key_external) bytes += SubtreeBytes(*arena_, entry->key_ref);
  if (entry->value.external) bytes += SubtreeBytes(*arena_, entry->value.ref);
  return bytes;
}

}  // namespace verso::storage
