// Goal: a payload becomes what it says, or nothing is changed. Method: samples of every type and
// encoding are restored and compared, by digest, with what the type's own writers make; what was
// restored is dumped and restored again; and payloads with one fault each are refused.
#include "persistence/rdb/dump_payload.h"

#include <catch2/catch.hpp>
#include <random>

#include "storage/types/hash_value.h"
#include "storage/types/list.h"
#include "storage/types/set_value.h"
#include "storage/types/stream_value.h"
#include "storage/types/zset.h"
#include "tests/support/rdb_samples.h"
#include "tests/support/restore_store.h"

namespace verso::persistence {
namespace {

using storage::KeyEvent;
using storage::StreamId;
using storage::StreamView;

constexpr KeyEvent kEvent{"test", 'g'};
constexpr const char* kKey = "key";

// What a sample must become, made at the key.
void Expect(RestoreStore& store, const std::string& type, const std::vector<std::string>& items) {
  storage::WriteView view = store.View();
  const storage::Key key = view.MakeKey(kKey);
  REQUIRE(view.store().ReserveForWrite(1 << 22, 64));
  const std::vector<ByteView> views(items.begin(), items.end());
  if (type == "string") view.SetString(key, std::string(2000, 's') + "end", {}, kEvent);
  if (type == "integer") view.SetString(key, "-13", {}, kEvent);
  if (type == "list") {
    storage::ListWriter list(view, key, std::nullopt, store.limits());
    list.Push(storage::ListEnd::kTail, views);
    list.Finish(kEvent);
  }
  if (type == "set" || type == "integers") {
    storage::SetWriter set(view, key, std::nullopt, store.limits());
    for (const std::string& member : type == "set" ? items : SampleIntegers()) set.Add(member);
    set.Finish(kEvent);
  }
  if (type == "hash") {
    storage::HashWriter hash(view, key, std::nullopt, store.limits());
    for (size_t i = 0; i < items.size(); ++i) hash.Set(items[i], items[items.size() - 1 - i]);
    hash.Finish(kEvent);
  }
  if (type == "zset") {
    storage::ZsetWriter zset(view, key, std::nullopt, store.limits());
    for (size_t i = 0; i < items.size(); ++i) {
      zset.Set(items[i], std::strtod(SampleScore(i).c_str(), nullptr));
    }
    zset.Finish(kEvent);
  }
}

void ExpectStream(RestoreStore& store, int version) {
  storage::WriteView view = store.View();
  const storage::Key key = view.MakeKey(kKey);
  REQUIRE(view.store().ReserveForWrite(1 << 22, 64));
  storage::StreamWriter stream(view, key, std::nullopt);
  stream.Append({100, 1}, std::vector<ByteView>{"f", "v"});
  stream.Append({100, 3}, std::vector<ByteView>{"f", "w", "n", "7"});
  stream.Append({105, 0}, std::vector<ByteView>{"f", "1000"});
  stream.SetLast({106, 9});
  if (version >= 2) stream.SetEntriesAdded(20);
  if (version >= 2) stream.SetDeleted({100, 2});
  // From the first version on, what a group has read is not told: unknown behind the first entry.
  stream.CreateGroup("g", {100, 3}, version >= 2 ? 18 : storage::kEntriesReadUnknown);
  storage::StreamGroupWriter group = *stream.Group("g");
  group.CreateConsumer("one", 7000);
  group.SetSeen("one", 7000, version >= 3 ? 6500 : 7000);
  group.CreateConsumer("two", 8000);
  if (version < 3) group.SetSeen("two", 8000, 8000);
  group.Deliver({100, 1}, "one", 5000, 1);
  group.Deliver({100, 3}, "one", 6000, 70);
  stream.Finish(kEvent);
}

// The seen and active times of a consumer, which digests leave out.
std::pair<uint64_t, uint64_t> TimesOf(RestoreStore& store, ByteView consumer) {
  const storage::WriteView view = store.View();
  const StreamView stream(view.arena(), *view.Find(view.MakeKey(kKey)));
  const auto group = stream.FindGroup(view.secret(), "g");
  REQUIRE(group.has_value());
  const auto found = stream.FindConsumer(view.secret(), *group, consumer);
  REQUIRE(found.has_value());
  return {found->seen_ms, found->active_ms};
}

TEST_CASE("a value of every type and encoding becomes what it says") {
  RestoreStore expected;
  RestoreStore store;
  for (const bool small : {false, true}) {
    const std::vector<std::string> items = small ? SmallSampleItems() : SampleItems();
    for (const RdbSample& sample : RdbSamples(items)) {
      INFO(sample.name << (small ? ", small" : ""));
      expected.Flush();
      store.Flush();
      if (std::string(sample.type) == "stream") {
        ExpectStream(expected, sample.name.back() - '0');
      } else {
        Expect(expected, sample.type, items);
      }
      const Status restored = store.Restore(sample.body, kKey);
      if (!restored) FAIL(restored.error().context);
      CHECK(store.DigestOfAll() == expected.DigestOfAll());
      CHECK(store.Audit() == "");
      // Over a value that is there.
      REQUIRE(store.Restore(sample.body, kKey).has_value());
      CHECK(store.DigestOfAll() == expected.DigestOfAll());
      CHECK(store.Audit() == "");
      // What was restored is dumped, and becomes the same.
      const std::string payload = store.Dump(kKey);
      const Result<ByteView> opened = OpenDump(payload);
      REQUIRE(opened.has_value());
      store.Flush();
      REQUIRE(store.Restore(*opened, kKey).has_value());
      if (sample.name != "stream, version 2" && sample.name != "stream, version 3") {
        CHECK(store.DigestOfAll() == expected.DigestOfAll());
      }
      CHECK(store.Dump(kKey).size() == payload.size());
      CHECK(store.Audit() == "");
    }
  }
}

TEST_CASE("the numbers of a stream and the times of its consumers") {
  for (const int version : {1, 2, 3}) {
    RestoreStore store;
    REQUIRE(store.Restore(SampleStream(version), kKey).has_value());
    CHECK(TimesOf(store, "one") == std::pair<uint64_t, uint64_t>(7000, version == 3 ? 6500 : 7000));
    CHECK(TimesOf(store, "two") ==
          std::pair<uint64_t, uint64_t>(8000, version == 3 ? storage::kNeverActive : 8000));
    const storage::WriteView view = store.View();
    const StreamView stream(view.arena(), *view.Find(view.MakeKey(kKey)));
    CHECK(stream.entries_added() == (version == 1 ? 3 : 20));
    CHECK(stream.last() == StreamId{106, 9});
    CHECK(stream.deleted() == (version == 1 ? StreamId{} : StreamId{100, 2}));
  }
}

// ---- large values, in pieces

TEST_CASE("large values of every type are dumped in pieces and restored the same") {
  std::mt19937_64 random(3);
  RestoreStore store;
  storage::WriteView view = store.View();
  REQUIRE(view.store().ReserveForWrite(size_t{64} << 20, 40'000));
  const storage::Key string = view.MakeKey("string");
  view.SetString(string, std::string(100'000, 'a'), {}, kEvent);
  const storage::Key list_key = view.MakeKey("list");
  const storage::Key set_key = view.MakeKey("set");
  const storage::Key hash_key = view.MakeKey("hash");
  const storage::Key zset_key = view.MakeKey("zset");
  const storage::Key stream_key = view.MakeKey("stream");
  {
    storage::ListWriter list(view, list_key, std::nullopt, store.limits());
    storage::SetWriter set(view, set_key, std::nullopt, store.limits());
    storage::HashWriter hash(view, hash_key, std::nullopt, store.limits());
    storage::ZsetWriter zset(view, zset_key, std::nullopt, store.limits());
    storage::StreamWriter stream(view, stream_key, std::nullopt);
    for (uint64_t i = 0; i < 3000; ++i) {
      const std::string text = std::to_string(random() % 1'000'000) + std::string(i % 40, 'x') +
                               std::string(i % 500 == 7 ? 30'000 : 0, 'y');
      const ByteView element = text;
      list.Push(storage::ListEnd::kTail, {&element, 1});
      set.Add(text);
      hash.Set(text, std::string(i % 700 == 3 ? 20'000 : i % 20, 'v'));
      zset.Set(text, i == 5 ? -0.0 : static_cast<double>(random() % 1000) / 8 - 20);
      // Entries with the same fields and with others.
      const std::string number = std::to_string(i);
      std::vector<ByteView> fields = {"field", text, "number", number};
      if (i % 90 == 5) fields.resize(2);
      stream.Append({1000 + i / 3, i % 3}, fields);
    }
    stream.CreateGroup("group", stream.last(), stream.count());
    storage::StreamGroupWriter group = *stream.Group("group");
    group.CreateConsumer("a", 1);
    group.SetSeen("a", 1, 1);
    group.CreateConsumer("b", 2);
    group.SetSeen("b", 2, 2);
    for (uint64_t i = 0; i < 1500; ++i) {
      group.Deliver({1000 + i / 3, i % 3}, i % 2 == 0 ? "a" : "b", 5 + i, 1 + i % 70'000);
    }
    stream.CreateGroup("another", {}, 0);
    list.Finish(kEvent);
    set.Finish(kEvent);
    hash.Finish(kEvent);
    zset.Finish(kEvent);
    stream.Finish(kEvent);
  }
  for (const char* name : {"string", "list", "set", "hash", "zset", "stream"}) {
    INFO(name);
    const storage::Digest digest = store.DigestOf(name);
    REQUIRE(store.Validate(name) == "");
    const std::string payload = store.Dump(name);
    REQUIRE(payload.size() > RdbValueWriter::kPieceBytes);
    const Result<ByteView> opened = OpenDump(payload);
    REQUIRE(opened.has_value());
    const Status restored = store.Restore(*opened, name);
    if (!restored) FAIL(restored.error().context);
    CHECK(store.DigestOf(name) == digest);
    CHECK(store.Validate(name) == "");
    // Two writers say the same (W1), and no piece is out of proportion.
    const storage::WriteView after = store.View();
    const auto value = after.Find(after.MakeKey(name));
    DumpWriter writer(after, *value);
    std::string again;
    std::string piece;
    for (bool more = true; more;) {
      piece.clear();
      more = writer.Next(&piece);
      CHECK(piece.size() < 5 * RdbValueWriter::kPieceBytes);
      again += piece;
    }
    CHECK(again == store.Dump(name));
    CHECK(DumpEstimate(payload, store.store().arena()) > payload.size());
  }
  CHECK(store.Audit() == "");
}

// ---- what is refused

// The fault's text; empty: it was taken.
std::string Refusal(RestoreStore& store, const std::string& body) {
  const storage::Digest before = store.DigestOfAll();
  const Status restored = store.Restore(body, kKey);
  if (restored) return "";
  CHECK(restored.error().code == ErrorCode::kCorruption);
  CHECK(store.DigestOfAll() == before);
  return restored.error().context;
}

TEST_CASE("what comes twice, is empty, or is no number is refused, and the key stays as it was") {
  RestoreStore store;
  REQUIRE(store.Restore(RdbTyped(RdbType::kString, RdbText("old")), kKey).has_value());
  const std::string a = RdbText("a");
  const std::string one = RdbFixed(1.0);
  const std::vector<std::string> bodies = {
      RdbTyped(RdbType::kSet, RdbCount(2) + a + a),
      RdbTyped(RdbType::kHash, RdbCount(2) + a + a + a + a),
      RdbTyped(RdbType::kZset2, RdbCount(2) + a + one + a + one),
      RdbTyped(RdbType::kZset2, RdbCount(2) + a + one + a + RdbFixed(2.0)),
      RdbTyped(RdbType::kHashListpack, RdbText(SampleListpack({"a", "1", "a", "2"}))),
      RdbTyped(RdbType::kHashZiplist, RdbText(SampleZiplist({"7", "1", "7", "2"}))),
      RdbTyped(RdbType::kHashZipmap, RdbText(SampleZipmap({"a", "1", "a", "2"}))),
      RdbTyped(RdbType::kSetListpack, RdbText(SampleListpack({"a", "b", "a"}))),
      RdbTyped(RdbType::kZsetListpack, RdbText(SampleListpack({"a", "1", "a", "2"}))),
      RdbTyped(RdbType::kHashListpack, RdbText(SampleListpack({"a", "1", "half"}))),
      RdbTyped(RdbType::kZsetZiplist, RdbText(SampleZiplist({"a"}))),
      RdbTyped(RdbType::kZset2, RdbCount(1) + a + RdbFixed(std::nan(""))),
      RdbTyped(RdbType::kZset, RdbCount(1) + a + "\xFD"),
      RdbTyped(RdbType::kZsetListpack, RdbText(SampleListpack({"a", "nan"}))),
      RdbTyped(RdbType::kZsetListpack, RdbText(SampleListpack({"a", "b"}))),
      RdbTyped(RdbType::kList, RdbCount(0)),
      RdbTyped(RdbType::kSet, RdbCount(0)),
      RdbTyped(RdbType::kHash, RdbCount(0)),
      RdbTyped(RdbType::kZset, RdbCount(0)),
      RdbTyped(RdbType::kListQuicklist, RdbCount(1) + RdbText(SampleZiplist({}))),
      RdbTyped(RdbType::kListQuicklist2, RdbCount(1) + RdbCount(3) + a),
      RdbTyped(RdbType::kHashListpack, RdbText(SampleListpack({}))),
      RdbTyped(RdbType::kSetIntset, RdbText(SampleIntset<int16_t>({}))),
      RdbTyped(RdbType::kList, RdbCount(2) + a),
      RdbTyped(RdbType::kList, RdbCount(~uint64_t{0}) + a),
      RdbTyped(RdbType::kString, a + "behind"),
      RdbTyped(RdbType::kString, ""),
      RdbTyped(static_cast<RdbType>(6), a),  // modules
      RdbTyped(static_cast<RdbType>(7), a),
      RdbTyped(static_cast<RdbType>(8), a),   // never was
      RdbTyped(static_cast<RdbType>(22), a),  // fields that expire
      RdbTyped(static_cast<RdbType>(255), a),
  };
  for (size_t i = 0; i < bodies.size(); ++i) {
    INFO("body " << i);
    CHECK(Refusal(store, bodies[i]) != "");
  }
  CHECK(Refusal(store, "") != "");
  CHECK(store.Audit() == "");
}

std::string Replaced(std::string in, const std::string& from, const std::string& to) {
  const size_t at = in.find(from);
  REQUIRE(at != std::string::npos);
  return in.replace(at, from.size(), to);
}

TEST_CASE("streams that contradict themselves are refused") {
  RestoreStore store;
  const std::string whole = SampleStream(3);
  REQUIRE(Refusal(store, whole) == "");
  const std::string one = RdbId(100, 1);
  const std::string three = RdbId(100, 3);
  const std::string pending = three + RdbFixed<uint64_t>(6000);
  const std::string numbers = RdbCount(3) + RdbCount(106) + RdbCount(9);
  const std::string added = RdbCount(20) + RdbCount(1) + RdbText("g");
  CHECK(Refusal(store, Replaced(whole, numbers, RdbCount(4) + RdbCount(106) + RdbCount(9))) ==
        "RDB, offset 133: a stream with a wrong count");
  CHECK(Refusal(store, Replaced(whole, numbers, RdbCount(3) + RdbCount(104) + RdbCount(9))) != "");
  CHECK(Refusal(store, Replaced(whole, added, RdbCount(2) + RdbCount(1) + RdbText("g"))) != "");
  CHECK(Refusal(store, Replaced(whole, RdbId(105, 0), RdbId(100, 2))) == "stream ids out of order");
  CHECK(Refusal(store, Replaced(whole, pending, one + RdbFixed<uint64_t>(6000))) != "");
  CHECK(Refusal(store, Replaced(whole, one + three, one + one)) != "");
  CHECK(Refusal(store, Replaced(whole, one + three, one + RdbId(100, 4))) != "");
  CHECK(Refusal(store, Replaced(whole, RdbCount(2) + one + three, RdbCount(1) + one)) != "");
  CHECK(Refusal(store, Replaced(whole, RdbText("two"), RdbText("one"))) == "a consumer twice");
  CHECK(Refusal(store, Replaced(whole, RdbText(one), RdbText("short"))) != "");
  const std::string node = whole.substr(0, whole.find(RdbText(one)) + 1 + kStreamIdBytes);
  // A node whose counts are wrong, and one whose entry is shorter than it says.
  ListpackWriter counts;
  for (const int64_t number : {2, 0, 1}) counts.AppendInteger(number);
  counts.AppendString("f");
  for (const int64_t number : {0, 2, 0, 0, 1, 4}) counts.AppendInteger(number);
  CHECK(Refusal(store, node + RdbText(std::string(counts.Finish()))) != "");
  ListpackWriter fields;
  for (const int64_t number : {1, 0, 1}) fields.AppendInteger(number);
  fields.AppendString("f");
  for (const int64_t number : {0, 0, 0, 0, -1}) fields.AppendInteger(number);
  CHECK(Refusal(store, node + RdbText(std::string(fields.Finish()))) != "");
  CHECK(store.Audit() == "");
}

TEST_CASE("few bytes do not become a stream that fills the memory") {
  // A name of 100,000 bytes, and 20,000 entries that have it: 2 GB.
  ListpackWriter node;
  constexpr int64_t kEntries = 20'000;
  for (const int64_t number : {kEntries, int64_t{0}, int64_t{1}}) node.AppendInteger(number);
  node.AppendString(std::string(100'000, 'n'));
  node.AppendInteger(0);
  for (int64_t i = 0; i < kEntries; ++i) {
    for (const int64_t number : {int64_t{2}, int64_t{0}, i, int64_t{1}, int64_t{4}}) {
      node.AppendInteger(number);
    }
  }
  const std::string body =
      RdbTyped(RdbType::kStreamListpacks,
               RdbCount(1) + RdbText(RdbId(1, 1)) + RdbText(std::string(node.Finish())) +
                   RdbCount(kEntries) + RdbCount(2) + RdbCount(0) + RdbCount(0));
  RestoreStore store;
  CHECK(Refusal(store, body) == "a stream that is all names");
  CHECK(store.Audit() == "");
}

TEST_CASE("no room is told apart from damage, and changes nothing") {
  RestoreStore store(size_t{64} << 20);
  REQUIRE(store.Restore(RdbTyped(RdbType::kString, RdbText("old")), kKey).has_value());
  // Compressed zeros: more than there is room for, in few bytes.
  const std::string zeros = RdbLzf(std::string(size_t{10} << 20, '\0'));
  std::string body = RdbTyped(RdbType::kList, RdbCount(12));
  for (int i = 0; i < 12; ++i) body += zeros;
  const storage::Digest before = store.DigestOfAll();
  const Status restored = store.Restore(body, kKey);
  REQUIRE_FALSE(restored.has_value());
  CHECK(restored.error().code == ErrorCode::kOutOfMemory);
  CHECK(store.DigestOfAll() == before);
  CHECK(store.Audit() == "");
}

TEST_CASE("a footer with a newer version or another checksum is refused") {
  const std::string body = RdbTyped(RdbType::kString, RdbText("value"));
  for (const uint16_t version : {uint16_t{1}, uint16_t{6}, kRdbVersionWritten, kRdbVersionRead}) {
    CHECK(*OpenDump(WithDumpFooter(body, version)) == body);
  }
  CHECK_FALSE(OpenDump(WithDumpFooter(body, kRdbVersionRead + 1)).has_value());
  const std::string payload = WithDumpFooter(body);
  for (size_t at = 0; at < payload.size(); ++at) {
    std::string changed = payload;
    changed[at] = static_cast<char>(changed[at] ^ 1);
    CHECK_FALSE(OpenDump(changed).has_value());
    CHECK_FALSE(OpenDump(ByteView(payload).substr(0, at)).has_value());
  }
}

}  // namespace
}  // namespace verso::persistence
