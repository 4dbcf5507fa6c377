#include "server/resp/reply.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>

namespace verso::server {
namespace {

// The shortest digits that read back as the number, laid out where 7.2 puts the point: without an
// exponent while few zeros are needed.
size_t FormatFraction(double value, char* to) {
  char shortest[32];  // -d.ddde-xxx
  const char* const end =
      std::to_chars(shortest, shortest + sizeof(shortest), value, std::chars_format::scientific)
          .ptr;
  char* at = to;
  const char* from = shortest;
  if (*from == '-') *at++ = *from++;
  char digits[20];
  int count = 0;
  for (; *from != 'e'; ++from) {
    if (*from != '.') digits[count++] = *from;
  }
  ++from;
  if (*from == '+') ++from;
  int exponent = 0;
  std::from_chars(from, end, exponent);

  const auto put = [&at](const char* bytes, int length) {
    std::memcpy(at, bytes, static_cast<size_t>(length));
    at += length;
  };
  const auto zeros = [&at](int length) {
    std::memset(at, '0', static_cast<size_t>(length));
    at += length;
  };
  const int last = exponent - (count - 1);  // the power of ten of the last digit
  if (last >= 0 && exponent < count + 7) {
    put(digits, count);
    zeros(last);
  } else if (last < 0 && (last > -7 || std::abs(exponent) < 4)) {
    const int whole = std::max(count + last, 0);  // digits before the point
    whole > 0 ? put(digits, whole) : zeros(1);
    *at++ = '.';
    zeros(std::max(-(count + last), 0));
    put(digits + whole, count - whole);
  } else {
    put(digits, 1);
    if (count > 1) *at++ = '.';
    put(digits + 1, count - 1);
    *at++ = 'e';
    *at++ = exponent < 0 ? '-' : '+';
    at = std::to_chars(at, at + 4, std::abs(exponent)).ptr;
  }
  return static_cast<size_t>(at - to);
}

}  // namespace

size_t FormatDouble(double value, char* to) {
  if (std::isnan(value)) {
    return std::string_view("nan").copy(to, 3);
  }
  if (std::isinf(value)) {
    const std::string_view text = value > 0 ? "inf" : "-inf";
    return text.copy(to, text.size());
  }
  // What an int64 holds with room to spare stands as an integer.
  if (std::fabs(value) < 0x1p62 && value == std::trunc(value)) {
    if (value == 0 && std::signbit(value)) {
      return std::string_view("-0").copy(to, 2);
    }
    return static_cast<size_t>(std::to_chars(to, to + 32, static_cast<int64_t>(value)).ptr - to);
  }
  return FormatFraction(value, to);
}

void ReplyWriter::SimpleString(std::string_view text) {
  out_->Append("+");
  out_->Append(text);
  out_->Append("\r\n");
}

void ReplyWriter::Error(std::string_view code_and_text) {
  ++errors_;
  const std::string_view code = code_and_text.substr(0, code_and_text.find(' '));
  last_error_code_bytes_ = static_cast<uint8_t>(std::min(code.size(), sizeof(last_error_code_)));
  std::memcpy(last_error_code_, code.data(), last_error_code_bytes_);
  out_->Append("-");
  while (!code_and_text.empty()) {
    const size_t plain = std::min(code_and_text.find_first_of("\r\n"), code_and_text.size());
    out_->Append(code_and_text.substr(0, plain));
    code_and_text.remove_prefix(plain);
    if (!code_and_text.empty()) {
      out_->Append(" ");
      code_and_text.remove_prefix(1);
    }
  }
  out_->Append("\r\n");
}

void ReplyWriter::BulkInteger(int64_t value) {
  char digits[24];
  char* end = std::to_chars(digits, digits + sizeof(digits), value).ptr;
  Bulk({digits, static_cast<size_t>(end - digits)});
}

void ReplyWriter::Bool(bool value) {
  if (resp3()) {
    Raw(value ? "#t\r\n" : "#f\r\n");
  } else {
    Integer(value ? 1 : 0);
  }
}

void ReplyWriter::Double(double value) {
  char digits[32];
  const std::string_view text(digits, FormatDouble(value, digits));
  if (!resp3()) {
    Bulk(text);
    return;
  }
  out_->Append(",");
  out_->Append(text);
  out_->Append("\r\n");
}

void ReplyWriter::Verbatim(std::string_view text, std::string_view format) {
  if (!resp3()) {
    Bulk(text);
    return;
  }
  Header('=', static_cast<int64_t>(text.size() + 4));
  out_->Append(format);
  out_->Append(":");
  out_->Append(text);
  out_->Append("\r\n");
}

}  // namespace verso::server
