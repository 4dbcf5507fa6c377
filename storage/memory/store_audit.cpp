// Store::Audit: reachable + dead + waiting + free == allocated, exactly once each (V10), and every
// structure is sound.
#include <algorithm>
#include <string>
#include <unordered_set>

#include "storage/index/counted_btree.h"
#include "storage/index/hash_trie.h"
#include "storage/memory/page_kinds.h"
#include "storage/memory/store.h"
#include "storage/types/type_ops.h"

namespace verso::storage {

class StoreAudit {
 public:
  explicit StoreAudit(Store& store) : store_(store), allocated_(store.arena().AllocatedRuns()) {
    seen_.resize(allocated_.size());
  }

  std::string Run() {
    error_ = store_.arena().CheckCounters();
    for (const auto& line : store_.lines_) Versions(*line);
    for (const auto& line : store_.lines_) DeadLists(*line);
    store_.reclaimer_->ForEach([this](const ReclaimItem& item) { Item(item); });
    Chunks(store_.garbage_->view());
    Chunks(store_.garbage_taken_->view());
    if (error_.empty()) Leaks();
    return error_;
  }

 private:
  void Fail(const std::string& what) {
    if (error_.empty()) error_ = what;
  }
  static std::string Name(const Ref& ref) {
    return "page " + std::to_string(ref.cell()) + " of epoch " + std::to_string(ref.birth());
  }

  // False: seen before.
  bool See(const std::string& where, const Ref& ref, bool again_allowed) {
    if (ref.cell() >= allocated_.size() || !allocated_[ref.cell()]) {
      Fail(where + ": " + Name(ref) + " is reachable and free");
      return false;
    }
    if (seen_[ref.cell()]) {
      if (!again_allowed) Fail(where + ": " + Name(ref) + " is reachable twice");  // V10
      return false;
    }
    seen_[ref.cell()] = true;
    bytes_ += RunBytes(ref.size());
    return true;
  }

  void Tree(const std::string& where, const Ref& root, Epoch above, bool again_allowed) {
    if (!root || root.birth() <= above || !error_.empty()) return;
    if (!See(where, root, again_allowed)) return;
    const char* page = store_.arena().Resolve(root);
    if (!CheckPage(page, root))
      return Fail(where + ": " + Name(root) + " is not what its reference says");
    if (root.birth() > store_.epoch())
      return Fail(where + ": " + Name(root) + " is from the future");
    if (!HasChildren(root.kind())) return;
    VisitRefs(page, root, [&](const Ref& child) { Tree(where, child, above, again_allowed); });
  }

  void Versions(const Line& line) {
    const std::string name = "line " + std::to_string(line.id());
    Epoch above = line.fork();
    for (const storage::Pin& pin : line.pins()) {
      if (HeldBySaveAlone(pin)) continue;
      Tree(name + " pin " + std::to_string(pin.epoch), pin.root, above, false);
      above = pin.epoch;
    }
    if (line.headless()) return;
    Tree(name + " head", line.head(), above, false);
    if (line.head() && line.id() != 0) Databases(name, line);
  }

  void Databases(const std::string& name, const Line& line) {
    const auto* root = reinterpret_cast<const LineRoot*>(store_.arena().Resolve(line.head()));
    for (int db = 0; db < kDatabases && error_.empty(); ++db) {
      const DatabaseRoot& database = root->databases[db];
      const std::string where = name + " database " + std::to_string(db);
      const PageKind kind = database.keys.kind();
      if (kind == PageKind::kValue || kind == PageKind::kRope || kind == PageKind::kRopeNode)
        continue;  // a test's stand-in
      const TrieReader keys(store_.arena(), database.keys);
      std::string error = keys.Validate(store_.secret());
      if (!error.empty()) return Fail(where + ": " + error);
      error = TreeValidate(store_.arena(), database.deadlines);
      if (!error.empty()) return Fail(where + " deadlines: " + error);
      uint64_t entries = 0;
      uint64_t with_deadline = 0;
      keys.ForEach([&](const TrieEntry& entry) {
        ++entries;
        if (entry.value.deadline_ms != kNoDeadline) ++with_deadline;
        const TypeOps& ops = TypeOpsOf(entry.value.type);
        if (ops.validate == nullptr) return;
        const std::string fault = ops.validate(store_.arena(), entry.value, store_.secret());
        if (!fault.empty()) Fail(where + ": " + fault);
      });
      if (entries != database.count) return Fail(where + ": count is wrong");
      if (with_deadline != TreeCount(store_.arena(), database.deadlines))
        return Fail(where + ": deadlines do not match");
    }
  }

