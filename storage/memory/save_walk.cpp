#include "storage/memory/save_walk.h"

#include <algorithm>
#include <map>
#include <string>

#include "storage/memory/page_kinds.h"
#include "storage/memory/store_meta.h"

namespace verso::storage {
namespace {

class Collector {
 public:
  Collector(const PageArena& arena, Epoch base, bool check, std::vector<Ref>* pages)
      : arena_(arena), base_(base), check_(check), pages_(pages) {}

  // Null: every page was sound.
  const Ref& bad() const { return bad_; }

  // Everything below `root` born after `above` (and after the base).
  void Tree(const Ref& root, Epoch above) {
    above = std::max(above, base_);
    if (!root || root.birth() <= above) return;
    stack_.push_back(root);
    while (!stack_.empty()) {
      const Ref ref = stack_.back();
      stack_.pop_back();
      pages_->push_back(ref);
      if (check_ && !CheckPage(arena_.Resolve(ref), ref)) {
        bad_ = ref;
        continue;
      }
      if (!HasChildren(ref.kind())) continue;
      VisitRefs(arena_.Resolve(ref), ref, [&](const Ref& child) {
        if (child.birth() <= above) return;
        if (check_ || HasChildren(child.kind())) {
          stack_.push_back(child);
          arena_.Prefetch(child);
        } else {
          pages_->push_back(child);
        }
      });
    }
  }

  // The chunks of a chain; with `entries` also the pages it names that were born after `fork` (a
  // queue item: nobody else may show them).
  void Chain(const Ref& head, bool entries, Epoch fork) {
    std::vector<Ref> todo{head};
    while (!todo.empty()) {
      const Ref chunk = todo.back();
      todo.pop_back();
      // A frozen chunk is never changed, and what it links is older: the store has all of it.
      if (!chunk || (chunk.birth() <= base_ && !entries)) continue;
      const char* page = arena_.Resolve(chunk);
      if (check_ && (chunk.kind() != PageKind::kDeadChunk || !CheckPage(page, chunk))) {
        bad_ = chunk;
        return;
      }
      if (chunk.birth() > base_) pages_->push_back(chunk);
      todo.push_back(LoadLe<Ref>(page));
      const uint32_t count = LoadLe<uint32_t>(page + 16);
      for (uint32_t i = 0; i < count; ++i) {
        const Ref entry = LoadLe<Ref>(page + kDeadChunkHeader + i * sizeof(Ref));
        if (entry.HasFlag(kChainFlag)) {
          todo.push_back(entry.WithoutFlag(kChainFlag));
        } else if (entries && entry.HasFlag(kSubtreeFlag)) {
          Tree(entry.WithoutFlag(kSubtreeFlag), fork);
        } else if (entries && entry.birth() > std::max(base_, fork)) {
          pages_->push_back(entry);
        }
      }
    }
  }

 private:
  const PageArena& arena_;
  const Epoch base_;
  const bool check_;
  Ref bad_;
  std::vector<Ref>* pages_;
  std::vector<Ref> stack_;
};

void CollectTable(const MetaTable& table, Collector* collect) {
  std::map<LineId, Epoch> forks;
  for (const MetaLine& line : table.lines) {
    forks[line.id] = line.fork;
    Epoch above = line.fork;  // older pages belong to the ancestor's pin, which is walked there
    for (const MetaPin& pin : line.pins) {
      collect->Tree(pin.root, above);
      above = pin.epoch;
      for (const DeadBucket& bucket : pin.dead) collect->Chain(bucket.chunks, false, 0);
    }
    collect->Tree(line.head, above);
    collect->Chain(line.inherited.chunks, false, 0);
  }
  for (const MetaItem& item : table.items) {
    const Epoch fork = item.line != 0 ? forks[item.line] : item.fork;
    for (const Ref& ref : item.refs) {
      if (item.kind == 1) {
        collect->Tree(ref, std::max(item.above, fork));
      } else {
        collect->Chain(ref, item.kind != 3, fork);
      }
    }
  }
}

}  // namespace

Status CollectSave(const PageArena& arena, const Ref& super_root, Epoch base,
                   std::vector<Ref>* pages) {
  VERSO_TRY(const MetaTable table, ReadMeta(arena, super_root));
  Collector collect(arena, base, false, pages);
  collect.Tree(super_root, 0);
  CollectTable(table, &collect);
  std::sort(pages->begin(), pages->end(), PageOrder{});
  // A page in the background queue may also be in the tree of a pin.
  const auto same = [](const Ref& a, const Ref& b) { return a.SamePage(b); };
  pages->erase(std::unique(pages->begin(), pages->end(), same), pages->end());
  return {};
}

Status VerifyPages(const PageArena& arena, const Ref& super_root) {
  VERSO_TRY(const MetaTable table, ReadMeta(arena, super_root));
  std::vector<Ref> pages;
  Collector collect(arena, 0, true, &pages);
  CollectTable(table, &collect);
  if (collect.bad()) {
    return Error{ErrorCode::kCorruption, "page at cell " + std::to_string(collect.bad().cell()) +
                                             ", epoch " + std::to_string(collect.bad().birth()) +
                                             ": not what its reference says"};
  }
  return {};
}

}  // namespace verso::storage
