// Goal: rules V1-V7 and V10 and the life of saves and restarts hold on the real Store, whatever the
// order of commands. The C++ counterpart of the rules model that DESIGN 4 cites.
// Method: random steps on branches, snapshots, transactions, saves and restarts; beside them plain
// copies of every version that may be read. A slot of a version is one `keys` reference of the
// line's root page: a value, a tree of three levels made by hand, or a rope. The "child" of a save
// reads its pages late and in batches while the lines go on being written, as a forked one does
// through shared memory; what it reads must be what stood there at the pin. The store of a save is
// a map; a restart builds a fresh Store from that map alone.
//
// verso_model_lines_model [seeds] [steps] [first seed] [audit every step from here on]
#include <cstdio>
#include <cstring>
#include <functional>
#include <map>
#include <utility>

#include "storage/base/clock.h"
#include "storage/memory/branches.h"
#include "storage/memory/page_kinds.h"
#include "storage/memory/save_walk.h"
#include "storage/memory/store.h"
#include "storage/memory/store_meta.h"
#include "tests/model/lines_content.h"
#include "tests/model/model_run.h"

namespace verso::storage {
namespace {

using model::Fail;
using model::g_step;

uint64_t g_audit = ~uint64_t{0};  // audit after every step from this one on

using PageKey = std::pair<Epoch, Cell>;
PageKey KeyOf(const Ref& ref) { return {ref.birth(), ref.cell()}; }

struct Branch {
  std::string name;
  Line* line;
  Version content;
};

struct Snapshot {
  Line* line;
  Epoch epoch;
  bool kept;
  Version content;
};

struct Transaction {
  std::string target;  // name of a branch
  Line* line;
  Version base;
  Version content;
};

// What a commit leaves behind besides the pages: which version it was.
struct Catalogue {
  Ref super_root;
  Epoch epoch = 0;
  std::vector<std::pair<LineId, Version>> heads;  // of the branches, main first
  std::vector<std::pair<std::pair<LineId, Epoch>, Version>> snapshots;
};

struct StoredPage {
  size_t size;
  std::string bytes;
};

struct Save {
  SaveStart start;
  Catalogue catalogue;
  std::vector<PageKey> garbage;
  std::map<PageKey, uint64_t> all;  // every page of the version and its checksum at the pin
  bool collected = false;
  std::vector<Ref> pages;
  size_t done = 0;
  std::map<PageKey, StoredPage> image;
};

class World {
 public:
  explicit World(uint64_t seed) : random_(seed) {
    store_ = NewModelStore(&clock_);
    branches_.push_back({"main", &store_->main(), Version{}});
  }

  void Run(uint64_t steps) {
    for (g_step = 0; g_step < steps; ++g_step) {
      if (!store_->arena().Reserve(1 << 19)) Fail("no memory");
      clock_.Advance(random_.Below(20));
      Step();
      CheckSome();
      if (random_.Chance(1, 256) || g_step >= g_audit) Audit();
    }
    End();
  }

 private:
  // ---- steps
  void Step() {
    const uint64_t k = random_.Below(1000);
    if (k < 420) {
      Branch& branch = AnyBranch();
      Change(*branch.line, &branch.content);
    } else if (k < 520) {
      TakeSnapshot(AnyBranch());
    } else if (k < 610) {
      DropSnapshot();
    } else if (k < 655) {
      if (branches_.size() < 6) NewBranch();
    } else if (k < 690) {
      DropBranch();
    } else if (k < 735) {
      Rollback();
    } else if (k < 760) {
      Promote();
    } else if (k < 800) {
      Begin();
    } else if (k < 880) {
      GoOn();
    } else if (k < 897) {
      StartSave();
    } else if (k < 947) {
      GoOnSaving();
    } else if (k < 997) {
      if (random_.Chance(1, 5)) {
        store_->DrainBackground();
      } else {
        store_->Background(0);
      }
    } else if (k < 999) {
      clock_.Advance(300);
    } else {
      Restart();
    }
  }

  Branch& AnyBranch() { return branches_[random_.Below(branches_.size())]; }

