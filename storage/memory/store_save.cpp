// Store, the part about saves and restarts (DESIGN 6 and 7).
#include <algorithm>
#include <map>
#include <utility>

#include "storage/base/check.h"
#include "storage/base/unforked_memory.h"
#include "storage/memory/branches.h"
#include "storage/memory/page_kinds.h"
#include "storage/memory/snapshots.h"
#include "storage/memory/store.h"
#include "storage/memory/store_meta.h"

namespace verso::storage {

// Describes every line that a save contains. A friend of Line and Store.
class StoreMeta {
 public:
  static MetaTable Describe(const Store& store) {
    MetaTable table;
    table.base = store.saved_;
    table.next_line_id = store.next_line_id_;
    table.main_line = store.main_->id();
    table.secret = store.secret_;
    for (const auto& line : store.lines_) {
      if (line.get() == store.meta_ || line->scratch_) continue;
      MetaLine& out = table.lines.emplace_back();
      out.id = line->id_;
      out.parent = line->parent_ != nullptr ? line->parent_->id_ : 0;
      out.headless = line->headless_;
      out.fork = line->fork_;
      out.head = line->head_;
      out.inherited = line->inherited_;
      for (const Pin& pin : line->pins_) {
        MetaPin& saved = out.pins.emplace_back();
        saved.epoch = pin.epoch;
        saved.root = pin.root;
        saved.moment_ms = pin.moment_ms;
        saved.kept = pin.kept;
        saved.dead.assign(pin.dead.begin(), pin.dead.end());
      }
    }
    store.reclaimer_->ForEach([&table](const ReclaimItem& item) {
      if (item.aside) return;
      MetaItem& out = table.items.emplace_back();
      out.kind = static_cast<uint32_t>(item.kind);
      out.direct = item.direct;
      out.line = item.line != nullptr ? item.line->id() : 0;
      out.died = item.died;
      out.above = item.above;
      out.fork = item.fork;
      out.refs.assign(item.refs.begin(), item.refs.end());
    });
    store.branches_->Describe(&table.names);
    store.snapshots_->Describe(&table.names);
    store.branches_->merge_bases().Describe(&table.names);
    return table;
  }

