// Goal: the key space does what a plain map does, in every version that is pinned, whatever happens
// to the head. Method: random operations on several databases against std::map copies, pins taken
// and dropped in between; after each batch every pinned version and the head are compared in full,
// and the store is audited.
#include <catch2/catch.hpp>
#include <deque>
#include <map>
#include <random>
#include <string>

#include "storage/keyspace/keyspace.h"
#include "storage/memory/scratch_line.h"
#include "storage/memory/store.h"
#include "tests/support/test_store.h"

namespace verso::storage {
namespace {

constexpr KeyEvent kEvent{"test", 'g'};

struct Plain {
  std::string value;
  uint64_t deadline_ms = kNoDeadline;
  bool operator==(const Plain&) const = default;
};
using Content = std::map<std::pair<int, std::string>, Plain>;

class Fixture {
 public:
  explicit Fixture(uint64_t seed) : random_(seed) { store_ = FreshStore(&clock_, seed); }

  uint64_t Random(uint64_t n) { return random_() % n; }
  WriteView View(int db) { return WriteView(*store_, store_->main(), db, clock_.NowMs()); }
  uint64_t IdleSeconds(const Key& key) {
    return store_->access().IdleSeconds(View(0).ClockOf(key).value(), clock_.NowMs());
  }
  void SetIdleSeconds(const Key& key, uint64_t seconds) {
    View(0).SetClock(key, store_->access().OfIdle(seconds, clock_.NowMs()));
  }

  std::string RandomKey() {
    const uint64_t kind = Random(50);
    std::string key = "key:" + std::to_string(Random(keys));
    if (kind == 0) key += std::string(100 + Random(200), 'k');
    if (kind == 1) key += std::string(8000 + Random(1000), 'K');
    return key;
  }

  std::string RandomValue() {
    static constexpr size_t kSizes[] = {0,   1,    8,    16,   64,   127,  128,  129,
                                        200, 1000, 1024, 4096, 8191, 8192, 8193, 20000};
    const size_t size = Random(4) == 0 ? kSizes[Random(16)] : Random(40);
    std::string value(size, '\0');
    for (char& c : value) c = static_cast<char>(random_());
    return value;
  }

