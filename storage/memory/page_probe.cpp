#include "storage/memory/page_probe.h"

#include "storage/memory/page_kinds.h"

namespace verso::storage {

void PageProbe::Below(const Ref& ref) {
  constexpr size_t kPagesMax = 32;
  Ref found[kPagesMax] = {ref};
  size_t count = ref ? 1 : 0;
  for (size_t i = 0; i < count; ++i) {
    if (!Has(found[i]) || !HasChildren(found[i].kind())) continue;
    VisitRefs(arena_.Resolve(found[i]), found[i], [&](const Ref& child) {
      if (count < kPagesMax) found[count++] = child;
    });
  }
}

}  // namespace verso::storage
