// Merging a branch into another one, key by key in all databases: what `from` has changed since the
// base goes into the head of `into`, unless that has changed the same key to something else.
//
//   from as pinned ──┐ differ: changed       into as pinned: the same as the base? take over
//   base ────────────┘                                       the same as from?     nothing to do
//                                                            else                  conflict
//
//   BranchMerge merge(store, versions, conflicts);
//   while (merge.Run(spent) == kMore) { ... }    in slices; what is large is copied aside
//   merge.Settle(now_ms)                         at the instant: what `into` has changed meanwhile
//   merge.Commit(now_ms, changing)               after room was reserved for it: cannot fail
//
// M1 Expiry is judged at one moment in all three versions: that at which the merge began; for keys
//    that are decided anew, that of doing so.
// M2 Decisions hold for the version of `into` that is pinned. What has changed since is found by
// the
//    difference to a newer one, and only these keys are decided anew: in slices at first, then,
//    when that takes less than a slice, at the instant.
// M3 What stands outside a leaf is copied into a scratch line and made young enough to be linked
//    (V6); a value that stands in its leaf is copied with its key.
// M4 Whoever drops the object before Commit leaves no trace.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <memory_resource>
#include <optional>
#include <string>
#include <vector>

#include "storage/keyspace/diff.h"
#include "storage/keyspace/keyspace.h"
#include "storage/memory/renewal.h"
#include "storage/memory/scratch_line.h"
#include "storage/memory/store.h"

namespace verso::storage {

enum class MergeConflicts : uint8_t { kFail, kOurs, kTheirs };
enum class MergeStep : uint8_t { kMore, kDone, kNoRoom };

class BranchMerge {
 public:
  struct Versions {
    Line* from = nullptr;  // the line of the version below
    PinHandle from_pin;
    PinHandle base;  // none: empty
    Line* into = nullptr;
  };
  using Spent = std::function<bool()>;
  // Of each key before it changes in `into`: it will be what `from` shows of it.
  using Changing = std::function<void(const ReadView& from, const Key& key)>;

  // `dry`: only decides. The line `into` must live, with its head, as long as this is used.
  BranchMerge(Store& store, Versions versions, MergeConflicts mode, bool dry, uint64_t now_ms);
  BranchMerge(const BranchMerge&) = delete;
  BranchMerge& operator=(const BranchMerge&) = delete;

  // kDone: ready for Settle, or nothing will be applied.
  MergeStep Run(const Spent& spent, uint64_t now_ms);
  // At the instant, before Commit. Not kMore.
  MergeStep Settle(uint64_t now_ms);

  // False: it is dry, or there are conflicts and none may be.
  bool applies() const { return !dry_ && (mode_ != MergeConflicts::kFail || conflicts_ == 0); }
  uint64_t applied() const { return applied_; }      // keys of `into` that change
  uint64_t conflicts() const { return conflicts_; }  // keys that both have changed differently
  // Their names, in no particular order.
  std::vector<ByteView> ConflictKeys(size_t most) const;
  Line* from() const { return versions_.from; }
  const PinHandle& from_pin() const { return versions_.from_pin; }

  // What has to be reserved for Commit, besides the paths of applied() keys.
  uint64_t payload_bytes() const { return payload_bytes_; }
  // Requires: Settle said kDone at this instant, applies(), and room.
  void Commit(uint64_t now_ms, const Changing& changing);

 private:
  enum class Action : uint8_t { kNone, kPut, kErase };
  struct Change {
    uint64_t hash;
    std::pmr::string key;
    uint8_t db;
    Action action = Action::kNone;
    bool conflict = false;
    bool external = false;  // put: what stands outside the leaf
    bool built = false;     // it does so in the scratch line, too
  };
  struct Place {  // of a walk through all databases
    int db = 0;
    DiffPosition at;
  };

  ReadView FromView(int db, uint64_t now_ms) const;
  ReadView BaseView(int db, uint64_t now_ms) const;
  void Decide(Change* change, const std::optional<ValueView>& base,
              const std::optional<ValueView>& from, const ReadView& into);
  void Count(const Change& change, bool more);
  Change* Find(int db, const Key& key);
  bool DecideAll(const Spent& spent);
  bool DecideAgain(const Ref& root, const Spent& spent, uint64_t now_ms);
  Epoch FrozenByOthers() const;
  MergeStep Build(const Spent& spent);
  MergeStep BuildOne(Change* change, const Spent& spent);
  MergeStep MakeYoung(const Spent& spent, bool sliced);
  MergeStep Renew(const Change& change, Epoch above, const Spent& spent);
  WriteView Aside(int db) { return {store_, scratch_->line(), db, began_ms_}; }

  Store& store_;
  Versions versions_;
  const MergeConflicts mode_;
  const bool dry_;
  const uint64_t began_ms_;
  PinHandle into_pin_;                // decisions hold for it (M2)
  PinHandle into_next_;               // being compared with it
  std::pmr::vector<Change> changes_;  // by database, then by hash
  bool decided_ = false;
  Place place_;  // of the walk that goes on
  int rounds_ = 0;
  uint64_t applied_ = 0;
  uint64_t conflicts_ = 0;
  uint64_t payload_bytes_ = 0;
  std::unique_ptr<ScratchLine> scratch_;
  size_t next_build_ = 0;             // changes before it are built
  std::vector<size_t> build_again_;   // of those, what became a put later
  Epoch born_after_ = kEpochMax;      // all pages built are younger
  size_t next_young_ = 0;             // of a pass over what was built
  std::optional<Epoch> young_above_;  // of that pass, while it is under way
  int renewals_ = 0;
  std::optional<Renewal> renewal_;
};

}  // namespace verso::storage
