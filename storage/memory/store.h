// Store: owns everything in memory: the arena, the epoch counter, all lines, their pins and dead
// lists, the meta line that describes them, the background queue, and the bookkeeping of saves. One
// per process; one thread.
//
//   arena        pages
//   meta line    super-root: the table of lines, pins, names, dead lists and the background queue,
//                made by BeginSave; the unit a save stores
//   line main    head, pins, children; scratch lines are the same, but no save contains them (V6)
//
// The life of a snapshot: Pin, readers use Pin::root, Unpin; pages only it needed are freed in
// slices (V9).
// The life of a save: BeginSave (pins every line, O(lines)), fork, the child reads SaveStart,
// SaveProgress now and then, EndSave.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "storage/base/clock.h"
#include "storage/base/hash.h"
#include "storage/base/result.h"
#include "storage/memory/access_rule.h"
#include "storage/memory/line.h"
#include "storage/memory/page_arena.h"
#include "storage/memory/reclaimer.h"
#include "storage/memory/ref_list.h"

namespace verso::storage {

class Branches;
class KeyObserver;
class Snapshots;
class Store;

struct StoreOptions {
  ArenaOptions arena;
  const Clock* clock = nullptr;  // required
  HashSecret secret;
};

// Holds a pin of a line for its lifetime.
class PinHandle {
 public:
  PinHandle() = default;
  PinHandle(Store* store, Line* line, Epoch epoch, const Ref& root, uint64_t moment_ms)
      : store_(store), line_(line), epoch_(epoch), root_(root), moment_ms_(moment_ms) {}
  PinHandle(PinHandle&& other) noexcept { *this = std::move(other); }
  PinHandle& operator=(PinHandle&& other) noexcept;
  ~PinHandle() { Release(); }

  explicit operator bool() const { return store_ != nullptr; }
  Epoch epoch() const { return epoch_; }
  const Ref& root() const { return root_; }
  uint64_t moment_ms() const { return moment_ms_; }
  void Release();

 private:
  Store* store_ = nullptr;
  Line* line_ = nullptr;
  Epoch epoch_ = 0;
  Ref root_;
  uint64_t moment_ms_ = 0;
};

// What a forked snapshot writer needs; everything it names is immutable until EndSave.
struct SaveStart {
  Epoch epoch = 0;  // the version being saved
  Epoch base = 0;   // pages born at or before it are in the store already; 0: none
  Ref super_root;
  RefListView garbage;  // pages to delete from the store in the same commit (birth, cell and size)
  uint64_t bytes_allocated = 0;
};

enum class SaveOutcome : uint8_t { kCommitted, kFailed };

// What a restart knows from the catalogue before it touches a page.
struct RestoreStart {
  Ref super_root;
  Epoch epoch = 0;       // of the saved version: the new base
  Epoch epoch_next = 0;  // 1 + the newest epoch the store has ever seen (never repeats)
  // A log follows that may go on with it; then the caller says DropUnnamed.
  bool keep_unnamed = false;
};

struct StoreStats {
  uint64_t pages_copied = 0;  // total, copy on first write
  uint64_t bytes_copied = 0;
  uint64_t pages_released_early = 0;  // behind the writer of a save
  uint64_t pins = 0;
  uint64_t pin_oldest_moment_ms = 0;  // 0: none
  uint64_t pin_bytes = 0;             // that only pins hold
  uint64_t lines = 0;
  uint64_t reclaim_backlog = 0;  // items of the background queue
  uint64_t garbage_pages = 0;    // waiting for the next save
};

class Store {
 public:
  // A fresh, empty store with line 1 (main).
  static Result<std::unique_ptr<Store>> Create(const StoreOptions& options);
  ~Store();

  PageArena& arena() { return *arena_; }
  const PageArena& arena() const { return *arena_; }
  const HashSecret& secret() const { return secret_; }
  const Clock& clock() const { return *clock_; }
  const AccessRule& access() const { return access_; }
  void set_access(const AccessRule& rule) { access_ = rule; }
  Line& main() { return *main_; }
  const Line& main() const { return *main_; }
  Epoch epoch() const { return epoch_; }
  Line* FindLine(
      LineId id);  // null: no such line. After a restart the names lead to lines by their ids.

