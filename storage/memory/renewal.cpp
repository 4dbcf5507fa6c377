#include "storage/memory/renewal.h"

#include <cstring>

#include "storage/base/check.h"
#include "storage/memory/page_kinds.h"
#include "storage/memory/size_class.h"

namespace verso::storage {

void Renewal::Renew(Ref* slot) {
  if (Old(*slot)) {
    const Ref fresh = line_.NewPage(slot->kind(), slot->size(), slot->aux());
    VERSO_CHECK(!Old(fresh));
    std::memcpy(line_.arena().ResolveMutable(fresh), line_.arena().Resolve(*slot), slot->size());
    if (slot->birth() > line_.fork()) line_.Drop(*slot);
    *slot = fresh;
  }
  if (HasChildren(slot->kind()) && !Shared(*slot)) todo_.push_back(*slot);
}

bool Renewal::Step() {
  if (slot_ != nullptr) {
    if (*slot_) {
      if (Old(*slot_) && !Reserve(RunBytes(slot_->size()))) return false;
      Renew(slot_);
    }
    slot_ = nullptr;
    return true;
  }
  const Ref page = todo_.back();
  char* bytes = line_.arena().ResolveMutable(page);
  size_t needed = 0;
  VisitRefs(bytes, page, [&](const Ref& child) {
    if (Old(child)) needed += RunBytes(child.size());
  });
  if (!Reserve(needed)) return false;
  todo_.pop_back();
  // A leaf of a trie stands in neighbouring slots of a directory. The reference shown is the one
  // in the page; one whose neighbour has changed is shown too.
  Ref last_from;
  Ref last_to;
  VisitRefs(bytes, page, [&](const Ref& child) {
    Ref* slot = const_cast<Ref*>(&child);
    if (*slot == last_from) {
      *slot = last_to;
      return;
    }
    last_from = *slot;
    Renew(slot);
    last_to = *slot;
  });
  return true;
}

}  // namespace verso::storage
