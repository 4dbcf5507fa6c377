// What is done with everything below a reference, written once over the page kinds.
#pragma once

#include <vector>

#include "storage/memory/line.h"
#include "storage/memory/page.h"

namespace verso::storage {

// A second copy that shares no page with the first (COPY, V10). Null stays null. Requires: room for
// SubtreeBytes(root) was reserved.
Ref CopySubtree(Line& line, const Ref& root);

// Bytes of the runs below a reference, itself included. Walks everything, but no further once they
// are more than `enough`.
uint64_t SubtreeBytes(const PageArena& arena, const Ref& root, uint64_t enough = ~uint64_t{0});

// The same a page at a time, and only of the pages born after `above` (none is younger than the
// page above it, so a walk costs what it counts).
class SubtreeWalk {
 public:
  SubtreeWalk(const PageArena& arena, const Ref& root, Epoch above);
  bool Step();  // true: finished
  uint64_t bytes() const { return bytes_; }

 private:
  void Add(const Ref& ref);

  const PageArena& arena_;
  Epoch above_;
  uint64_t bytes_ = 0;
  std::vector<Ref> left_;
};

}  // namespace verso::storage
