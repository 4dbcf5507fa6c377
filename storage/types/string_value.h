// Strings: up to kInlineBytesMax bytes inside the leaf entry, up to kRunBytesMax in a headerless
// run of their own (kValue: 256 bytes cost 256), above that a rope (index/rope.h).
#pragma once

#include <string>

#include "storage/memory/page_arena.h"
#include "storage/types/value.h"

namespace verso::storage {

inline constexpr size_t kInlineBytesMax = 128;
inline constexpr size_t kRunBytesMax = 8192;
inline constexpr size_t kStringBytesMax = size_t{512} << 20;  // Redis' proto-max-bulk-len default

// Hint bit: the string was made by APPEND, SETRANGE or SETBIT, so OBJECT ENCODING says "raw"
// whatever it looks like.
inline constexpr uint8_t kStringRaw = 1;
// Hint bit: the string was made by INCRBYFLOAT, so OBJECT ENCODING does not say "int".
inline constexpr uint8_t kStringText = 2;

size_t StringLength(const PageArena& arena, const ValueView& value);

// The whole string when it lies in one piece (inline or one run); nullopt for a rope.
std::optional<ByteView> StringContiguous(const PageArena& arena, const ValueView& value);

// Calls sink(ByteView) for the pieces of [offset, offset + count), clipped to the string, in order.
// Holes come as zero bytes.
void StringRead(const PageArena& arena, const ValueView& value, size_t offset, size_t count,
                void* context, void (*sink)(void* context, ByteView piece));

template <typename Sink>
void StringForEachPiece(const PageArena& arena, const ValueView& value, size_t offset, size_t count,
                        Sink&& sink) {
  StringRead(arena, value, offset, count, &sink, [](void* context, ByteView piece) {
    (*static_cast<std::remove_reference_t<Sink>*>(context))(piece);
  });
}

std::string StringCopy(const PageArena& arena, const ValueView& value);

// "int", "embstr" or "raw", by Redis' rules.
const char* StringEncoding(const PageArena& arena, const ValueView& value);

}  // namespace verso::storage
