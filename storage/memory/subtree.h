// What is done with everything below a reference, written once over the page kinds.
#pragma once

#include "storage/memory/line.h"
#include "storage/memory/page.h"

namespace verso::storage {

// A second copy that shares no page with the first (COPY, V10). Null stays null. Requires: room for
// SubtreeBytes(root) was reserved.
Ref CopySubtree(Line& line, const Ref& root);

// Bytes of the runs below a reference, itself included. Walks everything.
uint64_t SubtreeBytes(const PageArena& arena, const Ref& root);

}  // namespace verso::storage
