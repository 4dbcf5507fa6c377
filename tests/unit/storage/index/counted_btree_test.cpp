// Goal: the tree holds what a std::multiset holds, answers rank and by-index exactly, keeps its
// structure (B1-B5) and its pinned versions, and gives back every page.
// Method: the same random operations on both, in patterns that grow, shrink, drain in order and
// repeat items; TreeValidate and the store's audit after each batch. The tree hangs in the
// root page of the main line, so the audit covers each of its pages.
#include "storage/index/counted_btree.h"

#include <algorithm>
#include <catch2/catch.hpp>
#include <cstring>
#include <iterator>
#include <memory>
#include <random>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "storage/memory/line_root.h"
#include "storage/memory/store.h"
#include "tests/support/test_store.h"

namespace verso::storage {
namespace {

using Model = std::multiset<TreeItem>;

class Fixture {
 public:
  Fixture() {
    store_ = FreshStore(&clock_, 1);
    REQUIRE(store_->ReserveForWrite(0, 1));
    *line().mutable_head() = line().NewPage(PageKind::kLineRoot, sizeof(LineRoot));
    new (line().Writable(line().mutable_head())) LineRoot;
    Databases()->keys = line().NewPage(PageKind::kValue, kCellBytes);
    std::memset(store_->arena().ResolveMutable(Databases()->keys), 0, kCellBytes);
  }

  Line& line() { return store_->main(); }
  const PageArena& arena() { return store_->arena(); }
  // Where the structure under test hangs: in a line's root page, so that pins and audits see it. (A
  // value stands in for the keys: it tells the audit that this database is none of a key space.)
  Ref* slot() { return &Databases()->deadlines; }
  Ref root() { return RootOf(line().head()); }
  Ref RootOf(const PinHandle& pin) { return RootOf(pin.root()); }
  uint64_t pages_copied() { return store_->stats().pages_copied; }
  PinHandle Pin() { return store_->PinForRead(line(), 0); }

  void Insert(const TreeItem& item) {
    Reserve();
    TreeInsert(line(), slot(), item);
  }
  bool Erase(const TreeItem& item) {
    Reserve();
    return TreeErase(line(), slot(), item);
  }
  void EraseAt(uint64_t index) {
    Reserve();
    TreeEraseAt(line(), slot(), index);
  }
  uint64_t Count() { return TreeCount(arena(), root()); }
  std::string Validate() { return TreeValidate(arena(), root()); }

  std::vector<TreeItem> Items(const Ref& from) {
    std::vector<TreeItem> items;
    TreeForEach(arena(), from, [&](const TreeItem& item) { items.push_back(item); });
    return items;
  }
  bool Equals(const Ref& from, const Model& model) {
    const std::vector<TreeItem> items = Items(from);
    return std::equal(items.begin(), items.end(), model.begin(), model.end());
  }
  void AuditIsClean() {
    store_->DrainBackground();
    REQUIRE(store_->Audit() == "");
  }

 private:
  DatabaseRoot* Databases() {
    return reinterpret_cast<LineRoot*>(line().Writable(line().mutable_head()))->databases;
  }
  Ref RootOf(const Ref& head) {
    return reinterpret_cast<const LineRoot*>(arena().Resolve(head))->databases[0].deadlines;
  }

  void Reserve() { REQUIRE(store_->arena().Reserve(TreeEstimate(root()))); }

