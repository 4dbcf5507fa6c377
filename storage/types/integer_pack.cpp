#include "storage/types/integer_pack.h"

#include <algorithm>
#include <charconv>
#include <cstring>
#include <limits>

#include "storage/base/check.h"

namespace verso::storage {
namespace {

template <typename T>
bool Holds(int64_t integer) {
  return integer >= std::numeric_limits<T>::min() && integer <= std::numeric_limits<T>::max();
}

size_t WidthOf(int64_t integer) {
  return Holds<int16_t>(integer) ? 2 : Holds<int32_t>(integer) ? 4 : 8;
}

}  // namespace

std::optional<int64_t> ParseMember(ByteView text) {
  if (text.empty() || text.size() > kIntegerTextMax) return std::nullopt;
  int64_t integer = 0;
  const char* end = text.data() + text.size();
  const auto parsed = std::from_chars(text.data(), end, integer);
  if (parsed.ec != std::errc() || parsed.ptr != end) return std::nullopt;
  const bool padded = text[0] == '0' && text.size() > 1;
  if (padded || (text[0] == '-' && text[1] == '0')) return std::nullopt;
  return integer;
}

ByteView FormatMember(int64_t integer, char* to) {
  const char* end = std::to_chars(to, to + kIntegerTextMax, integer).ptr;
  return {to, static_cast<size_t>(end - to)};
}

IntegerPack::IntegerPack(ByteView pack) {
  if (pack.empty()) return;
  const auto width = static_cast<uint8_t>(pack[0]);
  if (width != 2 && width != 4 && width != 8) return;
  width_ = width;
  count_ = std::min((pack.size() - 1) / width, IntegerBuffer::kCountMax);
  values_ = pack.data() + 1;
}

int64_t IntegerPack::At(size_t index) const {
  const char* at = values_ + index * width_;
  switch (width_) {
    case 2:
      return LoadLe<int16_t>(at);
    case 4:
      return LoadLe<int32_t>(at);
    default:
      return LoadLe<int64_t>(at);
  }
}

size_t IntegerPack::LowerBound(int64_t integer) const {
  size_t low = 0;
  size_t high = count_;
  while (low < high) {
    const size_t middle = (low + high) / 2;
    if (At(middle) < integer) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return low;
}

IntegerBuffer::IntegerBuffer(const IntegerPack& pack) : count_(pack.count()) {
  for (size_t i = 0; i < count_; ++i) values_[i] = pack.At(i);
}

bool IntegerBuffer::Insert(int64_t integer) {
  VERSO_CHECK(count_ < kCountMax);
  int64_t* at = std::lower_bound(values_, values_ + count_, integer);
  if (at != values_ + count_ && *at == integer) return false;
  std::memmove(at + 1, at, static_cast<size_t>(values_ + count_ - at) * sizeof(*at));
  *at = integer;
  ++count_;
  return true;
}

bool IntegerBuffer::Erase(int64_t integer) {
  int64_t* at = std::lower_bound(values_, values_ + count_, integer);
  if (at == values_ + count_ || *at != integer) return false;
  --count_;
  std::memmove(at, at + 1, static_cast<size_t>(values_ + count_ - at) * sizeof(*at));
  return true;
}

ByteView IntegerBuffer::Encode(char* to) const {
  // Ascending: the ends are the widest.
  const size_t width =
      count_ == 0 ? 2 : std::max(WidthOf(values_[0]), WidthOf(values_[count_ - 1]));
  to[0] = static_cast<char>(width);
  for (size_t i = 0; i < count_; ++i) std::memcpy(to + 1 + i * width, values_ + i, width);
  return {to, 1 + count_ * width};
}

}  // namespace verso::storage
