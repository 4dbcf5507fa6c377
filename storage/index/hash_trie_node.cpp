#include "storage/index/hash_trie_node.h"

namespace verso::storage {
namespace {

bool SaneDirRef(const Ref& ref, unsigned bits_max) {
  return ref.kind() == PageKind::kTrieDir && ref.aux() >= kTrieDirBitsMin &&
         ref.aux() <= bits_max && ref.size() == sizeof(Ref) << ref.aux();
}

bool SaneLeafRef(const Ref& ref) {
  return ref.kind() == PageKind::kTrieLeaf && ref.size() >= kTrieUnitBytes &&
         ref.size() % kTrieUnitBytes == 0;
}

bool SaneKeyRef(const Ref& ref) {
  return ref.cell() != 0 && ref.size() > 0 &&
         (ref.kind() == PageKind::kValue || ref.kind() == PageKind::kRope);
}

// Any structure may be a value; the kinds that hold the store together may not.
bool SaneValueRef(const Ref& ref) {
  if (ref.cell() == 0 || ref.size() == 0) return false;
  switch (ref.kind()) {
    case PageKind::kTrieDir:
      return SaneDirRef(ref, kTrieRootDirBitsMax);
    case PageKind::kTrieLeaf:
      return SaneLeafRef(ref);
    case PageKind::kValue:
    case PageKind::kRope:
    case PageKind::kTreeInner:
    case PageKind::kTreeLeaf:
    case PageKind::kCollection:
      return true;
    default:
      return false;
  }
}

// Bytes of the entry, 0 if it does not end before `end`.
size_t SaneEntry(const char* page, size_t offset, size_t end) {
  if (offset + sizeof(TrieEntryHeader) > end) return 0;
  const char* entry = page + offset;
  const TrieEntryHeader& header = TrieEntryAt(entry);
  if ((header.flags & ~kTrieFlagsMask) != 0 || (header.type_hint & 15) >= kTypeCount) return 0;
  if (header.key_external() && header.key_bytes != 0) return 0;
  if (header.value_external() && header.value_bytes != 0) return 0;
  if (offset + header.size() > end) return 0;
  if (header.key_external() &&
      !SaneKeyRef(LoadLe<Ref>(entry + header.key_offset() + sizeof(uint64_t)))) {
    return 0;
  }
  if (header.value_external() && !SaneValueRef(LoadLe<Ref>(entry + header.value_offset()))) {
    return 0;
  }
  return header.size();
}

}  // namespace

bool CheckTrieDir(const char* page, const Ref& self) {
  if (!SaneDirRef(self, kTrieRootDirBitsMax)) return false;
  const Ref* slots = TrieSlots(page);
  const size_t count = size_t{1} << self.aux();
  for (size_t i = 0; i < count;) {
    size_t next = i + 1;
    while (next < count && slots[next] == slots[i]) ++next;
    const size_t width = next - i;
    if (slots[i]) {
      if (slots[i].cell() == 0) return false;
      const bool aligned = (width & (width - 1)) == 0 && i % width == 0;  // T1
      const bool sane =
          SaneLeafRef(slots[i]) || (width == 1 && SaneDirRef(slots[i], kTrieDirBitsMax));
      if (!aligned || !sane) return false;
    }
    i = next;
  }
  return true;
}

bool CheckTrieLeaf(const char* page, const Ref& self) {
  if (!SaneLeafRef(self)) return false;
  const TrieLeafHeader& header = TrieLeaf(page);
  const size_t cap = TrieLeafCap(self.size());
  const size_t start = TrieLeafStart(cap);
  if (header.cap != cap || header.count > cap || header.reserved != 0) return false;
  if (header.count == 0) return false;  // T6
  if (header.depth > kTrieRootDirBitsMax) return false;
  if (header.end < start || header.end > self.size()) return false;
  size_t entry_bytes = 0;
  for (size_t slot = 0; slot < header.count; ++slot) {
    const size_t offset = TrieOffset(page, slot);
    if (offset < start) return false;
    const size_t bytes = SaneEntry(page, offset, header.end);
    if (bytes == 0) return false;
    entry_bytes += bytes;
  }
  return entry_bytes + header.garbage == header.end - start;  // T3
}

}  // namespace verso::storage
