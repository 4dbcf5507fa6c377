// How a hash trie grows: building leaves, splitting them, making and doubling directories.

#include <cstring>

#include "storage/base/check.h"
#include "storage/index/hash_trie_path.h"

namespace verso::storage {

void TrieWriter::MakeDirsWritable(TriePath* path) {
  Ref* slot = root_;
  for (unsigned i = 0; i < path->steps; ++i) {
    TriePath::Step& step = path->step[i];
    step.owner = slot;
    step.slots = TrieSlots(line_.Writable(slot));
    slot = step.slots + step.index;
  }
}

// Makes the end of the path, a block of this depth, name `leaf` (or nothing). Requires:
// MakeDirsWritable.
void TrieWriter::SetLeaf(TriePath* path, unsigned depth, const Ref& leaf) {
  path->leaf = leaf;
  if (path->steps == 0) {
    *root_ = leaf;
    return;
  }
  const TriePath::Step& step = path->last();
  TrieBlock(step.index, step.bits, depth).Fill(step.slots, leaf);  // T1: all equal slots
}

// Lists the entries of a leaf, except one. They stay where they are: the list is valid until the
// leaf is dropped.
size_t TrieWriter::Gather(const Ref& leaf, size_t skip_slot, TrieItem* items) const {
  const char* page = line_.arena().Resolve(leaf);
  size_t count = 0;
  for (size_t slot = 0; slot < TrieLeaf(page).count; ++slot) {
    if (slot == skip_slot) continue;
    const char* entry = page + TrieOffset(page, slot);
    items[count++] = TrieItem{entry,
                              0,
                              static_cast<uint16_t>(TrieEntryAt(entry).size()),
                              *line_.arena().Clock(leaf, slot),
                              static_cast<uint8_t>(TrieFingerprints(page)[slot]),
                              false};
  }
  return count;
}

Ref TrieWriter::BuildLeaf(const TrieItem* items, size_t count, size_t units, unsigned depth) {
  const size_t bytes = units * kTrieUnitBytes;
  const Ref ref = line_.NewPage(PageKind::kTrieLeaf, bytes);
  char* page = line_.arena().ResolveMutable(ref);
  const size_t cap = TrieLeafCap(bytes);
  size_t end = TrieLeafStart(cap);
  std::memset(page, 0, end);
  TrieLeafHeader& header = TrieLeaf(page);
  header.cap = static_cast<uint8_t>(cap);
  header.count = static_cast<uint8_t>(count);
  header.depth = static_cast<uint8_t>(depth);
  for (size_t slot = 0; slot < count; ++slot) {
    const TrieItem& item = items[slot];
    TrieFingerprints(page)[slot] = static_cast<char>(item.fingerprint);
    SetTrieOffset(page, slot, end);
    std::memcpy(page + end, item.entry, item.bytes);
    line_.arena().SetClock(ref, slot, item.clock);
    if (item.edited) edited_ = TriePlace{ref, static_cast<uint32_t>(slot)};
    end += item.bytes;
  }
  VERSO_CHECK(end <= bytes && count <= cap);
  std::memset(page + end, 0, bytes - end);  // T4
  header.end = static_cast<uint16_t>(end);
  return ref;
}

// The first entry where there was nothing: its leaf takes all the null slots around that form a
// block.
void TrieWriter::NewLeaf(TriePath* path, const TrieItem& item) {
  MakeDirsWritable(path);
  unsigned depth = 0;
  if (path->steps > 0) {
    const TriePath::Step& step = path->last();
    depth = TrieNullDepth(step.slots, step.bits, step.index);
  }
  SetLeaf(path, depth, BuildLeaf(&item, 1, TrieLeafUnits(1, item.bytes), depth));
}

// The leaf with these items in its place: grown, shrunk or without holes.
void TrieWriter::Rebuild(TriePath* path, const TrieItem* items, size_t count, size_t units) {
  const Ref old = path->leaf;
  const unsigned depth = TrieLeaf(line_.arena().Resolve(old)).depth;
  MakeDirsWritable(path);
  SetLeaf(path, depth, BuildLeaf(items, count, units, depth));
  line_.Drop(old);
}

namespace {

bool AllHashesEqual(const TrieItem* items, size_t count) {
  for (size_t i = 1; i < count; ++i) {
    if (items[i].hash != items[0].hash) return false;
  }
  return true;
}

// Is there a leaf for those items that no bit can separate from the last one, the new one?
bool CollisionsFit(const TrieItem* items, size_t count) {
  size_t equal = 0;
  size_t bytes = 0;
  for (size_t i = 0; i < count; ++i) {
    if (items[i].hash != items[count - 1].hash) continue;
    ++equal;
    bytes += items[i].bytes;
  }
  return TrieLeafUnits(equal, bytes) <= kTrieCollisionUnitsMax;
}

}  // namespace

// Replaces the leaf by as many as the items need. The last item is the new one.
bool TrieWriter::Split(TriePath* path, TrieItem* items, size_t count) {
  for (size_t i = 0; i + 1 < count; ++i) items[i].hash = TrieEntryHash(items[i].entry, secret_);
  if (!CollisionsFit(items, count)) return false;
  const Ref old = path->leaf;
  const unsigned depth = TrieLeaf(line_.arena().Resolve(old)).depth;
  MakeDirsWritable(path);
  SetLeaf(path, depth, kNullRef);
  if (path->steps == 0) {
    if (AllHashesEqual(items, count)) {
      *root_ = BuildLeaf(items, count, TrieLeafUnits(count, TrieItemBytes(items, count)), 0);
    } else {
      *root_ = NewDir(kTrieDirBitsMin);
      PlaceItems(root_, 0, 0, 0, items, count);
    }
  } else {
    const TriePath::Step& step = path->last();
    const unsigned free_bits = step.bits - std::min(step.bits, depth);
    PlaceItems(step.owner, step.consumed, step.bits - free_bits, step.index >> free_bits, items,
               count);
  }
  line_.Drop(old);
  return true;
}

// Puts items into the directory that *dir_slot names, into the block of null slots whose index
// begins with the `depth` bits of `prefix`. The directory may be doubled on the way, so it is
// looked up anew each time.
void TrieWriter::PlaceItems(Ref* dir_slot, unsigned consumed, unsigned depth, size_t prefix,
                            TrieItem* items, size_t count) {
  if (count == 0) return;
  const unsigned bits = dir_slot->aux();
  const size_t units = TrieLeafUnits(count, TrieItemBytes(items, count));
  if (units <= kTrieUnitsMax || AllHashesEqual(items, count)) {
    const Ref leaf = BuildLeaf(items, count, units, depth);
    const TrieBlock block(prefix << (bits - depth), bits, depth);
    block.Fill(TrieSlots(line_.arena().ResolveMutable(*dir_slot)), leaf);
    return;
  }
  if (depth == bits) {
    const unsigned bits_max = dir_slot == root_ ? kTrieRootDirBitsMax : kTrieDirBitsMax;
    if (bits == bits_max) {
      Ref* slot = TrieSlots(line_.arena().ResolveMutable(*dir_slot)) + prefix;
      *slot = NewDir(kTrieDirBitsMin);
      PlaceItems(slot, consumed + bits, 0, 0, items, count);
      return;
    }
    DoubleDir(dir_slot);
  }
  const unsigned shift = kTrieHashBits - 1 - consumed - depth;
  TrieItem* right = std::partition(items, items + count, [shift](const TrieItem& item) {
    return (item.hash >> shift & 1) == 0;
  });
  const auto left_count = static_cast<size_t>(right - items);
  PlaceItems(dir_slot, consumed, depth + 1, prefix * 2, items, left_count);
  PlaceItems(dir_slot, consumed, depth + 1, prefix * 2 + 1, right, count - left_count);
}

// All slots null.
Ref TrieWriter::NewDir(unsigned bits) {
  const size_t bytes = sizeof(Ref) << bits;
  const Ref ref = line_.NewPage(PageKind::kTrieDir, bytes, static_cast<uint16_t>(bits));
  std::memset(line_.arena().ResolveMutable(ref), 0, bytes);
  return ref;
}

void TrieWriter::DoubleDir(Ref* dir_slot) {
  const Ref old = *dir_slot;
  const Ref ref = NewDir(old.aux() + 1u);
  const Ref* from = TrieSlots(line_.arena().Resolve(old));
  Ref* to = TrieSlots(line_.arena().ResolveMutable(ref));
  for (size_t i = 0; i < size_t{1} << old.aux(); ++i) to[2 * i] = to[2 * i + 1] = from[i];
  *dir_slot = ref;
  line_.Drop(old);
}

}  // namespace verso::storage
