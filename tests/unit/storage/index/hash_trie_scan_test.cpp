// Goal: a scan returns each entry that is there throughout exactly once, and none twice, however
// the trie splits, merges and moves between two steps; in a pinned version it is exact. Method:
// some keys stay, others come and go in large numbers between the steps.
#include <map>
#include <random>
#include <set>

#include "tests/unit/storage/index/hash_trie_fixture.h"

namespace verso::storage {
namespace {

std::string Stays(int i) { return "stays:" + std::to_string(i); }
std::string Passes(int i) { return "passes:" + std::to_string(i); }

TEST_CASE("a scan of a still trie visits everything once, in steps of whole leaves") {
  for (const int keys : {1, 10, 33, 500, 20'000}) {
    TrieFixture trie;
    for (int i = 0; i < keys; ++i) trie.Put(Stays(i), "v");
    for (const size_t count : {1, 10, 1000}) {
      std::set<std::string> seen;
      uint64_t cursor = 0;
      uint64_t last = 0;
      do {
        size_t visited = 0;
        cursor = trie.reader().Scan(cursor, count, trie.secret(), [&](const TrieEntry& entry) {
          ++visited;
          REQUIRE(seen.insert(entry.KeyCopy(trie.arena())).second);
        });
        REQUIRE(visited < count + 33);
        REQUIRE((cursor == 0 || (cursor > last && visited >= count)));
        last = cursor;
      } while (cursor != 0);
      CHECK(seen.size() == static_cast<size_t>(keys));
    }
  }
}

TEST_CASE("a scan misses nothing and repeats nothing while the trie grows and shrinks") {
  for (uint32_t seed = 1; seed <= 6; ++seed) {
    INFO("seed " << seed);
    TrieFixture trie;
    std::mt19937 random(seed);
    for (int i = 0; i < 2'000; ++i) trie.Put(Stays(i), "v");
    int passing = 0;
    if (seed % 2 == 0) {
      for (; passing < 30'000; ++passing) trie.Put(Passes(passing), "a value of some length");
    }
    std::map<std::string, int> seen;
    uint64_t cursor = 0;
    do {
      cursor = trie.reader().Scan(cursor, 50, trie.secret(), [&](const TrieEntry& entry) {
        ++seen[entry.KeyCopy(trie.arena())];
      });
      // Odd seeds grow by a lot, even seeds shrink, both with jumps.
      const int target = random() % 30'000;
      for (; passing < target && seed % 2 == 1; ++passing) trie.Put(Passes(passing), "value");
      for (int stop = passing - 900; passing > std::max(0, stop) && seed % 2 == 0;) {
        REQUIRE(trie.Erase(Passes(--passing)));
      }
      trie.Put(Stays(static_cast<int>(random() % 2'000)), std::string(random() % 100, 'x'));
      REQUIRE(trie.reader().Validate(trie.secret()) == "");
    } while (cursor != 0);
    for (const auto& [key, times] : seen) REQUIRE(times == 1);
    for (int i = 0; i < 2'000; ++i) REQUIRE(seen[Stays(i)] == 1);
  }
}

TEST_CASE("a scan of a pinned version shows that version exactly") {
  TrieFixture trie;
  for (int i = 0; i < 5'000; ++i) trie.Put(Stays(i), "old");
  const auto pin = trie.store().PinForRead(trie.line(), 0);
  std::set<std::string> seen;
  uint64_t cursor = 0;
  int next = 0;
  do {
    for (int i = 0; i < 200 && next < 5'000; ++i, ++next) {
      REQUIRE(trie.Erase(Stays(next)));
      trie.Put(Passes(next), "new");
    }
    cursor = TrieReader(trie.arena(), trie.RootOf(pin.root()))
                 .Scan(cursor, 100, trie.secret(), [&](const TrieEntry& entry) {
                   REQUIRE(entry.value.bytes == "old");
                   REQUIRE(seen.insert(entry.KeyCopy(trie.arena())).second);
                 });
  } while (cursor != 0);
  CHECK(seen.size() == 5'000);
  CHECK(trie.Audit() == "");
}

TEST_CASE("a scan goes on behind equal hashes and at both ends of hash space") {
  TrieFixture trie = TrieFixture::WithoutSecret();
  std::set<std::string> expected;
  for (uint64_t i = 0; i < 100; ++i) expected.insert(CollidingKey(i));
  for (const uint64_t hash :
       {uint64_t{0}, uint64_t{1}, ~uint64_t{0}, ~uint64_t{0} - 1, uint64_t{1} << 63}) {
    expected.insert(KeyWithHash(hash));
  }
  for (uint64_t i = 0; i < 40; ++i) expected.insert(KeyWithHash(~uint64_t{0} - (i << 2)));
  for (const std::string& key : expected) trie.Put(key, "a value to fill the leaf");
  REQUIRE(trie.Audit() == "");
  std::set<std::string> seen;
  uint64_t cursor = 0;
  do {
    cursor = trie.reader().Scan(cursor, 1, trie.secret(), [&](const TrieEntry& entry) {
      REQUIRE(seen.insert(entry.KeyCopy(trie.arena())).second);
    });
  } while (cursor != 0);
  CHECK(seen == expected);
  // Any number is a cursor.
  trie.reader().Scan(~uint64_t{0}, 10, trie.secret(), [&](const TrieEntry& entry) {
    CHECK(entry.KeyHash(trie.secret()) == ~uint64_t{0});
  });
}

}  // namespace
}  // namespace verso::storage
