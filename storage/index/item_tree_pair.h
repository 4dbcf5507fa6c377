// Two versions of an item tree side by side: do they hold the same items? Equal references at the
// same place are not followed.
#pragma once

#include "storage/index/item_tree.h"

namespace verso::storage {

// The same sort keys and payloads in the same order. Null: empty. Costs the pages that differ.
bool ItemsEqual(const PageArena& arena, const Ref& a, const Ref& b);

}  // namespace verso::storage
