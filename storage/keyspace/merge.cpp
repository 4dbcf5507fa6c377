#include "storage/keyspace/merge.h"

#include <algorithm>
#include <utility>

#include "storage/base/check.h"
#include "storage/base/unforked_memory.h"
#include "storage/keyspace/same_content.h"

namespace verso::storage {
namespace {

constexpr KeyEvent kMerged{"merge", 'g'};
constexpr KeyEvent kDeleted{"del", 'g'};

// As often a newer version of `into` is followed in slices, and what was built is made younger,
// though others write and pin meanwhile; what is left is done at the instant.
constexpr int kRoundsInSlices = 4;
constexpr int kRenewalsInSlices = 3;

// What a key takes in a leaf besides its path, at most.
constexpr uint64_t kEntryBytes = 2 * kTrieInlineBytesMax;

bool Never() { return false; }

}  // namespace

BranchMerge::BranchMerge(Store& store, Versions versions, MergeConflicts mode, bool dry,
                         uint64_t now_ms)
    : store_(store),
      versions_(std::move(versions)),
      mode_(mode),
      dry_(dry),
      began_ms_(now_ms),
      into_pin_(store.PinForRead(*versions_.into, now_ms)),
      changes_(UnforkedMemory()) {}

ReadView BranchMerge::FromView(int db, uint64_t now_ms) const {
  return {store_, versions_.from_pin.root(), db, now_ms};
}

ReadView BranchMerge::BaseView(int db, uint64_t now_ms) const {
  return {store_, versions_.base.root(), db, now_ms};
}

// ---- deciding

void BranchMerge::Count(const Change& change, bool more) {
  const uint64_t one = more ? 1 : ~uint64_t{0};  // modulo 2^64
  if (change.conflict) conflicts_ += one;
  if (change.action != Action::kNone) applied_ += one;
  if (change.action == Action::kPut) payload_bytes_ += one * (kEntryBytes + change.key.size());
}

void BranchMerge::Decide(Change* change, const std::optional<ValueView>& base,
                         const std::optional<ValueView>& from, const ReadView& into) {
  change->action = Action::kNone;
  change->conflict = false;
  if (!SameContent(into, base, from)) {
    const auto there = into.Find(Key{change->key, change->hash}, Access::kPeek);
    const bool unchanged = SameContent(into, there, base);
    change->conflict = !unchanged && !SameContent(into, there, from);
    if (unchanged || (change->conflict && mode_ == MergeConflicts::kTheirs)) {
      change->action = from ? Action::kPut : Action::kErase;
    }
  }
  change->external = change->action == Action::kPut && from->external;
  Count(*change, true);
}

// In the order of hashes, since the walk is: only what one step finds has to be sorted.
bool BranchMerge::DecideAll(const Spent& spent) {
  for (; place_.db < kDatabases; ++place_.db, place_.at = {}) {
    const ReadView into(store_, into_pin_.root(), place_.db, began_ms_);
    KeyspaceDiff diff(store_, {versions_.base.root(), began_ms_},
                      {versions_.from_pin.root(), began_ms_}, place_.db);
    for (bool more = true; more;) {
      if (spent()) return false;
      const size_t first = changes_.size();
      more = diff.Step(&place_.at, [&](const Key& key, const auto& base, const auto& from) {
        changes_.push_back(Change{.hash = key.hash,
                                  .key = std::pmr::string(key.bytes, UnforkedMemory()),
                                  .db = static_cast<uint8_t>(place_.db)});
        Decide(&changes_.back(), base, from, into);
      });
      std::sort(changes_.begin() + static_cast<ptrdiff_t>(first), changes_.end(),
                [](const Change& a, const Change& b) { return a.hash < b.hash; });
    }
  }
  return true;
}

BranchMerge::Change* BranchMerge::Find(int db, const Key& key) {
  const auto below = [](const Change& change, const std::pair<int, uint64_t>& place) {
    return std::pair<int, uint64_t>(change.db, change.hash) < place;
  };
  auto at = std::lower_bound(changes_.begin(), changes_.end(), std::pair(db, key.hash), below);
  for (; at != changes_.end() && at->db == db && at->hash == key.hash; ++at) {
    if (ByteView(at->key) == key.bytes) return &*at;
  }
  return nullptr;
}

// What differs between the version of `into` that decisions hold for and this one (M2). True: they
// hold for this one now.
bool BranchMerge::DecideAgain(const Ref& root, const Spent& spent, uint64_t now_ms) {
  for (; place_.db < kDatabases; ++place_.db, place_.at = {}) {
    const int db = place_.db;
    const ReadView into(store_, root, db, now_ms);
    KeyspaceDiff diff(store_, {into_pin_.root(), began_ms_}, {root, began_ms_}, db);
    for (bool more = true; more;) {
      if (spent()) return false;
      more = diff.Step(&place_.at, [&](const Key& key, const auto&, const auto&) {
        Change* const change = Find(db, key);
        if (change == nullptr) return;
        Count(*change, false);
        Decide(change, BaseView(db, now_ms).Find(key, Access::kPeek),
               FromView(db, now_ms).Find(key, Access::kPeek), into);
        const auto index = static_cast<size_t>(change - changes_.data());
        if (index < next_build_ && change->external && !change->built) {
          build_again_.push_back(index);
        }
      });
    }
  }
  place_ = {};
  return true;
}

// ---- building aside

// What the pages of `into` must be younger than, but for the versions held here, which are let go
// before anything is linked.
Epoch BranchMerge::FrozenByOthers() const {
  const Line& into = *versions_.into;
  if (!into_pin_ && !into_next_) return into.frozen();
  Epoch frozen = std::max(into.fork(), store_.saved_epoch());
  for (const Pin& pin : into.pins()) {
    uint32_t own = 0;
    for (const PinHandle* held : {&into_pin_, &into_next_}) {
      own += *held && held->epoch() == pin.epoch ? 1 : 0;
    }
    if (pin.holders > own) frozen = std::max(frozen, pin.epoch);
  }
  return frozen;
}

// Makes the value's pages in the scratch line younger than `above`.
MergeStep BranchMerge::Renew(const Change& change, Epoch above, const Spent& spent) {
  if (!renewal_) {
    WriteView aside = Aside(change.db);
    const auto value = aside.MutateValue(Key{change.key, change.hash});
    VERSO_CHECK(value && value->ref != nullptr);
    renewal_.emplace(scratch_->line(), value->ref, above);
  }
  while (!renewal_->done()) {
    if (!renewal_->Step()) return MergeStep::kNoRoom;
    if (spent()) return MergeStep::kMore;
  }
  born_after_ = std::min(born_after_, renewal_->above());
  renewal_.reset();
  return MergeStep::kDone;
}

MergeStep BranchMerge::BuildOne(Change* change, const Spent& spent) {
  if (!change->external || change->built) return MergeStep::kDone;
  if (scratch_ == nullptr) {
    // Nothing of the version is needed but what the renewals copy.
    scratch_ = std::make_unique<ScratchLine>(store_, *versions_.from, from_pin().epoch());
    *scratch_->line().mutable_head() = kNullRef;
  }
  if (!renewal_) {
    const Key key{change->key, change->hash};
    const auto value = FromView(change->db, 0).Find(key, Access::kPeek);
    VERSO_CHECK(value && value->external);
    if (!store_.ReserveForWrite(kEntryBytes + key.bytes.size(), 2)) return MergeStep::kNoRoom;
    ValueView reference = *value;
    reference.deadline_ms = kNoDeadline;
    Aside(change->db).SetValue(key, reference);
  }
  const MergeStep step = Renew(*change, std::max(FrozenByOthers(), from_pin().epoch()), spent);
  change->built = step == MergeStep::kDone;
  return step;
}

MergeStep BranchMerge::Build(const Spent& spent) {
  for (; next_build_ < changes_.size(); ++next_build_) {
    if (spent()) return MergeStep::kMore;
    const MergeStep step = BuildOne(&changes_[next_build_], spent);
    if (step != MergeStep::kDone) return step;
  }
  for (; !build_again_.empty(); build_again_.pop_back()) {
    if (spent()) return MergeStep::kMore;
    const MergeStep step = BuildOne(&changes_[build_again_.back()], spent);
    if (step != MergeStep::kDone) return step;
  }
  return MergeStep::kDone;
}

// Others have pinned `into` since, or a save has begun (V6).
MergeStep BranchMerge::MakeYoung(const Spent& spent, bool sliced) {
  if (scratch_ == nullptr) return MergeStep::kDone;
  while (young_above_ || born_after_ < FrozenByOthers()) {
    if (!young_above_) {
      if (sliced && renewals_ == kRenewalsInSlices) break;
      ++renewals_;
      young_above_ = FrozenByOthers();
      next_young_ = 0;
    }
    for (; next_young_ < changes_.size(); ++next_young_) {
      if (spent()) return MergeStep::kMore;
      if (!changes_[next_young_].built) continue;
      const MergeStep step = Renew(changes_[next_young_], *young_above_, spent);
      if (step != MergeStep::kDone) return step;
    }
    born_after_ = *young_above_;
    young_above_.reset();
  }
  return MergeStep::kDone;
}

// ---- in slices, and at the instant

MergeStep BranchMerge::Run(const Spent& spent, uint64_t now_ms) {
  if (!decided_) {
    if (!DecideAll(spent)) return MergeStep::kMore;
    decided_ = true;
    place_ = {};
  }
  // A comparison that was begun comes to its end first: half way its conflicts are not all.
  while (into_next_ || applies()) {
    if (!into_next_) {
      if (const MergeStep step = Build(spent); step != MergeStep::kDone) return step;
      if (const MergeStep step = MakeYoung(spent, true); step != MergeStep::kDone) return step;
      const bool seen = versions_.into->head() == into_pin_.root();
      if (seen || rounds_ == kRoundsInSlices) break;
      ++rounds_;
      into_next_ = store_.PinForRead(*versions_.into, now_ms);
    }
    if (!DecideAgain(into_next_.root(), spent, now_ms)) return MergeStep::kMore;
    into_pin_ = std::move(into_next_);
  }
  return MergeStep::kDone;
}

MergeStep BranchMerge::Settle(uint64_t now_ms) {
  if (!applies()) return MergeStep::kDone;
  VERSO_CHECK(decided_ && !renewal_ && !into_next_);
  if (!(versions_.into->head() == into_pin_.root())) {
    DecideAgain(versions_.into->head(), &Never, now_ms);
    if (!applies()) return MergeStep::kDone;
    if (const MergeStep step = Build(&Never); step != MergeStep::kDone) return step;
  }
  into_pin_.Release();
  return MakeYoung(&Never, false);
}

void BranchMerge::Commit(uint64_t now_ms, const Changing& changing) {
  VERSO_CHECK(applies() && !into_pin_);
  constexpr size_t kBatch = ReadView::kPrefetchBatch;
  for (size_t i = 0; i < changes_.size(); ++i) {
    if (i % kBatch == 0) {
      Key batch[kBatch];
      const size_t count = std::min(kBatch, changes_.size() - i);
      for (size_t n = 0; n < count; ++n) batch[n] = {changes_[i + n].key, changes_[i + n].hash};
      // Only where all are of one database are all of them brought in.
      ReadView(store_, *versions_.into, changes_[i].db, now_ms).Prefetch(batch, count);
    }
    const Change& change = changes_[i];
    if (change.action == Action::kNone) continue;
    const Key key{change.key, change.hash};
    const ReadView from = FromView(change.db, now_ms);
    WriteView into(store_, *versions_.into, change.db, now_ms);
    std::optional<ValueView> value;
    // What has expired since it was decided is absent.
    if (change.action == Action::kPut) value = from.Find(key, Access::kPeek);
    if (!value && !into.Exists(key)) continue;
    changing(from, key);
    if (!value) {
      into.Erase(key, kDeleted);
    } else if (value->external) {
      WriteView aside = Aside(change.db);
      into.PublishFrom(aside, key, value->deadline_ms, kMerged, born_after_);
    } else {
      into.SetValue(key, *value);
      into.NotifyChanged(key, kMerged);
    }
  }
}

std::vector<ByteView> BranchMerge::ConflictKeys(size_t most) const {
  std::vector<ByteView> keys;
  for (auto at = changes_.begin(); at != changes_.end() && keys.size() < most; ++at) {
    if (at->conflict) keys.push_back(at->key);
  }
  return keys;
}

}  // namespace verso::storage
