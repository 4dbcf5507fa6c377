// ArgReader: typed arguments. Reads from left to right; the first fault sticks, later reads answer
// harmless values:
//
//   ArgReader args(context, 2);
//   const int64_t by = args.Integer();
//   while (!args.AtEnd()) {
//     if (args.Take("nx")) { nx = true; }
//     else if (args.Take("count")) { count = args.Integer(); }
//     else return context.Fail(error::kSyntax);
//   }
//   if (!args.ok()) return context.Fail(args.error());
//
// One parser for integers (Redis' rules: no leading zeros, no plus, no spaces) and one for floats,
// for all commands.
#pragma once

#include <cstdint>
#include <limits>
#include <string_view>

#include "server/command/command_context.h"
#include "server/command/error_reply.h"

namespace verso::server {

// The whole text is one decimal int64 in its only spelling. False: *value is unchanged.
bool ParseInteger(ByteView text, int64_t* value);
bool ParseUnsigned(ByteView text, uint64_t* value);
// The whole text is a number as strtod reads it, hexadecimal too; no leading space, no NaN. Accepts
// inf, +inf, -inf, infinity in any case.
bool ParseDouble(ByteView text, double* value);
// The same in long double, for INCRBYFLOAT.
bool ParseLongDouble(ByteView text, long double* value);
// "%.17Lf" without trailing zeros: what INCRBYFLOAT stores and answers. `to` has room for 5200.
// Returns the length.
size_t FormatLongDouble(long double value, char* to);

// `lower` is lower case already.
inline bool EqualsIgnoreCase(ByteView text, std::string_view lower) {
  if (text.size() != lower.size()) return false;
  for (size_t i = 0; i < text.size(); ++i) {
    unsigned char c = static_cast<unsigned char>(text[i]);
    if (c >= 'A' && c <= 'Z') c = static_cast<unsigned char>(c + 32);
    if (c != static_cast<unsigned char>(lower[i])) return false;
  }
  return true;
}

class ArgReader {
 public:
  ArgReader(const CommandContext& context, size_t first)
      : arguments_(context.arguments()), next_(first) {}

  bool AtEnd() const { return next_ >= arguments_.size(); }
  size_t remaining() const { return AtEnd() ? 0 : arguments_.size() - next_; }
  size_t position() const { return next_; }

  // The next argument as it is. At the end: a syntax error.
  ByteView Next() {
    if (AtEnd()) {
      SetError(error::kSyntax);
      return {};
    }
    return arguments_[next_++];
  }
  ByteView Peek() const { return AtEnd() ? ByteView() : arguments_[next_]; }
  // Takes the next argument if it is this word, in any case. `lower` is lower case.
  bool Take(std::string_view lower) {
    if (AtEnd() || !EqualsIgnoreCase(arguments_[next_], lower)) return false;
    ++next_;
    return true;
  }

  int64_t Integer(std::string_view fault = error::kNotInteger) {
    int64_t value = 0;
    const ByteView text = Next();
    if (ok() && !ParseInteger(text, &value)) SetError(fault);
    return value;
  }
  // Within [min, max], else `range_fault`.
  int64_t IntegerBetween(int64_t min, int64_t max, std::string_view range_fault) {
    const int64_t value = Integer();
    if (ok() && (value < min || value > max)) SetError(range_fault);
    return value;
  }
  double Double(std::string_view fault = error::kNotFloat) {
    double value = 0;
    const ByteView text = Next();
    if (ok() && !ParseDouble(text, &value)) SetError(fault);
    return value;
  }

  bool ok() const { return error_.empty(); }
  std::string_view error() const { return error_; }
  // The first error stays. Requires: text that outlives the reader (the constants of
  // error_reply.h).
  void SetError(std::string_view text) {
    if (error_.empty()) error_ = text;
  }

 private:
  std::span<const ByteView> arguments_;
  size_t next_;
  std::string_view error_;
};

}  // namespace verso::server
