// Goal: each call of the hash trie does what its contract says, one entry at a time.
// Method: small tries made by hand; thresholds are tried on both sides.
#include "storage/index/hash_trie.h"

#include <set>

#include "tests/unit/storage/index/hash_trie_fixture.h"

namespace verso::storage {
namespace {

std::string Filled(size_t bytes, char with) { return std::string(bytes, with); }

TEST_CASE("the empty hash trie is the null reference") {
  TrieFixture trie;
  CHECK(trie.Get("a") == std::nullopt);
  CHECK_FALSE(trie.Erase("a"));
  CHECK_FALSE(trie.writer().Mutate(trie.Key("a")));
  CHECK_FALSE(trie.writer().SetDeadline(trie.Key("a"), 1));
  CHECK_FALSE(trie.reader().Random(7));
  CHECK(trie.reader().Scan(0, 10, trie.secret(), [](const TrieEntry&) { FAIL(); }) == 0);
  const TrieKey key = trie.Key("a");
  trie.reader().Prefetch(&key, 1);
  const size_t before = trie.arena().bytes_allocated();
  trie.Put("a", "1");
  CHECK(trie.arena().bytes_allocated() > before);
  CHECK(trie.Erase("a"));
  CHECK(trie.root().null());
  CHECK(trie.arena().bytes_allocated() == before);
}

TEST_CASE("keys and values of every length come back from the hash trie") {
  TrieFixture trie;
  const size_t before = trie.arena().bytes_allocated();
  const size_t lengths[] = {0, 1, 16, 127, 128, 129, 255, 256, 8191, 8192};
  for (const size_t key_bytes : {0, 1, 127, 128, 129, 256, 8192, 8193, 70000}) {
    const std::string key = Filled(key_bytes, 'k');
    for (const size_t bytes : lengths) {
      const std::string value = Filled(bytes, 'v');
      trie.Put(key, value, bytes % 2 == 0 ? kNoDeadline : 1000 + bytes);
      REQUIRE(trie.Get(key) == value);
      const auto entry = trie.reader().Find(trie.Key(key));
      CHECK(entry->value.deadline_ms == (bytes % 2 == 0 ? kNoDeadline : 1000 + bytes));
      CHECK(entry->value.external == (bytes > kTrieInlineBytesMax));
      CHECK(entry->key_external == (key_bytes > kTrieInlineBytesMax));
      CHECK(entry->KeyLength(trie.arena()) == key_bytes);
      CHECK(entry->KeyCopy(trie.arena()) == key);
      REQUIRE(trie.Audit() == "");
    }
  }
  for (const size_t key_bytes : {0, 1, 127, 128, 129, 256, 8192, 8193, 70000}) {
    CHECK(trie.Erase(Filled(key_bytes, 'k')));
    CHECK_FALSE(trie.Erase(Filled(key_bytes, 'k')));
    REQUIRE(trie.Audit() == "");
  }
  trie.store().DrainBackground();
  CHECK(trie.arena().bytes_allocated() == before);
}

TEST_CASE("Put reports what was there, and where the entry is") {
  TrieFixture trie;
  TriePutResult put = trie.Put("k", "inline", 5, 77);
  CHECK(put.outcome == TriePutOutcome::kInserted);
  CHECK(*trie.arena().Clock(put.place.leaf, put.place.slot) == 77);

  ValueView list = trie.Value(Filled(300, 'x'));
  list.type = ValueType::kList;
  list.hint = 9;
  put = trie.writer().Put(trie.Key("k"), list, 78);
  CHECK(put.outcome == TriePutOutcome::kReplaced);
  CHECK(put.previous.type == ValueType::kString);
  CHECK(put.previous.deadline_ms == 5);
  CHECK(put.previous.value.null());
  CHECK(*trie.arena().Clock(put.place.leaf, put.place.slot) ==
        77);  // a replaced entry keeps its clock

  const auto entry = trie.reader().Find(trie.Key("k"));
  REQUIRE(entry);
  CHECK(entry->place.leaf == put.place.leaf);
  CHECK(entry->place.slot == put.place.slot);
  CHECK(entry->value.type == ValueType::kList);
  CHECK(entry->value.hint == 9);
  CHECK(entry->value.deadline_ms == kNoDeadline);

  put = trie.writer().Put(trie.Key("k"), TrieFixture::Inline("short"), 0);
  CHECK(put.previous.type == ValueType::kList);
  CHECK(put.previous.hint == 9);
  CHECK(put.previous.value == list.ref);
  trie.line().Retire(put.previous.value);
  CHECK(trie.Audit() == "");
}

TEST_CASE("a value of the same layout is overwritten where it stands") {
  TrieFixture trie;
  trie.Put("k", "12345", 9);
  const Ref before = trie.root();
  trie.Put("k", "abcde", 10);
  CHECK(trie.root() == before);
  CHECK(trie.Get("k") == "abcde");
  CHECK(trie.Stats().garbage_bytes == 0);
}

TEST_CASE("a value may be put that lies in the trie itself") {
  TrieFixture trie;
  for (int i = 0; i < 200; ++i) {
    trie.Put("from" + std::to_string(i), Filled(60, static_cast<char>('a' + i % 26)));
    const auto from = trie.reader().Find(trie.Key("from" + std::to_string(i)));
    REQUIRE(from);
    trie.Reserve();
    trie.writer().Put(trie.Key("to" + std::to_string(i)), from->value, 0);
    REQUIRE(trie.Get("to" + std::to_string(i)) == Filled(60, static_cast<char>('a' + i % 26)));
  }
  CHECK(trie.Audit() == "");
}

TEST_CASE("deadlines come, change and go") {
  TrieFixture trie;
  for (int i = 0; i < 100; ++i) trie.Put("key" + std::to_string(i), "value", kNoDeadline, 3);
  for (int i = 0; i < 100; ++i) {
    const std::string key = "key" + std::to_string(i);
    trie.Reserve();
    CHECK(trie.writer().SetDeadline(trie.Key(key), 100) == kNoDeadline);
    CHECK(trie.reader().Find(trie.Key(key))->value.deadline_ms == 100);
    CHECK(trie.writer().SetDeadline(trie.Key(key), 200) == 100);
    CHECK(trie.reader().Find(trie.Key(key))->value.deadline_ms == 200);
    if (i % 2 == 0) {
      CHECK(trie.writer().SetDeadline(trie.Key(key), kNoDeadline) == 200);
      CHECK(trie.reader().Find(trie.Key(key))->value.deadline_ms == kNoDeadline);
    }
    CHECK(trie.Get(key) == "value");
    const TriePlace place = trie.reader().Find(trie.Key(key))->place;
    CHECK(*trie.arena().Clock(place.leaf, place.slot) == 3);
  }
  CHECK(trie.writer().SetDeadline(trie.Key("none"), 1) == std::nullopt);
  CHECK(trie.Audit() == "");
}

TEST_CASE("Mutate lets a value be changed in place") {
  TrieFixture trie;
  trie.Put("inline", "12345", 8);
  trie.Put("external", Filled(500, 'x'));
  auto value = trie.writer().Mutate(trie.Key("inline"));
  REQUIRE(value);
  CHECK(value->ref == nullptr);
  CHECK(value->header->value_bytes == 5);
  CHECK(value->deadline_ms == 8);
  std::memcpy(value->bytes, "abcde", 5);
  CHECK(trie.Get("inline") == "abcde");

  const auto pin = trie.store().PinForRead(trie.line(), 0);
  value = trie.writer().Mutate(trie.Key("external"));
  REQUIRE(value);
  CHECK(value->bytes == nullptr);
  trie.line().Writable(value->ref)[0] = 'y';
  CHECK(trie.Get("external") == "y" + Filled(499, 'x'));
  const auto old = TrieReader(trie.arena(), trie.RootOf(pin.root())).Find(trie.Key("external"));
  REQUIRE(old);
  CHECK(trie.Bytes(old->value) == Filled(500, 'x'));
  CHECK_FALSE(trie.writer().Mutate(trie.Key("none")));
  CHECK(trie.Audit() == "");
}

TEST_CASE("FindByHash finds the keys with exactly this hash") {
  TrieFixture trie;
  for (int i = 0; i < 1000; ++i) trie.Put("key" + std::to_string(i), "v", i % 3 == 0 ? 50 : 60);
  for (int i = 0; i < 1000; ++i) {
    const std::string key = "key" + std::to_string(i);
    const auto found = trie.reader().FindByHash(
        trie.Key(key).hash, trie.secret(),
        [](const TrieEntry& entry) { return entry.value.deadline_ms == 50; });
    CHECK(found.has_value() == (i % 3 == 0));
    if (found) CHECK(found->KeyCopy(trie.arena()) == key);
  }
  const auto nothing = [](const TrieEntry&) { return true; };
  CHECK_FALSE(trie.reader().FindByHash(trie.Key("other").hash, trie.secret(), nothing));
}

TEST_CASE("reading the hash trie under a pin copies nothing, writing copies each page once") {
  TrieFixture trie;
  for (int i = 0; i < 5000; ++i) trie.Put("key" + std::to_string(i), "value");
  const TrieStats stats = trie.Stats();
  const auto pin = trie.store().PinForRead(trie.line(), 0);
  trie.writer();  // copies the line's root
  const uint64_t before = trie.store().stats().pages_copied;
  std::vector<std::string> names;
  std::vector<TrieKey> keys;
  for (int i = 0; i < 5000; ++i) names.push_back("key" + std::to_string(i));
  for (const std::string& name : names) keys.push_back(trie.Key(name));
  trie.reader().Prefetch(keys.data(), keys.size());
  for (const std::string& name : names) CHECK(trie.Get(name) == "value");
  CHECK_FALSE(trie.Erase("none"));
  CHECK(trie.writer().SetDeadline(trie.Key("key1"), kNoDeadline) == kNoDeadline);
  CHECK(trie.store().stats().pages_copied == before);
  CHECK(trie.root() == trie.RootOf(pin.root()));

  for (int round = 0; round < 2; ++round) {
    for (const std::string& name : names) trie.Put(name, "VALUE");
    CHECK(trie.store().stats().pages_copied - before == stats.leaves + stats.dirs);
  }
  uint64_t old_values = 0;
  TrieReader(trie.arena(), trie.RootOf(pin.root())).ForEach([&](const TrieEntry& entry) {
    old_values += entry.value.bytes == "value";
  });
  CHECK(old_values == 5000);
  CHECK(trie.Audit() == "");
}

TEST_CASE("Random reaches every entry") {
  TrieFixture trie;
  for (int i = 0; i < 300; ++i) trie.Put("key" + std::to_string(i), "v");
  std::set<std::string> seen;
  for (uint64_t i = 0; i < 60'000 && seen.size() < 300; ++i) {
    const auto entry = trie.reader().Random(Checksum64(std::to_string(i)));
    REQUIRE(entry);
    seen.insert(entry->KeyCopy(trie.arena()));
  }
  CHECK(seen.size() == 300);
}

}  // namespace
}  // namespace verso::storage
