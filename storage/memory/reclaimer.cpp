#include "storage/memory/reclaimer.h"

#include <algorithm>

#include "storage/base/check.h"
#include "storage/base/monotonic_time.h"
#include "storage/base/unforked_memory.h"
#include "storage/memory/page_kinds.h"
#include "storage/memory/store.h"

namespace verso::storage {

Reclaimer::Reclaimer(Store* store)
    : store_(store), items_(UnforkedMemory()), held_(UnforkedMemory()) {}

void Reclaimer::AddSubtree(Line* line, const Ref& ref, Epoch died, Epoch above) {
  if (!ref || ref.birth() <= above) return;
  ReclaimItem& item = items_.emplace_back(UnforkedMemory());
  item.line = line;
  item.aside = line->scratch();
  item.died = died;
  item.above = above;
  item.refs.push_back(ref);
}

void Reclaimer::AddChain(Line* line, const Ref& chunks) {
  if (!chunks) return;
  ReclaimItem& item = items_.emplace_back(UnforkedMemory());
  item.kind = ReclaimItem::Kind::kChain;
  item.line = line;
  item.aside = line->scratch();
  item.fork = line->fork();
  item.refs.push_back(chunks);
}

void Reclaimer::AddSweep(Line* line, const Ref& chunks, Epoch died) {
  ReclaimItem& item = items_.emplace_back(UnforkedMemory());
  item.kind = ReclaimItem::Kind::kSweep;
  item.line = line;
  item.aside = line->scratch();
  item.died = died;
  item.refs.push_back(chunks);
}

void Reclaimer::AddDiscard(const Line& line, const Ref& chunks) {
  if (!chunks) return;
  ReclaimItem& item = items_.emplace_back(UnforkedMemory());
  item.kind = ReclaimItem::Kind::kDiscard;
  item.aside = line.scratch();
  item.refs.push_back(chunks);
}

ReclaimItem* Reclaimer::AddRestored() { return &items_.emplace_back(UnforkedMemory()); }

void Reclaimer::Hold() {
  std::move(items_.begin(), items_.end(), std::back_inserter(held_));
  items_.clear();
}

void Reclaimer::Release() {
  std::move(held_.begin(), held_.end(), std::back_inserter(items_));
  held_.clear();
}

bool Reclaimer::Run(uint64_t budget_us) {
  if (items_.empty()) return false;
  const uint64_t end_us = MonotonicUs() + budget_us;
  for (int steps = 1; !items_.empty(); ++steps) {
    // A step may add items: the item is worked on outside the vector.
    ReclaimItem item = std::move(items_.back());
    items_.pop_back();
    const size_t place = items_.size();
    bool finished = false;
    bool late = false;
    while (!finished && !late) {
      finished = Step(&item);
      late = ++steps % 32 == 0 && MonotonicUs() >= end_us;
    }
    if (!finished) items_.insert(items_.begin() + static_cast<ptrdiff_t>(place), std::move(item));
    if (late) break;
  }
  return !items_.empty();
}

bool Reclaimer::Step(ReclaimItem* item) {
  if (item->kind == ReclaimItem::Kind::kSubtree) {
    StepSubtree(item);
  } else {
    StepChain(item);
  }
  return item->refs.empty();
}

void Reclaimer::StepSubtree(ReclaimItem* item) {
  const Ref ref = item->refs.back();
  item->refs.pop_back();
  if (ref.birth() <= item->above) return;
  const Epoch fork =
      item->line != nullptr ? item->line->fork() : item->fork;  // a take-over lowers it
  if (ref.birth() <= fork) {
    // Everything below is at most as old as the page was when the line began: one entry stands for
    // all of it.
    if (item->line != nullptr)
      store_->AddInherited(*item->line, ref.WithFlag(kSubtreeFlag), item->died);
    return;
  }
  if (HasChildren(ref.kind())) {
    // Of a directory of a thousand pages a scratch line may have made two.
    VisitRefs(store_->arena().Resolve(ref), ref, [item](const Ref& child) {
      if (child.birth() > item->above) item->refs.push_back(child);
    });
  }
  if (item->direct || item->line == nullptr) {
    store_->FreePage(ref);
  } else {
    store_->DropDead(*item->line, ref, item->died);
  }
}

// One chunk at a time: at most 62 entries.
void Reclaimer::StepChain(ReclaimItem* item) {
  const Ref chunk = item->refs.back();
  item->refs.pop_back();
  const char* page = store_->arena().Resolve(chunk);
  const Ref next = LoadLe<Ref>(page);
  const uint32_t count = LoadLe<uint32_t>(page + 16);
  if (next) item->refs.push_back(next);
  Line* const line = item->line;
  const auto entry_at = [page](uint32_t i) {
    return LoadLe<Ref>(page + kDeadChunkHeader + i * sizeof(Ref));
  };
  // Dead pages have not been touched for long: without this each one costs a wait for memory.
  const bool sweep = item->kind == ReclaimItem::Kind::kSweep;
  const auto prefetch = [&](uint32_t i) {
    if (i >= count || item->kind == ReclaimItem::Kind::kDiscard) return;
    const Ref entry = entry_at(i);
    if (!sweep || store_->WrittenBySave(entry)) store_->arena().PrefetchFree(entry.cell());
  };
  constexpr uint32_t kPrefetchAhead = 12;
  for (uint32_t i = 0; i < kPrefetchAhead; ++i) prefetch(i);
  for (uint32_t i = 0; i < count; ++i) {
    prefetch(i + kPrefetchAhead);
    const Ref entry = entry_at(i);
    if (entry.HasFlag(kChainFlag)) {
      item->refs.push_back(entry.WithoutFlag(kChainFlag));
    } else if (sweep && line != nullptr && !item->direct) {
      ++sweeps_.looked;
      sweeps_.freed += store_->DropDead(*line, entry, item->died) ? 1 : 0;
    } else if (item->kind != ReclaimItem::Kind::kDiscard) {
      const Epoch fork = line != nullptr ? line->fork() : item->fork;
      if (entry.birth() <= fork) {
        if (line != nullptr) store_->AddInherited(*line, entry, 0);
      } else if (entry.HasFlag(kSubtreeFlag)) {
        // An ancestor's subtree that has become this line's own (take-over): its pages are judged
        // one by one.
        ReclaimItem& subtree = items_.emplace_back(UnforkedMemory());
        subtree.direct = true;
        subtree.aside = item->aside;
        subtree.line = line;
        subtree.fork = fork;
        subtree.refs.push_back(entry.WithoutFlag(kSubtreeFlag));
      } else {
        store_->FreePage(entry);
      }
    }
  }
  store_->meta_->Drop(chunk);  // last: DropDead above may have reused other chunks, never this one
}

void Reclaimer::LineBeheaded(Line* line, Epoch newest) {
  Each([=](ReclaimItem& item) {
    if (item.kind == ReclaimItem::Kind::kSubtree && !item.direct && item.line == line &&
        item.died > newest) {
      item.above = std::max(item.above, newest);
    }
  });
}

void Reclaimer::LineTakenOver(Line* from, Line* to) {
  Each([=](ReclaimItem& item) {
    if (item.line != from) return;
    // `from` had one pin left, which holds nothing of these: what was born after its fork is free.
    if (item.kind != ReclaimItem::Kind::kChain) item.direct = true;
    item.line = to;
  });
}

void Reclaimer::LineGone(Line* line) {
  Each([=](ReclaimItem& item) {
    if (item.line != line) return;
    item.fork = line->fork();
    item.direct = true;
    item.line = nullptr;
  });
}

}  // namespace verso::storage
