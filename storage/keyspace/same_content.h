// Is what a key shows the same in two views? Content is presence at the view's moment, type, value
// and deadline: what DIFF lists, what MERGE and transactions call a change. A key that was changed
// and changed back is the same.
#pragma once

#include "storage/keyspace/keyspace.h"

namespace verso::storage {

// Of one store; databases and moments are the views' own. Costs what differs between the values.
bool SameContent(const ReadView& a, const ReadView& b, const Key& key);

// The same of what the views have found there.
bool SameContent(const ReadView& view, const std::optional<ValueView>& a,
                 const std::optional<ValueView>& b);

}  // namespace verso::storage
