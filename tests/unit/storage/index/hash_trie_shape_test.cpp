// Goal: the trie grows and shrinks as drawn: no key lost, nothing left behind, and hashes that
// agree in many bits or in all of them are a matter of cost, not of correctness. Method: many keys
// in and out; keys made for chosen hashes (hash_trie_fixture.h), under an all-zero secret.
#include <algorithm>
#include <random>
#include <vector>

#include "tests/unit/storage/index/hash_trie_fixture.h"

namespace verso::storage {
namespace {

std::string NameOf(size_t i) {
  char name[24];
  std::snprintf(name, sizeof(name), "key:%012zu", i);
  return name;
}

TEST_CASE("chosen hashes are what the keys have") {
  const TrieFixture trie = TrieFixture::WithoutSecret();
  for (const uint64_t hash :
       {uint64_t{0}, uint64_t{1}, ~uint64_t{0}, uint64_t{0x123456789abcdef}}) {
    REQUIRE(trie.Key(KeyWithHash(hash)).hash == hash);
  }
  REQUIRE(trie.Key(CollidingKey(1)).hash == trie.Key(CollidingKey(2)).hash);
}

TEST_CASE("a hash trie grows to 300,000 keys and shrinks to nothing") {
  TrieFixture trie;
  const size_t keys = 300'000;
  const size_t before = trie.arena().bytes_allocated();
  for (size_t i = 0; i < keys; ++i) {
    trie.Put(NameOf(i), NameOf(i));
    if (i == 10 || i == 100 || i == 1'000 || i == 10'000 || i == 100'000) {
      REQUIRE(trie.Stats().entries == i + 1);
    }
  }
  const TrieStats full = trie.Stats();
  CHECK(full.entries == keys);
  const double bytes_per_key = static_cast<double>(trie.arena().bytes_allocated() - before) / keys;
  CHECK(bytes_per_key < 52);
  for (size_t i = 0; i < keys; ++i) REQUIRE(trie.Get(NameOf(i)) == NameOf(i));

  std::vector<size_t> order(keys);
  for (size_t i = 0; i < keys; ++i) order[i] = i;
  std::shuffle(order.begin(), order.end(), std::mt19937(5));
  for (size_t i = 0; i < keys; ++i) {
    REQUIRE(trie.Erase(NameOf(order[i])));
    const size_t left = keys - 1 - i;
    if (left == 100'000 || left == 10'000 || left == 1'000 || left == 100 || left == 10) {
      const TrieStats stats = trie.Stats();
      REQUIRE(stats.entries == left);
      // What is left is no emptier than merging allows: leaves and directories together.
      CHECK(stats.leaf_bytes + stats.dir_bytes <= left * 160 + 512);
    }
  }
  CHECK(trie.root().null());
  trie.store().DrainBackground();
  CHECK(trie.arena().bytes_allocated() == before);
  CHECK(trie.Audit() == "");
}

TEST_CASE("a key coming and going at a threshold moves no page again and again") {
  TrieFixture trie;
  for (size_t i = 0; i < 20'000; ++i) trie.Put(NameOf(i), "0123456789abcdef");
  const TrieStats before = trie.Stats();
  trie.Put("another", "0123456789abcdef");
  const Ref leaf = trie.reader().Find(trie.Key("another"))->place.leaf;
  for (int i = 0; i < 100; ++i) {
    REQUIRE(trie.Erase("another"));
    trie.Put("another", "0123456789abcdef");
    REQUIRE(trie.reader().Find(trie.Key("another"))->place.leaf == leaf);
  }
  CHECK(trie.Stats().leaves - before.leaves <= 1);
}

TEST_CASE("hashes that agree in many bits make the trie deep, and erasing makes it flat again") {
  TrieFixture trie = TrieFixture::WithoutSecret();
  const size_t before = trie.arena().bytes_allocated();
  for (const unsigned equal_bits : {9u, 10u, 11u, 17u, 30u, 50u, 58u}) {
    std::vector<std::string> keys;
    for (uint64_t i = 0; i < 60; ++i) {
      // 60 hashes that agree in exactly the first `equal_bits`, then differ in the next six.
      const uint64_t differing = i << 58 >> equal_bits;
      const uint64_t prefix = 0xa5a5a5a5a5a5a5a5 & ~(~uint64_t{0} >> equal_bits);
      keys.push_back(KeyWithHash(prefix | differing));
    }
    for (const std::string& key : keys) {
      trie.Put(key, key);
      REQUIRE(trie.Audit() == "");
    }
    CHECK(trie.Stats().leaves > 2);
    for (const std::string& key : keys) REQUIRE(trie.Get(key) == key);
    std::shuffle(keys.begin(), keys.end(), std::mt19937(equal_bits));
    for (size_t i = 0; i < keys.size(); ++i) {
      REQUIRE(trie.Erase(keys[i]));
      REQUIRE(trie.Audit() == "");
      if (keys.size() - 1 - i == 4) CHECK(trie.root().kind() == PageKind::kTrieLeaf);
    }
    CHECK(trie.root().null());
    CHECK(trie.arena().bytes_allocated() == before);
  }
}

TEST_CASE(
    "keys of one hash share a leaf that grows as far as it can, then the next one is refused") {
  TrieFixture trie = TrieFixture::WithoutSecret();
  const size_t before = trie.arena().bytes_allocated();
  const bool among_others = GENERATE(false, true);
  if (among_others) {
    for (size_t i = 0; i < 5'000; ++i) trie.Put(NameOf(i), "other");
  }
  const std::string value(100, 'v');
  for (uint64_t i = 0; i < kTrieEntriesMax; ++i) {
    REQUIRE(trie.Put(CollidingKey(i), value).outcome == TriePutOutcome::kInserted);
    if (i % 16 == 0) REQUIRE(trie.Audit() == "");
  }
  const Ref root = trie.root();
  CHECK(trie.Put(CollidingKey(1000), value).outcome == TriePutOutcome::kRefused);
  CHECK(trie.root() == root);
  CHECK(trie.Put(CollidingKey(1000, 129), value).outcome == TriePutOutcome::kInserted);
  CHECK(trie.Get(CollidingKey(1000)) == std::nullopt);
  CHECK(trie.Erase(CollidingKey(1000, 129)));
  for (uint64_t i = 0; i < kTrieEntriesMax; ++i) REQUIRE(trie.Get(CollidingKey(i)) == value);
  // Replacing is possible in a full leaf; so is another key that hashes elsewhere.
  CHECK(trie.Put(CollidingKey(7), std::string(128, 'w')).outcome == TriePutOutcome::kReplaced);
  CHECK(trie.Put("elsewhere", value).outcome == TriePutOutcome::kInserted);
  CHECK(trie.Audit() == "");
  CHECK(trie.Erase("elsewhere"));
  for (uint64_t i = 0; i < kTrieEntriesMax; ++i) {
    REQUIRE(trie.Erase(CollidingKey(i)));
    if (i % 16 == 0) REQUIRE(trie.Audit() == "");
  }
  if (among_others) {
    for (size_t i = 0; i < 5'000; ++i) REQUIRE(trie.Erase(NameOf(i)));
  }
  CHECK(trie.root().null());
  trie.store().DrainBackground();
  CHECK(trie.arena().bytes_allocated() == before);
}

TEST_CASE("a leaf of equal hashes is refused by bytes before it is full by count") {
  TrieFixture trie = TrieFixture::WithoutSecret();
  const std::string value(kTrieInlineBytesMax, 'v');
  size_t inserted = 0;
  while (trie.Put(CollidingKey(inserted, 128), value, 1).outcome == TriePutOutcome::kInserted) {
    ++inserted;
  }
  CHECK(inserted < kTrieEntriesMax);
  CHECK(inserted > 200);
  CHECK(trie.Audit() == "");
  for (size_t i = 0; i < inserted; ++i) REQUIRE(trie.Get(CollidingKey(i, 128)) == value);
}

}  // namespace
}  // namespace verso::storage
