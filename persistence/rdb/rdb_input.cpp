#include "persistence/rdb/rdb_input.h"

#include <liblzf/lzf.h>

#include <charconv>
#include <cmath>
#include <cstdlib>
#include <limits>

#include "storage/types/string_value.h"

namespace verso::persistence {
namespace {

template <typename T>
T BigEndian(ByteView bytes) {
  T value = 0;
  for (const char c : bytes) value = static_cast<T>(value << 8 | static_cast<uint8_t>(c));
  return value;
}

}  // namespace

Error RdbInput::Fault(const char* what) const {
  return {ErrorCode::kCorruption, "RDB, offset " + std::to_string(at_) + ": " + what};
}

Result<ByteView> RdbInput::Raw(size_t count) {
  if (count > left()) return Fault("it ends too early");
  const ByteView bytes = bytes_.substr(at_, count);
  at_ += count;
  return bytes;
}

Result<uint8_t> RdbInput::Byte() {
  if (left() == 0) return Fault("it ends too early");
  return static_cast<uint8_t>(bytes_[at_++]);
}

Result<uint64_t> RdbInput::Length() {
  VERSO_TRY(const uint8_t first, Byte());
  if (first < 0x40) return uint64_t{first};
  if (first < 0x80) {
    VERSO_TRY(const uint8_t second, Byte());
    return uint64_t{first & 0x3Fu} << 8 | second;
  }
  if (first == kRdbLength32) {
    VERSO_TRY(const ByteView bytes, Raw(sizeof(uint32_t)));
    return BigEndian<uint64_t>(bytes);
  }
  if (first == kRdbLength64) {
    VERSO_TRY(const ByteView bytes, Raw(sizeof(uint64_t)));
    return BigEndian<uint64_t>(bytes);
  }
  return Fault("no length");
}

Status RdbInput::String(RdbString* string) {
  if (left() > 0 && static_cast<uint8_t>(bytes_[at_]) >= kRdbSpecial) {
    return Special(static_cast<uint8_t>(bytes_[at_++]) & 0x3F, string);
  }
  VERSO_TRY(const uint64_t length, Length());
  if (length > storage::kStringBytesMax) return Fault("a string that is too long");
  VERSO_TRY(string->bytes_, Raw(length));
  return {};
}

Status RdbInput::Special(uint8_t form, RdbString* string) {
  switch (static_cast<RdbStringForm>(form)) {
    case RdbStringForm::kInt8:
      return SmallInteger<int8_t>(string);
    case RdbStringForm::kInt16:
      return SmallInteger<int16_t>(string);
    case RdbStringForm::kInt32:
      return SmallInteger<int32_t>(string);
    case RdbStringForm::kLzf:
      return Lzf(string);
  }
  return Fault("a string of an unknown form");
}

template <typename T>
Status RdbInput::SmallInteger(RdbString* string) {
  VERSO_TRY(const ByteView bytes, Raw(sizeof(T)));
  char* const digits = string->digits_;
  const auto end = std::to_chars(digits, digits + sizeof(string->digits_), LoadLe<T>(bytes.data()));
  string->bytes_ = ByteView(digits, static_cast<size_t>(end.ptr - digits));
  return {};
}

Status RdbInput::Lzf(RdbString* string) {
  VERSO_TRY(const uint64_t packed_bytes, Length());
  VERSO_TRY(const uint64_t length, Length());
  VERSO_TRY(const ByteView packed, Raw(packed_bytes));
  if (length > storage::kStringBytesMax || length > packed.size() * kLzfGrowthMax || length == 0 ||
      packed.size() > std::numeric_limits<unsigned>::max()) {
    return Fault("a compressed string that is too long");  // I2
  }
  string->owned_ = std::make_unique_for_overwrite<char[]>(length);
  const unsigned made = lzf_decompress(packed.data(), static_cast<unsigned>(packed.size()),
                                       string->owned_.get(), static_cast<unsigned>(length));
  if (made != length) return Fault("a compressed string that is damaged");
  string->bytes_ = ByteView(string->owned_.get(), length);
  return {};
}

Result<uint64_t> RdbInput::Number64() {
  VERSO_TRY(const ByteView bytes, Raw(sizeof(uint64_t)));
  return LoadLe<uint64_t>(bytes.data());
}

Result<double> RdbInput::BinaryDouble() {
  VERSO_TRY(const ByteView bytes, Raw(sizeof(double)));
  const auto value = LoadLe<double>(bytes.data());
  if (std::isnan(value)) return Fault("a score that is no number");
  return value;
}

Result<double> RdbInput::TextDouble() {
  VERSO_TRY(const uint8_t length, Byte());
  if (length == kRdbScoreNan) return Fault("a score that is no number");
  if (length == kRdbScoreInfinity) return std::numeric_limits<double>::infinity();
  if (length == kRdbScoreMinusInfinity) return -std::numeric_limits<double>::infinity();
  VERSO_TRY(const ByteView text, Raw(length));
  return ParseScore(text);
}

Result<double> ParseScore(ByteView text) {
  constexpr size_t kTextMax = 255;  // room for the longest that is ever written, and more
  const Error fault{ErrorCode::kCorruption, "a score that is no number"};
  if (text.empty() || text.size() > kTextMax || static_cast<uint8_t>(text[0]) <= ' ') return fault;
  char terminated[kTextMax + 1];
  text.copy(terminated, text.size());
  terminated[text.size()] = '\0';
  char* end = nullptr;
  const double value = std::strtod(terminated, &end);
  if (end != terminated + text.size() || std::isnan(value)) return fault;
  return value;
}

}  // namespace verso::persistence
