// Goal: what goes first is what the policy says: the coldest by idle time or by frequency, the
// first deadline, or anything; nothing else than what may go. Method: many keys, some of them used,
// then victim after victim is taken out and looked at.
#include "storage/keyspace/eviction_pool.h"

#include <catch2/catch.hpp>
#include <set>
#include <string>

#include "storage/memory/branches.h"
#include "storage/memory/store.h"
#include "tests/support/test_store.h"

namespace verso::storage {
namespace {

constexpr KeyEvent kEvent{"test", 'g'};
constexpr uint64_t kMinuteMs = 60'000;
using Order = EvictionRule::Order;

class Fixture {
 public:
  Fixture() {
    clock_.Set(1'000 * kMinuteMs);
    store_ = FreshStore(&clock_);
  }
  ~Fixture() {
    store_->DrainBackground();
    REQUIRE(store_->Audit() == "");
  }
  WriteView View(int db = 0) {
    REQUIRE(store_->ReserveForWrite(1 << 20, 8));
    return {*store_, store_->main(), db, clock_.NowMs()};
  }
  void Set(const std::string& name, uint64_t deadline_ms = kNoDeadline, int db = 0) {
    WriteView view = View(db);
    view.SetString(view.MakeKey(name), std::string(100, 'v'), {.deadline_ms = deadline_ms}, kEvent);
  }
  void SetMany(int count, const std::string& prefix = "key:") {
    for (int i = 0; i < count; ++i) Set(prefix + std::to_string(i));
  }
  void Use(const std::string& name) {
    WriteView view = View();
    REQUIRE(view.Find(view.MakeKey(name)).has_value());
  }
  uint8_t Frequency(const std::string& name) {
    const WriteView view = View();
    return store_->access().Frequency(view.ClockOf(view.MakeKey(name)).value(), clock_.NowMs());
  }
  std::optional<EvictionPool::Victim> Take(const EvictionRule& rule) {
    auto victim = pool_.Next(*store_, store_->main(), kDatabases, rule, clock_.NowMs(),
                             random_ += 77777777777777777u);
    if (victim) {
      WriteView view = View(victim->db);
      REQUIRE(view.Erase(view.MakeKey(victim->key), kEvent));
    }
    return victim;
  }
  Store& store() { return *store_; }
  ManualClock& clock() { return clock_; }

 private:
  ManualClock clock_;
  std::unique_ptr<Store> store_;
  EvictionPool pool_;
  uint64_t random_ = 1;
};

}  // namespace

TEST_CASE("eviction: by idle time, what was used last stays") {
  Fixture fixture;
  fixture.SetMany(10'000);
  fixture.clock().Advance(10 * kMinuteMs);
  fixture.SetMany(1'000, "young:");
  for (int i = 0; i < 10'000; i += 10) fixture.Use("key:" + std::to_string(i));
  int wrong = 0;
  for (int i = 0; i < 8'000; ++i) {
    const auto victim = fixture.Take({});
    REQUIRE(victim.has_value());
    if (victim->key.starts_with("young:") || victim->key.back() == '0') ++wrong;
  }
  CHECK(wrong < 80);  // it is an approximation: leaves were chosen at random
}

TEST_CASE("eviction: a key used after it was seen as cold is passed over") {
  Fixture fixture;
  const EvictionRule all{.samples = 100};
  fixture.SetMany(16);  // all of them in the pool at once
  fixture.clock().Advance(kMinuteMs);
  REQUIRE(fixture.Take(all).has_value());
  std::set<std::string> used;
  for (int i = 0; i < 16; ++i) {
    const std::string name = "key:" + std::to_string(i);
    const WriteView view = fixture.View();
    if (view.Exists(view.MakeKey(name)) && used.size() < 5) {
      fixture.Use(name);
      used.insert(name);
    }
  }
  for (int i = 0; i < 10; ++i) CHECK(used.count(fixture.Take(all)->key) == 0);
  for (int i = 0; i < 5; ++i) CHECK(used.count(fixture.Take(all)->key) == 1);
  CHECK_FALSE(fixture.Take(all).has_value());
}

TEST_CASE("eviction: by frequency, with counters that grow slowly and decay") {
  Fixture fixture;
  fixture.store().set_access(AccessRule::ByFrequency(10, 1));
  fixture.SetMany(5'000);
  CHECK(fixture.Frequency("key:7") == AccessRule::kFrequencyOfNew);
  for (int i = 0; i < 5'000; i += 50) {
    for (int use = 0; use < 100; ++use) fixture.Use("key:" + std::to_string(i));
  }
  const uint8_t hot = fixture.Frequency("key:50");
  CHECK(hot > 7);
  CHECK(hot < 25);
  fixture.clock().Advance(3 * kMinuteMs);
  CHECK(fixture.Frequency("key:50") == hot - 3);
  CHECK(fixture.Frequency("key:7") == 2);
  for (int i = 0; i < 4'000; ++i) {
    const std::string key = fixture.Take({})->key;
    CHECK((key.size() < 6 || (!key.ends_with("00") && !key.ends_with("50"))));
  }
  fixture.clock().Advance(300 * kMinuteMs);
  fixture.store().set_access(AccessRule::ByFrequency(0, 0));
  fixture.Set("always");
  for (int use = 0; use < 300; ++use) fixture.Use("always");
  fixture.clock().Advance(300 * kMinuteMs);
  CHECK(fixture.Frequency("always") == 255);
}

TEST_CASE("eviction: of keys with a deadline only, or the first deadline in any database") {
  Fixture fixture;
  fixture.SetMany(2'000);
  const uint64_t now = fixture.clock().NowMs();
  for (int i = 0; i < 100; ++i) fixture.Set("due:" + std::to_string(i), now + kMinuteMs + i, i % 3);
  fixture.Set("gone", now + 1);
  fixture.clock().Advance(1);
  SECTION("first deadline") {
    const EvictionRule rule{.order = Order::kFirstDeadline, .with_deadline_only = true};
    for (int i = 0; i < 100; ++i) {
      const auto victim = fixture.Take(rule);
      CHECK(victim->key == "due:" + std::to_string(i));
      CHECK(victim->db == i % 3);
    }
    CHECK_FALSE(fixture.Take(rule).has_value());
  }
  for (const Order order : {Order::kColdest, Order::kRandom}) {
    DYNAMIC_SECTION("order " << static_cast<int>(order)) {
      const EvictionRule rule{.order = order, .with_deadline_only = true};
      std::set<std::string> gone;
      while (const auto victim = fixture.Take(rule)) {
        CHECK(victim->key.starts_with("due:"));
        gone.insert(victim->key);
      }
      CHECK(gone.size() == 100);
    }
  }
}

TEST_CASE("eviction: at random, every key of every database comes") {
  Fixture fixture;
  fixture.SetMany(500);
  for (int i = 0; i < 20; ++i) fixture.Set("other", kNoDeadline, i % kDatabases);
  size_t count = 0;
  while (fixture.Take({.order = Order::kRandom})) ++count;
  CHECK(count == 516);
  CHECK_FALSE(fixture.Take({}).has_value());
}

TEST_CASE("eviction: pages shared with a parent line are left alone") {
  Fixture fixture;
  fixture.SetMany(3'000);
  Store& store = fixture.store();
  const PinHandle pin = store.PinForRead(store.main(), fixture.clock().NowMs());
  storage::Branch& branch =
      store.branches().Add("b", store.main(), pin.epoch(), "main", fixture.clock().NowMs());
  EvictionPool pool;
  CHECK_FALSE(pool.Next(store, *branch.line, kDatabases, {}, fixture.clock().NowMs(), 1));
  {
    REQUIRE(store.ReserveForWrite(1 << 20, 8));
    WriteView view(store, *branch.line, 0, fixture.clock().NowMs());
    view.SetString(view.MakeKey("own"), "value", {}, kEvent);
  }
  uint64_t random = 1;
  std::optional<EvictionPool::Victim> victim;
  for (int i = 0; i < 100 && !victim; ++i) {
    victim = pool.Next(store, *branch.line, kDatabases, {}, fixture.clock().NowMs(), random += 1);
  }
  CHECK(victim.has_value());  // in the leaf that the write has copied
}

TEST_CASE("eviction: bytes that only pins hold are counted exactly") {
  Fixture fixture;
  Store& store = fixture.store();
  fixture.SetMany(5'000);
  CHECK(store.bytes_pinned() == 0);
  {
    const PinHandle first = store.PinForRead(store.main(), fixture.clock().NowMs());
    const size_t before = store.arena().bytes_allocated();
    for (int i = 0; i < 300; ++i) REQUIRE(fixture.Take({}).has_value());
    CHECK(store.bytes_pinned() > 300 * 10);
    // What is left and what pins hold is all there is, but for the lists of what they hold.
    CHECK(store.arena().bytes_allocated() >= before);
    CHECK(store.LargestPin().epoch == first.epoch());
    CHECK(store.LargestPin().bytes <= store.bytes_pinned());
    REQUIRE(store.Audit() == "");
  }
  store.DrainBackground();
  CHECK(store.bytes_pinned() == 0);
}

}  // namespace verso::storage
