#include "client/cli/human_text.h"

#include <cstdio>
#include <iterator>

namespace verso::cli {

std::string BytesText(uint64_t bytes) {
  constexpr const char* kUnits[] = {"B", "KB", "MB", "GB", "TB"};
  double value = static_cast<double>(bytes);
  size_t unit = 0;
  for (; value >= 1024 && unit + 1 < std::size(kUnits); ++unit) value /= 1024;
  char text[64];
  std::snprintf(text, sizeof(text), unit == 0 ? "%.0f %s" : "%.1f %s", value, kUnits[unit]);
  return text;
}

std::string SpanText(uint64_t millis) {
  struct Unit {
    uint64_t seconds;
    const char* name;
  };
  constexpr Unit kUnits[] = {{86'400, "d"}, {3'600, "h"}, {60, "min"}, {1, "s"}};
  uint64_t seconds = millis / 1000;
  std::string text;
  int parts = 0;
  for (const Unit& unit : kUnits) {
    const uint64_t count = seconds / unit.seconds;
    seconds %= unit.seconds;
    if (parts == 0 && count == 0 && unit.seconds != 1) continue;
    ++parts;
    if (count != 0 || parts == 1) {
      text += (text.empty() ? "" : " ") + std::to_string(count) + " " + unit.name;
    }
    if (parts == 2) break;
  }
  return text;
}

}  // namespace verso::cli