  void Step() {
    const int db = static_cast<int>(Random(3));
    const std::string name = RandomKey();
    WriteView view = View(db);
    const Key key = view.MakeKey(name);
    const auto at = content_.find({db, name});
    const bool live = at != content_.end() && at->second.deadline_ms > clock_.NowMs();
    if (at != content_.end() && !live) content_.erase(at);
    REQUIRE(store_->ReserveForWrite(1 << 20, 4));
    switch (Random(14)) {
      case 0:
      case 1:
      case 2:
      case 3:
      case 4: {
        SetOptions options;
        if (Random(4) == 0) options.deadline_ms = clock_.NowMs() + 1 + Random(2000);
        if (Random(6) == 0) options.keep_deadline = true;
        const std::string value = RandomValue();
        view.SetString(key, value, options, kEvent);
        const uint64_t kept = live ? content_[{db, name}].deadline_ms : kNoDeadline;
        content_[{db, name}] = Plain{value, options.keep_deadline ? kept : options.deadline_ms};
        break;
      }
      case 5:
      case 6: {
        REQUIRE(view.Erase(key, kEvent) == live);
        content_.erase({db, name});
        break;
      }
      case 7: {
        const std::string piece = RandomValue();
        const size_t offset = Random(3) == 0 ? Random(20000) : Random(64);
        std::string expected = live ? content_[{db, name}].value : "";
        if (!piece.empty()) {
          if (expected.size() < offset + piece.size()) expected.resize(offset + piece.size());
          expected.replace(offset, piece.size(), piece);
        }
        REQUIRE(view.SetRange(key, offset, piece, kEvent) == expected.size());
        if (!piece.empty()) content_[{db, name}].value = expected;
        break;
      }
      case 8: {
        const std::string piece = RandomValue();
        const std::string expected = (live ? content_[{db, name}].value : "") + piece;
        REQUIRE(view.Append(key, piece, kEvent) == expected.size());
        if (!piece.empty()) content_[{db, name}].value = expected;
        break;
      }
      case 9: {
        const uint64_t deadline = Random(3) == 0 ? kNoDeadline : clock_.NowMs() + 1 + Random(3000);
        REQUIRE(view.SetDeadline(key, deadline, kEvent) == live);
        if (live) content_[{db, name}].deadline_ms = deadline;
        break;
      }
      case 10: {
        const std::string to = RandomKey();
        REQUIRE(view.Rename(key, view.MakeKey(to)) == live);
        if (live && to != name) {
          content_[{db, to}] = content_[{db, name}];
          content_.erase({db, name});
        }
        break;
      }
      case 11: {
        const int to = static_cast<int>(Random(3));
        const auto there = content_.find({to, name});
        const bool blocked = there != content_.end() && there->second.deadline_ms > clock_.NowMs();
        const bool moves = live && to != db && !blocked;
        REQUIRE(view.Move(key, to) == moves);
        if (moves) {
          content_[{to, name}] = content_[{db, name}];
          content_.erase({db, name});
        }
        break;
      }
      case 12: {
        const std::string to = RandomKey();
        const int to_db = static_cast<int>(Random(3));
        if (to == name && to_db == db) break;
        REQUIRE(view.Copy(key, view.MakeKey(to), to_db) == live);
        if (live) content_[{to_db, to}] = content_[{db, name}];
        break;
      }
      case 13: {
        if (Random(400) == 0) {
          view.Flush();
          std::erase_if(content_, [db](const auto& item) { return item.first.first == db; });
        } else if (Random(100) == 0) {
          const int other = static_cast<int>(Random(3));
          view.Swap(db, other);
          Content swapped;
          for (auto& [k, v] : content_) {
            const int to = k.first == db ? other : k.first == other ? db : k.first;
            swapped[{to, k.second}] = v;
          }
          content_ = std::move(swapped);
        } else if (Random(10) == 0) {
          clock_.Advance(Random(300));
        } else if (Random(4) == 0) {
          view.ExpireDue(Random(20), [](const Key&) {});
        }
        break;
      }
    }
    if (Random(60) == 0) Pin();
    if (pins_.size() > Random(12))
      pins_.erase(pins_.begin() + static_cast<ptrdiff_t>(Random(pins_.size())));
    if (Random(20) == 0) store_->Background(50);
  }

  void Pin() { pins_.push_back({store_->PinForRead(store_->main(), clock_.NowMs()), content_}); }

  static void Compare(const ReadView& view, const Content& content) {
    for (int db = 0; db < 3; ++db) {
      const ReadView one = view.InDatabase(db);
      std::map<std::string, Plain> expected;
      for (const auto& [key, plain] : content) {
        if (key.first == db && plain.deadline_ms > view.moment_ms()) expected[key.second] = plain;
      }
      REQUIRE(one.Count() == expected.size());
      std::map<std::string, Plain> seen;
      uint64_t cursor = 0;
      size_t visited = 0;
      do {
        cursor = one.Scan(cursor, 10, [&](ByteView key, const ValueView& value) {
          ++visited;
          seen[std::string(key)] = Plain{StringCopy(one.arena(), value), value.deadline_ms};
        });
      } while (cursor != 0);
      REQUIRE(visited == expected.size());
      REQUIRE(seen == expected);
    }
  }

  void CompareAll() {
    Compare(ReadView(*store_, store_->main(), 0, clock_.NowMs()), content_);
    const uint64_t copied = store_->stats().pages_copied;
    for (const auto& [pin, content] : pins_)
      Compare(ReadView(*store_, pin.root(), 0, pin.moment_ms()), content);
    REQUIRE(store_->stats().pages_copied == copied);  // V7
    REQUIRE(store_->Audit() == "");
  }

