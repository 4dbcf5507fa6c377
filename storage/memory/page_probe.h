// PageProbe: is all there that a command is about to read? While a restart brings pages back
// (page_image.h), Resolve waits for a page that is missing, and with it everybody else. Whoever
// asks first can let others go ahead instead:
//
//   PageProbe probe(arena);
//   view.Probe(key, &probe);
//   if (probe.missing()) -> later, when arena.IsThere(probe.missing()), the same again
//
// What is missing has been asked for when a probe says so. It sees no further than pages that are
// there, so several may be needed; each one gets further, since nothing that is there goes away.
// No promise: what a probe has not thought of is waited for by Resolve.
#pragma once

#include "storage/memory/page_arena.h"

namespace verso::storage {

class PageProbe {
 public:
  explicit PageProbe(const PageArena& arena) : arena_(arena) {}

  // True: it can be read, or there is none. Else it is on its way.
  bool Has(const Ref& ref) {
    if (!ref || arena_.IsThere(ref)) return true;
    arena_.Ask(ref);
    if (!missing_) missing_ = ref;
    return false;
  }
  // The page and what is below it, but no more than a few dozen pages, the upper ones first.
  void Below(const Ref& ref);

  const Ref& missing() const { return missing_; }  // the first one; null: none

 private:
  const PageArena& arena_;
  Ref missing_;
};

}  // namespace verso::storage
