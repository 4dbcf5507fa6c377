// Goal: hashes and sets do what std::map and std::set do, in every version that is pinned, across
// all their forms. Method: random changes with long and short fields and low thresholds; pins held
// with copies of the model; after each batch the head and all pins are compared in full and the
// store is audited.
#include <catch2/catch.hpp>
#include <deque>
#include <map>
#include <random>
#include <set>
#include <string>

#include "storage/memory/store.h"
#include "storage/types/hash_value.h"
#include "storage/types/set_value.h"
#include "storage/types/type_ops.h"
#include "tests/support/test_store.h"

namespace verso::storage {
namespace {

constexpr KeyEvent kEvent{"test", 'h'};

using Hashes = std::map<std::string, std::map<std::string, std::string>>;
using Sets = std::map<std::string, std::set<std::string>>;

struct Model {
  Hashes hashes;
  Sets sets;
  std::map<std::string, uint64_t> deadlines;
};

class Fixture {
 public:
  explicit Fixture(uint64_t seed) : random_(seed) {
    store_ = FreshStore(&clock_, seed);
    clock_.Set(1'000'000);
  }
  ~Fixture() {
    pins_.clear();
    REQUIRE(store_->Audit() == "");
  }

  uint64_t Random(uint64_t n) { return random_() % n; }
  WriteView View() { return WriteView(*store_, store_->main(), 0, clock_.NowMs()); }
  Store& store() { return *store_; }

  std::string RandomElement(uint64_t range) {
    std::string element = std::to_string(Random(range));
    switch (Random(60)) {
      case 0:
        return "f" + element + std::string(100 + Random(60), 'f');
      case 1:
        return "F" + std::string(8180 + Random(20), 'F') + std::to_string(Random(3));
      case 2:
        return "";
      default:
        return integers_only_ ? element : "field:" + element;
    }
  }
  std::string RandomValue() {
    static constexpr size_t kSizes[] = {0, 1, 16, 63, 64, 65, 127, 128, 129, 1000, 8192, 8193};
    std::string value(Random(8) == 0 ? kSizes[Random(12)] : 4 + Random(8), '\0');
    for (char& c : value) c = static_cast<char>(random_());
    return value;
  }

