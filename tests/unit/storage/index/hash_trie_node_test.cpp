// Goal: a page from a damaged disk never leads a reader out of it, and the audit sees every kind of
// damage. Method: sound pages are damaged byte by byte; what the check lets pass is read to the
// end, with bounds watched here.
#include "storage/index/hash_trie_node.h"

#include <algorithm>
#include <random>
#include <vector>

#include "tests/unit/storage/index/hash_trie_fixture.h"

namespace verso::storage {
namespace {

// Fills a trie whose root is a leaf with entries of each form.
void FillLeaf(TrieFixture* trie) {
  trie->Put("a", "short");
  trie->Put("b", std::string(200, 'x'));
  trie->Put("deadline", "value", 12345);
  trie->Put(std::string(200, 'k'), "long key");
  trie->Put(std::string(9000, 'k'), "very long key");
  trie->Put("gone", "leaves a hole");
  trie->Put("last", "");
  trie->Erase("gone");
  REQUIRE(trie->root().kind() == PageKind::kTrieLeaf);
  REQUIRE(CheckTrieLeaf(trie->arena().Resolve(trie->root()), trie->root()));
}

void ReadWithin(const char* page, size_t bytes) {
  const auto inside = [&](const char* from, size_t count) {
    return from >= page && from + count <= page + bytes;
  };
  REQUIRE(TrieLeaf(page).count > 0);
  for (size_t slot = 0; slot < TrieLeaf(page).count; ++slot) {
    const char* entry = page + TrieOffset(page, slot);
    REQUIRE(inside(entry, sizeof(TrieEntryHeader)));
    REQUIRE(inside(entry, TrieEntryAt(entry).size()));
  }
}

TEST_CASE("a leaf that passes the check can be read without leaving it") {
  TrieFixture trie;
  FillLeaf(&trie);
  const Ref self = trie.root();
  const std::string sound(trie.arena().Resolve(self), self.size());
  size_t refused = 0;
  for (size_t at = 0; at < sound.size(); ++at) {
    for (int bit = 0; bit < 8; ++bit) {
      std::string damaged = sound;
      damaged[at] = static_cast<char>(damaged[at] ^ 1 << bit);
      if (CheckTrieLeaf(damaged.data(), self)) {
        ReadWithin(damaged.data(), damaged.size());
      } else {
        ++refused;
      }
    }
  }
  CHECK(refused > 100);
  std::mt19937 random(3);
  for (int round = 0; round < 200'000; ++round) {
    std::string damaged = sound;
    for (int n = 0; n < 3; ++n) damaged[random() % 120] = static_cast<char>(random());
    if (CheckTrieLeaf(damaged.data(), self)) ReadWithin(damaged.data(), damaged.size());
  }
}

TEST_CASE("a leaf of the wrong size, or empty, is refused") {
  TrieFixture trie;
  FillLeaf(&trie);
  const Ref self = trie.root();
  const char* page = trie.arena().Resolve(self);
  const auto with_size = [&](size_t bytes) {
    return Ref::Make(self.cell(), PageKind::kTrieLeaf, bytes, self.birth());
  };
  CHECK_FALSE(CheckTrieLeaf(page, with_size(0)));
  CHECK_FALSE(CheckTrieLeaf(page, with_size(self.size() - 1)));
  CHECK_FALSE(CheckTrieLeaf(page, with_size(self.size() + kTrieUnitBytes)));
  const std::string zeros(kTrieUnitBytes, '\0');
  CHECK_FALSE(CheckTrieLeaf(zeros.data(), with_size(kTrieUnitBytes)));
}

TEST_CASE("a directory is refused when a slot cannot be what it says") {
  TrieFixture trie;
  for (int i = 0; i < 200; ++i) trie.Put("key" + std::to_string(i), "a value of some length");
  const Ref self = trie.root();
  REQUIRE(self.kind() == PageKind::kTrieDir);
  const size_t slots = size_t{1} << self.aux();
  std::vector<Ref> sound(slots);
  const auto reset = [&] { std::memcpy(sound.data(), trie.arena().Resolve(self), self.size()); };
  const auto check = [&] {
    return CheckTrieDir(reinterpret_cast<const char*>(sound.data()), self);
  };
  reset();
  REQUIRE(check());
  sound[3] = Ref::Make(5, PageKind::kValue, 128, 1);
  CHECK_FALSE(check());
  reset();
  sound[3] = Ref::Make(5, PageKind::kTrieLeaf, 100, 1);
  CHECK_FALSE(check());
  reset();
  sound[3] = Ref::Make(5, PageKind::kTrieDir, 256, 1, 5);
  CHECK_FALSE(check());
  reset();
  sound[3] = Ref::Make(5, PageKind::kTrieDir, sizeof(Ref) << 10, 1, 10);
  CHECK_FALSE(check());
  reset();
  sound[1] = sound[2] = Ref::Make(5, PageKind::kTrieLeaf, 128, 1);  // adjacent, but not aligned
  CHECK_FALSE(check());
  const auto with_bits = [&](unsigned bits) {
    return Ref::Make(self.cell(), PageKind::kTrieDir, self.size(), 1, static_cast<uint16_t>(bits));
  };
  CHECK_FALSE(CheckTrieDir(trie.arena().Resolve(self), with_bits(self.aux() + 1u)));
  CHECK_FALSE(CheckTrieDir(trie.arena().Resolve(self), with_bits(60)));
}

TEST_CASE("the children of a page are visited once each") {
  TrieFixture trie;
  FillLeaf(&trie);
  std::vector<PageKind> kinds;
  VisitTrieLeaf(trie.arena().Resolve(trie.root()), trie.root(),
                [&](const Ref& ref) { kinds.push_back(ref.kind()); });
  std::sort(kinds.begin(), kinds.end());
  CHECK(kinds == std::vector<PageKind>{PageKind::kValue, PageKind::kValue, PageKind::kRope});

  TrieFixture larger;
  for (int i = 0; i < 3'000; ++i) larger.Put("key" + std::to_string(i), "a value of some length");
  REQUIRE(larger.root().kind() == PageKind::kTrieDir);
  uint64_t children = 0;
  VisitTrieDir(larger.arena().Resolve(larger.root()), larger.root(),
               [&](const Ref&) { ++children; });
  const TrieStats stats = larger.Stats();
  REQUIRE(stats.dirs == 1);
  CHECK(children == stats.leaves);
}

TEST_CASE("what was deleted or replaced is zero in the page") {
  TrieFixture trie;
  for (int i = 0; i < 40; ++i) trie.Put("key" + std::to_string(i), "SECRET" + std::string(30, 's'));
  for (int i = 0; i < 40; ++i) {
    if (i % 2 == 0) trie.Erase("key" + std::to_string(i));
    if (i % 2 == 1)
      trie.Put("key" + std::to_string(i), i % 4 == 1 ? "short" : std::string(50, 'l'));
  }
  size_t leaves = 0;
  const auto search = [&](const Ref& leaf) {
    ++leaves;
    const ByteView page(trie.arena().Resolve(leaf), leaf.size());
    CHECK(page.find("SECRET") == ByteView::npos);
    CHECK(page.find("ssss") == ByteView::npos);
  };
  if (trie.root().kind() == PageKind::kTrieLeaf) {
    search(trie.root());
  } else {
    VisitTrieDir(trie.arena().Resolve(trie.root()), trie.root(), search);
  }
  CHECK(leaves > 0);
  CHECK(trie.Audit() == "");
}

TEST_CASE("the audit of a hash trie sees each kind of damage") {
  TrieFixture trie;
  for (int i = 0; i < 400; ++i) trie.Put("key" + std::to_string(i), "a value of some length");
  const TriePlace place = trie.reader().Find(trie.Key("key7"))->place;
  char* leaf = trie.arena().ResolveMutable(place.leaf);
  const auto damaged_at = [&](size_t at, int change) {
    leaf[at] = static_cast<char>(leaf[at] ^ change);
    const std::string error = trie.reader().Validate(trie.secret());
    leaf[at] = static_cast<char>(leaf[at] ^ change);
    REQUIRE(trie.reader().Validate(trie.secret()) == "");
    return error;
  };
  const size_t entry = TrieOffset(leaf, place.slot);
  CHECK(damaged_at(sizeof(TrieLeafHeader) + place.slot, 1).find("T2") != std::string::npos);
  CHECK(damaged_at(6, 1).find("T1") != std::string::npos);
  CHECK(damaged_at(entry + sizeof(TrieEntryHeader), 1) != "");  // another key
  CHECK(damaged_at(place.leaf.size() - 1, 1) != "");  // tail, or an entry's data unless it is value
  CHECK(damaged_at(2, 1) != "");                      // garbage
  CHECK(damaged_at(4, 1) != "");                      // count
  CHECK(damaged_at(7, 1) != "");                      // reserved
}

}  // namespace
}  // namespace verso::storage
