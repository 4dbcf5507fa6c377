#include "storage/memory/merge_bases.h"

#include <algorithm>
#include <utility>

#include "storage/base/unforked_memory.h"
#include "storage/memory/branches.h"
#include "storage/memory/store.h"

namespace verso::storage {

LineVersion CommonVersion(const LineVersion& a, const LineVersion& b) {
  for (LineVersion of_a = a; of_a.line != nullptr;
       of_a = {of_a.line->parent(), of_a.line->fork()}) {
    for (LineVersion of_b = b; of_b.line != nullptr;
         of_b = {of_b.line->parent(), of_b.line->fork()}) {
      if (of_a.line == of_b.line) return {of_a.line, std::min(of_a.epoch, of_b.epoch)};
    }
  }
  return {nullptr, 0};
}

MergeBases::MergeBases(Store* store)
    : store_(store), bases_(UnforkedMemory()), begun_(UnforkedMemory()) {}

MergeBases::Bases::const_iterator MergeBases::Find(ByteView a, ByteView b) const {
  return std::find_if(bases_.begin(), bases_.end(), [&](const Base& base) {
    const ByteView from = base.from;
    const ByteView into = base.into;
    return (from == a && into == b) || (from == b && into == a);
  });
}

PinHandle MergeBases::Hold(const Branch& a, const Branch& b) const {
  const auto known = Find(a.name, b.name);
  const LineVersion base = known != bases_.end()
                               ? LineVersion{known->line, known->epoch}
                               : CommonVersion({.line = a.line}, {.line = b.line});
  if (base.line == nullptr) return {};
  return PinHandle(store_, base.line, base.epoch, store_->HoldPin(*base.line, base.epoch, false),
                   0);
}

void MergeBases::Merged(const Branch& from, const Branch& into, Line& line, Epoch epoch) {
  // A version of `into` taken from now on is another one than those before, even if nothing
  // changed.
  into.line->MarkWritten();
  // Held before the old one goes: it may be the same version.
  store_->HoldPin(line, epoch, true);
  const auto old = Find(from.name, into.name);
  if (old != bases_.end()) {
    const LineVersion gone{old->line, old->epoch};
    bases_.erase(old);
    store_->Unpin(*gone.line, gone.epoch, true);
  }
  Add(from.name, into.name, line, epoch, store_->epoch());
}

void MergeBases::Add(ByteView from, ByteView into, Line& line, Epoch epoch, Epoch merged) {
  bases_.push_back(Base{std::pmr::string(from, UnforkedMemory()),
                        std::pmr::string(into, UnforkedMemory()), &line, epoch, merged});
}

void MergeBases::Begun(ByteView token, Line& line, Epoch epoch) {
  store_->HoldPin(line, epoch, true);
  ForgetBegun(token);
  begun_.push_back(Base{std::pmr::string(token, UnforkedMemory()),
                        std::pmr::string(UnforkedMemory()), &line, epoch, 0});
}

LineVersion MergeBases::FindBegun(ByteView token) const {
  for (const Base& base : begun_) {
    if (ByteView(base.from) == token) return {base.line, base.epoch};
  }
  return {nullptr, 0};
}

void MergeBases::ForgetBegun(ByteView token) {
  const LineVersion gone = FindBegun(token);
  if (gone.line == nullptr) return;
  std::erase_if(begun_, [token](const Base& base) { return ByteView(base.from) == token; });
  store_->Unpin(*gone.line, gone.epoch, true);
}

void MergeBases::ForgetBegun() {
  while (!begun_.empty()) ForgetBegun(std::string(begun_.back().from));
}

template <typename Chosen>
void MergeBases::DropIf(Chosen&& chosen) {
  std::vector<LineVersion> gone;
  for (const Base& base : bases_) {
    if (chosen(base)) gone.push_back({base.line, base.epoch});
  }
  std::erase_if(bases_, chosen);
  for (const LineVersion& version : gone) store_->Unpin(*version.line, version.epoch, true);
}

void MergeBases::Dropped(ByteView branch) {
  DropIf([branch](const Base& base) {
    return ByteView(base.from) == branch || ByteView(base.into) == branch;
  });
}

void MergeBases::Renamed(ByteView from, ByteView to) {
  for (Base& base : bases_) {
    if (ByteView(base.from) == from) base.from = to;
    if (ByteView(base.into) == from) base.into = to;
  }
}

void MergeBases::Exchanged(ByteView a, ByteView b) {
  for (Base& base : bases_) {
    for (std::pmr::string* name : {&base.from, &base.into}) {
      if (ByteView(*name) == a) {
        *name = b;
      } else if (ByteView(*name) == b) {
        *name = a;
      }
    }
  }
}

void MergeBases::Restarts(const Branch& branch, const LineVersion& at) {
  const Epoch common = CommonVersion({.line = branch.line}, at).epoch;
  DropIf([&](const Base& base) {
    if (ByteView(base.into) == branch.name) return base.merged > common;
    if (ByteView(base.from) != branch.name) return false;
    const LineVersion known = CommonVersion(at, {base.line, base.epoch});
    return known.line != base.line || known.epoch != base.epoch;
  });
}

// ---- saves and restarts. MetaName::name: from, and behind a zero byte into; nothing there (M5).

void MergeBases::Describe(std::vector<MetaName>* names) const {
  for (const Bases* bases : {&bases_, &begun_}) {
    for (const Base& base : *bases) {
      MetaName& name = names->emplace_back();
      name.kind = kMetaMergeBase;
      name.line = base.line->id();
      name.epoch = base.epoch;
      name.created_ms = base.merged;
      name.name = base.from;
      name.name += '\0';
      name.name += base.into;
    }
  }
}

std::string MergeBases::Restore(const MetaName& name) {
  const auto [from, into] = SplitMetaName(name.name);
  Line* const line = store_->FindLine(name.line);
  const Branches& branches = store_->branches();
  if (into.empty() && line != nullptr && store_->HasPin(*line, name.epoch)) {
    Begun(from, *line, name.epoch);
    return {};
  }
  if (line == nullptr || !store_->HasPin(*line, name.epoch) || branches.Find(from) == nullptr ||
      branches.Find(into) == nullptr || Find(from, into) != bases_.end()) {
    return "merge base without its version";
  }
  store_->HoldPin(*line, name.epoch, true);
  Add(from, into, *line, name.epoch, name.created_ms);
  return {};
}

}  // namespace verso::storage
