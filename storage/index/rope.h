// Rope: one long string (above kRunBytesMax) as chunks below a radix tree, so that changing a byte
// of 512 MB copies one chunk.
//
//   kRope, the root                 kRopeNode, aux = level           kValue, a chunk
//   +------------------+            +-------+-------+-- - -          +-------------------- - -
//   | length       u64 |            | Ref 0 | Ref 1 | ...            | bytes, no header
//   | levels        u8 |            +-------+-------+-- - -          +-------------------- - -
//   | zero, 7 bytes    |             up to kRopeRefsMax               up to kRopeChunkBytes
//   +------------------+
//   | Ref 0 | Ref 1 |  ...  up to kRopeRefsMax
//   +------------------+
//
// A page of level n has children of level n - 1; chunks are level 0; the root's level is `levels`.
// Child i of a page of level n covers the bytes from i * RopeSpan(n - 1) on, so a place is found by
// arithmetic alone.
//
//   levels       reaches          pages on the way to a byte
//   1            1 MiB            root, chunk
//   2            128 MiB          root, node, chunk
//   3            16 GiB           root, node, node, chunk     (512 MiB, Redis' limit, needs 3)
//
// R1 What is not there reads as zero bytes: a null reference, references beyond a page's size,
//    bytes beyond a chunk's size. So writing at 500 MB of an empty string makes four pages.
// R2 No chunk reaches beyond the length, and no page has references for bytes beyond it. A rope
//    never shrinks.
// R3 A reference to a kRopeNode carries its level in aux: each page can be checked by itself when
//    it comes from a disk.
// R4 A page in place grows inside its run without moving (a size class is wider than most sizes),
//    so appending copies a chunk once per size class, not once per call.
//
// Who may call: writers as Line says (the slot lies in a writable page, and a Reserve of
// RopeEstimate bytes was made); readers at any version. Nothing here fails.
#pragma once

#include <cstdint>
#include <string>
#include <type_traits>

#include "storage/base/bytes.h"
#include "storage/memory/line.h"
#include "storage/memory/page.h"

namespace verso::storage {

inline constexpr size_t kRopeChunkBytes = 8192;
inline constexpr size_t kRopeRefsMax = 128;
inline constexpr int kRopeLevelsMax = 3;

struct RopeHeader {
  uint64_t length;
  uint8_t levels;
  uint8_t zero[7];
};
static_assert(sizeof(RopeHeader) == 16);
static_assert(kRopeRefsMax * sizeof(Ref) == 2048, "a full node fills its run");

// Bytes below one reference to a page of this level (0: a chunk).
inline constexpr uint64_t RopeSpan(int level) { return kRopeChunkBytes << (7 * level); }
static_assert(RopeSpan(1) == kRopeRefsMax * kRopeChunkBytes);

inline constexpr uint64_t kRopeBytesMax = RopeSpan(kRopeLevelsMax);

// ---- writing

// A new rope with these bytes (any length, also 0).
Ref RopeBuild(Line& line, ByteView bytes);

// A new rope that takes over `run` (kValue, up to kRopeChunkBytes) as its first chunk: nothing is
// copied. The caller puts the result where the run was referenced.
Ref RopeFromRun(Line& line, const Ref& run);

// Overwrites [offset, offset + bytes.size()) and extends as needed; a gap between the old end and
// offset reads as zeros. Empty bytes change nothing. Requires: the end <= kRopeBytesMax; bytes do
// not lie in this rope.
void RopeWrite(Line& line, Ref* root_slot, uint64_t offset, ByteView bytes);

// Upper bound of the arena bytes that RopeWrite of `count` bytes at `offset` allocates, whatever
// the rope (RopeBuild: offset 0).
uint64_t RopeEstimate(uint64_t offset, uint64_t count);

// ---- reading

uint64_t RopeLength(const PageArena& arena, const Ref& root);

// Calls sink(ByteView) for the pieces of [offset, offset + count), clipped to the length, in order,
// none empty. Pieces lie in pages (valid until the next write) or, for holes, in a constant block
// of zeros.
void RopeRead(const PageArena& arena, const Ref& root, uint64_t offset, uint64_t count,
              void* context, void (*sink)(void* context, ByteView piece));

template <typename Sink>
void RopeForEachPiece(const PageArena& arena, const Ref& root, uint64_t offset, uint64_t count,
                      Sink&& sink) {
  using Plain = std::remove_reference_t<Sink>;
  RopeRead(arena, root, offset, count, const_cast<std::remove_const_t<Plain>*>(&sink),
           [](void* context, ByteView piece) { (*static_cast<Plain*>(context))(piece); });
}

// The part of the rope from `offset` on that lies in one piece; empty at or beyond the end. For
// readers that go at their own pace.
ByteView RopePieceAt(const PageArena& arena, const Ref& root, uint64_t offset);

// Below, equal or above 0, as ByteView::compare does.
int RopeCompare(const PageArena& arena, const Ref& root, ByteView bytes);
bool RopeEquals(const PageArena& arena, const Ref& root, ByteView bytes);

// ---- pages by themselves (walkers, loaders)

// Is this page, as it came from a disk, one that the functions above can read without leaving it?
// Judges the page and the shape of its references, not what they lead to.
bool CheckRope(const char* page, const Ref& self);
bool CheckRopeNode(const char* page, const Ref& self);

// Structural audit of a whole rope in memory (R1-R3). Empty when sound, else what is wrong.
std::string RopeValidate(const PageArena& arena, const Ref& root);

template <typename Visitor>
void VisitRefArray(const char* from, size_t count, Visitor&& visit) {
  for (size_t i = 0; i < count; ++i) {
    const Ref& child = reinterpret_cast<const Ref*>(from)[i];
    if (child) visit(child);
  }
}

// Call visit(const Ref&) for each child that is there.
template <typename Visitor>
void VisitRope(const char* page, const Ref& self, Visitor&& visit) {
  VisitRefArray(page + sizeof(RopeHeader), (self.size() - sizeof(RopeHeader)) / sizeof(Ref), visit);
}
template <typename Visitor>
void VisitRopeNode(const char* page, const Ref& self, Visitor&& visit) {
  VisitRefArray(page, self.size() / sizeof(Ref), visit);
}

}  // namespace verso::storage
