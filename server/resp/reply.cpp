#include "server/resp/reply.h"

#include <algorithm>
#include <cmath>

namespace verso::server {

size_t FormatDouble(double value, char* to) {
  if (std::isnan(value)) {
    std::memcpy(to, "nan", 3);
    return 3;
  }
  if (std::isinf(value)) {
    std::memcpy(to, value > 0 ? "inf" : "-inf", 4);
    return value > 0 ? 3 : 4;
  }
  // Numbers that are integers of up to 17 digits stand without an exponent, as Redis writes them.
  if (value == std::floor(value) && std::fabs(value) < 1e17) {
    if (value == 0 && std::signbit(value)) {
      std::memcpy(to, "-0", 2);
      return 2;
    }
    return static_cast<size_t>(std::to_chars(to, to + 32, static_cast<int64_t>(value)).ptr - to);
  }
  return static_cast<size_t>(std::to_chars(to, to + 32, value).ptr - to);
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
