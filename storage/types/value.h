// What a key holds, as a reader sees it. Numbers are frozen: they stand in every leaf entry on
// disk.
#pragma once

#include <cstdint>
#include <optional>

#include "storage/base/bytes.h"
#include "storage/memory/page.h"

namespace verso::storage {

enum class ValueType : uint8_t {
  kString = 0,
  kList = 1,
  kSet = 2,
  kZset = 3,
  kHash = 4,
  kStream = 6,
};
inline constexpr int kTypeCount = 7;

const char* TypeName(ValueType type);  // "string", "list", ... as TYPE answers

// No deadline: the entry does not expire.
inline constexpr uint64_t kNoDeadline = ~uint64_t{0};

// A value found in a view. Views into pages: valid until the next write to that line.
struct ValueView {
  ValueType type = ValueType::kString;
  uint8_t hint = 0;  // encoding hint of the type (string: kStringRaw)
  uint64_t deadline_ms = kNoDeadline;
  bool external =
      false;       // true: `ref` is the value's root page; false: the bytes stand in the leaf
  ByteView bytes;  // inline bytes
  Ref ref;
};

}  // namespace verso::storage
