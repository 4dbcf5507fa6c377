// Goal: merges do what a three-way merge of plain maps does, with the right base, whatever becomes
// of the branches, and leave sound pages. Method: random writes of all types in a few branches that
// are made, dropped, renamed, exchanged, rolled back, saved and restarted; merges in one go and in
// slices with writes, pins and saves in between. The model keeps what every version held as digests
// of its keys, and the history of each branch as a list of versions; the base is found in these
// lists. After each merge everything is compared and the store is audited.
#include "storage/keyspace/merge.h"

#include <catch2/catch.hpp>
#include <map>
#include <random>
#include <set>
#include <string>

#include "storage/memory/branches.h"
#include "storage/memory/snapshots.h"
#include "storage/types/hash_value.h"
#include "storage/types/list.h"
#include "storage/types/stream_value.h"
#include "storage/types/zset.h"
#include "tests/support/saved_store.h"

namespace verso::storage {
namespace {

constexpr KeyEvent kEvent{"test", 'g'};

using Place = std::pair<int, std::string>;
struct Held {
  std::string digest;
  uint64_t deadline_ms = kNoDeadline;
  bool operator==(const Held&) const = default;
};
using Content = std::map<Place, Held>;

// A version: whose history it was made in, and its epoch.
using Stamp = std::pair<int, Epoch>;
using History = std::vector<Stamp>;

struct ModelBase {
  int from;
  int into;
  Stamp of_from;
  Stamp of_into;
};

class CountingObserver final : public KeyObserver {
 public:
  void KeyChanged(const Line& line, int db, const Key& key, const KeyEvent&) override {
    ++changed[{line.id(), db, std::string(key.bytes)}];
  }
  void DatabaseChanged(const Line&, int, const char*, uint64_t) override {}
  std::map<std::tuple<LineId, int, std::string>, int> changed;
};

class World {
 public:
  explicit World(uint64_t seed) : random_(seed) {
    options_.arena.bytes_max = size_t{8} << 30;
    options_.clock = &clock_;
    options_.secret = HashSecret::FromSeed(seed);
    clock_.Set(1'000'000);
    auto made = Store::Create(options_);
    REQUIRE(made.has_value());
    store_ = std::move(*made);
    ids_["main"] = 0;
    histories_[0] = {};
  }

  uint64_t Random(uint64_t n) { return random_() % n; }
  template <typename Map>
  std::string Some(const Map& map) {
    return std::next(map.begin(), static_cast<long>(Random(map.size())))->first;
  }

  void Step() {
    // Saves go on for some steps; pages that they contain must stay as they are.
    if (!store_->saving()) {
      if (Random(10) == 0) store_->BeginSave();
    } else if (Random(5) == 0) {
      store_->EndSave(Random(3) == 0 ? SaveOutcome::kFailed : SaveOutcome::kCommitted);
    }
    const std::string name = Some(ids_);
    switch (Random(16)) {
      case 0:
        if (ids_.size() < 4) Fork(name);
        break;
      case 1:
        if (name != "main" && Random(3) == 0) Drop(name);
        break;
      case 2:
        if (name != "main") Rename(name);
        break;
      case 3:
        if (name != "main") Exchange(name);
        break;
      case 4:
      case 5:
        TakeSnapshot(name);
        break;
      case 6:
        if (!snapshots_.empty()) RollBack(name, Some(snapshots_));
        break;
      case 7:
        clock_.Advance(Random(60));
        break;
      case 8:
        if (Random(3) == 0) Restart();
        break;
      case 9:
      case 10:
      case 11:
        Write(name, Random(40));
        break;
      default:
        Merge(name, Some(ids_));
    }
  }

  void End() {
    if (store_->saving()) store_->EndSave(SaveOutcome::kCommitted);
    store_->DrainBackground();
    REQUIRE(store_->Audit() == "");
  }
  uint64_t merges() const { return merges_; }
  uint64_t applied() const { return applied_; }
  uint64_t conflicts() const { return conflicts_; }

 private:
  Branch& BranchAt(const std::string& name) { return *store_->branches().Find(name); }
  ReadView Head(const std::string& name, int db) {
    return {*store_, *BranchAt(name).line, db, clock_.NowMs()};
  }

  Content Shown(const std::string& name) {
    Content content;
    for (int db = 0; db < 3; ++db) {
      const ReadView view = Head(name, db);
      uint64_t cursor = 0;
      do {
        cursor = view.Scan(cursor, 1000, [&](ByteView key, const ValueView& value) {
          content[{db, std::string(key)}] = {DigestOfKey(view, view.MakeKey(key)).Hex(),
                                             value.deadline_ms};
        });
      } while (cursor != 0);
    }
    return content;
  }

