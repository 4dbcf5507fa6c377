// Which pages a save must write: everything reachable from the super-root with birth > base, each
// page once.
//
// Shared subtrees are pruned from the parent's side (a reference tells the birth). The versions of
// one line are walked oldest first, each pruned at the version before it: a page of a later pin
// born at or before the earlier pin is in the earlier pin's tree. Runs in the snapshot writer (a
// forked child): reads pages only.
#pragma once

#include <vector>

#include "storage/base/result.h"
#include "storage/memory/page_arena.h"

namespace verso::storage {

// In PageOrder, each once.
Status CollectSave(const PageArena& arena, const Ref& super_root, Epoch base,
                   std::vector<Ref>* pages);

// Walks everything below the super-root of a version just loaded and judges each page by itself
// (CheckPage): bytes that come from a disk are checked before any reader follows them. Fails:
// kCorruption, naming the page.
Status VerifyPages(const PageArena& arena, const Ref& super_root);

}  // namespace verso::storage
