// Views of bytes and unaligned little-endian access. Everything stored is little-endian.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

namespace verso {

// Bytes that somebody else owns. Values and keys are binary safe; nothing is NUL terminated.
using ByteView = std::string_view;

template <typename T>
inline T LoadLe(const void* from) {
  T value;
  std::memcpy(&value, from, sizeof(T));
  return value;
}

template <typename T>
inline void StoreLe(void* to, T value) {
  std::memcpy(to, &value, sizeof(T));
}

static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "pages are stored little-endian");

inline constexpr size_t AlignUp(size_t value, size_t step) {
  return (value + step - 1) / step * step;
}

}  // namespace verso
