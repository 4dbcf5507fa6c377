// Bits of a string: what the bitmap commands share.
#pragma once

#include <algorithm>
#include <cstdint>

#include "storage/types/string_value.h"

namespace verso::server {

// A byte of a string; 0 beyond its end.
inline unsigned char ByteAt(const storage::PageArena& arena, const storage::ValueView& value,
                            uint64_t at) {
  unsigned char byte = 0;
  storage::StringForEachPiece(arena, value, at, 1, [&byte](ByteView piece) {
    byte = static_cast<unsigned char>(piece[0]);
  });
  return byte;
}

// The range of BITCOUNT and BITPOS: places from `start` to `end`, both included, counted in bytes
// or bits, negative ones from the end.
struct BitRange {
  int64_t start = 0;
  int64_t end = -1;
  bool in_bits = false;

  // Makes both places real ones of a string of so many bytes. False: the range is empty.
  bool Clip(uint64_t bytes) {
    const auto places = static_cast<int64_t>(in_bits ? bytes * 8 : bytes);
    if (start < 0) start = std::max<int64_t>(start + places, 0);
    if (end < 0) end = std::max<int64_t>(end + places, 0);
    end = std::min(end, places - 1);
    return start <= end;
  }
  // After Clip().
  uint64_t first_bit() const { return static_cast<uint64_t>(in_bits ? start : start * 8); }
  uint64_t last_bit() const { return static_cast<uint64_t>(in_bits ? end : end * 8 + 7); }
};

}  // namespace verso::server
