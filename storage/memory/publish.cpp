#include <algorithm>
#include <cstring>

#include "storage/base/check.h"
#include "storage/memory/page_kinds.h"
#include "storage/memory/publication.h"
#include "storage/memory/store.h"

namespace verso::storage {

Publication::Publication(Line& scratch, Line& line)
    : scratch_(scratch), line_(line), frozen_(std::max(scratch.frozen(), line.frozen())) {
  VERSO_CHECK(scratch.scratch());
}

// Subtrees that the scratch line has from its parent, seen from above: candidates to stay.
void Publication::NoteShared(const Ref& ref) {
  if (ref.birth() <= scratch_.fork()) {
    shared_[ref.cell()] = State{ref.birth(), false};
  } else if (HasChildren(ref.kind())) {
    VisitRefs(line_.arena().Resolve(ref), ref, [this](const Ref& child) { NoteShared(child); });
  }
}

void Publication::DropOld(const Ref& ref) {
  // Where nothing can stay, what is large goes in the background.
  if (shared_.empty()) {
    line_.Retire(ref);
  } else {
    TakeApart(ref);
  }
}

void Publication::TakeApart(const Ref& ref) {
  const auto at = shared_.find(ref.cell());
  if (at != shared_.end() && at->second.birth == ref.birth()) {
    at->second.stays = true;
    return;
  }
  if (HasChildren(ref.kind())) {
    VisitRefs(line_.arena().Resolve(ref), ref, [this](const Ref& child) { TakeApart(child); });
  }
  line_.Drop(ref);
}

Ref Publication::Link(const Ref& ref) {
  const auto at = shared_.find(ref.cell());
  if (at != shared_.end() && at->second.birth == ref.birth() && at->second.stays) return ref;
  Ref linked = ref;
  if (ref.birth() <= frozen_) {
    linked = line_.NewPage(ref.kind(), ref.size(), ref.aux());
    std::memcpy(line_.arena().ResolveMutable(linked), line_.arena().Resolve(ref), ref.size());
  }
  if (HasChildren(ref.kind())) {
    Ref last_from;  // a leaf may stand in neighbouring slots of a directory
    Ref last_to;
    VisitRefs(line_.arena().Resolve(linked), linked, [&](const Ref& child) {
      if (!(child == last_from)) {
        last_from = child;
        last_to = Link(child);
      }
      const_cast<Ref&>(child) =
          last_to;  // the visitor shows the reference in the page, which is this line's own now
    });
  }
  if (!linked.SamePage(ref)) scratch_.Drop(ref);
  line_.MarkWritten();  // V1
  return linked;
}

void Store::Publish(Line& scratch, Ref* from, Line& line, Ref* to) {
  Publication publication(scratch, line);
  if (*from) publication.NoteShared(*from);
  if (*to) publication.DropOld(*to);
  *to = *from ? publication.Link(*from) : kNullRef;
  *from = kNullRef;
}

}  // namespace verso::storage
