// Publication (V6): values that were built in a scratch line become values of another line,
// together: linked where that is allowed, copied where not. Subtrees that old and new contents
// share stay where they are, also if they change from one value to another (V10: nothing is
// reachable twice inside a version). What follows is done in this order, for all values of the
// publication:
//
//   1 NoteShared   each new value: which subtrees the scratch line has from its parent
//   2 DropOld      each old value: what no new one still has is dropped
//   3 Link         each new value: what it is in the target line
//
// Costs what differs from the version that the scratch line was forked from, and what is copied.
// The room must have been reserved.
#pragma once

#include <unordered_map>

#include "storage/memory/line.h"

namespace verso::storage {

class Publication {
 public:
  Publication(Line& scratch, Line& line);

  void NoteShared(const Ref& ref);
  void DropOld(const Ref& ref);
  Ref Link(const Ref& ref);

 private:
  struct State {
    Epoch birth;
    bool stays;
  };

  void TakeApart(const Ref& ref);

  Line& scratch_;
  Line& line_;
  const Epoch frozen_;  // what was born up to then is copied
  std::unordered_map<Cell, State> shared_;
};

}  // namespace verso::storage
