// Walking a hash trie in the order of hash ranges. A cursor is a position in hash space: all
// entries below it were visited. It stays right whatever splits and merges happen in between,
// because each of them only moves the borders of ranges, never an entry's hash.

#include "storage/index/hash_trie_path.h"

namespace verso::storage {

// A leaf and the part of hash space it covers.
struct TrieReader::LeafRange {
  Ref leaf;
  uint64_t start = 0;
  uint64_t end = 0;  // exclusive; 0: hash space ends here
};

// The first leaf below `dir` whose range ends behind `from`. `start` is where the range of `dir`
// starts.
bool TrieReader::SeekLeaf(const Ref& dir, unsigned consumed, uint64_t start, uint64_t from,
                          LeafRange* range) const {
  const unsigned bits = dir.aux();
  if (consumed + bits > kTrieHashBits) return false;
  const Ref* slots = TrieSlots(arena_.Resolve(dir));
  const size_t count = size_t{1} << bits;
  const unsigned shift = kTrieHashBits - consumed - bits;  // a slot covers 2^shift hashes
  for (size_t i = from > start ? (from - start) >> shift : 0; i < count; ++i) {
    const Ref& slot = slots[i];
    if (!slot) continue;
    if (slot.kind() == PageKind::kTrieDir) {
      if (SeekLeaf(slot, consumed + bits, start + (uint64_t{i} << shift), from, range)) return true;
      continue;
    }
    size_t first = i;
    size_t last = i;
    while (first > 0 && slots[first - 1] == slot) --first;
    while (last + 1 < count && slots[last + 1] == slot) ++last;
    range->leaf = slot;
    range->start = start + (uint64_t{first} << shift);
    range->end = start + (uint64_t{last} << shift) + (uint64_t{1} << shift);
    return true;
  }
  return false;
}

bool TrieReader::FirstLeaf(uint64_t from, LeafRange* range) const {
  if (!root_) return false;
  if (root_.kind() == PageKind::kTrieDir) return SeekLeaf(root_, 0, 0, from, range);
  *range = LeafRange{root_, 0, 0};
  return true;
}

uint64_t TrieReader::ScanImpl(uint64_t cursor, size_t count, const HashSecret& secret,
                              void* context, VisitFunction visit) const {
  size_t visited = 0;
  do {
    LeafRange range;
    if (!FirstLeaf(cursor, &range)) return 0;
    const char* page = arena_.Resolve(range.leaf);
    const size_t entries = TrieLeaf(page).count;
    for (size_t slot = 0; slot < entries; ++slot) {
      const char* entry = page + TrieOffset(page, slot);
      // A merge has put what was visited before into the same leaf.
      if (range.start < cursor && TrieEntryHash(entry, secret) < cursor) continue;
      visit(context, TrieDecode(range.leaf, entry, slot));
      ++visited;
    }
    cursor = range.end;
  } while (cursor != 0 && visited < count);
  return cursor;
}

void TrieReader::ForEachImpl(const Ref& ref, void* context, VisitFunction visit) const {
  if (!ref) return;
  const char* page = arena_.Resolve(ref);
  if (ref.kind() == PageKind::kTrieDir) {
    constexpr size_t kAhead = 6;
    const Ref* slots = TrieSlots(page);
    const size_t count = size_t{1} << ref.aux();
    for (size_t i = 0; i < count; ++i) {
      if (i + kAhead < count) {
        arena_.Prefetch(slots[i + kAhead]);
        arena_.Prefetch(slots[i + kAhead], 64);
      }
      if (i == 0 || !(slots[i] == slots[i - 1])) ForEachImpl(slots[i], context, visit);
    }
    return;
  }
  const size_t entries = TrieLeaf(page).count;
  for (size_t slot = 0; slot < entries; ++slot) {
    visit(context, TrieDecode(ref, page + TrieOffset(page, slot), slot));
  }
}

std::optional<TrieEntry> TrieReader::Random(uint64_t random) const {
  LeafRange range;
  if (!FirstLeaf(random, &range) && !FirstLeaf(0, &range)) return std::nullopt;
  const char* page = arena_.Resolve(range.leaf);
  // The position used the top bits; the slot uses the low ones.
  const size_t slot = (random & 0xffffffff) % TrieLeaf(page).count;
  return TrieDecode(range.leaf, page + TrieOffset(page, slot), slot);
}

}  // namespace verso::storage
