// Goal: a sorted set holds what a map and a set of pairs hold, packed and large, on both sides of
// each threshold; its digest knows members and scores only; pinned versions stay what they were.
// Method: random changes through ZsetWriter against the model, with limits that make the form
// change; ranks, ranges, structure (Z1-Z3), digest and the store's audit after each batch.
#include "storage/types/zset.h"

#include <algorithm>
#include <catch2/catch.hpp>
#include <limits>
#include <map>
#include <memory>
#include <random>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "storage/memory/store.h"
#include "tests/support/test_store.h"

namespace verso::storage {
namespace {

constexpr KeyEvent kEvent{"test", 'z'};
constexpr double kInfinity = std::numeric_limits<double>::infinity();

using Scores = std::map<std::string, double>;
using Pair = std::pair<double, std::string>;
using Pairs = std::vector<Pair>;

Pairs InOrder(const Scores& scores) {
  std::set<Pair> ordered;
  for (const auto& [member, score] : scores) ordered.insert({score, member});
  return {ordered.begin(), ordered.end()};
}

class Fixture {
 public:
  explicit Fixture(int64_t entries = 128) {
    limits_.zset_entries = entries;
    store_ = FreshStore(&clock_, 1);
  }

  Store& store() { return *store_; }
  const PageArena& arena() { return store_->arena(); }
  WriteView View() { return WriteView(*store_, store_->main(), 0, 1'000); }
  std::optional<ValueView> Value(const ReadView& view) { return view.Find(view.MakeKey("zset")); }
  std::optional<ValueView> Value() { return Value(View()); }

  template <typename Change>
  void Write(uint64_t members, uint64_t bytes, Change&& change) {
    WriteView view = View();
    const std::optional<ValueView> old = Value();
    REQUIRE(
        store_->ReserveForWrite(ZsetEstimate(arena(), old ? &*old : nullptr, members, bytes), 1));
    const Key key = view.MakeKey("zset");
    ZsetWriter writer(view, key, view.FindForWrite(key), limits_);
    change(writer);
    writer.Finish(kEvent);
  }
  void Set(const std::string& member, double score) {
    Write(1, member.size(), [&](ZsetWriter& writer) { writer.Set(member, score); });
  }
  Pairs Read(const ReadView& view, const ZsetRange& range, bool down) {
    Pairs pairs;
    const auto value = Value(view);
    if (!value) return pairs;
    ZsetForEach(view, *value, range, down, [&](const ItemView& member, double score) {
      pairs.emplace_back(score, StringCopy(arena(), member.value()));
    });
    return pairs;
  }
  uint64_t Count(const ReadView& view) {
    const auto value = Value(view);
    return value ? ZsetCount(arena(), *value) : 0;
  }
  Pairs Read(const ReadView& view) { return Read(view, {0, Count(view)}, false); }
  std::string Encoding() { return ZsetEncoding(arena(), *Value()); }
  std::string Validate() {
    const auto value = Value();
    return value ? ValidateZset(arena(), *value, store_->secret()) : "";
  }
  void AuditIsClean() {
    store_->DrainBackground();
    REQUIRE(store_->Audit() == "");
  }

 private:
  ManualClock clock_;
  CollectionLimits limits_;
  std::unique_ptr<Store> store_;
};

class ModelTest {
 public:
  ModelTest(int64_t entries, uint64_t seed) : random_(seed), fixture_(entries) {}

  void Run() {
    for (int batch = 0; batch < 40; ++batch) {
      const bool grow = batch / 5 % 2 == 0;
      for (int step = 0; step < 60; ++step) Step(grow);
      Compare(grow);
    }
  }

 private:
  uint64_t Random(uint64_t below) { return random_() % below; }

  std::string Member() {
    const uint64_t kind = Random(200);
    std::string member = std::to_string(Random(400));
    if (kind < 6) member.append(kind == 0 ? 9'000 : kind < 3 ? 600 : 150, 'm');
    return kind == 199 ? "" : member;
  }
  double Score() {
    constexpr double kSpecial[] = {0, -0.0, kInfinity, -kInfinity, 0.1, -1.5e-300, 1e308, 12345};
    const uint64_t kind = Random(3);
    if (kind == 0) return kSpecial[Random(std::size(kSpecial))];
    if (kind == 1) return static_cast<double>(Random(300)) - 150;
    return static_cast<double>(random_()) / 1e9;
  }

  void Step(bool grow) {
    const uint64_t kind = Random(10);
    if (scores_.empty() || kind < (grow ? 7 : 3)) {
      const std::string member = Member();
      const double score = Score();
      fixture_.Set(member, score);
      const auto [at, is_new] = scores_.emplace(member, score);
      if (!is_new && at->second != score) at->second = score;  // -0 over 0 changes nothing
    } else if (kind < 9) {
      const std::string member = Member();
      bool erased = false;
      fixture_.Write(1, 0, [&](ZsetWriter& writer) { erased = writer.Erase(member); });
      REQUIRE(erased == (scores_.erase(member) > 0));
    } else {
      const Pairs ordered = InOrder(scores_);
      const uint64_t from = Random(ordered.size());
      const uint64_t count = std::min(ordered.size() - from, Random(grow ? 4 : 150));
      fixture_.Write(count, 0, [&](ZsetWriter& writer) { writer.EraseRange({from, count}); });
      for (uint64_t i = from; i < from + count; ++i) scores_.erase(ordered[i].second);
    }
  }

  void CompareRanges(const Pairs& ordered) {
    const WriteView view = fixture_.View();
    const ValueView value = *fixture_.Value();
    for (int i = 0; i < 20; ++i) {
      ScoreRange range{Score(), Score(), Random(2) == 0, Random(2) == 0};
      const auto in_range = [&range](const Pair& pair) {
        return (range.min_excluded ? pair.first > range.min : pair.first >= range.min) &&
               (range.max_excluded ? pair.first < range.max : pair.first <= range.max);
      };
      Pairs expected;
      std::copy_if(ordered.begin(), ordered.end(), std::back_inserter(expected), in_range);
      const ZsetRange found = ZsetRangeByScore(fixture_.arena(), value, range);
      REQUIRE(fixture_.Read(view, found, false) == expected);
      std::reverse(expected.begin(), expected.end());
      REQUIRE(fixture_.Read(view, found, true) == expected);

      const std::string member = Member();
      const auto place = ZsetFind(view, value, member);
      REQUIRE(place.has_value() == (scores_.count(member) > 0));
      if (place) REQUIRE(ordered[place->rank] == Pair(scores_[member], member));
    }
  }

  void Compare(bool grow) {
    const Pairs ordered = InOrder(scores_);
    REQUIRE(fixture_.Validate() == "");
    REQUIRE(fixture_.Read(fixture_.View()) == ordered);
    if (pin_) {
      const ReadView pinned(fixture_.store(), pin_.root(), 0, 1'000);
      REQUIRE(fixture_.Read(pinned) == pinned_);
      pin_.Release();
    }
    if (grow) {
      pin_ = fixture_.store().PinForRead(fixture_.store().main(), 1'000);
      pinned_ = ordered;
    }
    fixture_.AuditIsClean();
    if (scores_.empty()) return;
    CompareRanges(ordered);
    // The same members by another way give the same digest.
    Fixture other(0);
    for (const auto& [score, member] : fixture_.Read(fixture_.View())) other.Set(member, score);
    const auto digest = [](Fixture& fixture) { return DigestOf(fixture.View(), 0); };
    REQUIRE(digest(other) == digest(fixture_));
    other.Set(ordered[0].second, 77.125);
    REQUIRE_FALSE(digest(other) == digest(fixture_));
  }

  std::mt19937_64 random_;
  Fixture fixture_;
  Scores scores_;
  PinHandle pin_;
  Pairs pinned_;
};

}  // namespace

TEST_CASE("A sorted set holds what a map holds, in either form and in every version", "[zset]") {
  const int64_t entries = GENERATE(0, 20, 1000);
  const uint64_t seed = GENERATE(1, 2, 3);
  CAPTURE(entries, seed);
  ModelTest(entries, seed).Run();
}

TEST_CASE("Scores are packed into few bytes and come back as they were", "[zset]") {
  const std::pair<double, size_t> sizes[] = {{0, 0},    {1, 1},     {-128, 1},      {127, 1},
                                             {128, 2},  {-129, 3},  {0.5, 2},       {-0.5, 2},
                                             {4095, 3}, {65535, 4}, {kInfinity, 2}, {0.1, 8}};
  for (const auto& [score, bytes] : sizes) {
    CAPTURE(score);
    const PackedScore packed(score);
    CHECK(packed.bytes().size() == bytes);
    CHECK(std::bit_cast<uint64_t>(UnpackScore(packed.bytes())) == std::bit_cast<uint64_t>(score));
  }
  CHECK_FALSE(IsNegativeZero(UnpackScore(PackedScore(-0.0).bytes())));
  CHECK(UnpackScore("\x7f\xff\xff") == 0);  // a NaN
  CHECK(UnpackScore("too long a score") == 0);
}

TEST_CASE("A large sorted set knows -0 from 0, though their order is the same", "[zset]") {
  Fixture fixture(0);
  fixture.Set("c", 0);
  fixture.Set("b", -0.0);
  fixture.Set("a", 0);
  fixture.Set("c", -0.0);  // equal: no change
  const Pairs pairs = fixture.Read(fixture.View());
  CHECK(pairs == Pairs{{0, "a"}, {0, "b"}, {0, "c"}});
  CHECK_FALSE(IsNegativeZero(pairs[0].first));
  CHECK(IsNegativeZero(pairs[1].first));
  CHECK_FALSE(IsNegativeZero(pairs[2].first));
  CHECK(fixture.Validate() == "");
}

TEST_CASE("The order of scores is that of their numbers", "[zset]") {
  const double ascending[] = {-kInfinity, -1e308, -2, -1, -5e-324, 0, 5e-324, 1, 1.5, kInfinity};
  for (size_t i = 0; i < std::size(ascending); ++i) {
    CHECK(ScoreOfOrder(ScoreOrder(ascending[i])) == ascending[i]);
    if (i > 0) CHECK(ScoreOrder(ascending[i - 1]) < ScoreOrder(ascending[i]));
  }
  CHECK(ScoreOrder(-0.0) == ScoreOrder(0.0));
}

TEST_CASE("A sorted set becomes large where its limits say so, and stays so", "[zset]") {
  Fixture entries(3);
  for (const char* member : {"a", "b", "c"}) entries.Set(member, 1);
  CHECK(entries.Encoding() == "listpack");
  entries.Set("a", 2);  // not one more
  CHECK(entries.Encoding() == "listpack");
  entries.Set("d", 1);
  CHECK(entries.Encoding() == "skiplist");
  entries.Write(3, 0, [](ZsetWriter& writer) { writer.EraseRange({0, 3}); });
  CHECK(entries.Encoding() == "skiplist");
  CHECK(entries.Read(entries.View()) == Pairs{{2, "a"}});
  entries.Write(1, 0, [](ZsetWriter& writer) { writer.Erase("a"); });
  CHECK_FALSE(entries.Value());
  entries.AuditIsClean();

  Fixture bytes;
  bytes.Set(std::string(64, 'x'), 1);
  CHECK(bytes.Encoding() == "listpack");
  bytes.Set(std::string(65, 'x'), 1);
  CHECK(bytes.Encoding() == "skiplist");
  bytes.AuditIsClean();
}

TEST_CASE("Members of one score are in the order of their bytes", "[zset]") {
  const int64_t limit = GENERATE(0, 128);
  Fixture fixture(limit);
  for (const char* member : {"", "a", "aa", "b", "c"}) fixture.Set(member, 0);
  const auto count = [&](LexBound min, LexBound max) {
    return ZsetRangeByLex(fixture.arena(), *fixture.Value(), {min, max}).count;
  };
  using Kind = LexBound::Kind;
  CHECK(count({Kind::kLowest, {}}, {Kind::kHighest, {}}) == 5);
  CHECK(count({Kind::kHighest, {}}, {Kind::kLowest, {}}) == 0);
  CHECK(count({Kind::kIncluded, "a"}, {Kind::kIncluded, "b"}) == 3);
  CHECK(count({Kind::kExcluded, "a"}, {Kind::kIncluded, "b"}) == 2);
  CHECK(count({Kind::kIncluded, "a"}, {Kind::kExcluded, "b"}) == 2);
  CHECK(count({Kind::kExcluded, "a"}, {Kind::kExcluded, "aa"}) == 0);
  CHECK(count({Kind::kExcluded, "b"}, {Kind::kIncluded, "a"}) == 0);
  CHECK(count({Kind::kIncluded, ""}, {Kind::kIncluded, ""}) == 1);
}

TEST_CASE("A scan shows each member of a sorted set once, with its score", "[zset]") {
  const int64_t limit = GENERATE(0, 1000);
  Fixture fixture(limit);
  Scores expected;
  for (int i = 0; i < 500; ++i) expected["member:" + std::to_string(i)] = i % 3 == 0 ? -0.0 : i;
  for (const auto& [member, score] : expected) fixture.Set(member, score);
  uint64_t bytes = 0;
  Scores found;
  uint64_t cursor = 0;
  do {
    cursor =
        ZsetScan(fixture.View(), *fixture.Value(), cursor, 10, [&](ByteView member, double score) {
          CHECK(found.emplace(member, score).second);
          bytes += member.size();
        });
  } while (cursor != 0);
  CHECK(found == expected);
  CHECK(ZsetMemberBytes(fixture.arena(), *fixture.Value()) >= bytes);
  CHECK(ZsetMemberBytes(fixture.arena(), *fixture.Value()) <= 4 * bytes);
}

TEST_CASE("One change of a large sorted set after a pin copies few pages", "[zset]") {
  Fixture fixture(1);
  const uint64_t members = 100'000;
  fixture.Write(members, members * 16, [&](ZsetWriter& writer) {
    std::mt19937_64 random(5);
    for (uint64_t i = 0; i < members; ++i) {
      writer.Set("member:" + std::to_string(i), static_cast<double>(random() % 1'000'000));
    }
  });
  REQUIRE(fixture.Validate() == "");
  const PinHandle pin = fixture.store().PinForRead(fixture.store().main(), 1'000);
  const uint64_t before = fixture.store().stats().pages_copied;
  fixture.Set("one more", 500'000.5);
  const uint64_t copied = fixture.store().stats().pages_copied - before;
  CHECK(copied > 0);
  // The line's root, the key's leaf, the collection page; two directories and a leaf of the trie;
  // three inner pages and a leaf of the tree.
  CHECK(copied <= 10);
}

}  // namespace verso::storage