  void Change(Line& line, Version* content) { ChangeVersion(line, content, &random_); }

  void TakeSnapshot(Branch& branch) {
    if (snapshots_.size() >= 10) return;
    const bool kept = random_.Chance(1, 2);
    const Epoch epoch = store_->Pin(*branch.line, clock_.NowMs(), kept);
    snapshots_.push_back({branch.line, epoch, kept, branch.content});
    if (random_.Chance(1, 8)) {  // V1: nothing written, the same pin
      if (store_->Pin(*branch.line, clock_.NowMs()) != epoch) Fail("V1: pins do not share");
      store_->Unpin(*branch.line, epoch);
    }
  }

  void DropSnapshot() {
    if (snapshots_.empty()) return;
    const size_t index = random_.Below(snapshots_.size());
    const Snapshot gone = std::move(snapshots_[index]);
    snapshots_.erase(snapshots_.begin() + static_cast<ptrdiff_t>(index));
    store_->Unpin(*gone.line, gone.epoch, gone.kept);
  }

  // Calls grow(line, epoch, content) with a version of a branch or a snapshot, which is held
  // meanwhile.
  template <typename Grow>
  void FromAny(Grow&& grow) {
    const size_t index = random_.Below(branches_.size() + snapshots_.size());
    if (index < branches_.size()) return FromHead(branches_[index], grow);
    const Snapshot from = snapshots_[index - branches_.size()];
    grow(*from.line, from.epoch, from.content);
  }
  template <typename Grow>
  void FromHead(const Branch& from, Grow&& grow) {
    Line* const line = from.line;
    const Epoch epoch = store_->Pin(*line, clock_.NowMs());
    grow(*line, epoch, Version(from.content));
    store_->Unpin(*line, epoch);
  }

  storage::Branch* Find(const Branch& branch) { return store_->branches().Find(branch.name); }

  void NewBranch() {
    FromAny([this](Line& from, Epoch epoch, const Version& content) {
      const std::string name = "branch" + std::to_string(next_name_++);
      const storage::Branch& made =
          store_->branches().Add(name, from, epoch, "main", clock_.NowMs());
      branches_.push_back({name, made.line, content});
    });
  }

  void DropBranch() {
    if (branches_.size() < 2) return;
    const size_t index = 1 + random_.Below(branches_.size() - 1);
    store_->branches().Drop(Find(branches_[index]));
    branches_.erase(branches_.begin() + static_cast<ptrdiff_t>(index));
  }

  void Rollback() {
    const size_t index = random_.Below(branches_.size());
    if (random_.Chance(1, 2)) TakeSnapshot(branches_[index]);
    FromAny([this, index](Line& from, Epoch epoch, const Version& content) {
      Branch& branch = branches_[index];
      store_->branches().Restart(Find(branch), from, epoch, [](const Line&, const Line&) {});
      branch.line = Find(branch)->line;
      branch.content = content;
    });
  }

  void Promote() {
    if (branches_.size() < 2) return;
    Branch& other = branches_[1 + random_.Below(branches_.size() - 1)];
    store_->branches().Exchange(Find(branches_[0]), Find(other));
    std::swap(branches_[0].line, other.line);
    std::swap(branches_[0].content, other.content);
  }

  void Begin() {
    if (transactions_.size() >= 3) return;
    const Branch& branch = AnyBranch();
    FromHead(branch, [&](Line& from, Epoch epoch, const Version& content) {
      transactions_.push_back({branch.name, store_->Fork(from, epoch, true), content, content});
    });
  }

  void GoOn() {
    if (transactions_.empty()) return;
    const size_t index = random_.Below(transactions_.size());
    Transaction& transaction = transactions_[index];
    if (random_.Chance(3, 5)) return Change(*transaction.line, &transaction.content);
    const auto target = std::find_if(branches_.begin(), branches_.end(), [&](const Branch& branch) {
      return branch.name == transaction.target;
    });
    if (target != branches_.end() && random_.Chance(7, 10)) Publish(&transaction, &*target);
    Line* line = transaction.line;
    transactions_.erase(transactions_.begin() + static_cast<ptrdiff_t>(index));
    store_->DropHead(line);
  }