  // Remembers what the branch holds now, as a version of its history.
  Stamp StampNow(const std::string& name) {
    const PinHandle pin = store_->PinForRead(*BranchAt(name).line, clock_.NowMs());
    const Stamp stamp{ids_[name], pin.epoch()};
    History& history = histories_[ids_[name]];
    if (history.empty() || history.back() != stamp) history.push_back(stamp);
    contents_[stamp] = Shown(name);
    return stamp;
  }

  // ---- branches

  void Fork(const std::string& name) {
    const std::string made = "b" + std::to_string(next_name_++);
    if (!snapshots_.empty() && Random(2) == 0) {
      const std::string of = Some(snapshots_);
      const Snapshot& snapshot = *store_->snapshots().Find(of);
      store_->branches().Add(made, *snapshot.line, snapshot.epoch, snapshot.branch, clock_.NowMs());
      ids_[made] = next_id_;
      histories_[next_id_++] = snapshots_[of];
      return;
    }
    StampNow(name);
    const PinHandle pin = store_->PinForRead(*BranchAt(name).line, clock_.NowMs());
    store_->branches().Add(made, *BranchAt(name).line, pin.epoch(), name, clock_.NowMs());
    ids_[made] = next_id_;
    histories_[next_id_++] = histories_[ids_[name]];
  }
  void Drop(const std::string& name) {
    const int id = ids_[name];
    std::erase_if(bases_,
                  [id](const ModelBase& base) { return base.from == id || base.into == id; });
    store_->branches().Drop(&BranchAt(name));
    ids_.erase(name);
  }
  void Rename(const std::string& name) {
    const std::string to = "b" + std::to_string(next_name_++);
    store_->branches().Rename(&BranchAt(name), to);
    ids_[to] = ids_[name];
    ids_.erase(name);
  }
  void Exchange(const std::string& name) {
    store_->branches().Exchange(&store_->branches().main(), &BranchAt(name));
    std::swap(ids_["main"], ids_[name]);
  }
  void TakeSnapshot(const std::string& name) {
    const std::string made = "s" + std::to_string(Random(6));
    if (snapshots_.erase(made) != 0) REQUIRE(store_->snapshots().Drop(made));
    StampNow(name);
    store_->snapshots().Take(made, BranchAt(name), clock_.NowMs(), 0);
    snapshots_[made] = histories_[ids_[name]];
  }
  void RollBack(const std::string& name, const std::string& to) {
    const Snapshot snapshot = *store_->snapshots().Find(to);
    store_->branches().Restart(&BranchAt(name), *snapshot.line, snapshot.epoch,
                               [](const Line&, const Line&) {});
    const int id = ids_[name];
    const History& history = histories_[id] = snapshots_[to];
    std::erase_if(bases_, [&](const ModelBase& base) {
      const auto has = [&](const Stamp& stamp) {
        return std::find(history.begin(), history.end(), stamp) != history.end();
      };
      return (base.from == id && !has(base.of_from)) || (base.into == id && !has(base.of_into));
    });
  }
  void Restart() {
    if (store_->saving()) store_->EndSave(SaveOutcome::kFailed);
    for (const auto& [name, id] : ids_) before_restart_[name] = Shown(name);
    store_ = SavedAndRestored(*store_, options_);
    if (Random(2) == 0) store_->DrainBackground();
    REQUIRE(store_->Audit() == "");
    for (const auto& [name, id] : ids_) REQUIRE(Shown(name) == before_restart_[name]);
    REQUIRE(store_->branches().merge_bases().size() == bases_.size());
  }

  // ---- writing