  // Calls on_chunk(ref) for each chunk of a chain, on_entry(ref) for each entry.
  template <typename OnChunk, typename OnEntry>
  void WalkChain(const Ref& head, OnChunk&& on_chunk, OnEntry&& on_entry) {
    std::vector<Ref> todo{head};
    while (!todo.empty() && error_.empty()) {
      const Ref chunk = todo.back();
      todo.pop_back();
      if (!chunk) continue;
      on_chunk(chunk);
      const char* page = store_.arena().Resolve(chunk);
      if (!CheckPage(page, chunk)) return Fail("chunk " + Name(chunk) + " is broken");
      todo.push_back(LoadLe<Ref>(page));
      for (uint32_t i = 0; i < LoadLe<uint32_t>(page + 16); ++i) {
        const Ref entry = LoadLe<Ref>(page + kDeadChunkHeader + i * sizeof(Ref));
        if (entry.HasFlag(kChainFlag)) {
          todo.push_back(entry.WithoutFlag(kChainFlag));
        } else {
          on_entry(entry);
        }
      }
    }
  }

  void Chain(const std::string& where, const Ref& head, bool shown) {
    WalkChain(
        head, [&](const Ref& chunk) { See(where + " chunk", chunk, false); },
        [&](const Ref& entry) {
          if (shown && !seen_[entry.cell()])
            Fail(where + ": " + Name(entry) + " is held by a pin that does not show it");
        });
  }

  // Behind the writer pages go, so the tree of such a pin cannot be walked: what it still holds is
  // on its lists or shown elsewhere.
  bool HeldBySaveAlone(const storage::Pin& pin) const {
    return store_.saving_ && pin.epoch == store_.save_epoch_ && pin.holders == 1;
  }

  void SavedPages(const Line& line, const Ref& head) {
    WalkChain(
        head, [&](const Ref& chunk) { See("save's own list chunk", chunk, false); },
        [&](const Ref& entry) {
          if (entry.birth() > line.fork()) See("save's own list", entry, true);
        });
  }

  void DeadLists(const Line& line) {
    const std::string name = "line " + std::to_string(line.id());
    for (const storage::Pin& pin : line.pins()) {
      for (const DeadBucket& bucket : pin.dead) {
        if (bucket.first > line.fork()) pinned_ += bucket.bytes;
        if (HeldBySaveAlone(pin)) {
          SavedPages(line, bucket.chunks);
          continue;
        }
        const bool own = bucket.first > line.fork() && line.id() != 0;
        Chain(name + " pin " + std::to_string(pin.epoch) + " dead list", bucket.chunks, own);
      }
    }
    Chain(name + " inherited", line.inherited_.chunks, false);
  }

  // Pages of the queue may still be in the tree of a pin.
  void Item(const ReclaimItem& item) {
    const Epoch fork = item.line != nullptr ? item.line->fork() : item.fork;
    for (const Ref& ref : item.refs) {
      if (item.kind == ReclaimItem::Kind::kSubtree) {
        Tree("background queue", ref, std::max(item.above, fork), true);
      } else {
        Queued(ref, item.kind != ReclaimItem::Kind::kDiscard, fork);
      }
    }
  }

  void Queued(const Ref& head, bool entries, Epoch fork) {
    WalkChain(
        head, [&](const Ref& chunk) { See("background queue chunk", chunk, false); },
        [&](const Ref& entry) {
          if (!entries) return;
          if (entry.HasFlag(kSubtreeFlag)) {
            Tree("background queue", entry.WithoutFlag(kSubtreeFlag), fork, true);
          } else if (entry.birth() > fork) {
            See("background queue", entry, true);
          }
        });
  }

  void Chunks(const RefListView& list) {
    for (Cell cell = list.newest; cell != 0;
         cell = LoadLe<uint64_t>(store_.arena().base() + cell * kCellBytes)) {
      See("garbage list", Ref::Make(cell, PageKind::kNone, RefList::kChunkBytes, 0), false);
    }
  }

  void Leaks() {
    for (size_t cell = 0; cell < allocated_.size(); ++cell) {
      if (allocated_[cell] && !seen_[cell])
        return Fail("page " + std::to_string(cell) + " is allocated and nobody has it");
    }
    if (bytes_ != store_.arena().bytes_allocated()) Fail("bytes allocated do not add up");
    if (pinned_ != store_.bytes_pinned()) Fail("bytes that only pins hold do not add up");
  }

  Store& store_;
  std::string error_;
  std::vector<bool> allocated_;
  std::vector<bool> seen_;
  size_t bytes_ = 0;
  uint64_t pinned_ = 0;
};

std::string Store::Audit() { return StoreAudit(*this).Run(); }

}  // namespace verso::storage