  void Publish(Transaction* transaction, Branch* target) {
    const bool force = random_.Chance(1, 4);
    for (size_t i = 0; i < kSlots; ++i) {
      if (transaction->content[i] == transaction->base[i]) continue;
      // A transaction whose keys have changed is refused; a forced one must still be sound.
      if (target->content[i] != transaction->base[i] && !force) return;
    }
    for (size_t i = 0; i < kSlots; ++i) {
      if (transaction->content[i] == transaction->base[i]) continue;
      Ref* from = &WritableRoot(*transaction->line)->databases[i].keys;
      Ref* to = &WritableRoot(*target->line)->databases[i].keys;
      store_->Publish(*transaction->line, from, *target->line, to);
      target->content[i] = transaction->content[i];
    }
  }

  // ---- saving
  void StartSave() {
    if (save_) return;
    save_ = std::make_unique<Save>();
    Save& save = *save_;
    save.start = store_->BeginSave();
    epoch_seen_ = std::max(epoch_seen_, save.start.epoch);
    save.start.garbage.ForEach(store_->arena(),
                               [&save](const Ref& ref) { save.garbage.push_back(KeyOf(ref)); });
    if (save.garbage.size() != save.start.garbage.count) Fail("garbage list: wrong count");
    save.catalogue.super_root = save.start.super_root;
    save.catalogue.epoch = save.start.epoch;
    for (const Branch& branch : branches_) {
      save.catalogue.heads.emplace_back(branch.line->id(), branch.content);
    }
    for (const Snapshot& snapshot : snapshots_) {
      save.catalogue.snapshots.emplace_back(std::pair(snapshot.line->id(), snapshot.epoch),
                                            snapshot.content);
    }
    std::vector<Ref> all;
    if (!CollectSave(store_->arena(), save.start.super_root, 0, &all)) Fail("full walk failed");
    for (const Ref& ref : all) save.all[KeyOf(ref)] = Sum(ref);
  }

  uint64_t Sum(const Ref& ref) const {
    return Checksum64(ByteView(store_->arena().Resolve(ref), ref.size()));
  }

  void GoOnSaving() {
    if (!save_) return;
    Save& save = *save_;
    if (!save.collected) {  // the child walks while the parent goes on
      if (!CollectSave(store_->arena(), save.start.super_root, save.start.base, &save.pages)) {
        Fail("the child cannot walk its version");
      }
      save.collected = true;
      for (const Ref& ref : save.pages) {
        if (save.all.count(KeyOf(ref)) == 0) Fail("the child walks a page that was not there");
      }
      return;
    }
    if (save.done < save.pages.size()) {
      const size_t end =
          std::min(save.pages.size(), save.done + 1 + random_.Below(save.pages.size()));
      for (; save.done < end; ++save.done) {
        const Ref& ref = save.pages[save.done];
        if (Sum(ref) != save.all[KeyOf(ref)]) Fail("a page changed before the child had read it");
        save.image[KeyOf(ref)] =
            StoredPage{ref.size(), std::string(store_->arena().Resolve(ref), ref.size())};
      }
      store_->SaveProgress(save.pages[save.done - 1]);
      return;
    }
    EndSave(random_.Chance(4, 5));  // steps between: the outcome is unknown
  }

  void EndSave(bool committed) {
    Save& save = *save_;
    if (committed) {
      for (auto& [key, page] : save.image) stored_[key] = std::move(page);
      for (const PageKey& key : save.garbage) stored_.erase(key);
      catalogue_ = std::move(save.catalogue);
      for (const auto& [key, sum] : save.all) {
        const auto page = stored_.find(key);
        if (page == stored_.end()) Fail("a page of the version is not in the store");
        if (Checksum64(page->second.bytes) != sum) Fail("a page in the store has other bytes");
      }
      if (stored_.size() != save.all.size()) Fail("garbage in the store for ever");
    }
    store_->EndSave(committed ? SaveOutcome::kCommitted : SaveOutcome::kFailed);
    save_.reset();
  }

