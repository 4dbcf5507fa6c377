// Inside the hash trie: descending, finding a slot, decoding an entry. Only the hash_trie_*.cpp
// files include this.
#pragma once

#include <emmintrin.h>

#include <algorithm>

#include "storage/index/hash_trie.h"
#include "storage/memory/page_arena.h"

namespace verso::storage {

// The way from the root to a slot that holds a leaf or null. Hashes end after 64 bits and a
// directory consumes at least four, so no trie is deeper; a damaged one ends the descent as if
// nothing were there.
struct TriePath {
  static constexpr unsigned kStepsMax = kTrieHashBits / kTrieDirBitsMin;

  struct Step {  // without initialisers: 16 of them are made for every write
    unsigned bits;
    unsigned consumed;  // hash bits consumed above this directory
    size_t index;
    Ref* owner;  // the slot that names this directory; set by MakeDirsWritable
    Ref* slots;  // its slots, writable; likewise
  };

  unsigned steps = 0;
  unsigned consumed = 0;  // hash bits consumed by all directories
  Step step[kStepsMax];
  Ref leaf;  // null: nothing at the end of the path

  Step& last() { return step[steps - 1]; }
  const Step& last() const { return step[steps - 1]; }
};

// One entry on its way into another leaf.
struct TrieItem {
  const char* entry;
  uint64_t hash;  // set by those who split
  uint16_t bytes;
  uint16_t clock;
  uint8_t fingerprint;
  bool edited;  // the entry whose new place the caller wants to know
};

inline size_t TrieItemBytes(const TrieItem* items, size_t count) {
  size_t bytes = 0;
  for (size_t i = 0; i < count; ++i) bytes += items[i].bytes;
  return bytes;
}

// The slots [first, first + width) around `index` that a leaf of this depth has in a directory of
// 2^bits.
struct TrieBlock {
  size_t first;
  size_t width;

  TrieBlock(size_t index, unsigned bits, unsigned depth)
      : first(index), width(depth <= bits ? size_t{1} << (bits - depth) : 1) {
    first &= ~(width - 1);
  }
  bool AllNull(const Ref* slots) const {
    return std::all_of(slots + first, slots + first + width,
                       [](const Ref& ref) { return ref.null(); });
  }
  void Fill(Ref* slots, const Ref& ref) const { std::fill_n(slots + first, width, ref); }
};

// The least depth whose block around a null slot is null throughout.
inline unsigned TrieNullDepth(const Ref* slots, unsigned bits, size_t index) {
  unsigned depth = bits;
  while (depth > 0 && TrieBlock(index, bits, depth - 1).AllNull(slots)) --depth;
  return depth;
}

inline constexpr size_t kTrieNoSlot = ~size_t{0};

inline uint8_t TrieFingerprint(uint64_t hash) { return static_cast<uint8_t>(hash); }

// Which of the slots [base, base + 32) have this fingerprint? A leaf is at least 128 bytes, so
// reading 32 of them stays inside it.
inline uint32_t TrieMatch(const char* leaf, size_t base, uint8_t fingerprint) {
  const auto* from = reinterpret_cast<const __m128i*>(TrieFingerprints(leaf) + base);
  const __m128i wanted = _mm_set1_epi8(static_cast<char>(fingerprint));
  const auto low =
      static_cast<uint32_t>(_mm_movemask_epi8(_mm_cmpeq_epi8(_mm_loadu_si128(from), wanted)));
  const auto high =
      static_cast<uint32_t>(_mm_movemask_epi8(_mm_cmpeq_epi8(_mm_loadu_si128(from + 1), wanted)));
  const size_t count = TrieLeaf(leaf).count - base;
  const uint32_t used = count >= 32 ? ~uint32_t{0} : (uint32_t{1} << count) - 1;
  return (low | high << 16) & used;
}

bool TrieExternalKeyEquals(const PageArena& arena, const char* key, const TrieKey& wanted);

inline bool TrieKeyEquals(const PageArena& arena, const char* entry, const TrieKey& key) {
  const TrieEntryHeader& header = TrieEntryAt(entry);
  const char* stored = entry + header.key_offset();
  if (header.key_external()) return TrieExternalKeyEquals(arena, stored, key);
  return key.bytes == ByteView(stored, header.key_bytes);
}

// Calls found(slot, entry) for the entries whose fingerprint fits, until it returns true.
template <typename Found>
inline bool TrieForEachMatch(const char* leaf, uint64_t hash, Found&& found) {
  const size_t count = TrieLeaf(leaf).count;
  for (size_t base = 0; base < count; base += 32) {
    for (uint32_t mask = TrieMatch(leaf, base, TrieFingerprint(hash)); mask != 0;
         mask &= mask - 1) {
      const size_t slot = base + static_cast<size_t>(__builtin_ctz(mask));
      if (found(slot, leaf + TrieOffset(leaf, slot))) return true;
    }
  }
  return false;
}

inline size_t TrieFindSlot(const PageArena& arena, const char* leaf, const TrieKey& key) {
  size_t result = kTrieNoSlot;
  TrieForEachMatch(leaf, key.hash, [&](size_t slot, const char* entry) {
    if (!TrieKeyEquals(arena, entry, key)) return false;
    result = slot;
    return true;
  });
  return result;
}

void TrieDescend(const PageArena& arena, const Ref& root, uint64_t hash, TriePath* path);

uint64_t TrieEntryHash(const char* entry, const HashSecret& secret);

inline TrieEntry TrieDecode(const Ref& leaf, const char* entry, size_t slot) {
  const TrieEntryHeader& header = TrieEntryAt(entry);
  TrieEntry result;
  result.value.type = header.type();
  result.value.hint = header.hint();
  if (header.has_deadline()) result.value.deadline_ms = LoadLe<uint64_t>(entry + sizeof(header));
  const char* value = entry + header.value_offset();
  if (header.value_external()) {
    result.value.external = true;
    result.value.ref = LoadLe<Ref>(value);
  } else {
    result.value.bytes = ByteView(value, header.value_bytes);
  }
  const char* key = entry + header.key_offset();
  if (header.key_external()) {
    result.key_external = true;
    result.key_hash = LoadLe<uint64_t>(key);
    result.key_ref = LoadLe<Ref>(key + sizeof(uint64_t));
  } else {
    result.key_inline = ByteView(key, header.key_bytes);
  }
  result.place.leaf = leaf;
  result.place.slot = static_cast<uint32_t>(slot);
  result.bytes = static_cast<uint32_t>(header.size());
  return result;
}

// ---- external keys (hash_trie_key.cpp)

// A page of its own for a key above kTrieInlineBytesMax.
Ref TrieBuildKey(Line& line, ByteView key);

}  // namespace verso::storage
