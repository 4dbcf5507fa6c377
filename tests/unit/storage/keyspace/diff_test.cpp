// Goal: a diff of two versions names each key whose content differs once, whatever the shapes of
// the two tries, in one go or from position to position, and costs the pages that differ. Method:
// random changes in two lines, with deadlines that pass, flushes and versions of different sizes;
// what the diff says is compared with the digests of all keys that the two views show.
#include "storage/keyspace/diff.h"

#include <catch2/catch.hpp>
#include <map>
#include <random>
#include <string>

#include "storage/keyspace/same_content.h"
#include "storage/memory/branches.h"
#include "storage/memory/store.h"
#include "storage/types/set_value.h"
#include "tests/support/test_store.h"

namespace verso::storage {
namespace {

constexpr KeyEvent kEvent{"test", 'g'};

// '+', '-' or '*' of each key.
using Differences = std::map<std::string, char>;

class Fixture {
 public:
  explicit Fixture(uint64_t seed) : random_(seed) {
    store_ = FreshStore(&clock_, seed);
    clock_.Set(1'000'000);
    branch_ = &store_->branches().main();
  }
  ~Fixture() {
    store_->DrainBackground();
    REQUIRE(store_->Audit() == "");
  }

  uint64_t Random(uint64_t n) { return random_() % n; }
  Store& store() { return *store_; }
  ManualClock& clock() { return clock_; }
  WriteView View() {
    REQUIRE(store_->ReserveForWrite(1 << 20, 8));
    return {*store_, *branch_->line, 0, clock_.NowMs()};
  }
  void Work(ByteView branch) { branch_ = store_->branches().Find(branch); }
  void Branch(ByteView name) {
    const PinHandle pin = Pin();
    store_->branches().Add(name, *branch_->line, pin.epoch(), branch_->name, clock_.NowMs());
  }
  PinHandle Pin() { return store_->PinForRead(*branch_->line, clock_.NowMs()); }

  std::string RandomKey(uint64_t range) {
    std::string key = "key:" + std::to_string(Random(range));
    if (Random(40) == 0) key += std::string(200, 'k');
    if (Random(100) == 0) key += std::string(9000, 'K');
    return key;
  }

  void Change(uint64_t range) {
    WriteView view = View();
    const std::string name = RandomKey(range);
    const Key key = view.MakeKey(name);
    const uint64_t deadline = Random(3) == 0 ? clock_.NowMs() + 1 + Random(300) : kNoDeadline;
    switch (Random(8)) {
      case 0:
      case 1:
        view.Erase(key, kEvent);
        break;
      case 2:
        view.SetDeadline(key, deadline, kEvent);
        break;
      case 3: {
        view.Erase(key, kEvent);
        const CollectionLimits limits{.set_integers = 4};
        SetWriter set(view, key, view.FindForWrite(key), limits);
        for (uint64_t i = 0; i < 2 + Random(6); ++i) set.Add(std::to_string(i));
        set.Finish(kEvent);
        break;
      }
      default: {
        SetOptions options;
        options.deadline_ms = deadline;
        const size_t size = Random(3) == 0 ? 300 : 3;
        view.SetString(key, std::string(size, static_cast<char>('a' + Random(2))), options, kEvent);
      }
    }
  }

  std::map<std::string, Digest> Shown(const ReadView& view) {
    std::map<std::string, Digest> all;
    uint64_t cursor = 0;
    do {
      cursor = view.Scan(cursor, 1000, [&](ByteView key, const ValueView&) {
        all[std::string(key)] = DigestOfKey(view, view.MakeKey(key));
      });
    } while (cursor != 0);
    return all;
  }

  // What all keys say, and what the diff says.
  void Check(const KeyspaceDiff::Version& a, const KeyspaceDiff::Version& b) {
    const auto before = Shown(ReadView(*store_, a.root, 0, a.moment_ms));
    const auto after = Shown(ReadView(*store_, b.root, 0, b.moment_ms));
    Differences wanted;
    for (const auto& [key, digest] : before) {
      const auto found = after.find(key);
      if (found == after.end()) {
        wanted[key] = '-';
      } else if (!(found->second == digest)) {
        wanted[key] = '*';
      }
    }
    for (const auto& [key, digest] : after) {
      if (!before.contains(key)) wanted[key] = '+';
    }
    Differences found;
    DiffPosition at;
    bool more = true;
    while (more) {
      // Each step anew, as a cursor that clients hold.
      KeyspaceDiff diff(*store_, a, b, 0);
      more = diff.Step(&at, [&](const Key& key, const auto& one, const auto& other) {
        REQUIRE(key.hash == Hash64(key.bytes, store_->secret()));
        const char kind = !one ? '+' : !other ? '-' : '*';
        REQUIRE(found.emplace(std::string(key.bytes), kind).second);
        REQUIRE(one.has_value() == diff.a().Find(key, Access::kPeek).has_value());
        REQUIRE(other.has_value() == diff.b().Find(key, Access::kPeek).has_value());
      });
    }
    REQUIRE(found == wanted);
  }
  static KeyspaceDiff::Version At(const PinHandle& pin) { return {pin.root(), pin.moment_ms()}; }