  KeyObserver* observer() const { return observer_; }
  void set_observer(KeyObserver* observer) { observer_ = observer; }

  // ---- versions. All O(1) whatever the data size.
  // Names the current version of the line and freezes it. `kept`: survives restarts (a named
  // snapshot, the fork of a branch).
  Epoch Pin(Line& line, uint64_t moment_ms, bool kept = false);
  PinHandle PinForRead(Line& line, uint64_t moment_ms);
  // One holder more of a live pin; its root.
  Ref HoldPin(Line& line, Epoch epoch, bool kept);
  bool HasPin(Line& line, Epoch epoch) { return line.FindPin(epoch) != nullptr; }
  void Unpin(Line& line, Epoch epoch, bool kept = false);
  Branches& branches() { return *branches_; }
  const Branches& branches() const { return *branches_; }
  Snapshots& snapshots() { return *snapshots_; }
  const Snapshots& snapshots() const { return *snapshots_; }
  // A line that continues from a pinned version. Requires: the pin is live; the new line holds it
  // from now on.
  Line* Fork(Line& from, Epoch epoch, bool scratch);
  // An empty scratch line, for what is built aside from nothing. ScratchLine (scratch_line.h) holds
  // one.
  Line* NewScratch() { return NewLine(nullptr, 0, true); }
  // An empty line that is like any other, but for a name: saves contain it, and a restart drops it
  // unless it got one.
  Line* NewUnnamed() { return NewLine(nullptr, 0, false); }
  // One of these; null: no line without a name has this id.
  Line* FindUnnamed(LineId id);
  // The next line gets this id: that which it had when what is replayed happened. False: there may
  // be one with that id already.
  bool SetNextLineId(LineId id);
  // Heads that nobody can reach: what was being imported, and versions that merges had begun with,
  // when the save began, or when the log ended.
  void DropUnnamed();
  // The line has no head any more; it lives on without one as long as pins hold it (V10). The
  // pointer may be dead afterwards.
  void DropHead(Line* line);
  // Bytes of pages that heads have left and pins still hold.
  uint64_t bytes_pinned() const { return bytes_pinned_; }
  // The pin behind which most of them went; null: none has any.
  struct PinPlace {
    const Line* line = nullptr;
    Epoch epoch = 0;
    uint64_t bytes = 0;
  };
  PinPlace LargestPin() const;
  bool reclaiming() const;        // what heads have left is on its way to be free
  void ExchangeMain(Line* line);  // main() is now `line`, of which `main` is the name
  // Publication (V6): makes the subtree that `from` (a scratch line's slot) names the content of
  // *to (a slot in a writable page of `line`): pages with birth > both frozen are linked, the
  // others copied; the old content of *to is retired. Afterwards *from is null.
  void Publish(Line& scratch, Ref* from, Line& line, Ref* to);

  // ---- memory. Before a write command runs: room for `payload` bytes in `keys` keys, worst case.
  // False: nothing was changed, answer -OOM.
  bool ReserveForWrite(size_t payload_bytes, size_t keys) {
    return arena_->Reserve(payload_bytes + payload_bytes / 4 + kBytesPerWrite +
                           keys * kBytesPerKeyWrite);
  }
  // Once a command: line root, root directory copied and doubled, first chunks. For each key:
  // directories below the root, leaves split, deadline index path, dead-list entries. Reserve adds
  // a slab for every size class on top.
  static constexpr size_t kBytesPerWrite = 64 * 1024;
  static constexpr size_t kBytesPerKeyWrite = 10 * 1024;

  // ---- background (V9): reclaims and prepares memory for at most about `budget_us`. True: there
  // is more to do.
  bool Background(uint64_t budget_us);
  void DrainBackground();  // to the end (tests, shutdown)