  void FinishSave() {
    while (save_) GoOnSaving();
  }

  // ---- restart: from the catalogue and the stored pages, and from nothing else
  void Restart() {
    if (catalogue_.epoch == 0) return;
    if (save_ && save_->collected && random_.Chance(1, 2)) {
      while (save_->done < save_->pages.size()) GoOnSaving();
      EndSave(true);  // the process dies after the commit
    }
    save_.reset();
    snapshots_.clear();
    transactions_.clear();
    branches_.clear();
    store_ = NewModelStore(&clock_);

    std::map<uint64_t, std::pair<int, std::vector<uint64_t>>> slabs;
    for (const auto& [key, page] : stored_) {
      const Cell cell = key.second;
      const int size_class = ClassFor(page.size);
      auto& [slab_class, bits] = slabs[cell / kSlabCells];
      if (bits.empty()) {
        slab_class = size_class;
        bits.resize((ClassRuns(size_class) + 63) / 64);
      }
      if (slab_class != size_class) Fail("A2: two classes in one slab");
      const size_t run = cell % kSlabCells / (ClassBytes(size_class) / kCellBytes);
      bits[run / 64] |= uint64_t{1} << (run % 64);
    }
    for (const auto& [slab, image] : slabs) {
      const Status restored = store_->arena().Restore({slab, image.first, image.second.data()});
      if (!restored) Fail(restored.error().context);
    }
    for (const auto& [key, page] : stored_) {
      const Ref ref = Ref::Make(key.second, PageKind::kValue, page.size, key.first);
      std::memcpy(store_->arena().ResolveMutable(ref), page.bytes.data(), page.size);
    }
    CheckRestored();
    // Epochs never repeat, not even those of saves that failed.
    epoch_seen_ += random_.Below(3);
    const Status finished = store_->FinishRestore(
        {catalogue_.super_root, catalogue_.epoch, std::max(epoch_seen_, catalogue_.epoch) + 1});
    if (!finished) Fail(finished.error().context);
    for (const auto& [id, content] : catalogue_.heads) {
      Line* line = store_->FindLine(id);
      if (line == nullptr || line->headless()) Fail("a branch did not survive");
      std::string name;
      for (const auto& [text, branch] : store_->branches().all()) {
        if (branch.line == line) name = text;
      }
      if (name.empty()) Fail("the name of a branch did not survive");
      branches_.push_back({name, line, content});
    }
    if (branches_[0].line != &store_->main()) Fail("another main line after the restart");
    if (random_.Chance(1, 2)) store_->DrainBackground();
    if (!store_->arena().Reserve(1 << 19)) Fail("no memory");
    Audit();
    CheckAll();
  }

  void CheckRestored() {
    const PageArena& arena = store_->arena();
    const Status sound = VerifyPages(arena, catalogue_.super_root);
    if (!sound) Fail(sound.error().context);
    const auto table = ReadMeta(arena, catalogue_.super_root);
    if (!table) Fail(table.error().context);
    std::map<LineId, const MetaLine*> lines;
    for (const MetaLine& line : table->lines) lines[line.id] = &line;
    for (const auto& [id, content] : catalogue_.heads) {
      if (lines.count(id) == 0) Fail("restart: a branch is missing");
      CheckVersion("restored branch", lines[id]->head, content);
    }
    for (const auto& [place, content] : catalogue_.snapshots) {
      if (lines.count(place.first) == 0) Fail("restart: the line of a snapshot is missing");
      const MetaPin* found = nullptr;
      for (const MetaPin& pin : lines[place.first]->pins) {
        if (pin.epoch == place.second) found = &pin;
      }
      if (found == nullptr) Fail("restart: a snapshot is missing");
      CheckVersion("restored snapshot", found->root, content);
    }
  }

  // ---- checks
  void CheckVersion(const char* where, const Ref& root, const Version& content) {
    const std::string error = CompareVersion(store_->arena(), root, content);
    if (!error.empty()) Fail(std::string(where) + ": " + error);
  }

