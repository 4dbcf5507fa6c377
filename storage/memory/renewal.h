// Renewal: gives the pages of a value in a scratch line births that are young enough for it to be
// linked into another line (V6), some children of a page at a time. A COPY is nothing else: its
// value begins as a reference to pages of the pinned version, which all are too old.
//
//   Renewal renewal(line, slot, frozen);
//   while (!renewal.done()) { if (!renewal.Step()) return "no room"; }
//   // now every page below *slot was born after `frozen`
//
// R1 Requires: *slot lies in a writable page of the scratch line, where it is the only way to the
//    pages below that the line has made itself; between two steps nobody changes them.
// R2 Pages of the version that the line was forked from stay where they are; those of its own that
//    are replaced are free at once. It may be dropped half done: all it has made hangs below *slot.
// R3 Subtrees born up to `shared` stay as they are: those that the line has from the version it
//    began with, where they shall be the other line's as they are its own already.
#pragma once

#include <vector>

#include "storage/memory/line.h"

namespace verso::storage {

class Renewal {
 public:
  // Requires: `above` is older than the current epoch.
  Renewal(Line& line, Ref* slot, Epoch above, Epoch shared = 0)
      : line_(line), slot_(slot), above_(above), shared_(shared) {}

  bool done() const { return slot_ == nullptr && todo_.empty(); }
  // False: there is no room, and nothing was changed. Requires: not done.
  bool Step();
  Epoch above() const { return above_; }

 private:
  bool Shared(const Ref& ref) const { return ref.birth() <= shared_; }
  bool Old(const Ref& ref) const { return ref.birth() <= above_ && !Shared(ref); }
  bool Reserve(size_t bytes) { return bytes == 0 || line_.arena().Reserve(bytes + bytes / 4); }
  void Renew(Ref* slot);
  bool RenewChildren();

  Line& line_;
  Ref* slot_;  // null once the page itself is done
  const Epoch above_;
  const Epoch shared_;
  std::vector<Ref> todo_;  // young pages whose children have not been looked at, or not all
  // Of the last of them: the first child that is left, and what the one before it was and became.
  const Ref* next_ = nullptr;
  Ref last_from_;
  Ref last_to_;
};

}  // namespace verso::storage
