// Goal: what pins, lines and saves cost and give back (V1, V4, V5, V7, V10), case by case; any
// order of them is the business of the model in tests/model. Method: versions with known pages;
// memory is counted before and after.
#include "storage/memory/store.h"

#include <algorithm>
#include <catch2/catch.hpp>
#include <random>

#include "storage/memory/save_walk.h"
#include "tests/model/lines_content.h"

namespace verso::storage {
namespace {

class Fixture {
 public:
  Fixture() : random_(5) {
    StoreOptions options;
    options.arena.bytes_max = size_t{1} << 30;
    options.clock = &clock_;
    auto created = Store::Create(options);
    REQUIRE(created);
    store_ = std::move(*created);
  }

  Store& store() { return *store_; }
  Random* random() { return &random_; }
  size_t Allocated() { return store_->arena().bytes_allocated(); }

  void Write(Line& line, size_t slot, uint32_t seed, uint32_t bytes = 100) {
    REQUIRE(store_->arena().Reserve(1 << 19));
    Ref* ref = &WritableRoot(line)->databases[slot].keys;
    line.Retire(*ref);
    *ref = NewLeaf(line, {seed, bytes});
  }
  bool Holds(const Ref& root, size_t slot, uint32_t seed, uint32_t bytes = 100) {
    const auto* page = reinterpret_cast<const LineRoot*>(store_->arena().Resolve(root));
    return CompareLeaf(store_->arena(), page->databases[slot].keys, {seed, bytes}).empty();
  }
  Epoch Pin(Line& line) { return store_->Pin(line, 1); }
  Line* Grow(Line& from, bool scratch = false) {
    const Epoch epoch = Pin(from);
    Line* line = store_->Fork(from, epoch, scratch);
    store_->Unpin(from, epoch);
    return line;
  }
  void Settle() {
    store_->DrainBackground();
    REQUIRE(store_->Audit() == "");
  }

