// One row per value type: what is done with a value whatever it is. A new type adds its functions
// here; retiring, copying and counting bytes are written once over the page kinds.
#pragma once

#include <string>

#include "storage/base/hash.h"
#include "storage/memory/page_arena.h"
#include "storage/types/content_hash.h"
#include "storage/types/value.h"

namespace verso::storage {

struct TypeOps {
  // Feeds what the value holds. Equal contents feed the same, whatever their layout and history.
  void (*digest)(const PageArena& arena, const ValueView& value, ContentHash* into) = nullptr;
  // What OBJECT ENCODING answers: Redis' names.
  const char* (*encoding)(const PageArena& arena, const ValueView& value) = nullptr;
  // Structural audit of the value's pages. Empty: sound. Null: nothing to check.
  std::string (*validate)(const PageArena& arena, const ValueView& value,
                          const HashSecret& secret) = nullptr;
};

// Requires: a type that has commands.
const TypeOps& TypeOpsOf(ValueType type);

}  // namespace verso::storage
