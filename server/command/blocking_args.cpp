#include "server/command/blocking_args.h"

#include <cmath>
#include <limits>

#include "server/command/arg_reader.h"

namespace verso::server {
namespace {

constexpr std::string_view kNegative = "ERR timeout is negative";
constexpr std::string_view kOutOfRange = "ERR timeout is out of range";
// The sum with the clock is a time, too.
constexpr int64_t kMax = std::numeric_limits<int64_t>::max() - (int64_t{1} << 42);

bool Refuse(CommandContext& context, std::string_view text) {
  context.reply().Error(text);
  return false;
}

}  // namespace

bool ReadBlockSeconds(CommandContext& context, ByteView text, uint64_t* timeout_ms) {
  long double seconds = 0;
  if (!ParseLongDouble(text, &seconds)) {
    return Refuse(context, "ERR timeout is not a float or out of range");
  }
  const long double milliseconds = std::ceil(seconds * 1000);
  if (milliseconds < 0) return Refuse(context, kNegative);
  if (!(milliseconds <= static_cast<long double>(kMax))) return Refuse(context, kOutOfRange);
  *timeout_ms = static_cast<uint64_t>(milliseconds);
  return true;
}

bool ReadBlockMilliseconds(CommandContext& context, ByteView text, uint64_t* timeout_ms) {
  int64_t milliseconds = 0;
  if (!ParseInteger(text, &milliseconds)) {
    return Refuse(context, "ERR timeout is not an integer or out of range");
  }
  if (milliseconds < 0) return Refuse(context, kNegative);
  if (milliseconds > kMax) return Refuse(context, kOutOfRange);
  *timeout_ms = static_cast<uint64_t>(milliseconds);
  return true;
}

}  // namespace verso::server
