// Parking: what a blocking command that found nothing waits for. CommandContext::Park takes it.
//
//   for (each key) if (it has an element) { pop, reply; return Outcome::kDone; }
//   return context.Park({.first_key = 1, .key_count = keys, .timeout_ms = timeout_ms,
//                        .type = ValueType::kList});
//
// The command runs again, from the start and with the same arguments, whenever one of its keys has
// changed and holds a value of that type; it parks again or answers. Where waiting is not allowed
// (EXEC, scripts, replay) Park() answers at once. A client whose time is up gets a null array,
// whatever the command.
//
// P1 A command that parks has changed nothing.
// P2 Its effects are those of the command that would not have waited (LPOP for BLPOP): nothing
//    waits on a replica.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "storage/types/value.h"

namespace verso::server {

enum class NoWaitReply : uint8_t { kNull, kNullArray };

struct Parking {
  size_t first_key = 1;  // index of the first key among the arguments; the others follow it
  size_t key_count = 1;
  uint64_t timeout_ms = 0;  // 0: for ever
  storage::ValueType type = storage::ValueType::kList;
  NoWaitReply reply = NoWaitReply::kNullArray;
  bool wake_without_key = false;  // also when the key goes or changes its type (XREADGROUP)
  // Arguments that mean something else later (XREAD's $): what the copy says instead.
  std::vector<std::pair<size_t, std::string>> rewritten = {};
};

}  // namespace verso::server
