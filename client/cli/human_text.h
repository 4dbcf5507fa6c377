// Sizes and spans of time as people read them.
#pragma once

#include <cstdint>
#include <string>

namespace verso::cli {

std::string BytesText(uint64_t bytes);  // "512 B", "1.5 MB"
std::string SpanText(uint64_t millis);  // of the two largest units: "12 s", "3 min 20 s", "2 d 4 h"

}  // namespace verso::cli