 private:
  ManualClock clock_;
  Random random_;
  std::unique_ptr<Store> store_;
};

TEST_CASE("pins share when nothing was written in between") {
  Fixture f;
  Line& main = f.store().main();
  f.Write(main, 0, 1);
  const Epoch first = f.Pin(main);
  CHECK(f.Pin(main) == first);
  CHECK(main.pins().size() == 1);
  f.Write(main, 0, 2);
  CHECK(f.Pin(main) > first);
  CHECK(main.pins().size() == 2);
}

TEST_CASE("a write copies the path once, reading copies nothing") {
  Fixture f;
  Line& main = f.store().main();
  for (size_t slot = 0; slot < kSlots; ++slot) f.Write(main, slot, 1);
  const PinHandle pin = f.store().PinForRead(main, 1);
  const uint64_t before = f.store().stats().pages_copied;
  for (size_t slot = 0; slot < kSlots; ++slot) {
    CHECK(f.Holds(pin.root(), slot, 1));
    CHECK(f.Holds(main.head(), slot, 1));
  }
  CHECK(f.store().stats().pages_copied == before);
  f.Write(main, 3, 2);
  CHECK(f.store().stats().pages_copied == before + 1);  // the root
  f.Write(main, 4, 2);
  CHECK(f.store().stats().pages_copied == before + 1);
  CHECK(f.Holds(pin.root(), 3, 1));
  CHECK(f.Holds(main.head(), 3, 2));
}

TEST_CASE("1,000 pins dropped in random order give everything back") {
  Fixture f;
  Line& main = f.store().main();
  for (size_t slot = 0; slot < kSlots; ++slot) f.Write(main, slot, 0);
  const size_t empty = f.Allocated();
  std::vector<std::pair<Epoch, uint32_t>> pins;
  for (uint32_t i = 1; i <= 1000; ++i) {
    for (int n = 0; n < 3; ++n) f.Write(main, f.random()->Below(kSlots - 1), i);
    f.Write(main, kSlots - 1, i);
    pins.emplace_back(f.Pin(main), i);
  }
  CHECK(f.Allocated() > empty + 1000 * (640 + 112));
  f.Settle();
  std::shuffle(pins.begin(), pins.end(), std::mt19937(6));
  while (!pins.empty()) {
    f.store().Unpin(main, pins.back().first);
    pins.pop_back();
    if (pins.size() % 100 != 0) continue;
    f.Settle();
    for (const auto& [epoch, seed] : pins) {
      const auto at = std::find_if(main.pins().begin(), main.pins().end(),
                                   [e = epoch](const auto& pin) { return pin.epoch == e; });
      REQUIRE(at != main.pins().end());
      REQUIRE(f.Holds(at->root, kSlots - 1, seed));
    }
  }
  CHECK(f.Allocated() == empty);
  CHECK(f.store().stats().reclaim_backlog == 0);
}

TEST_CASE("dropping one of many pins costs what it frees") {
  Fixture f;
  Line& main = f.store().main();
  std::vector<Epoch> pins;
  for (uint32_t i = 0; i < 1000; ++i) {
    f.Write(main, 0, i);
    pins.push_back(f.Pin(main));
  }
  f.Write(main, 0, 1000);
  f.Settle();
  const size_t before = f.Allocated();
  f.store().Unpin(main, pins[500]);
  // One root and one value died with it: one chain of entries waits, no scan is queued.
  CHECK(f.store().stats().reclaim_backlog == 1);
  f.Settle();
  CHECK(before - f.Allocated() ==
        RunBytes(sizeof(LineRoot)) + RunBytes(100) + RunBytes(kDeadChunkSmall));
}

TEST_CASE("branches of branches, 100 deep, hand everything down") {
  Fixture f;
  f.Write(f.store().main(), 0, 0, 3000);
  f.Write(f.store().main(), 1, 7, 50);
  const size_t one = f.Allocated();
  for (uint32_t i = 1; i <= 100; ++i) {
    Line* old = &f.store().main();
    Line* line = f.Grow(*old);
    f.Write(*line, 0, i, 3000);
    f.store().ExchangeMain(line);
    f.store().DropHead(old);
    if (i % 10 == 0) f.Settle();
  }
  f.Settle();
  const Line& main = f.store().main();
  CHECK(f.store().stats().lines == 1);
  CHECK(main.fork() == 0);
  CHECK(main.parent() == nullptr);
  CHECK(f.Holds(main.head(), 0, 100, 3000));
  CHECK(f.Holds(main.head(), 1, 7, 50));
  CHECK(f.Allocated() == one);
}

TEST_CASE("a chain of live branches is given back from the top, the bottom or the middle") {
  const int way = GENERATE(0, 1, 2);
  Fixture f;
  f.Write(f.store().main(), 0, 0);
  const size_t one = f.Allocated();
  std::vector<Line*> lines;
  Line* last = &f.store().main();
  for (uint32_t i = 1; i <= 100; ++i) {
    last = f.Grow(*last);
    f.Write(*last, i % kSlots, i);
    lines.push_back(last);
  }
  f.Settle();
  if (way == 0) std::reverse(lines.begin(), lines.end());
  if (way == 1) std::shuffle(lines.begin(), lines.end(), std::mt19937(8));
  for (Line* line : lines) f.store().DropHead(line);
  f.Settle();
  CHECK(f.store().stats().lines == 1);
  CHECK(f.store().stats().pins == 0);
  CHECK(f.Allocated() == one);
}

TEST_CASE("1,000 rollbacks to one snapshot leave nothing behind") {
  Fixture f;
  f.Write(f.store().main(), 0, 1);
  Line* origin = &f.store().main();
  const Epoch epoch = f.store().Pin(*origin, 1, true);
  size_t after_first = 0;
  for (uint32_t i = 0; i < 1000; ++i) {
    Line* old = &f.store().main();
    f.Write(*old, 0, 100 + i);
    f.Write(*old, 5, i, 2000);
    Line* line = f.store().Fork(*origin, epoch, false);
    f.store().ExchangeMain(line);
    f.store().DropHead(old);
    f.store().DrainBackground();
    if (i == 0) after_first = f.Allocated();
    REQUIRE(f.Holds(line->head(), 0, 1));
  }
  f.Settle();
  CHECK(f.Allocated() == after_first);
  CHECK(f.store().stats().lines == 2);
  f.store().Unpin(*origin, epoch, true);
  f.Settle();
  CHECK(f.store().stats().lines == 1);
  CHECK(f.store().main().fork() == 0);
}

TEST_CASE("a snapshot dropped while a save runs stays readable for its writer") {
  Fixture f;
  Line& main = f.store().main();
  f.Write(main, 0, 1);
  const Epoch epoch = f.Pin(main);
  f.Write(main, 0, 2);
  const SaveStart start = f.store().BeginSave();
  std::vector<Ref> pages;
  REQUIRE(CollectSave(f.store().arena(), start.super_root, start.base, &pages));
  std::vector<std::string> bytes;
  for (const Ref& ref : pages) bytes.emplace_back(f.store().arena().Resolve(ref), ref.size());
  f.store().Unpin(main, epoch);
  f.store().DrainBackground();
  for (uint32_t i = 0; i < 50; ++i) f.Write(main, i % kSlots, 10 + i);
  for (size_t i = 0; i < pages.size(); ++i) {
    CHECK(std::string(f.store().arena().Resolve(pages[i]), pages[i].size()) == bytes[i]);
  }
  f.store().EndSave(SaveOutcome::kCommitted);
  f.Settle();
  CHECK(main.pins().empty());
}

TEST_CASE("behind the writer pages go, also of a branch that is dropped meanwhile") {
  Fixture f;
  Line* line = f.Grow(f.store().main());
  for (size_t slot = 0; slot < kSlots; ++slot) f.Write(*line, slot, 1);
  f.Write(f.store().main(), 0, 1);
  const size_t before = f.Allocated();
  const SaveStart start = f.store().BeginSave();
  std::vector<Ref> pages;
  REQUIRE(CollectSave(f.store().arena(), start.super_root, start.base, &pages));
  f.store().SaveProgress(pages.back());
  for (size_t slot = 0; slot < kSlots; ++slot) f.Write(*line, slot, 2);
  CHECK(f.store().stats().pages_released_early == kSlots + 1);
  f.store().DropHead(line);
  f.store().DrainBackground();
  for (size_t slot = 0; slot < kSlots; ++slot) f.Write(f.store().main(), slot, 3);
  f.store().EndSave(SaveOutcome::kCommitted);
  f.Settle();
  CHECK(f.store().stats().lines == 1);
  CHECK(f.store().stats().garbage_pages > kSlots);
  CHECK(f.Allocated() < before + 16384);
}

TEST_CASE("a transaction is published or forgotten, and what it had goes") {
  Fixture f;
  Line& main = f.store().main();
  f.Write(main, 0, 1);
  f.Write(main, 1, 1);
  const size_t one = f.Allocated();
  const bool save_between = GENERATE(false, true);
  Line* scratch = f.Grow(main, true);
  f.Write(*scratch, 0, 2);
  f.Write(*scratch, 2, 9);
  if (save_between) {
    f.store().BeginSave();
    f.store().EndSave(SaveOutcome::kCommitted);
  }
  f.store().Publish(*scratch, &WritableRoot(*scratch)->databases[0].keys, main,
                    &WritableRoot(main)->databases[0].keys);
  f.store().DropHead(scratch);
  f.Settle();
  CHECK(f.Holds(main.head(), 0, 2));
  CHECK(f.Holds(main.head(), 1, 1));
  CHECK(f.store().stats().lines == 1);
  if (!save_between) CHECK(f.Allocated() == one);
}

}  // namespace
}  // namespace verso::storage
