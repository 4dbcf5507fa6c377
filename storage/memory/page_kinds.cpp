#include "storage/memory/page_kinds.h"

namespace verso::storage {

bool CheckPage(const char* page, const Ref& self) {
  switch (self.kind()) {
    case PageKind::kLineRoot:
      return self.size() == sizeof(LineRoot);
    case PageKind::kTrieDir:
      return CheckTrieDir(page, self);
    case PageKind::kTrieLeaf:
      return CheckTrieLeaf(page, self);
    case PageKind::kRope:
      return CheckRope(page, self);
    case PageKind::kRopeNode:
      return CheckRopeNode(page, self);
    case PageKind::kTreeInner:
      return CheckTreeInner(page, self);
    case PageKind::kTreeLeaf:
      return CheckTreeLeaf(page, self);
    case PageKind::kSuperRoot:
      return CheckSuperRoot(page, self);
    case PageKind::kDeadChunk:
      return self.size() >= kDeadChunkHeader &&
             LoadLe<uint32_t>(page + 16) <= DeadChunkCapacity(self.size());
    case PageKind::kMeta:
    case PageKind::kValue:
      return self.size() > 0;
    case PageKind::kCollection:
      return CheckCollection(page, self);
    case PageKind::kItemInner:
      return CheckItemInner(page, self);
    case PageKind::kItemLeaf:
      return CheckItemLeaf(page, self);
    case PageKind::kNone:
      break;
  }
  return false;
}

}  // namespace verso::storage
