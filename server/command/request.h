// Request: one parsed command. The arguments are views: into the client's input, or into the copy
// that a CommandQueue holds.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "storage/base/bytes.h"

namespace verso::server {

struct CommandEntry;

struct Request {
  const CommandEntry* entry = nullptr;  // as Find() answers; null: unknown
  std::span<const ByteView> arguments;
  size_t bytes = 0;         // of the request, for the memory gate
  size_t hashed_index = 0;  // 0: the prefetch stage made no hash
  uint64_t hash = 0;
};

}  // namespace verso::server
