#include "storage/types/string_value.h"

#include <algorithm>
#include <charconv>

#include "storage/index/rope.h"

namespace verso::storage {
namespace {

static_assert(kRunBytesMax == kRopeChunkBytes,
              "a run that grows becomes the first chunk of a rope");
static_assert(kStringBytesMax <= kRopeBytesMax);

constexpr size_t kEmbstrBytesMax = 44;
constexpr size_t kIntegerBytesMax = 20;  // "-9223372036854775808"

bool IsRope(const ValueView& value) {
  return value.external && value.ref.kind() == PageKind::kRope;
}

// Would an integer, printed again, give exactly these bytes?
bool IsCanonicalInteger(ByteView bytes) {
  if (bytes.empty() || bytes.size() > kIntegerBytesMax) return false;
  int64_t number = 0;
  const char* end = bytes.data() + bytes.size();
  const auto parsed = std::from_chars(bytes.data(), end, number);
  if (parsed.ec != std::errc() || parsed.ptr != end) return false;
  char printed[kIntegerBytesMax];
  const char* printed_end = std::to_chars(printed, printed + sizeof(printed), number).ptr;
  return bytes == ByteView(printed, static_cast<size_t>(printed_end - printed));
}

}  // namespace

size_t StringLength(const PageArena& arena, const ValueView& value) {
  if (!value.external) return value.bytes.size();
  return IsRope(value) ? RopeLength(arena, value.ref) : value.ref.size();
}

std::optional<ByteView> StringContiguous(const PageArena& arena, const ValueView& value) {
  if (!value.external) return value.bytes;
  if (IsRope(value)) return std::nullopt;
  return ByteView(arena.Resolve(value.ref), value.ref.size());
}

void StringRead(const PageArena& arena, const ValueView& value, size_t offset, size_t count,
                void* context, void (*sink)(void* context, ByteView piece)) {
  const std::optional<ByteView> whole = StringContiguous(arena, value);
  if (!whole) {
    RopeRead(arena, value.ref, offset, count, context, sink);
    return;
  }
  if (offset >= whole->size() || count == 0) return;
  sink(context, whole->substr(offset, count));
}

std::string StringCopy(const PageArena& arena, const ValueView& value) {
  std::string copy;
  const size_t length = StringLength(arena, value);
  copy.reserve(length);
  StringForEachPiece(arena, value, 0, length, [&](ByteView piece) { copy.append(piece); });
  return copy;
}

const char* StringEncoding(const PageArena& arena, const ValueView& value) {
  const std::optional<ByteView> whole = StringContiguous(arena, value);
  if (!whole || (value.hint & kStringRaw) != 0) return "raw";
  if ((value.hint & kStringText) == 0 && IsCanonicalInteger(*whole)) return "int";
  return whole->size() <= kEmbstrBytesMax ? "embstr" : "raw";
}

}  // namespace verso::storage
