// What HELLO and CLIENT agree on.
#pragma once

#include <algorithm>
#include <string_view>

namespace verso::server {

inline constexpr std::string_view kBadClientName =
    "ERR Client names cannot contain spaces, newlines or special characters.";

// Shown in CLIENT LIST, whose fields are separated by spaces and lines.
inline bool IsClientWord(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return c >= '!' && c <= '~'; });
}

}  // namespace verso::server
