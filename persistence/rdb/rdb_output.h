// The elements of RDB, appended to a string: the counterpart of rdb_input.h.
#pragma once

#include <cstdint>
#include <string>

#include "storage/base/bytes.h"

namespace verso::persistence {

void AppendRdbLength(std::string* out, uint64_t length);

inline void AppendRdbString(std::string* out, ByteView bytes) {
  AppendRdbLength(out, bytes.size());
  out->append(bytes);
}

// Fixed width, little-endian: numbers of 8 bytes, scores.
template <typename T>
void AppendLe(std::string* out, T value) {
  char bytes[sizeof(T)];
  StoreLe(bytes, value);
  out->append(bytes, sizeof(T));
}

}  // namespace verso::persistence