  void Write(const std::string& branch, uint64_t changes) {
    for (uint64_t i = 0; i < changes; ++i) {
      REQUIRE(store_->ReserveForWrite(size_t{4} << 20, 16));
      WriteView view(*store_, *BranchAt(branch).line, static_cast<int>(Random(3)), clock_.NowMs());
      std::string name = "key:" + std::to_string(Random(30));
      if (Random(8) == 0) name += std::string(200, 'k');
      const Key key = view.MakeKey(name);
      WriteOne(view, key);
      if (Random(6) == 0) view.SetDeadline(key, clock_.NowMs() + 1 + Random(200), kEvent);
    }
  }
  void WriteOne(WriteView& view, const Key& key) {
    const uint64_t kind = Random(9);
    if (kind < 2) {
      view.Erase(key, kEvent);
      return;
    }
    const uint64_t size = Random(5) == 0 ? 1000 : 1 + Random(5);
    auto old = view.FindForWrite(key);
    // Half of the changes are small ones to what is there.
    const ValueType type =
        std::array{ValueType::kString, ValueType::kString, ValueType::kHash,  ValueType::kZset,
                   ValueType::kList,   ValueType::kStream, ValueType::kString}[kind - 2];
    if (old && old->type != type) {
      view.Erase(key, kEvent);
      old.reset();
    }
    const auto text = [this] { return std::to_string(Random(3)); };
    switch (type) {
      case ValueType::kHash: {
        HashWriter hash(view, key, old, limits_);
        for (uint64_t i = 0; i < size; ++i) hash.Set("f" + std::to_string(i * 7), text());
        hash.Finish(kEvent);
        break;
      }
      case ValueType::kZset: {
        ZsetWriter zset(view, key, old, limits_);
        zset.Set("changes", static_cast<double>(Random(1000)) + 0.5);
        for (uint64_t i = 0; i < size; ++i)
          zset.Set("m" + std::to_string(i), i % 3 == 0 ? -0.0 : 1);
        zset.Finish(kEvent);
        break;
      }
      case ValueType::kList: {
        ListWriter list(view, key, old, limits_);
        const std::string element = text();
        const std::vector<ByteView> elements(size, element);
        list.Push(ListEnd::kTail, elements);
        list.Finish(kEvent);
        break;
      }
      case ValueType::kStream: {
        StreamWriter stream(view, key, old);
        const std::string value = text();
        for (uint64_t i = 0; i < size; ++i) {
          stream.Append({stream.last().ms + 1, 0}, std::vector<ByteView>{"f", value});
        }
        stream.CreateGroup("g" + text(), {}, 0);
        stream.Finish(kEvent);
        break;
      }
      default: {
        static constexpr size_t kSizes[] = {1, 1, 100, 500, 9000, 50'000};
        view.SetString(key, std::string(kSizes[Random(6)], static_cast<char>('a' + Random(3))), {},
                       kEvent);
      }
    }
  }

  // ---- merging

  Content BaseOf(int from, int into) {
    for (const ModelBase& base : bases_) {
      if (base.from == from && base.into == into) return contents_[base.of_from];
      if (base.from == into && base.into == from) return contents_[base.of_from];
    }
    const History& a = histories_[from];
    const History& b = histories_[into];
    Content common;
    for (size_t i = 0; i < std::min(a.size(), b.size()) && a[i] == b[i]; ++i) {
      common = contents_[a[i]];
    }
    return common;
  }

  void Merge(const std::string& from, const std::string& into) {
    if (from == into) return;
    const auto mode = static_cast<MergeConflicts>(Random(3));
    const bool dry = Random(6) == 0;
    const bool sliced = Random(2) == 0;
    Content base = BaseOf(ids_[from], ids_[into]);
    std::erase_if(base,
                  [this](const auto& entry) { return entry.second.deadline_ms <= clock_.NowMs(); });
    const Content theirs = Shown(from);
    const Stamp of_from = StampNow(from);

    BranchMerge::Versions versions;
    versions.from = BranchAt(from).line;
    versions.from_pin = store_->PinForRead(*versions.from, clock_.NowMs());
    versions.base = store_->branches().merge_bases().Hold(BranchAt(from), BranchAt(into));
    versions.into = BranchAt(into).line;
    auto merge =
        std::make_unique<BranchMerge>(*store_, std::move(versions), mode, dry, clock_.NowMs());
    const auto spent = [&] { return sliced && Random(3) == 0; };
    MergeStep step;
    while ((step = merge->Run(spent, clock_.NowMs())) == MergeStep::kMore) {
      if (Random(2) == 0) Write(into, Random(3));
      if (Random(4) == 0) Write(from, Random(3));
      if (Random(8) == 0) TakeSnapshot(into);
    }
    REQUIRE(step == MergeStep::kDone);
    if (!dry && Random(2) == 0) Write(into, Random(10));
    if (merge->applies()) {
      const Content ours = Shown(into);
      REQUIRE(merge->Settle(clock_.NowMs()) == MergeStep::kDone);
      CheckDecided(*merge, base, theirs, ours, mode, into);
    }
    if (merge->applies()) {
      const Content wanted = Merged(base, theirs, Shown(into), mode);
      Commit(*merge, into);
      store_->branches().merge_bases().Merged(BranchAt(from), BranchAt(into), *BranchAt(from).line,
                                              merge->from_pin().epoch());
      REQUIRE(Shown(into) == wanted);
      const int a = ids_[from];
      const int b = ids_[into];
      std::erase_if(bases_, [&](const ModelBase& known) {
        return std::set{known.from, known.into} == std::set{a, b};
      });
      bases_.push_back({a, b, of_from, StampNow(into)});
      ++merges_;
    }
    merge.reset();
    if (Random(4) == 0) store_->DrainBackground();
    REQUIRE(store_->Audit() == "");
  }

  void Commit(BranchMerge& merge, const std::string& into) {
    REQUIRE(store_->ReserveForWrite(merge.payload_bytes(), merge.applied()));
    CountingObserver observer;
    store_->set_observer(&observer);
    uint64_t told = 0;
    merge.Commit(clock_.NowMs(), [&](const ReadView&, const Key&) { ++told; });
    store_->set_observer(nullptr);
    REQUIRE(told == merge.applied());
    REQUIRE(observer.changed.size() == merge.applied());
    for (const auto& [place, times] : observer.changed) {
      REQUIRE(std::get<0>(place) == BranchAt(into).line->id());
      REQUIRE(times == 1);
    }
    applied_ += merge.applied();
  }

  // Calls changes(place, value or null) and conflict(place).
  template <typename Change, typename Conflict>
  static void Compare(const Content& base, const Content& theirs, const Content& ours,
                      MergeConflicts mode, Change&& change, Conflict&& conflict) {
    const auto at = [](const Content& content, const Place& place) -> const Held* {
      const auto found = content.find(place);
      return found != content.end() ? &found->second : nullptr;
    };
    const auto same = [](const Held* a, const Held* b) {
      return a == nullptr || b == nullptr ? a == b : *a == *b;
    };
    std::set<Place> places;
    for (const auto& [place, held] : base) places.insert(place);
    for (const auto& [place, held] : theirs) places.insert(place);
    for (const Place& place : places) {
      const Held* const b = at(base, place);
      const Held* const t = at(theirs, place);
      const Held* const o = at(ours, place);
      if (same(b, t) || same(t, o)) continue;
      if (!same(b, o)) conflict(place);
      if (same(b, o) || mode == MergeConflicts::kTheirs) change(place, t);
    }
  }
  static Content Merged(const Content& base, const Content& theirs, Content ours,
                        MergeConflicts mode) {
    const Content before = ours;
    Compare(
        base, theirs, before, mode,
        [&ours](const Place& place, const Held* held) {
          ours.erase(place);
          if (held != nullptr) ours[place] = *held;
        },
        [](const Place&) {});
    return ours;
  }
  void CheckDecided(const BranchMerge& merge, const Content& base, const Content& theirs,
                    const Content& ours, MergeConflicts mode, const std::string&) {
    uint64_t changes = 0;
    std::multiset<std::string> conflicts;
    Compare(
        base, theirs, ours, mode, [&changes](const Place&, const Held*) { ++changes; },
        [&conflicts](const Place& place) { conflicts.insert(place.second); });
    REQUIRE(merge.applied() == changes);
    REQUIRE(merge.conflicts() == conflicts.size());
    const std::vector<ByteView> keys = merge.ConflictKeys(1000);
    REQUIRE(std::multiset<std::string>(keys.begin(), keys.end()) == conflicts);
    conflicts_ += conflicts.size();
  }

  std::mt19937_64 random_;
  ManualClock clock_;
  StoreOptions options_;
  CollectionLimits limits_;
  std::unique_ptr<Store> store_;
  std::map<std::string, int> ids_;  // of the history that a name has now
  std::map<int, History> histories_;
  std::map<Stamp, Content> contents_;
  std::map<std::string, History> snapshots_;
  std::vector<ModelBase> bases_;
  std::map<std::string, Content> before_restart_;
  int next_name_ = 0;
  int next_id_ = 1;
  uint64_t merges_ = 0;
  uint64_t applied_ = 0;
  uint64_t conflicts_ = 0;
};

}  // namespace

TEST_CASE("merges do what a three-way merge of maps does, through everything branches go through") {
  uint64_t merges = 0;
  uint64_t applied = 0;
  uint64_t conflicts = 0;
  for (uint64_t seed = 1; seed <= 4; ++seed) {
    CAPTURE(seed);
    World world(seed);
    for (int step = 0; step < 150; ++step) {
      CAPTURE(step);
      world.Step();
    }
    world.End();
    merges += world.merges();
    applied += world.applied();
    conflicts += world.conflicts();
  }
  REQUIRE(merges > 40);
  REQUIRE(applied > 200);
  REQUIRE(conflicts > 40);
}

}  // namespace verso::storage
