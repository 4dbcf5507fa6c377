#include "storage/index/hash_trie.h"

#include <algorithm>

#include "storage/index/hash_trie_path.h"

namespace verso::storage {

void TrieDescend(const PageArena& arena, const Ref& root, uint64_t hash, TriePath* path) {
  Ref at = root;
  while (at.kind() == PageKind::kTrieDir) {
    const unsigned bits = at.aux();
    if (path->consumed + bits > kTrieHashBits) {
      at = kNullRef;
      break;
    }
    TriePath::Step& step = path->step[path->steps++];
    step.bits = bits;
    step.consumed = path->consumed;
    step.index = TrieDirIndex(hash, path->consumed, bits);
    path->consumed += bits;
    at = TrieSlots(arena.Resolve(at))[step.index];
  }
  path->leaf = at;
}

Ref TrieReader::FindLeaf(uint64_t hash) const {
  Ref at = root_;
  unsigned consumed = 0;
  while (at.kind() == PageKind::kTrieDir) {
    const unsigned bits = at.aux();
    if (consumed + bits > kTrieHashBits) return kNullRef;
    at = TrieSlots(arena_.Resolve(at))[TrieDirIndex(hash, consumed, bits)];
    consumed += bits;
  }
  return at;
}

std::optional<TrieEntry> TrieReader::Find(const TrieKey& key) const {
  const Ref leaf = FindLeaf(key.hash);
  if (!leaf) return std::nullopt;
  const char* page = arena_.Resolve(leaf);
  __builtin_prefetch(page + 64);  // the offsets, while the fingerprints are compared
  const size_t slot = TrieFindSlot(arena_, page, key);
  if (slot == kTrieNoSlot) return std::nullopt;
  return TrieDecode(leaf, page + TrieOffset(page, slot), slot);
}

std::optional<TrieEntry> TrieReader::FindByHashImpl(uint64_t hash, const HashSecret& secret,
                                                    void* context, AcceptFunction accept) const {
  const Ref leaf = FindLeaf(hash);
  if (!leaf) return std::nullopt;
  std::optional<TrieEntry> result;
  TrieForEachMatch(arena_.Resolve(leaf), hash, [&](size_t slot, const char* entry) {
    if (TrieEntryHash(entry, secret) != hash) return false;
    result = TrieDecode(leaf, entry, slot);
    if (accept(context, *result)) return true;
    result.reset();
    return false;
  });
  return result;
}

void TrieReader::Prefetch(const TrieKey* keys, size_t count) const {
  while (count > 0 && root_) {
    const size_t some = std::min(count, kPrefetchBatch);
    PrefetchSome(keys, some);
    keys += some;
    count -= some;
  }
}

// Each stage touches only what the stage before has asked for, for all keys of the batch, so the
// misses overlap.
void TrieReader::PrefetchSome(const TrieKey* keys, size_t count) const {
  const char* leaves[kPrefetchBatch];
  const Ref* slots[kPrefetchBatch];
  unsigned consumed[kPrefetchBatch];
  uint8_t descending[kPrefetchBatch];
  size_t active = 0;

  const auto leaf_found = [&](size_t i, const Ref& leaf) {
    leaves[i] = leaf ? arena_.Resolve(leaf) : nullptr;
    if (!leaf) return;
    __builtin_prefetch(leaves[i]);
    __builtin_prefetch(leaves[i] + 64);
    __builtin_prefetch(arena_.Clock(leaf, 0));  // a read stamps it, a copy takes it along
  };
  const auto dir_found = [&](size_t i, const Ref& dir) {
    const unsigned bits = dir.aux();
    slots[i] = TrieSlots(arena_.Resolve(dir)) + TrieDirIndex(keys[i].hash, consumed[i], bits);
    consumed[i] += bits;
    __builtin_prefetch(slots[i]);
  };

  const bool root_is_dir = root_.kind() == PageKind::kTrieDir;
  for (size_t i = 0; i < count; ++i) {
    consumed[i] = 0;
    if (root_is_dir) {
      dir_found(i, root_);
      descending[active++] = static_cast<uint8_t>(i);
    } else {
      leaf_found(i, root_);
    }
  }
  const bool pending = arena_.pending();
  while (active > 0) {
    for (size_t n = 0; pending && n < active; ++n) arena_.Ask(*slots[descending[n]]);
    size_t remaining = 0;
    for (size_t n = 0; n < active; ++n) {
      const size_t i = descending[n];
      const Ref next = *slots[i];
      if (next.kind() != PageKind::kTrieDir) {
        leaf_found(i, next);
      } else if (consumed[i] + next.aux() > kTrieHashBits) {
        leaf_found(i, kNullRef);
      } else {
        dir_found(i, next);
        descending[remaining++] = static_cast<uint8_t>(i);
      }
    }
    active = remaining;
  }

  const char* entries[kPrefetchBatch];
  for (size_t i = 0; i < count; ++i) {
    entries[i] = nullptr;
    if (leaves[i] == nullptr) continue;
    const uint32_t mask = TrieMatch(leaves[i], 0, TrieFingerprint(keys[i].hash));
    if (mask == 0) continue;
    const size_t offset = TrieOffset(leaves[i], static_cast<size_t>(__builtin_ctz(mask)));
    entries[i] = leaves[i] + offset;
    __builtin_prefetch(entries[i]);
    __builtin_prefetch(entries[i] +
                       47);  // the end of a small entry; the neighbour line of a larger one
  }
  for (size_t i = 0; i < count; ++i) {
    if (entries[i] == nullptr) continue;
    const TrieEntryHeader& header = TrieEntryAt(entries[i]);
    if (!header.value_external()) {
      __builtin_prefetch(entries[i] + header.size() - 1);
      continue;
    }
    const Ref value = LoadLe<Ref>(entries[i] + header.value_offset());
    if (pending) arena_.Ask(value);
    const size_t bytes = std::min<size_t>(value.size(), 256);
    for (size_t at = 0; at < bytes; at += 64) arena_.Prefetch(value, at);
  }
}

void TrieReader::Probe(const TrieKey& key, PageProbe* probe) const {
  Ref at = root_;
  unsigned consumed = 0;
  while (probe->Has(at) && at.kind() == PageKind::kTrieDir) {
    const unsigned bits = at.aux();
    if (consumed + bits > kTrieHashBits) return;
    at = TrieSlots(arena_.Resolve(at))[TrieDirIndex(key.hash, consumed, bits)];
    consumed += bits;
  }
  if (!at || at.kind() == PageKind::kTrieDir || !arena_.IsThere(at)) return;
  TrieForEachMatch(arena_.Resolve(at), key.hash, [&](size_t, const char* entry) {
    const TrieEntryHeader& header = TrieEntryAt(entry);
    if (header.key_external()) {
      probe->Below(LoadLe<Ref>(entry + header.key_offset() + sizeof(uint64_t)));
    }
    if (header.value_external()) probe->Below(LoadLe<Ref>(entry + header.value_offset()));
    return false;
  });
}

}  // namespace verso::storage
