#include "storage/memory/branches.h"

#include "storage/base/check.h"
#include "storage/base/unforked_memory.h"
#include "storage/memory/store.h"

namespace verso::storage {

Branches::Branches(Store* store, Line* main)
    : store_(store), branches_(UnforkedMemory()), main_(&Emplace("main")), bases_(store) {
  main_->line = main;
}

Branch& Branches::Emplace(ByteView name) {
  std::pmr::string key(name, UnforkedMemory());
  Branch branch{.name = {}, .line = nullptr, .parent = std::pmr::string(UnforkedMemory())};
  const auto [place, added] = branches_.emplace(std::move(key), std::move(branch));
  VERSO_CHECK(added);
  place->second.name = place->first;
  return place->second;
}

Branch* Branches::Find(ByteView name) {
  const auto found = branches_.find(name);
  return found != branches_.end() ? &found->second : nullptr;
}

const Branch* Branches::Find(ByteView name) const {
  const auto found = branches_.find(name);
  return found != branches_.end() ? &found->second : nullptr;
}

Branch& Branches::Add(ByteView name, Line& from, Epoch epoch, ByteView parent, uint64_t now_ms) {
  Branch& branch = Emplace(name);
  branch.line = Fork(from, epoch);
  branch.parent = parent;
  branch.fork_version = epoch;
  branch.created_ms = now_ms;
  return branch;
}

Branch& Branches::TakeUnnamed(ByteView name, Line* line, ByteView parent, uint64_t now_ms) {
  Branch& branch = Emplace(name);
  branch.line = line;
  branch.parent = parent;
  branch.fork_version = line->fork();
  branch.created_ms = now_ms;
  return branch;
}

void Branches::Drop(Branch* branch) {
  VERSO_CHECK(branch != main_);
  Line* const line = branch->line;
  bases_.Dropped(branch->name);
  branches_.erase(branches_.find(branch->name));
  DropHead(line);
}

void Branches::Rename(Branch* branch, ByteView to) {
  VERSO_CHECK(branch != main_);
  for (auto& [name, other] : branches_) {
    if (ByteView(other.parent) == branch->name) other.parent = to;
  }
  bases_.Renamed(branch->name, to);
  auto node = branches_.extract(branches_.find(branch->name));
  node.key() = to;
  const auto placed = branches_.insert(std::move(node));
  VERSO_CHECK(placed.inserted);
  branch->name = placed.position->first;
}

void Branches::Exchange(Branch* a, Branch* b) {
  bases_.Exchanged(a->name, b->name);
  Line* const line = a->line;
  Point(a, b->line);
  Point(b, line);
}

Line* Branches::Fork(Line& from, Epoch epoch) { return store_->Fork(from, epoch, false); }

void Branches::Point(Branch* branch, Line* line) {
  branch->line = line;
  if (branch == main_) store_->ExchangeMain(line);
}

void Branches::DropHead(Line* line) { store_->DropHead(line); }

// ---- saves and restarts. MetaName::name: the name, and behind a zero byte its parent's.

void Branches::Describe(std::vector<MetaName>* names) const {
  for (const auto& [text, branch] : branches_) {
    MetaName& name = names->emplace_back();
    name.kind = kMetaBranch;
    name.line = branch.line->id();
    name.epoch = branch.fork_version;
    name.created_ms = branch.created_ms;
    name.name = text;
    name.name += '\0';
    name.name += branch.parent;
  }
}

std::string Branches::Restore(const MetaName& name) {
  const auto [text, parent] = SplitMetaName(name.name);
  Line* const line = store_->FindLine(name.line);
  const bool is_main = text == main_->name;
  if (line == nullptr || line->headless() || line->id() == 0 || is_main != (line == main_->line) ||
      (!is_main && Find(text) != nullptr)) {
    return "branch without its line";
  }
  Branch& branch = is_main ? *main_ : Emplace(text);
  branch.line = line;
  branch.parent = parent;
  branch.fork_version = name.epoch;
  branch.created_ms = name.created_ms;
  return {};
}

}  // namespace verso::storage
