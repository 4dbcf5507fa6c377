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
  return RenewChildren();
}

// The children of a directory or an inner page stand in the order of their addresses, and are many:
// some at a time. What a leaf leads to is renewed at once.
bool Renewal::RenewChildren() {
  constexpr size_t kChildrenAtOnce = 16;
  const Ref page = todo_.back();
  char* bytes = line_.arena().ResolveMutable(page);
  const bool many = page.kind() == PageKind::kTrieDir || page.kind() == PageKind::kItemInner;
  size_t needed = 0;
  size_t children = 0;
  const Ref* rest = nullptr;
  VisitRefs(bytes, page, [&](const Ref& child) {
    if (&child < next_ || rest != nullptr) return;
    if (many && children++ == kChildrenAtOnce) {
      rest = &child;
    } else if (Old(child)) {
      needed += RunBytes(child.size());
    }
  });
  if (!Reserve(needed)) return false;
  todo_.pop_back();
  const Ref* const first = next_;
  // A leaf of a trie stands in neighbouring slots of a directory. The reference shown is the one
  // in the page; one whose neighbour has changed is shown too.
  VisitRefs(bytes, page, [&](const Ref& child) {
    if (&child < first || (rest != nullptr && &child >= rest)) return;
    Ref* slot = const_cast<Ref*>(&child);
    if (*slot == last_from_) {
      *slot = last_to_;
      return;
    }
    last_from_ = *slot;
    Renew(slot);
    last_to_ = *slot;
  });
  next_ = rest;
  if (rest == nullptr) {
    last_from_ = last_to_ = kNullRef;
  } else {
    todo_.push_back(page);  // on top of its children: next_ is of the last one
  }
  return true;
}

}  // namespace verso::storage
