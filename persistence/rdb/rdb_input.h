// RdbInput: reads the elements of RDB from bytes that nobody vouches for.
//
// I1 Nothing is read outside the bytes, and every length is compared with what is left before
//    anything is done with it.
// I2 Memory is taken for compressed strings only, and not more than their compressed bytes can make
//    (kLzfGrowthMax). No announced count is trusted: callers go on until the bytes end.
#pragma once

#include <cstdint>
#include <memory>

#include "persistence/rdb/rdb_format.h"
#include "storage/base/bytes.h"
#include "storage/base/result.h"

namespace verso::persistence {

// Three bytes of LZF become 264 at most.
inline constexpr uint64_t kLzfGrowthMax = 88;

// A string as it was read: bytes of the input, or its own.
class RdbString {
 public:
  RdbString() = default;
  RdbString(const RdbString&) = delete;
  RdbString& operator=(const RdbString&) = delete;

  ByteView bytes() const { return bytes_; }

 private:
  friend class RdbInput;
  ByteView bytes_;
  std::unique_ptr<char[]> owned_;
  char digits_[11];
};

class RdbInput {
 public:
  // The bytes must outlive it, and strings that were read.
  explicit RdbInput(ByteView bytes) : bytes_(bytes) {}

  size_t left() const { return bytes_.size() - at_; }
  Error Fault(const char* what) const;  // "RDB, offset 12: what"

  Result<ByteView> Raw(size_t count);
  Result<uint8_t> Byte();
  Result<uint64_t> Length();
  // At most storage::kStringBytesMax, once it is no longer compressed.
  Status String(RdbString* string);
  Result<uint64_t> Number64();    // 8 bytes, little-endian
  Result<double> BinaryDouble();  // never NaN
  Result<double> TextDouble();    // never NaN

 private:
  Status Special(uint8_t form, RdbString* string);
  Status Lzf(RdbString* string);
  template <typename T>
  Status SmallInteger(RdbString* string);

  ByteView bytes_;
  size_t at_ = 0;
};

// The whole text is a number as strtod reads it, but NaN: what scores are in packed forms.
Result<double> ParseScore(ByteView text);

}  // namespace verso::persistence
