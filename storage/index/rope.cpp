#include "storage/index/rope.h"

#include <algorithm>
#include <cstring>

#include "storage/base/check.h"
#include "storage/memory/size_class.h"

namespace verso::storage {
namespace {

constexpr char kZeros[kRopeChunkBytes] = {};

// A page with references, of the root or of a node, as a reader sees it.
struct Refs {
  const Ref* at;
  size_t count;
};

const RopeHeader& Header(const PageArena& arena, const Ref& root) {
  return *reinterpret_cast<const RopeHeader*>(arena.Resolve(root));
}

size_t HeaderBytes(PageKind kind) { return kind == PageKind::kRope ? sizeof(RopeHeader) : 0; }

Refs RefsOf(const PageArena& arena, const Ref& page) {
  const size_t header = HeaderBytes(page.kind());
  return {reinterpret_cast<const Ref*>(arena.Resolve(page) + header),
          (page.size() - header) / sizeof(Ref)};
}

Ref NewRoot(Line& line, uint64_t length, int levels, size_t count) {
  const size_t bytes = sizeof(RopeHeader) + count * sizeof(Ref);
  const Ref root = line.NewPage(PageKind::kRope, bytes);
  char* page = line.arena().ResolveMutable(root);
  std::memset(page, 0, bytes);
  auto* header = reinterpret_cast<RopeHeader*>(page);
  header->length = length;
  header->levels = static_cast<uint8_t>(levels);
  return root;
}

// Makes the page behind *slot writable and at least `bytes` long; the new part is not zeroed. Only
// the first `keep` bytes have to survive. Null is allowed if keep is 0.
char* WritableResized(Line& line, Ref* slot, PageKind kind, uint16_t aux, size_t bytes,
                      size_t keep) {
  const size_t old_bytes = slot->null() ? 0 : slot->size();
  const size_t new_bytes = std::max(bytes, old_bytes);
  VERSO_CHECK(keep <= old_bytes);
  if (old_bytes == new_bytes && (line.InPlace(*slot) || keep > 0)) return line.Writable(slot);
  if (old_bytes > 0 && line.InPlace(*slot) && RunBytes(old_bytes) == RunBytes(new_bytes)) {  // R4
    char* page = line.Writable(slot);
    *slot = Ref::Make(slot->cell(), kind, new_bytes, slot->birth(), aux);
    return page;
  }
  const Ref fresh = line.NewPage(kind, new_bytes, aux);
  char* page = line.arena().ResolveMutable(fresh);
  if (keep > 0) std::memcpy(page, line.arena().Resolve(*slot), keep);
  if (*slot) line.Drop(*slot);
  *slot = fresh;
  return page;
}

// Makes the page with references behind *slot writable, with at least `count` of them.
Ref* WritableRefs(Line& line, Ref* slot, PageKind kind, uint16_t aux, size_t count) {
  const size_t header = HeaderBytes(kind);
  const size_t old_bytes = slot->null() ? 0 : slot->size();
  char* page = WritableResized(line, slot, kind, aux, header + count * sizeof(Ref), old_bytes);
  if (slot->size() > old_bytes) std::memset(page + old_bytes, 0, slot->size() - old_bytes);
  return reinterpret_cast<Ref*>(page + header);
}

void WriteChunk(Line& line, Ref* slot, size_t begin, ByteView bytes) {
  const size_t old_bytes = slot->null() ? 0 : slot->size();
  const size_t end = begin + bytes.size();
  // A chunk that is overwritten from end to end need not be copied before.
  const size_t keep = begin == 0 && end >= old_bytes ? 0 : old_bytes;
  char* page = WritableResized(line, slot, PageKind::kValue, 0, end, keep);
  if (begin > old_bytes) std::memset(page + old_bytes, 0, begin - old_bytes);
  std::memcpy(page + begin, bytes.data(), bytes.size());
}

void WriteNode(Line& line, Ref* slot, int level, uint64_t begin, ByteView bytes);

// Hands the bytes at `begin` to the children of a page of this level.
void WriteChildren(Line& line, Ref* refs, int level, uint64_t begin, ByteView bytes) {
  const uint64_t span = RopeSpan(level - 1);
  while (!bytes.empty()) {
    const uint64_t offset = begin % span;
    const ByteView part = bytes.substr(0, span - offset);
    Ref* child = refs + begin / span;
    if (level == 1) {
      WriteChunk(line, child, offset, part);
    } else {
      WriteNode(line, child, level - 1, offset, part);
    }
    begin += part.size();
    bytes.remove_prefix(part.size());
  }
}

size_t RefsFor(uint64_t end, int level) {
  return (end + RopeSpan(level - 1) - 1) / RopeSpan(level - 1);
}

void WriteNode(Line& line, Ref* slot, int level, uint64_t begin, ByteView bytes) {
  Ref* refs = WritableRefs(line, slot, PageKind::kRopeNode, static_cast<uint16_t>(level),
                           RefsFor(begin + bytes.size(), level));
  WriteChildren(line, refs, level, begin, bytes);
}

// Puts a new root above the old one, whose references move into a node.
void AddLevel(Line& line, Ref* root_slot) {
  const PageArena& arena = line.arena();
  const RopeHeader old = Header(arena, *root_slot);
  const Refs refs = RefsOf(arena, *root_slot);
  const Ref root = NewRoot(line, old.length, old.levels + 1, refs.count > 0 ? 1 : 0);
  if (refs.count > 0) {
    Ref node;
    Ref* moved = WritableRefs(line, &node, PageKind::kRopeNode, old.levels, refs.count);
    std::memcpy(moved, refs.at, refs.count * sizeof(Ref));
    char* page = line.arena().ResolveMutable(root);
    *reinterpret_cast<Ref*>(page + sizeof(RopeHeader)) = node;
  }
  line.Drop(*root_slot);
  *root_slot = root;
}

// What a reader needs below a page, bundled because each level hands it on.
struct Reader {
  const PageArena& arena;
  void* context;
  void (*sink)(void* context, ByteView piece);

