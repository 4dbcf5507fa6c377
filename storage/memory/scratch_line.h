// Holds a scratch line for its lifetime, an empty one or one that begins with a pinned version:
// what is built in it and was not published (WriteView::PublishFrom) goes with it, whatever ends
// the building.
#pragma once

#include "storage/memory/store.h"

namespace verso::storage {

class ScratchLine {
 public:
  explicit ScratchLine(Store& store) : store_(store), line_(store.NewScratch()) {}
  ScratchLine(Store& store, Line& from, Epoch pinned)
      : store_(store), line_(store.Fork(from, pinned, true)) {}
  ScratchLine(const ScratchLine&) = delete;
  ScratchLine& operator=(const ScratchLine&) = delete;
  ~ScratchLine() { store_.DropHead(line_); }

  Line& line() const { return *line_; }

 private:
  Store& store_;
  Line* line_;
};

}  // namespace verso::storage