  uint64_t keys = 300;
  ManualClock clock_;
  std::mt19937_64 random_;
  std::unique_ptr<Store> store_;
  Content content_;
  std::deque<std::pair<PinHandle, Content>> pins_;
};

TEST_CASE("random operations under pins match plain maps") {
  for (uint64_t seed = 1; seed <= 6; ++seed) {
    CAPTURE(seed);
    Fixture f(seed);
    f.keys = seed % 2 == 0 ? 40 : 2000;
    for (int batch = 0; batch < 12; ++batch) {
      for (int i = 0; i < 600; ++i) f.Step();
      f.CompareAll();
    }
    f.pins_.clear();
    f.store_->DrainBackground();
    f.CompareAll();
    f.View(0).FlushAll();
    f.content_.clear();
    f.store_->DrainBackground();
    f.CompareAll();
    REQUIRE(f.store_->arena().bytes_allocated() <= 640 + 1024);
  }
}

TEST_CASE("equal contents have equal digests, whatever the history and the secret") {
  Fixture a(1);
  Fixture b(2);
  a.store_->ReserveForWrite(1 << 20, 100);
  b.store_->ReserveForWrite(1 << 20, 100);
  const std::string big(30000, 'x');
  for (int i = 0; i < 50; ++i) {
    const std::string name = "k" + std::to_string(i);
    a.View(0).SetString(a.View(0).MakeKey(name), i == 7 ? big : name, {}, kEvent);
  }
  for (int i = 50; i-- > 0;) {
    const std::string name = "k" + std::to_string(i);
    b.View(0).SetString(b.View(0).MakeKey(name), "old", {}, kEvent);
    b.View(0).SetString(b.View(0).MakeKey(name), i == 7 ? big : name, {}, kEvent);
  }
  REQUIRE(DigestOf(a.View(0), -1) == DigestOf(b.View(0), -1));
  b.View(0).SetString(b.View(0).MakeKey("k3"), "other", {}, kEvent);
  REQUIRE_FALSE(DigestOf(a.View(0), -1) == DigestOf(b.View(0), -1));
  REQUIRE(DigestOf(a.View(0), -1).Hex().size() == 40);
}

TEST_CASE("the same size is overwritten in place, and once copied under a pin") {
  Fixture f(3);
  REQUIRE(f.store_->ReserveForWrite(1 << 20, 8));
  WriteView view = f.View(0);
  for (const size_t size : {size_t{16}, size_t{256}}) {
    const std::string name = "key" + std::to_string(size);
    const Key key = view.MakeKey(name);
    view.SetString(key, std::string(size, 'a'), {}, kEvent);
    const size_t allocated = f.store_->arena().bytes_allocated();
    const uint64_t copied = f.store_->stats().pages_copied;
    view.SetString(key, std::string(size, 'b'), {}, kEvent);
    REQUIRE(f.store_->arena().bytes_allocated() == allocated);
    REQUIRE(f.store_->stats().pages_copied == copied);
    const PinHandle pin = f.store_->PinForRead(f.store_->main(), f.clock_.NowMs());
    view.SetString(key, std::string(size, 'c'), {}, kEvent);
    const uint64_t once = f.store_->stats().pages_copied;
    REQUIRE(once > copied);
    view.SetString(key, std::string(size, 'd'), {}, kEvent);
    REQUIRE(f.store_->stats().pages_copied == once);
    const ReadView old(*f.store_, pin.root(), 0, pin.moment_ms());
    REQUIRE(StringCopy(old.arena(), *old.Find(key)) == std::string(size, 'b'));
  }
}

TEST_CASE("reading and overwriting stamp the access clock, whatever the length") {
  Fixture f(5);
  REQUIRE(f.store_->ReserveForWrite(1 << 20, 8));
  for (const size_t size : {size_t{10}, size_t{300}, size_t{20'000}}) {
    const std::string name = "key" + std::to_string(size);
    const Key key = f.View(0).MakeKey(name);
    f.View(0).SetString(key, std::string(size, 'a'), {}, kEvent);
    f.clock_.Advance(7'000);
    REQUIRE(f.IdleSeconds(key) == 7);
    f.View(0).SetString(key, std::string(size, 'b'), {}, kEvent);
    REQUIRE(f.IdleSeconds(key) == 0);
    f.clock_.Advance(3'000);
    REQUIRE(f.View(0).Find(key, Access::kPeek).has_value());
    REQUIRE(f.IdleSeconds(key) == 3);
    REQUIRE(f.View(0).Find(key).has_value());
    REQUIRE(f.IdleSeconds(key) == 0);
  }
}

TEST_CASE("what was built in a scratch line is published whole or goes with the line") {
  Fixture f(6);
  REQUIRE(f.store_->ReserveForWrite(1 << 20, 64));
  LineId id = 0;
  for (const size_t size : {size_t{10}, size_t{300}, size_t{20'000}}) {
    const std::string name = "key" + std::to_string(size);
    const Key key = f.View(3).MakeKey(name);
    f.View(3).SetString(key, "old", {.deadline_ms = f.clock_.NowMs() + 50}, kEvent);
    const PinHandle pin = f.store_->PinForRead(f.store_->main(), f.clock_.NowMs());
    for (const bool publish : {false, true}) {
      ScratchLine scratch(*f.store_);
      WriteView aside(*f.store_, scratch.line(), 0, f.clock_.NowMs());
      aside.SetString(key, std::string(size, 'n'), {}, kEvent);
      REQUIRE(StringCopy(f.View(3).arena(), *f.View(3).Find(key)) == "old");
      WriteView view = f.View(3);
      if (publish) view.PublishFrom(aside, key, f.clock_.NowMs() + 90, kEvent);
      REQUIRE(aside.Exists(key) != publish);
      REQUIRE(f.store_->Audit() == "");
      REQUIRE((id == 0 || scratch.line().id() == id));  // commands do not use ids up
      id = scratch.line().id();
    }
    REQUIRE(f.store_->Audit() == "");
    f.store_->DrainBackground();
    REQUIRE(f.store_->Audit() == "");
    REQUIRE(StringCopy(f.View(3).arena(), *f.View(3).Find(key)) == std::string(size, 'n'));
    REQUIRE(f.View(3).Find(key)->deadline_ms == f.clock_.NowMs() + 90);
    const ReadView old(*f.store_, pin.root(), 3, pin.moment_ms());
    REQUIRE(StringCopy(old.arena(), *old.Find(key)) == "old");
  }
  REQUIRE(f.View(3).Count() == 3);
}

TEST_CASE("a key's idle time can be told") {
  Fixture f(7);
  REQUIRE(f.store_->ReserveForWrite(1 << 20, 8));
  const Key key = f.View(0).MakeKey("key");
  f.View(0).SetString(key, "x", {}, kEvent);
  f.SetIdleSeconds(key, 1000);
  REQUIRE(f.IdleSeconds(key) == 1000);
  f.SetIdleSeconds(key, uint64_t{1} << 40);
  REQUIRE(f.IdleSeconds(key) == 65535);
  f.SetIdleSeconds(f.View(0).MakeKey("none"), 1);
}

TEST_CASE("a key expires for reads at its deadline and goes with ExpireDue") {
  Fixture f(4);
  REQUIRE(f.store_->ReserveForWrite(1 << 20, 8));
  const Key key = f.View(0).MakeKey("mortal");
  f.View(0).SetString(key, "x", {.deadline_ms = f.clock_.NowMs() + 10}, kEvent);
  REQUIRE(f.View(0).Count() == 1);
  REQUIRE(f.View(0).CountWithDeadline() == 1);
  f.clock_.Advance(10);
  REQUIRE_FALSE(f.View(0).Exists(key));
  REQUIRE(f.View(0).Count() == 0);
  REQUIRE(f.View(0).CountWithDeadline() == 0);
  REQUIRE_FALSE(f.View(0).RandomKey(1).has_value());
  std::string gone;
  REQUIRE(f.View(0).ExpireDue(10, [&gone](const Key& k) { gone = std::string(k.bytes); }) == 1);
  REQUIRE(gone == "mortal");
  REQUIRE(f.View(0).NextDeadline() == kNoDeadline);
  REQUIRE(f.store_->Audit() == "");
}

}  // namespace
}  // namespace verso::storage
