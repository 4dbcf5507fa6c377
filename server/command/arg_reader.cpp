#include "server/command/arg_reader.h"

#include <charconv>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace verso::server {

bool ParseUnsigned(ByteView text, uint64_t* value) {
  if (text.empty() || text.size() > 20 || (text[0] == '0' && text.size() > 1)) return false;
  uint64_t number = 0;
  const auto [end, fault] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (fault != std::errc() || end != text.data() + text.size()) return false;
  *value = number;
  return true;
}

bool ParseInteger(ByteView text, int64_t* value) {
  if (text.empty() || text.size() > 20) return false;
  const bool negative = text[0] == '-';
  const ByteView digits = text.substr(negative ? 1 : 0);
  if (digits.empty() || digits[0] < '0' || digits[0] > '9') return false;
  if (digits[0] == '0' && (negative || digits.size() > 1)) return false;
  int64_t number = 0;
  const auto [end, fault] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (fault != std::errc() || end != text.data() + text.size()) return false;
  *value = number;
  return true;
}

namespace {

// As Redis: what strtod and strtold take whole (decimal, hexadecimal, infinities), but no leading
// space and no NaN. They want an end of string.
template <typename Float, Float (*kConvert)(const char*, char**)>
bool ParseFloat(ByteView text, Float* value) {
  char copy[5 * 1024];
  if (text.empty() || text.size() >= sizeof(copy)) return false;
  if (text[0] == ' ' || (text[0] >= '\t' && text[0] <= '\r')) return false;
  std::memcpy(copy, text.data(), text.size());
  copy[text.size()] = '\0';
  char* end = nullptr;
  errno = 0;
  const Float number = kConvert(copy, &end);
  if (end != copy + text.size() || std::isnan(number)) return false;
  if (errno == ERANGE && (std::isinf(number) || number == 0)) return false;
  *value = number;
  return true;
}

}  // namespace

bool ParseDouble(ByteView text, double* value) { return ParseFloat<double, strtod>(text, value); }

bool ParseLongDouble(ByteView text, long double* value) {
  return ParseFloat<long double, strtold>(text, value);
}

size_t FormatLongDouble(long double value, char* to) {
  // 4933 digits before the point is the most a long double has.
  size_t length = static_cast<size_t>(std::snprintf(to, 5200, "%.17Lf", value));
  if (std::memchr(to, '.', length) != nullptr) {
    while (to[length - 1] == '0') --length;
    if (to[length - 1] == '.') --length;
  }
  if (length == 2 && to[0] == '-' && to[1] == '0') {
    to[0] = '0';
    length = 1;
  }
  return length;
}

}  // namespace verso::server
