// How a hash trie shrinks: smaller leaves, merged buddies, halved and removed directories. All of
// it is done by the erasure that makes it possible, a few pages at a time; nothing is left for
// later.

#include <algorithm>

#include "storage/index/hash_trie_path.h"

namespace verso::storage {
namespace {

constexpr size_t kMergedUnitsMax = 5;  // 640 bytes: 384 to go before it splits again
constexpr size_t kMergeTryUnits = 3;   // a leaf that needs more does not look at its buddy
constexpr size_t kShrinkUnits = 2;     // a leaf shrinks by at least so many

size_t UnitsNeeded(const char* leaf) {
  return TrieLeafUnits(TrieLeaf(leaf).count, TrieLeafPayload(leaf));
}

}  // namespace

void TrieWriter::ShrinkAfterErase(TriePath* path) {
  const char* leaf = line_.arena().Resolve(path->leaf);
  const size_t units = UnitsNeeded(leaf);
  if (units + kShrinkUnits <= path->leaf.size() / kTrieUnitBytes) {
    TrieItem items[kTrieEntriesMax];
    const size_t count = Gather(path->leaf, kTrieNoSlot, items);
    Rebuild(path, items, count, units);
  }
  if (units <= kMergeTryUnits && path->steps > 0) {
    MakeDirsWritable(path);
    Tidy(path, false);
  }
}

// Merges what the path ends in with its buddies as long as that works, then halves the directory it
// is in. `changed`: slots became null. Requires: MakeDirsWritable.
void TrieWriter::Tidy(TriePath* path, bool changed) {
  while (path->steps > 0 && MergeUp(path)) changed = true;
  if (!changed || path->steps == 0) return;
  while (HalveDir(path->last().owner)) {
  }
}

// One step: the block at the end of the path and its buddy become one, or the directory gives way
// to what is left in it.
bool TrieWriter::MergeUp(TriePath* path) {
  const TriePath::Step& step = path->last();
  const Ref at = path->leaf;
  const unsigned depth = at ? TrieLeaf(line_.arena().Resolve(at)).depth
                            : TrieNullDepth(step.slots, step.bits, step.index);
  if (depth == 0) {
    const Ref dir = *step.owner;
    --path->steps;
    path->consumed = step.consumed;
    if (at) {
      LiftLeaf(path, at, kNullRef, path->steps == 0 ? 0 : path->last().bits);
    } else {
      *step.owner = kNullRef;
    }
    line_.Drop(dir);
    return true;
  }
  if (depth > step.bits) return false;
  const size_t buddy_index = step.index ^ size_t { 1 } << (step.bits - depth);
  const TrieBlock buddy_block(buddy_index, step.bits, depth);
  const Ref buddy = step.slots[buddy_block.first];
  if (!buddy && !buddy_block.AllNull(step.slots)) return false;
  if (buddy && buddy.kind() != PageKind::kTrieLeaf) return false;
  size_t count = 0;
  size_t bytes = 0;
  for (const Ref& leaf : {at, buddy}) {
    if (!leaf) continue;
    const char* page = line_.arena().Resolve(leaf);
    if (TrieLeaf(page).depth != depth) return false;
    count += TrieLeaf(page).count;
    bytes += TrieLeafPayload(page);
  }
  if (TrieLeafUnits(count, bytes) > kMergedUnitsMax) return false;
  LiftLeaf(path, at, buddy, depth - 1);
  return true;
}

// Puts the entries of two leaves (either may be null) into one of this depth at the end of the
// path.
void TrieWriter::LiftLeaf(TriePath* path, const Ref& a, const Ref& b, unsigned depth) {
  TrieItem items[kTrieEntriesMax];
  size_t count = a ? Gather(a, kTrieNoSlot, items) : 0;
  if (b) count += Gather(b, kTrieNoSlot, items + count);
  const size_t units = TrieLeafUnits(count, TrieItemBytes(items, count));
  SetLeaf(path, depth, BuildLeaf(items, count, units, depth));
  if (a) line_.Drop(a);
  if (b) line_.Drop(b);
}

// Halves the directory if no leaf in it uses the last bit. Directories below it differ from their
// neighbours, so they prevent it (T1).
bool TrieWriter::HalveDir(Ref* dir_slot) {
  const Ref old = *dir_slot;
  if (old.aux() == kTrieDirBitsMin) return false;
  const Ref* from = TrieSlots(line_.arena().Resolve(old));
  const size_t count = size_t{1} << (old.aux() - 1);
  for (size_t i = 0; i < count; ++i) {
    if (!(from[2 * i] == from[2 * i + 1])) return false;
  }
  const Ref ref = NewDir(old.aux() - 1u);
  Ref* to = TrieSlots(line_.arena().ResolveMutable(ref));
  for (size_t i = 0; i < count; ++i) to[i] = from[2 * i];
  *dir_slot = ref;
  line_.Drop(old);
  return true;
}

}  // namespace verso::storage