  void HashStep() {
    WriteView view = View();
    const std::string name = "hash:" + std::to_string(Random(4));
    const Key key = view.MakeKey(name);
    auto& model = model_.hashes[name];
    REQUIRE(store_->ReserveForWrite(ElementsEstimate(view.arena(), 8, 80'000), 2));
    const auto old = view.FindForWrite(key);
    REQUIRE(old.has_value() == !model.empty());
    const uint64_t range = name == "hash:0" ? 12 : 2000;
    HashWriter hash(view, key, old, limits);
    const uint64_t changes = 1 + Random(4);
    bool changed = false;
    const bool erase = Random(5) < 2;
    for (uint64_t i = 0; i < changes; ++i) {
      const std::string field = RandomElement(range);
      if (erase) {
        if (hash.count() == 0) break;
        const bool there = hash.Erase(field);
        REQUIRE(there == (model.erase(field) == 1));
        changed = changed || there;
      } else {
        const std::string value = RandomValue();
        REQUIRE(hash.Set(field, value) == !model.contains(field));
        model[field] = value;
        changed = true;
      }
      REQUIRE(hash.count() == model.size());
    }
    if (changed) hash.Finish(kEvent);
    if (model.empty()) {
      model_.hashes.erase(name);
      model_.deadlines.erase(name);
    } else if (Random(20) == 0) {
      const uint64_t deadline = clock_.NowMs() + 1'000'000 + Random(1000);
      REQUIRE(view.SetDeadline(key, deadline, kEvent));
      model_.deadlines[name] = deadline;
    }
  }

  void SetStep() {
    WriteView view = View();
    const std::string name = "set:" + std::to_string(Random(4));
    const Key key = view.MakeKey(name);
    auto& model = model_.sets[name];
    REQUIRE(store_->ReserveForWrite(ElementsEstimate(view.arena(), 8, 80'000), 2));
    const auto old = view.FindForWrite(key);
    REQUIRE(old.has_value() == !model.empty());
    SetWriter set(view, key, old, limits);
    integers_only_ = name <= "set:1";
    bool changed = false;
    const uint64_t what = Random(10);
    const uint64_t range = name == "set:0" ? 12 : 2000;
    for (uint64_t i = 1 + Random(4); i > 0; --i) {
      if (what < 6) {
        const std::string member = RandomElement(range);
        const bool added = set.Add(member);
        REQUIRE(added == model.insert(member).second);
        changed = changed || added;
      } else if (set.count() == 0) {
        break;
      } else if (what < 9) {
        const std::string member = RandomElement(range);
        const bool removed = set.Remove(member);
        REQUIRE(removed == (model.erase(member) == 1));
        changed = changed || removed;
      } else {
        REQUIRE(model.erase(set.TakeRandom(random_())) == 1);
        changed = true;
      }
      REQUIRE(set.count() == model.size());
    }
    if (changed) set.Finish(kEvent);
    integers_only_ = false;
    if (model.empty()) {
      model_.sets.erase(name);
      model_.deadlines.erase(name);
    }
  }

  void Compare(const ReadView& view, const Model& model) {
    const PageArena& arena = view.arena();
    REQUIRE(view.Count() == model.hashes.size() + model.sets.size());
    for (const auto& [name, fields] : model.hashes) {
      const auto value = view.Find(view.MakeKey(name), Access::kPeek);
      REQUIRE(value.has_value());
      REQUIRE(HashCount(arena, *value) == fields.size());
      const auto deadline = model.deadlines.find(name);
      REQUIRE(value->deadline_ms ==
              (deadline == model.deadlines.end() ? kNoDeadline : deadline->second));
      std::map<std::string, std::string> seen;
      HashForEach(arena, *value, [&](ByteView field, const ValueView& content) {
        seen[std::string(field)] = StringCopy(arena, content);
      });
      REQUIRE(seen == fields);
      for (int i = 0; i < 10; ++i) {
        const std::string field = RandomElement(2000);
        const auto found = HashFind(view, *value, field);
        const auto wanted = fields.find(field);
        REQUIRE(found.has_value() == (wanted != fields.end()));
        if (found) REQUIRE(StringCopy(arena, *found) == wanted->second);
      }
    }
    for (const auto& [name, members] : model.sets) {
      const auto value = view.Find(view.MakeKey(name), Access::kPeek);
      REQUIRE(value.has_value());
      REQUIRE(SetCount(arena, *value) == members.size());
      std::set<std::string> seen;
      SetForEach(arena, *value, [&](ByteView member) { seen.emplace(member); });
      REQUIRE(seen == members);
      for (int i = 0; i < 10; ++i) {
        const std::string member = RandomElement(2000);
        REQUIRE(SetContains(view, *value, member) == members.contains(member));
      }
    }
  }

  void Batch() {
    for (int i = 0; i < 100; ++i) Random(2) == 0 ? HashStep() : SetStep();
    Compare(View(), model_);
    if (Random(2) == 0)
      pins_.push_back({store_->PinForRead(store_->main(), clock_.NowMs()), model_});
    if (pins_.size() > 4) pins_.erase(pins_.begin() + static_cast<long>(Random(pins_.size())));
    for (const Held& held : pins_) {
      Compare(ReadView(*store_, held.pin.root(), 0, held.pin.moment_ms()), held.model);
    }
    store_->DrainBackground();
    REQUIRE(store_->Audit() == "");
  }

  CollectionLimits limits;

 private:
  struct Held {
    PinHandle pin;
    Model model;
  };

  std::mt19937_64 random_;
  ManualClock clock_;
  std::unique_ptr<Store> store_;
  Model model_;
  std::deque<Held> pins_;
  bool integers_only_ = false;
};

TEST_CASE("Hashes and sets do what maps do, in every version", "[hash][set]") {
  for (uint64_t seed = 1; seed <= 6; ++seed) {
    Fixture fixture(seed);
    if (seed % 2 == 0) {
      fixture.limits = {.hash_entries = 20, .set_integers = 30, .set_entries = 20};
    }
    for (int batch = 0; batch < 40; ++batch) fixture.Batch();
  }
}

// One value of each form, made in `order`, by detours.
void Fill(Fixture& fixture, bool detour) {
  WriteView view = fixture.View();
  const auto hset = [&](const std::string& name, const std::string& field,
                        const std::string& value) {
    REQUIRE(fixture.store().ReserveForWrite(ElementsEstimate(view.arena(), 2, 40'000), 2));
    const Key key = view.MakeKey(name);
    HashWriter hash(view, key, view.FindForWrite(key), fixture.limits);
    hash.Set(field, value);
    hash.Finish(kEvent);
  };
  const auto hdel = [&](const std::string& name, const std::string& field) {
    const Key key = view.MakeKey(name);
    HashWriter hash(view, key, view.FindForWrite(key), fixture.limits);
    REQUIRE(hash.Erase(field));
    hash.Finish(kEvent);
  };
  const auto sadd = [&](const std::string& name, const std::string& member) {
    REQUIRE(fixture.store().ReserveForWrite(ElementsEstimate(view.arena(), 2, 40'000), 2));
    const Key key = view.MakeKey(name);
    SetWriter set(view, key, view.FindForWrite(key), fixture.limits);
    if (set.Add(member)) set.Finish(kEvent);
  };
  const auto srem = [&](const std::string& name, const std::string& member) {
    const Key key = view.MakeKey(name);
    SetWriter set(view, key, view.FindForWrite(key), fixture.limits);
    REQUIRE(set.Remove(member));
    set.Finish(kEvent);
  };
  if (detour) {  // large from the start, and with an element that goes again
    hset("small", "gone", std::string(20'000, 'x'));
    sadd("integers", "no integer");
    for (int i = 0; i < 600; ++i) sadd("members", std::to_string(i));
  }
  const int count = 1000;
  for (int step = 0; step < count; ++step) {
    const int i = detour ? count - 1 - step : step;
    const std::string number = std::to_string(i);
    hset("large", "field" + number, std::string(static_cast<size_t>(i), 'v'));
    sadd("large set", "member" + number);
    if (i < 50) {
      hset("small", "f" + number, number);
      sadd("integers", number);
      sadd("members", "m" + number);
    }
  }
  if (!detour) return;
  hdel("small", "gone");
  srem("integers", "no integer");
  for (int i = 0; i < 600; ++i) srem("members", std::to_string(i));
}

TEST_CASE("Digests depend on contents, not on form or history", "[hash][set]") {
  Fixture straight(1);
  Fixture detour(2);
  Fill(straight, false);
  Fill(detour, true);
  for (const char* name : {"small", "large", "integers", "members", "large set"}) {
    WriteView a = straight.View();
    WriteView b = detour.View();
    INFO(name);
    REQUIRE(DigestOfKey(a, a.MakeKey(name)) == DigestOfKey(b, b.MakeKey(name)));
  }
  REQUIRE(DigestOf(straight.View(), -1) == DigestOf(detour.View(), -1));
  // The forms did differ.
  const auto encoding = [](Fixture& fixture, const char* name) {
    WriteView view = fixture.View();
    const auto value = view.Find(view.MakeKey(name), Access::kPeek);
    return std::string(TypeOpsOf(value->type).encoding(view.arena(), *value));
  };
  REQUIRE(encoding(straight, "small") == "listpack");
  REQUIRE(encoding(detour, "small") == "hashtable");
  REQUIRE(encoding(straight, "integers") == "intset");
  REQUIRE(encoding(detour, "integers") == "listpack");
  REQUIRE(encoding(straight, "members") == "listpack");
  REQUIRE(encoding(detour, "members") == "hashtable");

  // And each difference in contents shows.
  WriteView view = detour.View();
  const Digest before = DigestOf(view, -1);
  REQUIRE(detour.store().ReserveForWrite(100'000, 2));
  const Key key = view.MakeKey("small");
  {
    HashWriter hash(view, key, view.FindForWrite(key), detour.limits);
    hash.Set("f1", "2");
    hash.Finish(kEvent);
  }
  REQUIRE_FALSE(DigestOf(view, -1) == before);
}

TEST_CASE("A copy of a large collection shares no page and goes its own way", "[hash][set]") {
  Fixture fixture(3);
  Fill(fixture, false);
  WriteView view = fixture.View();
  for (const char* name : {"large", "large set", "small", "integers"}) {
    const Key from = view.MakeKey(name);
    const std::string copy_name = std::string("copy of ") + name;
    const Key to = view.MakeKey(copy_name);
    REQUIRE(fixture.store().ReserveForWrite(view.MemoryUsage(from).value(), 2));
    REQUIRE(view.Copy(from, to, 0));
  }
  REQUIRE(fixture.store().Audit() == "");  // V10: nothing is reachable twice
  const auto large = view.Find(view.MakeKey("large"), Access::kPeek);
  const Key copy_key = view.MakeKey("copy of large");
  REQUIRE(view.MemoryUsage(view.MakeKey("large")).value() + 16 >=
          view.MemoryUsage(copy_key).value());
  HashWriter hash(view, copy_key, view.FindForWrite(copy_key), fixture.limits);
  hash.Set("field7", "changed");
  hash.Finish(kEvent);
  REQUIRE(StringCopy(view.arena(), *HashFind(view, *large, "field7")) == "vvvvvvv");
}

TEST_CASE("One field of a large hash after a pin copies a path, not the hash", "[hash]") {
  Fixture fixture(4);
  WriteView view = fixture.View();
  const Key key = view.MakeKey("h");
  REQUIRE(fixture.store().ReserveForWrite(64 << 20, 2));
  {
    HashWriter hash(view, key, view.FindForWrite(key), fixture.limits);
    for (int i = 0; i < 100'000; ++i) hash.Set("field:" + std::to_string(i), "0123456789abcdef");
    hash.Finish(kEvent);
  }
  const PinHandle pin = fixture.store().PinForRead(fixture.store().main(), 1'000'000);
  // What is not there, or is there already, copies nothing at all.
  const uint64_t before = fixture.store().stats().pages_copied;
  {
    HashWriter hash(view, key, view.FindForWrite(key), fixture.limits);
    REQUIRE_FALSE(hash.Erase("none"));
  }
  REQUIRE(fixture.store().stats().pages_copied == before);
  {
    HashWriter hash(view, key, view.FindForWrite(key), fixture.limits);
    hash.Set("field:77", "fedcba9876543210");
    hash.Finish(kEvent);
  }
  const uint64_t copied = fixture.store().stats().pages_copied - before;
  REQUIRE(copied > 0);
  REQUIRE(copied <= 8);
}

}  // namespace
}  // namespace verso::storage