  // ---- saving (DESIGN 6). One at a time.
  SaveStart BeginSave();
  bool saving() const { return saving_; }
  // The child has read every page up to `watermark` in PageOrder for the last time.
  void SaveProgress(const Ref& watermark);
  // Only with certainty: while the outcome is unknown the save stays open.
  void EndSave(SaveOutcome outcome);
  Epoch saved_epoch() const { return saved_; }

  // ---- restart: Create, then arena().Restore for every slab, then the pages' bytes, then this.
  Status FinishRestore(const RestoreStart& start);

  StoreStats stats() const;
  // reachable + dead + waiting + free == allocated, and every structure is sound. Empty: clean.
  // Walks everything.
  std::string Audit();

 private:
  friend class Line;
  friend class Reclaimer;
  friend class StoreMeta;
  friend class StoreAudit;

  Store() = default;
  Line* NewLine(Line* parent, Epoch fork, bool scratch);
  void AfterDrop(
      Line* line);  // nothing may hold the line any more, or its only child may take over (V10)
  void DeleteLine(Line* line);
  void TakeOver(Line* line);
  void UnpinIndex(Line& line, size_t index);
  // Joins `from` into `to`, both of pins of `line`; buckets that mean the same pins become one.
  void MergeBuckets(const Line& line, DeadBuckets* to, const DeadBuckets& from);
  void Discard(const Line& line, DeadBuckets* buckets);

  // A page left the head of the line at epoch `died` (V4, V5).
  bool DropDead(Line& line, const Ref& ref, Epoch died);  // true: it is free
  void AddInherited(Line& line, const Ref& ref, Epoch died);
  void AddDead(const Line& line, DeadBuckets* buckets, Epoch first, const Ref& ref);
  // The bucket is no pin's any more.
  void ForgetPinned(const Line& line, const DeadBucket& bucket);
  void AppendEntry(DeadBucket* bucket, const Ref& entry);
  void FreePage(
      const Ref& ref);  // for good: to the arena, and to the garbage list if a save may contain it
  bool WrittenBySave(const Ref& ref) const;
  void SweepSaveLists();

  std::unique_ptr<PageArena> arena_;
  const Clock* clock_ = nullptr;
  AccessRule access_;
  HashSecret secret_;
  KeyObserver* observer_ = nullptr;

  Epoch epoch_ = 1;
  bool written_ = true;
  std::vector<std::unique_ptr<Line>> lines_;
  LineId next_line_id_ = 1;
  Line* main_ = nullptr;
  Line* meta_ = nullptr;  // id 0: owns the super-root, the meta pages and the chunks of dead lists
  std::unique_ptr<Reclaimer> reclaimer_;
  std::unique_ptr<Branches> branches_;
  std::unique_ptr<Snapshots> snapshots_;

  // Saves.
  bool saving_ = false;
  Epoch saved_ = 0;        // newest committed
  Epoch maybe_saved_ = 0;  // newest that may have committed (V6)
  Epoch save_epoch_ = 0;
  Epoch maybe_before_ = 0;
  Ref watermark_;
  Ref swept_;  // the watermark and the time at the last sweep of the save's own lists
  uint64_t swept_ms_ = 0;
  uint64_t sweep_after_ms_ = 0;
  std::vector<Line*> save_condemned_;  // their heads go when it ends
  std::vector<std::pair<Line*, Epoch>>
      save_pins_;                           // held by the running save: every pin it describes
  std::unique_ptr<RefList> garbage_;        // freed since the pin of the running (or last) save
  std::unique_ptr<RefList> garbage_taken_;  // handed to the running save

  uint64_t last_pinned_ms_ = 0;  // memory that a save has used is kept for the next one for a while
  uint64_t bytes_pinned_ = 0;    // in the buckets of pins, but for what ancestors own
  uint64_t bytes_copied_ = 0;
  uint64_t pages_copied_ = 0;
  uint64_t pages_released_early_ = 0;
};

}  // namespace verso::storage