  static Status Rebuild(Store* store, const MetaTable& table);
};

constexpr uint64_t kSweepAfterMs = 500;
constexpr uint64_t kSweepAfterMsMax = 8000;

SaveStart Store::BeginSave() {
  VERSO_CHECK(!saving_);
  reclaimer_->Hold();
  if (meta_->head_) {
    VisitRefs(arena_->Resolve(meta_->head_), meta_->head_,
              [this](const Ref& page) { meta_->Drop(page); });
    meta_->Drop(meta_->head_);
  }
  meta_->head_ = WriteMeta(*meta_, StoreMeta::Describe(*this));

  // The table names every pin, so the child reads them all: none may go while it does.
  for (const auto& line : lines_) {
    if (line->scratch_) continue;
    for (storage::Pin& pin : line->pins_) {
      ++pin.holders;
      save_pins_.emplace_back(line.get(), pin.epoch);
    }
  }
  for (const auto& line : lines_) {
    if (line->headless_ || line->scratch_) continue;
    save_epoch_ = Pin(*line, clock_->NowMs());
    save_pins_.emplace_back(line.get(), save_epoch_);
  }
  maybe_before_ = maybe_saved_;
  maybe_saved_ = save_epoch_;  // from here on it may have committed (V6)
  for (const auto& line : lines_) line->UpdateFrozen();
  watermark_ = kNullRef;
  swept_ = kNullRef;
  sweep_after_ms_ = kSweepAfterMs;
  saving_ = true;
  snapshots_->SaveBegins();
  VERSO_CHECK(garbage_taken_->count() == 0);
  std::swap(garbage_, garbage_taken_);

  SaveStart start;
  start.epoch = save_epoch_;
  start.base = saved_;
  start.super_root = meta_->head_;
  start.garbage = garbage_taken_->view();
  start.bytes_allocated = arena_->bytes_allocated();
  return start;
}

bool Store::WrittenBySave(const Ref& ref) const {
  return ref.birth() <= saved_ || !PageOrder{}(watermark_, ref);
}

void Store::SaveProgress(const Ref& watermark) {
  VERSO_CHECK(saving_);
  if (PageOrder{}(watermark_, watermark)) watermark_ = watermark;
}

// The save's own lists: pages that only the save needs, and that it had not yet written when they
// died. Looked through again when the writer has come further. Each look costs the length of the
// list, so only lists worth it, and seldom when the last look found little.
void Store::SweepSaveLists() {
  const uint64_t now = clock_->NowMs();
  if (watermark_.SamePage(swept_) || now - swept_ms_ < sweep_after_ms_) return;
  const Reclaimer::Sweeps last = reclaimer_->TakeSweeps();
  if (last.looked != 0) {
    sweep_after_ms_ = last.freed * 4 < last.looked ? std::min(sweep_after_ms_ * 2, kSweepAfterMsMax)
                                                   : std::max(sweep_after_ms_ / 2, kSweepAfterMs);
  }
  swept_ = watermark_;
  swept_ms_ = now;
  for (const auto& [line, epoch] : save_pins_) {
    if (epoch != save_epoch_) continue;
    storage::Pin* pin = line->FindPin(epoch);
    if (pin == nullptr || pin->holders != 1 || pin->dead.empty()) continue;
    const Epoch before = pin == line->pins_.data() ? line->fork_ : (pin - 1)->epoch;
    const DeadBucket own = pin->dead.back();
    if (own.first <= before || own.pages < 256) continue;
    pin->dead.pop_back();
    ForgetPinned(*line, own);
    reclaimer_->AddSweep(line, own.chunks, save_epoch_ + 1);
  }
}

void Store::EndSave(SaveOutcome outcome) {
  VERSO_CHECK(saving_);
  saving_ = false;
  if (outcome == SaveOutcome::kCommitted) {
    saved_ = save_epoch_;
    garbage_taken_->Clear();
  } else {
    maybe_saved_ = maybe_before_;
    garbage_->Splice(garbage_taken_.get());
  }
  snapshots_->SaveEnds(outcome == SaveOutcome::kCommitted);
  // A line is there as long as one of its pins is held.
  for (const auto& [line, epoch] : std::exchange(save_pins_, {})) Unpin(*line, epoch);
  for (const auto& line : lines_) line->UpdateFrozen();
  for (Line* line : std::exchange(save_condemned_, {})) DropHead(line);
  reclaimer_->Release();
}

// ---- restart

Status StoreMeta::Rebuild(Store* store, const MetaTable& table) {
  const auto damaged = [](const std::string& what) {
    return Error{ErrorCode::kCorruption, "super-root: " + what};
  };
  std::map<LineId, Line*> by_id;
  // Parents come before their children in no particular order: make all, then tie them.
  for (const MetaLine& in : table.lines) {
    if (in.id == 0 || in.id >= table.next_line_id || by_id.count(in.id) != 0)
      return damaged("line ids");
    Line* line = in.id == table.main_line ? store->main_ : store->NewLine(nullptr, in.fork, false);
    line->id_ = in.id;
    line->fork_ = in.fork;
    line->headless_ = in.headless;
    line->head_ = in.head;
    line->inherited_ = in.inherited;
    for (const MetaPin& saved : in.pins) {
      if (!line->pins_.empty() && line->pins_.back().epoch >= saved.epoch)
        return damaged("pins out of order");
      Pin& pin = line->pins_.emplace_back();
      pin.epoch = saved.epoch;
      pin.root = saved.root;
      pin.moment_ms = saved.moment_ms;
      pin.holders = 1;  // until it is known who survived
      pin.dead.assign(saved.dead.begin(), saved.dead.end());
      for (const DeadBucket& bucket : pin.dead) {
        if (bucket.first > line->fork_) store->bytes_pinned_ += bucket.bytes;
      }
    }
    by_id[in.id] = line;
  }
  if (by_id.count(table.main_line) == 0) return damaged("no main line");
  for (const MetaLine& in : table.lines) {
    if (in.parent == 0) continue;
    const auto parent = by_id.find(in.parent);
    if (parent == by_id.end()) return damaged("parent missing");
    Pin* pin = parent->second->FindPin(in.fork);
    if (pin == nullptr) return damaged("fork missing");
    ++pin->holders;
    ++pin->kept;
    Line* line = by_id[in.id];
    line->parent_ = parent->second;
    parent->second->children_.push_back(line);
  }
  for (const MetaItem& in : table.items) {
    ReclaimItem* item = store->reclaimer_->AddRestored();
    if (in.kind < 1 || in.kind > 4) return damaged("background queue");
    item->kind = static_cast<ReclaimItem::Kind>(in.kind);
    item->direct = in.direct;
    item->died = in.died;
    item->above = in.above;
    item->fork = in.fork;
    if (in.line != 0) {
      const auto line = by_id.find(in.line);
      if (line == by_id.end()) return damaged("background queue");
      item->line = line->second;
    }
    item->refs.assign(in.refs.begin(), in.refs.end());
  }
  store->next_line_id_ = table.next_line_id;
  for (const MetaName& name : table.names) {
    std::string fault = "name of an unknown kind";
    if (name.kind == kMetaBranch) fault = store->branches_->Restore(name);
    if (name.kind == kMetaSnapshot) fault = store->snapshots_->Restore(name);
    if (name.kind == kMetaMergeBase) fault = store->branches_->merge_bases().Restore(name);
    if (!fault.empty()) return damaged(fault);
  }
  return {};
}

Status Store::FinishRestore(const RestoreStart& start) {
  VERSO_CHECK(!main_->head_ && !saving_ && main_->pins_.empty());
  VERSO_TRY(const MetaTable table, ReadMeta(*arena_, start.super_root));
  secret_ = table.secret;
  epoch_ = start.epoch_next;
  written_ = true;
  saved_ = start.epoch;
  maybe_saved_ = start.epoch;
  meta_->head_ = start.super_root;
  VERSO_TRY_STATUS(StoreMeta::Rebuild(this, table));
  for (const auto& line : lines_) line->UpdateFrozen();
  if (!start.keep_unnamed) DropUnnamed();
  // Pins of transactions and readers did not survive: each pin loses the holder it was given above.
  std::vector<std::pair<LineId, Epoch>> pins;
  for (const auto& line : lines_) {
    for (const storage::Pin& pin : line->pins_) pins.emplace_back(line->id_, pin.epoch);
  }
  for (const auto& [id, epoch] : pins) {
    for (const auto& line : lines_) {
      if (line->id_ == id && line->FindPin(epoch) != nullptr) {
        Unpin(*line, epoch);
        break;
      }
    }
  }
  return {};
}

Line* Store::FindUnnamed(LineId id) {
  Line* const line = FindLine(id);
  if (line == nullptr || line == meta_ || line->headless() || line->scratch()) return nullptr;
  for (const auto& [name, branch] : branches_->all()) {
    if (branch.line == line) return nullptr;
  }
  return line;
}

void Store::DropUnnamed() {
  std::vector<LineId> unnamed;
  for (const auto& line : lines_) {
    if (FindUnnamed(line->id()) == line.get()) unnamed.push_back(line->id());
  }
  for (const LineId id : unnamed) DropHead(FindLine(id));
  branches_->merge_bases().ForgetBegun();
}

}  // namespace verso::storage