  void Holes(uint64_t bytes) const {
    while (bytes > 0) {
      const size_t part = std::min<uint64_t>(bytes, kRopeChunkBytes);
      sink(context, ByteView(kZeros, part));
      bytes -= part;
    }
  }

  // The bytes [begin, end) below `ref`, which is a page of this level.
  void Read(const Ref& ref, int level, uint64_t begin, uint64_t end) const {
    if (!ref) {
      Holes(end - begin);
    } else if (level == 0) {
      const uint64_t there = std::clamp<uint64_t>(ref.size(), begin, end);
      if (there > begin) sink(context, ByteView(arena.Resolve(ref) + begin, there - begin));
      Holes(end - there);
    } else {
      const Refs refs = RefsOf(arena, ref);
      const uint64_t span = RopeSpan(level - 1);
      while (begin < end) {
        const uint64_t offset = begin % span;
        const uint64_t part = std::min(span - offset, end - begin);
        const size_t index = begin / span;
        Read(index < refs.count ? refs.at[index] : kNullRef, level - 1, offset, offset + part);
        begin += part;
      }
    }
  }
};

// Are these the references that a page of this level may have?
bool CheckRefs(const char* from, size_t count, int level) {
  bool good = true;
  VisitRefArray(from, count, [&](const Ref& child) {
    if (level == 1) {
      good &=
          child.kind() == PageKind::kValue && child.size() > 0 && child.size() <= kRopeChunkBytes;
    } else {
      good &= child.kind() == PageKind::kRopeNode && child.aux() == level - 1 && child.size() > 0 &&
              child.size() <= kRopeRefsMax * sizeof(Ref) && child.size() % sizeof(Ref) == 0;
    }
    good &= child.cell() != 0;
  });
  return good;
}

// `bytes`: how far the page may reach (R2).
std::string ValidateBelow(const PageArena& arena, const Ref& ref, int level, uint64_t bytes) {
  if (level == 0) return ref.size() <= bytes ? "" : "rope: a chunk reaches beyond the length (R2)";
  if (ref.kind() == PageKind::kRopeNode && !CheckRopeNode(arena.Resolve(ref), ref)) {
    return "rope: a damaged node";
  }
  const Refs refs = RefsOf(arena, ref);
  if (refs.count > RefsFor(bytes, level)) return "rope: references beyond the length (R2)";
  const uint64_t span = RopeSpan(level - 1);
  for (size_t i = 0; i < refs.count; ++i) {
    if (!refs.at[i]) continue;
    std::string fault =
        ValidateBelow(arena, refs.at[i], level - 1, std::min(span, bytes - i * span));
    if (!fault.empty()) return fault;
  }
  return "";
}

}  // namespace

Ref RopeBuild(Line& line, ByteView bytes) {
  Ref root = NewRoot(line, 0, 1, 0);
  RopeWrite(line, &root, 0, bytes);
  return root;
}

Ref RopeFromRun(Line& line, const Ref& run) {
  VERSO_CHECK(run.kind() == PageKind::kValue);
  VERSO_CHECK(run.size() <= kRopeChunkBytes);
  const Ref root = NewRoot(line, run.size(), 1, 1);
  char* page = line.arena().ResolveMutable(root);
  *reinterpret_cast<Ref*>(page + sizeof(RopeHeader)) = run;
  return root;
}

void RopeWrite(Line& line, Ref* root_slot, uint64_t offset, ByteView bytes) {
  if (bytes.empty()) return;
  const uint64_t end = offset + bytes.size();
  VERSO_CHECK(end <= kRopeBytesMax);
  while (end > RopeSpan(Header(line.arena(), *root_slot).levels)) AddLevel(line, root_slot);
  const int levels = Header(line.arena(), *root_slot).levels;
  Ref* refs = WritableRefs(line, root_slot, PageKind::kRope, 0, RefsFor(end, levels));
  auto* header = reinterpret_cast<RopeHeader*>(refs) - 1;
  header->length = std::max(header->length, end);
  WriteChildren(line, refs, levels, offset, bytes);
}

uint64_t RopeEstimate(uint64_t offset, uint64_t count) {
  if (count == 0) return 0;
  // Two roots and a node for each level added; on each level the pages from the first to the last
  // byte touched, each perhaps copied.
  const uint64_t full_root = RunBytes(sizeof(RopeHeader) + kRopeRefsMax * sizeof(Ref));
  uint64_t bytes = (kRopeLevelsMax + 1) * full_root;
  for (int level = 0; level < kRopeLevelsMax; ++level) {
    const uint64_t pages = (offset + count - 1) / RopeSpan(level) - offset / RopeSpan(level) + 1;
    bytes += pages * (level == 0 ? kRopeChunkBytes : kRopeRefsMax * sizeof(Ref));
  }
  return bytes;
}

uint64_t RopeLength(const PageArena& arena, const Ref& root) { return Header(arena, root).length; }

void RopeRead(const PageArena& arena, const Ref& root, uint64_t offset, uint64_t count,
              void* context, void (*sink)(void* context, ByteView piece)) {
  const RopeHeader& header = Header(arena, root);
  if (offset >= header.length) return;
  const uint64_t end = offset + std::min(count, header.length - offset);
  Reader{arena, context, sink}.Read(root, header.levels, offset, end);
}

ByteView RopePieceAt(const PageArena& arena, const Ref& root, uint64_t offset) {
  const uint64_t length = RopeLength(arena, root);
  if (offset >= length) return {};
  const uint64_t place = offset / kRopeChunkBytes * kRopeChunkBytes;
  const uint64_t chunk_end = std::min(length, place + kRopeChunkBytes);
  ByteView first;
  RopeForEachPiece(arena, root, offset, chunk_end - offset, [&](ByteView piece) {
    if (first.empty()) first = piece;
  });
  return first;
}

int RopeCompare(const PageArena& arena, const Ref& root, ByteView bytes) {
  const uint64_t length = RopeLength(arena, root);
  for (uint64_t offset = 0; offset < std::min<uint64_t>(length, bytes.size());) {
    const ByteView there = RopePieceAt(arena, root, offset);
    const ByteView here = bytes.substr(offset, there.size());
    const int order = there.substr(0, here.size()).compare(here);
    if (order != 0) return order;
    offset += here.size();
  }
  return length < bytes.size() ? -1 : length > bytes.size() ? 1 : 0;
}

bool RopeEquals(const PageArena& arena, const Ref& root, ByteView bytes) {
  return RopeLength(arena, root) == bytes.size() && RopeCompare(arena, root, bytes) == 0;
}

bool CheckRope(const char* page, const Ref& self) {
  if (self.size() < sizeof(RopeHeader) || self.size() % sizeof(Ref) != 0) return false;
  const size_t count = (self.size() - sizeof(RopeHeader)) / sizeof(Ref);
  RopeHeader header;
  std::memcpy(&header, page, sizeof(header));
  if (header.levels < 1 || header.levels > kRopeLevelsMax) return false;
  if (header.length > RopeSpan(header.levels)) return false;
  if (count > RefsFor(header.length, header.levels)) return false;  // R2
  for (const uint8_t zero : header.zero) {
    if (zero != 0) return false;
  }
  return CheckRefs(page + sizeof(RopeHeader), count, header.levels);
}

bool CheckRopeNode(const char* page, const Ref& self) {
  if (self.size() == 0 || self.size() % sizeof(Ref) != 0) return false;
  if (self.size() > kRopeRefsMax * sizeof(Ref)) return false;
  if (self.aux() < 1 || self.aux() >= kRopeLevelsMax) return false;  // R3
  return CheckRefs(page, self.size() / sizeof(Ref), self.aux());
}

std::string RopeValidate(const PageArena& arena, const Ref& root) {
  if (root.kind() != PageKind::kRope) return "rope: the root is no rope";
  if (!CheckRope(arena.Resolve(root), root)) return "rope: a damaged root";
  const RopeHeader& header = Header(arena, root);
  return ValidateBelow(arena, root, header.levels, header.length);
}

}  // namespace verso::storage