  ManualClock clock_;
  std::unique_ptr<Store> store_;
};

// Compares what the tree says about one item, and from there on, with the model.
void CompareAt(Fixture& fixture, const Model& model, const TreeItem& item) {
  const auto lower = model.lower_bound(item);
  const auto rank = static_cast<uint64_t>(std::distance(model.begin(), lower));
  REQUIRE(TreeRank(fixture.arena(), fixture.root(), item) == rank);
  const std::optional<TreeItem> by_index = TreeByIndex(fixture.arena(), fixture.root(), rank);
  REQUIRE(by_index.has_value() == (lower != model.end()));
  TreeCursor at = TreeCursor::From(fixture.arena(), fixture.root(), item);
  auto expected = lower;
  for (int i = 0; i < 150 && expected != model.end(); ++i, ++expected, at.Next()) {
    REQUIRE(at.valid());
    REQUIRE(at.item() == *expected);
  }
  REQUIRE(at.valid() == (expected != model.end()));
  if (lower != model.end()) REQUIRE(*by_index == *lower);
}

}  // namespace

TEST_CASE("The empty tree is the null reference, before and after", "[tree]") {
  Fixture fixture;
  REQUIRE(fixture.root().null());
  REQUIRE(fixture.Count() == 0);
  REQUIRE(TreeFirst(fixture.arena(), fixture.root()) == std::nullopt);
  REQUIRE(TreeRank(fixture.arena(), fixture.root(), {1, 1}) == 0);
  REQUIRE_FALSE(TreeCursor::Begin(fixture.arena(), fixture.root()).valid());
  REQUIRE_FALSE(fixture.Erase({1, 1}));
  const size_t empty = fixture.arena().bytes_allocated();
  fixture.Insert({1, 2});
  REQUIRE(TreeFirst(fixture.arena(), fixture.root()) == TreeItem{1, 2});
  REQUIRE(fixture.root().size() == 64);
  REQUIRE_FALSE(fixture.Erase({1, 1}));
  REQUIRE_FALSE(fixture.Erase({2, 2}));
  REQUIRE(fixture.Erase({1, 2}));
  REQUIRE(fixture.root().null());
  REQUIRE(fixture.arena().bytes_allocated() == empty);
  fixture.AuditIsClean();
}

TEST_CASE("A leaf grows in steps and splits when it is full", "[tree]") {
  Fixture fixture;
  for (uint64_t i = 1; i <= kTreeLeafItemsMax; ++i) {
    fixture.Insert({i, 0});
    REQUIRE(fixture.root().kind() == PageKind::kTreeLeaf);
    REQUIRE(fixture.root().size() == TreeLeafBytes(i));
  }
  fixture.Insert({30, 0});
  REQUIRE(fixture.root().kind() == PageKind::kTreeInner);
  REQUIRE(fixture.root().aux() == 1);
  REQUIRE(fixture.Validate() == "");
  REQUIRE(fixture.Erase({30, 0}));
  REQUIRE(fixture.Count() == kTreeLeafItemsMax);
  for (uint64_t i = 64; i > 40; --i) REQUIRE(fixture.Erase({i, 0}));
  REQUIRE(fixture.Validate() == "");
  REQUIRE(fixture.root().kind() == PageKind::kTreeLeaf);  // merged, and the root is gone
  fixture.AuditIsClean();
}

TEST_CASE("The tree follows a multiset through random operations and pins", "[tree]") {
  for (const uint64_t seed : {1, 2, 3, 4, 5, 6}) {
    INFO("seed " << seed);
    std::mt19937_64 random(seed);
    // Few distinct values make runs of equal items over several leaves.
    const uint64_t values = seed % 3 == 0 ? 12 : seed % 3 == 1 ? 3'000 : 1'000'000;
    Fixture fixture;
    Model model;
    struct Version {
      PinHandle pin;
      Model model;
    };
    std::vector<Version> versions;
    const auto item = [&] { return TreeItem{random() % values, random() % 3}; };
    for (int batch = 0; batch < 60; ++batch) {
      const bool growing = batch % 20 < 11;
      for (int step = 0; step < 300; ++step) {
        const uint64_t dice = random() % 10;
        if (dice < (growing ? 8 : 2)) {
          const TreeItem added = item();
          fixture.Insert(added);
          model.insert(added);
        } else if (dice < 9 && !model.empty()) {
          // Something that is there, found through the tree itself.
          const uint64_t index = random() % model.size();
          const TreeItem victim = *TreeByIndex(fixture.arena(), fixture.root(), index);
          const auto there = model.find(victim);
          REQUIRE(there != model.end());
          model.erase(there);
          if (random() % 2 == 0) {
            REQUIRE(fixture.Erase(victim));
          } else {
            fixture.EraseAt(index);
          }
        } else {
          const TreeItem perhaps = item();
          const auto there = model.find(perhaps);
          REQUIRE(fixture.Erase(perhaps) == (there != model.end()));
          if (there != model.end()) model.erase(there);
        }
        REQUIRE(fixture.Count() == model.size());
      }
      REQUIRE(fixture.Validate() == "");
      REQUIRE(fixture.Equals(fixture.root(), model));
      for (int i = 0; i < 5; ++i) CompareAt(fixture, model, item());
      CompareAt(fixture, model, {0, 0});
      CompareAt(fixture, model, {~uint64_t{0}, 0});
      if (batch % 4 == 0) versions.push_back({fixture.Pin(), model});
      if (batch % 10 == 9) {
        const size_t victim = random() % versions.size();
        REQUIRE(fixture.Equals(fixture.RootOf(versions[victim].pin), versions[victim].model));
        versions.erase(versions.begin() + static_cast<ptrdiff_t>(victim));
        fixture.AuditIsClean();
      }
    }
    for (const Version& version : versions) {
      REQUIRE(fixture.Equals(fixture.RootOf(version.pin), version.model));
      REQUIRE(TreeValidate(fixture.arena(), fixture.RootOf(version.pin)) == "");
    }
    while (!model.empty()) {
      const TreeItem first = *TreeFirst(fixture.arena(), fixture.root());
      REQUIRE(first == *model.begin());
      model.erase(model.begin());
      REQUIRE(fixture.Erase(first));
      if (model.size() % 512 == 0) REQUIRE(fixture.Validate() == "");
    }
    REQUIRE(fixture.root().null());
    for (const Version& version : versions) {
      REQUIRE(fixture.Equals(fixture.RootOf(version.pin), version.model));
    }
    versions.clear();
    fixture.AuditIsClean();
  }
}

TEST_CASE("A large tree is sound when filled and drained in any order, and small in memory",
          "[tree]") {
  constexpr uint64_t kItems = 200'000;
  enum class Order { kUp, kDown, kRandom };
  for (const Order order : {Order::kUp, Order::kDown, Order::kRandom}) {
    Fixture fixture;
    std::mt19937_64 random(13);
    std::vector<uint64_t> values(kItems);
    for (uint64_t i = 0; i < kItems; ++i) values[i] = i;
    if (order == Order::kDown) std::reverse(values.begin(), values.end());
    if (order == Order::kRandom) std::shuffle(values.begin(), values.end(), random);
    const size_t empty = fixture.arena().bytes_allocated();
    for (const uint64_t value : values) fixture.Insert({value, ~value});
    REQUIRE(fixture.Count() == kItems);
    REQUIRE(fixture.Validate() == "");
    // 16 bytes are the items themselves.
    REQUIRE(fixture.arena().bytes_allocated() - empty < kItems * 20);
    for (uint64_t i = 0; i < kItems; i += 997) {
      REQUIRE(TreeRank(fixture.arena(), fixture.root(), {i, 0}) == i);
      REQUIRE(TreeByIndex(fixture.arena(), fixture.root(), i) == TreeItem{i, ~i});
      REQUIRE(TreeCursor::At(fixture.arena(), fixture.root(), i).item().a == i);
    }
    REQUIRE_FALSE(TreeCursor::At(fixture.arena(), fixture.root(), kItems).valid());
    if (order == Order::kRandom) std::shuffle(values.begin(), values.end(), random);
    for (uint64_t i = 0; i < kItems; ++i) {
      REQUIRE(fixture.Erase({values[i], ~values[i]}));
      if (i % 20'000 == 0) REQUIRE(fixture.Validate() == "");
    }
    REQUIRE(fixture.root().null());
    REQUIRE(fixture.arena().bytes_allocated() == empty);
  }
}

TEST_CASE("A write after a pin copies the path; the second copies nothing", "[tree]") {
  Fixture fixture;
  for (uint64_t i = 0; i < 50'000; ++i) fixture.Insert({i * 7919 % 50'000, 1});
  const int height = fixture.root().aux();
  REQUIRE(height >= 2);
  const std::vector<TreeItem> before = fixture.Items(fixture.root());

  const PinHandle pin = fixture.Pin();
  fixture.slot();  // the line's root page is copied now, before anything is counted
  uint64_t copied = fixture.pages_copied();
  size_t allocated = fixture.arena().bytes_allocated();
  REQUIRE_FALSE(fixture.Erase({25'000, 2}));
  REQUIRE(fixture.pages_copied() == copied);
  REQUIRE(fixture.arena().bytes_allocated() == allocated);

  fixture.Insert({25'000, 2});
  REQUIRE(fixture.pages_copied() > copied);
  REQUIRE(fixture.pages_copied() - copied <= static_cast<uint64_t>(height) + 1);
  copied = fixture.pages_copied();
  REQUIRE(fixture.Erase({25'000, 2}));
  fixture.Insert({25'000, 0});
  REQUIRE(fixture.pages_copied() == copied);

  REQUIRE(fixture.Items(fixture.RootOf(pin)) == before);
  REQUIRE(fixture.Validate() == "");
  fixture.AuditIsClean();
}

TEST_CASE("An insertion or removal allocates no more than its estimate", "[tree]") {
  Fixture fixture;
  std::mt19937_64 random(17);
  std::vector<PinHandle> pins;
  for (int step = 0; step < 3'000; ++step) {
    // Under a pin nothing is freed, so what a call allocates is what the arena grows by.
    pins.clear();
    pins.push_back(fixture.Pin());
    fixture.slot();  // the line's root page is copied now, before anything is counted
    const uint64_t bound = TreeEstimate(fixture.root());
    const size_t before = fixture.arena().bytes_allocated();
    const bool growing = step % 1'000 < 700;
    if (growing) {
      fixture.Insert({random() % 4'096, 0});
    } else if (fixture.Count() > 0) {
      fixture.EraseAt(random() % fixture.Count());
    }
    const size_t after = fixture.arena().bytes_allocated();
    REQUIRE((after <= before || after - before <= bound));
  }
  REQUIRE(fixture.Validate() == "");
}

TEST_CASE("Damaged pages of a tree are refused", "[tree]") {
  Fixture fixture;
  for (uint64_t i = 0; i < 5'000; ++i) fixture.Insert({i, i});
  const Ref root = fixture.root();
  REQUIRE(root.kind() == PageKind::kTreeInner);
  REQUIRE(root.aux() == 2);
  // Aligned like a page.
  const auto copy_of = [&](const Ref& ref) {
    std::vector<uint64_t> words((ref.size() + 7) / 8);
    std::memcpy(words.data(), fixture.arena().Resolve(ref), ref.size());
    return words;
  };
  const auto inner_is_refused = [&](size_t at, char byte) {
    std::vector<uint64_t> words = copy_of(root);
    char* page = reinterpret_cast<char*>(words.data());
    REQUIRE(CheckTreeInner(page, root));
    REQUIRE(page[at] != byte);
    page[at] = byte;
    return !CheckTreeInner(page, root);
  };
  constexpr size_t kFirst = sizeof(TreeInner);
  REQUIRE(inner_is_refused(0, 1));                                // total
  REQUIRE(inner_is_refused(8, 1));                                // a single child
  REQUIRE(inner_is_refused(8, 60));                               // more children than places
  REQUIRE(inner_is_refused(10, 1));                               // padding
  REQUIRE(inner_is_refused(kFirst + 5, 8));                       // kind of a child
  REQUIRE(inner_is_refused(kFirst + 6, 1));                       // size of a child
  REQUIRE(inner_is_refused(kFirst + 14, 2));                      // height of a child
  REQUIRE(inner_is_refused(kFirst + 16, 99));                     // a count
  REQUIRE(inner_is_refused(kFirst + 24, 1));                      // separator of child 0
  REQUIRE(inner_is_refused(kFirst + sizeof(TreeChild) + 31, 1));  // separators out of order
  REQUIRE(inner_is_refused(root.size() - 1, 1));                  // behind the children

  Ref leaf = root;
  while (leaf.kind() == PageKind::kTreeInner) {
    Ref child;
    VisitTreeInner(fixture.arena().Resolve(leaf), leaf, [&](const Ref& ref) { child = ref; });
    leaf = child;
  }
  const auto leaf_is_refused = [&](size_t at, char byte) {
    std::vector<uint64_t> words = copy_of(leaf);
    char* page = reinterpret_cast<char*>(words.data());
    REQUIRE(CheckTreeLeaf(page, leaf));
    REQUIRE(page[at] != byte);
    page[at] = byte;
    return !CheckTreeLeaf(page, leaf);
  };
  REQUIRE(leaf_is_refused(7, 1));  // the first item above the second
  const size_t used = leaf.aux() * sizeof(TreeItem);
  if (used < leaf.size()) REQUIRE(leaf_is_refused(used, 1));
  const auto leaf_as = [&](size_t size, uint16_t count) {
    return Ref::Make(leaf.cell(), PageKind::kTreeLeaf, size, 1, count);
  };
  const std::vector<uint64_t> words = copy_of(leaf);
  const char* page = reinterpret_cast<const char*>(words.data());
  REQUIRE_FALSE(CheckTreeLeaf(page, leaf_as(leaf.size(), 0)));
  REQUIRE_FALSE(CheckTreeLeaf(page, leaf_as(leaf.size(), 65)));
  REQUIRE_FALSE(CheckTreeLeaf(page, leaf_as(64, 5)));
  REQUIRE_FALSE(CheckTreeLeaf(page, leaf_as(72, 4)));
  REQUIRE_FALSE(CheckTreeLeaf(page, leaf_as(2048, 64)));
}

TEST_CASE("The audit of a tree finds what no page shows by itself", "[tree]") {
  Fixture fixture;
  for (uint64_t i = 0; i < 200; ++i) fixture.Insert({i * 2, 0});
  REQUIRE(fixture.Validate() == "");
  auto* root = reinterpret_cast<TreeInner*>(fixture.line().Writable(fixture.slot()));
  TreeChild& second = root->children()[1];
  const TreeItem separator = second.separator();
  second.set_separator({separator.a + 1, 0});
  REQUIRE(fixture.Validate().find("B3") != std::string::npos);
  second.set_separator({separator.a - 3, 0});
  REQUIRE(fixture.Validate().find("B3") != std::string::npos);
  second.set_separator(separator);
  --second.count;
  REQUIRE(fixture.Validate() != "");
  ++second.count;
  REQUIRE(fixture.Validate() == "");
}

}  // namespace verso::storage
