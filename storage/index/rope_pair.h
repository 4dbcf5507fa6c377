// Two strings, wherever they stand: are their bytes the same? Of two ropes, chunks and nodes behind
// equal references are not read.
#pragma once

#include "storage/index/rope.h"
#include "storage/types/value.h"

namespace verso::storage {

bool RopesEqual(const PageArena& arena, const Ref& a, const Ref& b);

// Inline, a run or a rope. Only the bytes are compared, no type and no deadline.
bool StringsEqual(const PageArena& arena, const ValueView& a, const ValueView& b);

}  // namespace verso::storage
