// Do two values hold the same? What digests make the same is the same (type_ops.h): not the layout,
// nor when a consumer was seen last.
//
// Pages that both values have are not read, so comparing two versions of a large value costs what
// differs between them.
#pragma once

#include "storage/keyspace/keyspace.h"

namespace verso::storage {

// Type and contents; deadlines are not looked at. `view`: any of the store that has both.
bool SameValue(const ReadView& view, const ValueView& a, const ValueView& b);

}  // namespace verso::storage
