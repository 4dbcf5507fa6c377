#include "storage/keyspace/same_content.h"

#include "storage/types/same_value.h"

namespace verso::storage {

bool SameContent(const ReadView& view, const std::optional<ValueView>& a,
                 const std::optional<ValueView>& b) {
  if (!a || !b) return !a && !b;
  return a->deadline_ms == b->deadline_ms && SameValue(view, *a, *b);
}

bool SameContent(const ReadView& a, const ReadView& b, const Key& key) {
  return SameContent(a, a.Find(key, Access::kPeek), b.Find(key, Access::kPeek));
}

}  // namespace verso::storage