 private:
  ManualClock clock_;
  std::unique_ptr<Store> store_;
  std::mt19937_64 random_;
  struct Branch* branch_ = nullptr;
};

}  // namespace

TEST_CASE("a diff says what all keys of both versions say") {
  for (const uint64_t seed : {1, 2, 3, 4, 5, 6}) {
    CAPTURE(seed);
    Fixture fixture(seed);
    fixture.Branch("other");
    std::vector<PinHandle> pins;
    for (int round = 0; round < 25; ++round) {
      fixture.Work(fixture.Random(2) == 0 ? "main" : "other");
      // From a handful to tries of three levels, and back to nothing.
      const uint64_t range = fixture.Random(2) == 0 ? 100 : 30'000;
      const uint64_t changes = fixture.Random(3) == 0 ? 4000 : fixture.Random(30);
      if (fixture.Random(12) == 0) fixture.View().Flush();
      for (uint64_t i = 0; i < changes; ++i) fixture.Change(range);
      fixture.clock().Advance(fixture.Random(200));
      if (fixture.Random(3) == 0) fixture.View().ExpireDue(fixture.Random(100), [](const Key&) {});
      pins.push_back(fixture.Pin());
      if (pins.size() > 5) pins.erase(pins.begin() + static_cast<long>(fixture.Random(6)));
      const auto& some = pins[fixture.Random(pins.size())];
      fixture.Check(Fixture::At(some), Fixture::At(pins.back()));
      fixture.Check(Fixture::At(pins.back()), Fixture::At(some));
      // The head, which need not be pinned.
      fixture.Check(Fixture::At(some), {fixture.store().main().head(), fixture.clock().NowMs()});
      fixture.Check({kNullRef, 0}, Fixture::At(some));
    }
    pins.clear();
  }
}

TEST_CASE("a diff names a key once though it changes sides while the client goes on") {
  Fixture fixture(9);
  for (int i = 0; i < 5000; ++i) {
    WriteView view = fixture.View();
    SetOptions options;
    options.deadline_ms = 1'000'100;
    view.SetString(view.MakeKey("key:" + std::to_string(i)), "v", options, kEvent);
  }
  const PinHandle before = fixture.Pin();
  fixture.clock().Advance(100);  // all have expired, none is gone
  std::map<std::string, int> found;
  DiffPosition at;
  bool more = true;
  while (more) {
    KeyspaceDiff diff(fixture.store(), Fixture::At(before),
                      {fixture.store().main().head(), fixture.clock().NowMs()}, 0);
    more = diff.Step(&at, [&](const Key& key, const auto& one, const auto& other) {
      REQUIRE((one.has_value() && !other.has_value()));
      ++found[std::string(key.bytes)];
    });
    // They go, and the pages of all others change; what is new expires, too.
    fixture.View().ExpireDue(40, [](const Key&) {});
    SetOptions options;
    options.deadline_ms = fixture.clock().NowMs() + 1;
    WriteView view = fixture.View();
    view.SetString(view.MakeKey("new"), "v", options, kEvent);
    fixture.clock().Advance(1);
  }
  REQUIRE(found.size() == 5000);
  for (const auto& [key, times] : found) REQUIRE(times == 1);
}

TEST_CASE("a diff costs the pages that differ") {
  Fixture fixture(10);
  constexpr uint64_t kKeys = 1'000'000;
  for (uint64_t i = 0; i < kKeys; ++i) {
    WriteView view = fixture.View();
    SetOptions options;
    if (i % 4 == 0) options.deadline_ms = 2'000'000 + i;
    view.SetString(view.MakeKey("key:" + std::to_string(i)), "value", options, kEvent);
  }
  const PinHandle before = fixture.Pin();
  uint64_t found = 0;
  const auto count = [&](const PinHandle& from, const PinHandle& to) {
    KeyspaceDiff diff(fixture.store(), Fixture::At(from), Fixture::At(to), 0);
    DiffPosition at;
    found = 0;
    while (diff.Step(&at, [&](const Key&, const auto&, const auto&) { ++found; })) {
    }
    return diff.pages();
  };
  REQUIRE(count(before, fixture.Pin()) == 0);
  constexpr uint64_t kChanged = 1000;
  for (uint64_t i = 0; i < kChanged; ++i) {
    WriteView view = fixture.View();
    SetOptions options;
    options.keep_deadline = true;
    view.SetString(view.MakeKey("key:" + std::to_string(i * 997)), "other", options, kEvent);
  }
  // A leaf each, in both versions; the directories above it once on the way to it and once more for
  // each leaf, since a step begins at the root: three levels.
  REQUIRE(count(before, fixture.Pin()) <= kChanged * 2 * 4);
  REQUIRE(found == kChanged);
  // 250 of them expire, in pages that both have.
  const PinHandle changed = fixture.Pin();
  fixture.clock().Set(2'000'000 + 999);
  REQUIRE(count(changed, fixture.Pin()) == 0);
  REQUIRE(found == 250);
}

}  // namespace verso::storage
