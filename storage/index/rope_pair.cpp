#include "storage/index/rope_pair.h"

#include <algorithm>
#include <span>

#include "storage/memory/page_arena.h"
#include "storage/types/string_value.h"

namespace verso::storage {
namespace {

std::span<const Ref> RefsOf(const PageArena& arena, const Ref& page) {
  if (!page) return {};
  const size_t header = page.kind() == PageKind::kRope ? sizeof(RopeHeader) : 0;
  return {reinterpret_cast<const Ref*>(arena.Resolve(page) + header),
          (page.size() - header) / sizeof(Ref)};
}

// Bytes beyond the end of a chunk read as zero (R1 of rope.h).
bool SameChunk(const PageArena& arena, const Ref& a, const Ref& b) {
  const ByteView one = a ? ByteView(arena.Resolve(a), a.size()) : ByteView();
  const ByteView other = b ? ByteView(arena.Resolve(b), b.size()) : ByteView();
  const size_t both = std::min(one.size(), other.size());
  if (one.substr(0, both) != other.substr(0, both)) return false;
  const ByteView rest = one.size() > both ? one.substr(both) : other.substr(both);
  return std::all_of(rest.begin(), rest.end(), [](char c) { return c == 0; });
}

bool SameBelow(const PageArena& arena, const Ref& a, int level_a, const Ref& b, int level_b) {
  if (a.null() && b.null()) return true;
  if (a && b && a.SamePage(b)) return true;
  if (level_a == 0 && level_b == 0) return SameChunk(arena, a, b);
  const int level = std::max(level_a, level_b);
  // The lower one is what the other's first child is.
  const auto child = [&](const Ref& page, int own, const std::span<const Ref>& refs, size_t i) {
    if (own < level) return i == 0 ? page : kNullRef;
    return i < refs.size() ? refs[i] : kNullRef;
  };
  const auto refs_a = level_a == level ? RefsOf(arena, a) : std::span<const Ref>();
  const auto refs_b = level_b == level ? RefsOf(arena, b) : std::span<const Ref>();
  const size_t count = std::max({refs_a.size(), refs_b.size(), size_t{1}});
  for (size_t i = 0; i < count; ++i) {
    const int below_a = level_a < level && i == 0 ? level_a : level - 1;
    const int below_b = level_b < level && i == 0 ? level_b : level - 1;
    if (!SameBelow(arena, child(a, level_a, refs_a, i), below_a, child(b, level_b, refs_b, i),
                   below_b)) {
      return false;
    }
  }
  return true;
}

int Levels(const PageArena& arena, const Ref& root) {
  return reinterpret_cast<const RopeHeader*>(arena.Resolve(root))->levels;
}

}  // namespace

bool RopesEqual(const PageArena& arena, const Ref& a, const Ref& b) {
  if (a.SamePage(b)) return true;
  if (RopeLength(arena, a) != RopeLength(arena, b)) return false;
  return SameBelow(arena, a, Levels(arena, a), b, Levels(arena, b));
}

bool StringsEqual(const PageArena& arena, const ValueView& a, const ValueView& b) {
  const auto one = StringContiguous(arena, a);
  const auto other = StringContiguous(arena, b);
  if (one && other) return *one == *other;
  if (one) return RopeEquals(arena, b.ref, *one);
  if (other) return RopeEquals(arena, a.ref, *other);
  return RopesEqual(arena, a.ref, b.ref);
}

}  // namespace verso::storage