  Ref RootOf(const Snapshot& snapshot) {
    for (const Pin& pin : snapshot.line->pins()) {
      if (pin.epoch == snapshot.epoch) return pin.root;
    }
    Fail("a snapshot has lost its pin");
  }

  void CheckSome() {
    const uint64_t copied = store_->stats().pages_copied;
    const auto check = [this](const char* where, const Ref& root, const Version& content) {
      const std::string error = CompareSlot(store_->arena(), root, content, random_.Below(kSlots));
      if (!error.empty()) Fail(std::string(where) + ": " + error);
    };
    const Branch& branch = AnyBranch();
    check("branch", branch.line->head(), branch.content);
    if (!snapshots_.empty()) {
      const Snapshot& snapshot = snapshots_[random_.Below(snapshots_.size())];
      check("snapshot", RootOf(snapshot), snapshot.content);
    }
    if (!transactions_.empty()) {
      const Transaction& transaction = transactions_[random_.Below(transactions_.size())];
      check("transaction", transaction.line->head(), transaction.content);
    }
    if (store_->stats().pages_copied != copied) Fail("V7: reading copied a page");
  }

  void CheckAll() {
    for (const Branch& branch : branches_) {
      CheckVersion("branch", branch.line->head(), branch.content);
    }
    for (const Snapshot& snapshot : snapshots_) {
      CheckVersion("snapshot", RootOf(snapshot), snapshot.content);
    }
    for (const Transaction& transaction : transactions_) {
      CheckVersion("transaction", transaction.line->head(), transaction.content);
    }
  }

  void Audit() {
    CheckAll();
    const std::string error = store_->Audit();
    if (!error.empty()) Fail("audit: " + error);
  }

  // Everything is given up but main: only what main shows may be left.
  void End() {
    if (random_.Chance(1, 2)) FinishSave();
    while (!transactions_.empty()) {
      store_->DropHead(transactions_.back().line);
      transactions_.pop_back();
    }
    while (branches_.size() > 1) DropBranch();
    while (!snapshots_.empty()) DropSnapshot();
    store_->DrainBackground();
    Audit();
    FinishSave();
    store_->DrainBackground();
    Audit();
    for (int i = 0; i < 2; ++i) {  // the second takes along what the first has made garbage
      StartSave();
      while (!save_->collected || save_->done < save_->pages.size()) GoOnSaving();
      EndSave(true);
      store_->DrainBackground();
    }
    const StoreStats stats = store_->stats();
    const Line& main = store_->main();
    if (stats.lines != 1 || stats.pins != 0 || stats.reclaim_backlog != 0) Fail("left over: lines");
    if (main.fork() != 0 || main.parent() != nullptr) Fail("left over: an ancestor of main");
    if (stats.garbage_pages != 0) Fail("left over: garbage");
    size_t bytes = BytesBelow(catalogue_.super_root) + BytesBelow(main.head());
    if (store_->arena().bytes_allocated() != bytes) Fail("left over: memory");
    Audit();
  }

  size_t BytesBelow(const Ref& ref) const {
    if (!ref) return 0;
    size_t bytes = RunBytes(ref.size());
    VisitRefs(store_->arena().Resolve(ref), ref,
              [&](const Ref& child) { bytes += BytesBelow(child); });
    return bytes;
  }

  Random random_;
  ManualClock clock_;
  std::unique_ptr<Store> store_;
  uint64_t next_name_ = 1;
  std::vector<Branch> branches_;  // main first
  std::vector<Snapshot> snapshots_;
  std::vector<Transaction> transactions_;
  std::unique_ptr<Save> save_;
  Epoch epoch_seen_ = 0;
  // What is on the disk.
  std::map<PageKey, StoredPage> stored_;
  Catalogue catalogue_;
};

}  // namespace
}  // namespace verso::storage

int main(int count, char** arguments) {
  using namespace verso;
  storage::g_audit = model::NumberAt(count, arguments, 4, storage::g_audit);
  return model::RunSeeds(count, arguments, 150, 4000,
                         [](uint64_t steps) { storage::World(model::g_seed).Run(steps); });
}
