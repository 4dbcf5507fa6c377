// The fields of INFO's text.
#pragma once

#include <algorithm>
#include <charconv>
#include <optional>
#include <string_view>

namespace verso::cli {

inline std::optional<std::string_view> InfoField(std::string_view info, std::string_view name) {
  while (!info.empty()) {
    const size_t end = std::min(info.find('\n'), info.size());
    std::string_view line = info.substr(0, end);
    info.remove_prefix(std::min(end + 1, info.size()));
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (line.starts_with(name) && line.substr(name.size()).starts_with(':')) {
      return line.substr(name.size() + 1);
    }
  }
  return std::nullopt;
}

template <class T>
std::optional<T> InfoNumber(std::string_view info, std::string_view name) {
  const std::optional<std::string_view> text = InfoField(info, name);
  if (!text) return std::nullopt;
  T value = 0;
  const auto [at, error] = std::from_chars(text->data(), text->data() + text->size(), value);
  if (error != std::errc()) return std::nullopt;
  return value;
}

}  // namespace verso::cli
