// Integer pack: a small set of nothing but integers, ascending, as narrow as the widest needs.
//
//      0          1          1 + width
//   +----------+----------+----------+-- - -
//   | width u8 | integer  | integer  |         width 2, 4 or 8; two's complement
//   +----------+----------+----------+-- - -
//
// At most kPackBytesMax, so it lies inline or in one run like any pack. Readers are safe on any
// bytes: what is no such pack reads as empty.
#pragma once

#include <cstdint>
#include <optional>

#include "storage/base/bytes.h"
#include "storage/types/pack.h"

namespace verso::storage {

// The integer whose only spelling is this text: "-5", "0", but not "05" or "-0".
std::optional<int64_t> ParseMember(ByteView text);

inline constexpr size_t kIntegerTextMax = 20;
// Its spelling; `to` has room for kIntegerTextMax.
ByteView FormatMember(int64_t integer, char* to);

class IntegerPack {
 public:
  explicit IntegerPack(ByteView pack);

  size_t count() const { return count_; }
  int64_t At(size_t index) const;
  // Of the first integer that is not less.
  size_t LowerBound(int64_t integer) const;
  bool Contains(int64_t integer) const {
    const size_t at = LowerBound(integer);
    return at < count_ && At(at) == integer;
  }

 private:
  const char* values_ = nullptr;
  size_t width_ = 2;
  size_t count_ = 0;
};

// One being made or changed, in memory of its own.
class IntegerBuffer {
 public:
  static constexpr size_t kCountMax = (kPackBytesMax - 1) / sizeof(int64_t);

  IntegerBuffer() = default;
  explicit IntegerBuffer(const IntegerPack& pack);

  size_t count() const { return count_; }
  int64_t At(size_t index) const { return values_[index]; }
  // False: it is there already. Requires: count() < kCountMax.
  bool Insert(int64_t integer);
  bool Erase(int64_t integer);  // false: it is not there
  // Writes the pack to `to`, which has room for kPackBytesMax.
  ByteView Encode(char* to) const;

 private:
  size_t count_ = 0;
  int64_t values_[kCountMax];  // not zeroed: written before it is read
};

}  // namespace verso::storage
