#include "storage/memory/snapshots.h"

#include <algorithm>

#include "storage/base/check.h"
#include "storage/base/unforked_memory.h"
#include "storage/memory/branches.h"
#include "storage/memory/store.h"

namespace verso::storage {
namespace {

std::pmr::string Owned(ByteView name) { return std::pmr::string(name, UnforkedMemory()); }

}  // namespace

Snapshots::Snapshots(Store* store) : store_(store), names_(UnforkedMemory()) {}

const Snapshot* Snapshots::Find(ByteView name) const {
  const auto found = names_.find(name);
  return found != names_.end() ? &found->second : nullptr;
}

Snapshot& Snapshots::Add(ByteView name, const Snapshot& snapshot) {
  Snapshot copy = snapshot;
  // A copy of a pmr string would lie in the default memory.
  copy.branch = std::pmr::string(UnforkedMemory());
  const auto [place, added] = names_.emplace(Owned(name), std::move(copy));
  place->second.branch = snapshot.branch;
  VERSO_CHECK(added);
  place->second.number = next_number_++;
  place->second.saved = place->second.in_save = false;
  return place->second;
}

const Snapshot& Snapshots::AddPinned(ByteView name, Line* line, Snapshot snapshot) {
  snapshot.line = line;
  snapshot.epoch = store_->Pin(*line, snapshot.moment_ms, true);
  return Add(name, snapshot);
}

const Snapshot& Snapshots::Take(ByteView name, const Branch& branch, uint64_t moment_ms,
                                uint64_t deadline_ms) {
  return AddPinned(
      name, branch.line,
      {.moment_ms = moment_ms, .deadline_ms = deadline_ms, .branch = Owned(branch.name)});
}

const Snapshot& Snapshots::TakeOf(ByteView name, const Snapshot& of, uint64_t deadline_ms) {
  store_->HoldPin(*of.line, of.epoch, true);
  Snapshot snapshot = of;
  snapshot.deadline_ms = deadline_ms;
  return Add(name, snapshot);
}

const Snapshot& Snapshots::TakeUnnamed(ByteView name, Line* line, uint64_t moment_ms) {
  const Snapshot& added = AddPinned(name, line, {.moment_ms = moment_ms, .branch = {}});
  store_->DropHead(line);
  return added;
}

bool Snapshots::Drop(ByteView name) {
  const auto found = names_.find(name);
  if (found == names_.end()) return false;
  const Snapshot snapshot = found->second;
  names_.erase(found);
  store_->Unpin(*snapshot.line, snapshot.epoch, true);
  return true;
}

void Snapshots::Rename(ByteView from, ByteView to) {
  auto node = names_.extract(names_.find(from));
  node.key() = Owned(to);
  node.mapped().saved = node.mapped().in_save = false;  // under this name
  VERSO_CHECK(names_.insert(std::move(node)).inserted);
}

void Snapshots::BranchRenamed(ByteView from, ByteView to) {
  for (auto& [name, snapshot] : names_) {
    if (ByteView(snapshot.branch) == from) snapshot.branch = to;
  }
}

std::vector<const Snapshots::Map::value_type*> Snapshots::ByAge(ByteView prefix) const {
  std::vector<const Map::value_type*> by_age;
  for (const auto& entry : names_) {
    if (ByteView(entry.first).starts_with(prefix)) by_age.push_back(&entry);
  }
  std::sort(by_age.begin(), by_age.end(),
            [](const auto* a, const auto* b) { return a->second.number < b->second.number; });
  return by_age;
}

std::vector<std::string> Snapshots::Oldest(ByteView prefix, size_t keep,
                                           const Branch* branch) const {
  std::vector<const Map::value_type*> chosen = ByAge(prefix);
  std::erase_if(chosen, [branch](const auto* entry) {
    return branch != nullptr && ByteView(entry->second.branch) != branch->name;
  });
  std::vector<std::string> names;
  for (size_t i = 0; i + keep < chosen.size(); ++i) names.emplace_back(chosen[i]->first);
  return names;
}

std::vector<std::string> Snapshots::Due(uint64_t now_ms) const {
  std::vector<std::string> names;
  for (const auto& [name, snapshot] : names_) {
    if (snapshot.deadline_ms != 0 && snapshot.deadline_ms <= now_ms) names.emplace_back(name);
  }
  return names;
}

PinHandle Snapshots::Hold(const Snapshot& snapshot) const {
  const Ref root = store_->HoldPin(*snapshot.line, snapshot.epoch, false);
  return PinHandle(store_, snapshot.line, snapshot.epoch, root, snapshot.moment_ms);
}

uint64_t Snapshots::UniqueBytes(const Snapshot& snapshot, uint32_t own) const {
  const std::pmr::vector<Pin>& pins = snapshot.line->pins();
  const auto pin = std::find_if(pins.begin(), pins.end(),
                                [&](const Pin& p) { return p.epoch == snapshot.epoch; });
  VERSO_CHECK(pin != pins.end());
  if (pin->holders > own) return 0;
  const Epoch before = pin == pins.begin() ? snapshot.line->fork() : (pin - 1)->epoch;
  uint64_t bytes = 0;
  for (const DeadBucket& bucket : pin->dead) {
    if (bucket.first > before) bytes += bucket.bytes;
  }
  return bytes;
}

Snapshots::UniqueWalk Snapshots::UniqueWalkOf(const Snapshot& snapshot, uint32_t own) const {
  const Line& line = *snapshot.line;
  const std::pmr::vector<Pin>& pins = line.pins();
  if (!line.headless() || pins.back().epoch != snapshot.epoch || pins.back().holders > own) {
    return {};
  }
  return {pins.back().root, pins.size() > 1 ? pins[pins.size() - 2].epoch : line.fork()};
}

// ---- saves and restarts

void Snapshots::Describe(std::vector<MetaName>* names) const {
  for (const auto* entry : ByAge()) {
    MetaName& name = names->emplace_back();
    name.kind = kMetaSnapshot;
    name.line = entry->second.line->id();
    name.epoch = entry->second.epoch;
    name.created_ms = entry->second.moment_ms;
    name.deadline_ms = entry->second.deadline_ms;
    name.name = entry->first;
    name.name += '\0';
    name.name += entry->second.branch;
  }
}

void Snapshots::SaveBegins() {
  for (auto& [name, snapshot] : names_) snapshot.in_save = true;
}

void Snapshots::SaveEnds(bool committed) {
  for (auto& [name, snapshot] : names_) {
    snapshot.saved |= committed && snapshot.in_save;
    snapshot.in_save = false;
  }
}

std::string Snapshots::Restore(const MetaName& name) {
  const auto [text, branch] = SplitMetaName(name.name);
  Line* const line = store_->FindLine(name.line);
  if (line == nullptr || names_.contains(text) || !store_->HasPin(*line, name.epoch)) {
    return "snapshot without its version";
  }
  store_->HoldPin(*line, name.epoch, true);
  Snapshot snapshot;
  snapshot.line = line;
  snapshot.epoch = name.epoch;
  snapshot.moment_ms = name.created_ms;
  snapshot.deadline_ms = name.deadline_ms;
  snapshot.branch = Owned(branch);
  Add(text, snapshot).saved = true;
  return {};
}

}  // namespace verso::storage
