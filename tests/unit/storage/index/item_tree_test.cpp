// Goal: what the item tree costs is what its header says: bytes of an item, pages a write copies,
// bytes a write allocates; and a page that came damaged from a disk is refused.
// Method: trees filled in each order and counted; each byte of real pages flipped.
#include "tests/unit/storage/index/item_tree_fixture.h"

namespace verso::storage {
namespace {

std::string Numbered(uint64_t number) {
  std::string bytes = std::to_string(number);
  return std::string(16 - bytes.size(), '0') + bytes;
}

// Bytes of a page that may be changed, aligned like one.
std::vector<uint64_t> CopyOf(ItemTreeFixture& fixture, const Ref& ref) {
  std::vector<uint64_t> words((ref.size() + 7) / 8 + 1);
  std::memcpy(words.data(), fixture.arena().Resolve(ref), ref.size());
  return words;
}

Ref LastLeaf(ItemTreeFixture& fixture) {
  Ref at = fixture.root();
  while (at.kind() == PageKind::kItemInner) {
    Ref last;
    VisitItemInner(fixture.arena().Resolve(at), at, [&last](const Ref& child) { last = child; });
    at = last;
  }
  return at;
}

}  // namespace

TEST_CASE("A large item tree is small in memory, in whatever order it was filled", "[item_tree]") {
  constexpr uint64_t kItems = 100'000;
  enum class Order { kUp, kDown, kRandom };
  const Order order = GENERATE(Order::kUp, Order::kDown, Order::kRandom);
  const ItemFlavour flavour = GENERATE(ItemFlavour::kList, ItemFlavour::kZset);
  CAPTURE(static_cast<int>(order), static_cast<int>(flavour));
  ItemTreeFixture fixture(flavour);
  std::mt19937_64 random(5);
  std::vector<uint64_t> values(kItems);
  for (uint64_t i = 0; i < kItems; ++i) values[i] = i;
  if (order == Order::kDown) std::reverse(values.begin(), values.end());
  if (order == Order::kRandom) std::shuffle(values.begin(), values.end(), random);
  const size_t empty = fixture.arena().bytes_allocated();
  for (uint64_t i = 0; i < kItems; ++i) {
    if (flavour == ItemFlavour::kZset) {
      fixture.Insert({values[i], 0, Numbered(values[i])});
    } else if (order == Order::kUp) {
      fixture.InsertAt(i, Numbered(i));
    } else if (order == Order::kDown) {
      fixture.InsertAt(0, Numbered(i));
    } else {
      fixture.InsertAt(random() % (i + 1), Numbered(i));
    }
  }
  REQUIRE(fixture.Count() == kItems);
  REQUIRE(fixture.Validate() == "");
  const double per_item =
      static_cast<double>(fixture.arena().bytes_allocated() - empty) / double{kItems};
  INFO(per_item << " bytes an item");
  const double itself = flavour == ItemFlavour::kZset ? 25 : 17;
  REQUIRE(per_item < itself * (order == Order::kRandom ? 1.15 : 1.04));
  for (uint64_t i = kItems; i > 0; --i) fixture.EraseRange(random() % i, 1);
  REQUIRE(fixture.root().null());
  REQUIRE(fixture.arena().bytes_allocated() == empty);
}

TEST_CASE("A write after a pin copies one path; the second copies nothing", "[item_tree]") {
  ItemTreeFixture fixture;
  for (uint64_t i = 0; i < 100'000; ++i) fixture.InsertAt(i, Numbered(i));
  REQUIRE(ItemHeight(fixture.root().aux()) == 2);
  const PinHandle pin = fixture.Pin();
  fixture.slot();  // the line's root page is copied now, before anything is counted
  const uint64_t before = fixture.pages_copied();
  fixture.EraseRange(0, 1);
  REQUIRE(fixture.pages_copied() - before == 3);
  fixture.InsertAt(0, Numbered(7));
  fixture.ReplaceAt(1, Numbered(8));
  REQUIRE(fixture.pages_copied() - before == 3);
  fixture.AuditIsClean();
}

TEST_CASE("Cutting a range of an item tree copies the pages at its edges only", "[item_tree]") {
  ItemTreeFixture fixture;
  for (uint64_t i = 0; i < 100'000; ++i) fixture.InsertAt(i, Numbered(i));
  const PinHandle pin = fixture.Pin();
  fixture.slot();
  const uint64_t before = fixture.pages_copied();
  fixture.EraseRange(123, 99'000);
  REQUIRE(fixture.pages_copied() - before <= 5);
  REQUIRE(fixture.Count() == 1'000);
  REQUIRE(fixture.Validate() == "");
  REQUIRE(ItemsCount(fixture.arena(), fixture.RootOf(pin.root())) == 100'000);
  fixture.AuditIsClean();
}

TEST_CASE("A write to an item tree allocates no more than its estimate", "[item_tree]") {
  const ItemFlavour flavour =
      GENERATE(ItemFlavour::kList, ItemFlavour::kZset, ItemFlavour::kStream);
  ItemTreeFixture fixture(flavour);
  std::mt19937_64 random(17);
  for (int step = 0; step < 3'000; ++step) {
    // Under a pin nothing is freed, so what a call allocates is what the arena grows by.
    const PinHandle pin = fixture.Pin();
    const size_t length = step % 100 == 0 ? 9'000 : step % 7 == 0 ? 480 : random() % 40;
    const std::string bytes(length, static_cast<char>(random()));
    fixture.slot();  // the line's root page is copied now, before anything is counted
    const size_t before = fixture.arena().bytes_allocated();
    if (step % 1'000 < 800) {
      if (flavour == ItemFlavour::kList) {
        fixture.InsertAt(random() % (fixture.Count() + 1), bytes);
      } else {
        fixture.Insert({random() % 64, random(), bytes});
      }
    } else {
      fixture.EraseRange(random() % fixture.Count(), 1);
    }
    const size_t after = fixture.arena().bytes_allocated();
    REQUIRE((after <= before || after - before <= ItemsEstimate(1, length)));
  }
  REQUIRE(fixture.Validate() == "");
}

TEST_CASE("Damaged pages of an item tree are refused or harmless", "[item_tree]") {
  const ItemFlavour flavour =
      GENERATE(ItemFlavour::kList, ItemFlavour::kZset, ItemFlavour::kStream);
  ItemTreeFixture fixture(flavour);
  for (uint64_t i = 0; i < 2'000; ++i) {
    const std::string bytes = i % 50 == 49  ? std::string(600, 'x')
                              : i % 10 == 9 ? std::string(250, 'y')
                                            : Numbered(i);
    flavour == ItemFlavour::kList ? fixture.InsertAt(i, bytes) : fixture.Insert({i, i, bytes});
  }
  const Ref root = fixture.root();
  REQUIRE(root.kind() == PageKind::kItemInner);
  const Ref leaf = LastLeaf(fixture);
  std::mt19937_64 random(3);
  for (const Ref& ref : {root, leaf}) {
    const auto check = ref.kind() == PageKind::kItemLeaf ? &CheckItemLeaf : &CheckItemInner;
    const std::vector<uint64_t> sound = CopyOf(fixture, ref);
    REQUIRE(check(reinterpret_cast<const char*>(sound.data()), ref));
    for (size_t at = 0; at < ref.size(); ++at) {
      std::vector<uint64_t> words = sound;
      char* page = reinterpret_cast<char*>(words.data());
      page[at] = static_cast<char>(page[at] ^ (1 + random() % 255));
      if (!check(page, ref)) continue;
      // What passes can be walked without leaving the page.
      size_t visited = 0;
      const auto count = [&visited](const Ref&) { ++visited; };
      ref.kind() == PageKind::kItemLeaf ? VisitItemLeaf(page, ref, count)
                                        : VisitItemInner(page, ref, count);
      REQUIRE(visited <= kItemLeafItemsMax);
    }
  }
  const auto refused = [&](const Ref& as, size_t at, char byte) {
    std::vector<uint64_t> words = CopyOf(fixture, as);
    char* page = reinterpret_cast<char*>(words.data());
    REQUIRE(page[at] != byte);
    page[at] = byte;
    return as.kind() == PageKind::kItemLeaf ? !CheckItemLeaf(page, as) : !CheckItemInner(page, as);
  };
  REQUIRE(refused(leaf, 0, 0));                                      // the count
  REQUIRE(refused(leaf, 2, 3));                                      // the end
  REQUIRE(refused(leaf, 4 + ItemKeyBytes(flavour), '\xff'));         // a length that does not exist
  REQUIRE(refused(root, 0, 1));                                      // the total
  REQUIRE(refused(root, 8, 0));                                      // no child
  REQUIRE(refused(root, 10, 1));                                     // padding
  REQUIRE(refused(root, sizeof(ItemInnerHeader) + 5, 8));            // kind of a child
  REQUIRE(refused(root, sizeof(ItemInnerHeader) + 14, 0x1f));        // height of a child
  REQUIRE(refused(root, sizeof(ItemInnerHeader) + sizeof(Ref), 0));  // a count
  const auto as = [](const Ref& ref, size_t size, uint16_t aux) {
    return Ref::Make(ref.cell(), ref.kind(), size, 1, aux);
  };
  const std::vector<uint64_t> words = CopyOf(fixture, root);
  const char* page = reinterpret_cast<const char*>(words.data());
  REQUIRE_FALSE(CheckItemInner(page, as(root, root.size() - 1, root.aux())));
  REQUIRE_FALSE(CheckItemInner(page, as(root, root.size(), root.aux() | 0x30)));
  REQUIRE_FALSE(CheckItemInner(page, as(root, root.size(), ItemAux(flavour, 0))));
  REQUIRE_FALSE(CheckItemInner(page, as(root, root.size(), ItemAux(flavour, 3))));
}

TEST_CASE("The audit of an item tree finds what no page shows by itself", "[item_tree]") {
  ItemTreeFixture fixture(ItemFlavour::kZset);
  for (uint64_t i = 0; i < 1'000; ++i) fixture.Insert({i * 2, 0, Numbered(i)});
  REQUIRE(fixture.Validate() == "");
  char* root = fixture.line().Writable(fixture.slot());
  ItemChild& second = ItemChildAt(root, 1, sizeof(ItemChild));
  const uint64_t separator = second.a;
  second.a = separator + 1;
  REQUIRE(fixture.Validate().find("I3") != std::string::npos);
  second.a = separator - 3;
  REQUIRE(fixture.Validate().find("I3") != std::string::npos);
  second.a = separator;
  --second.count;
  --ItemInner(root).total;
  REQUIRE(fixture.Validate().find("I2") != std::string::npos);
  ++second.count;
  ++ItemInner(root).total;
  REQUIRE(fixture.Validate() == "");
}

TEST_CASE("Pages of an item tree that disagree about counts lead no reader astray", "[item_tree]") {
  ItemTreeFixture fixture;
  for (uint64_t i = 0; i < 1'000; ++i) fixture.InsertAt(i, Numbered(i));
  char* root = fixture.line().Writable(fixture.slot());
  const size_t child_bytes = ItemChildBytes(ItemFlavour::kList);
  const uint64_t there = ItemChildAt(root, 0, child_bytes).count;
  ItemChildAt(root, 0, child_bytes).count += 100;
  ItemInner(root).total += 100;
  REQUIRE(CheckItemInner(root, fixture.root()));  // by itself the page is sound
  REQUIRE(fixture.Validate().find("I2") != std::string::npos);
  REQUIRE_FALSE(ItemsAt(fixture.arena(), fixture.root(), there + 50));
  REQUIRE_FALSE(ItemCursor::At(fixture.arena(), fixture.root(), there + 50).valid());
  REQUIRE(ItemsAt(fixture.arena(), fixture.root(), there + 100)->bytes == Numbered(there));
}

}  // namespace verso::storage
