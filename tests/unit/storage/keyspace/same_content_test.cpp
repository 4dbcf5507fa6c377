// Goal: two views show the same content exactly when a reader would say so, for every type, small
// and large, and comparing two versions of a large value reads only what differs. Method: each type
// is written by two histories that end the same or differ in one place; the head is compared with
// pins of before and after.
#include "storage/keyspace/same_content.h"

#include <catch2/catch.hpp>
#include <functional>
#include <string>
#include <vector>

#include "storage/index/hash_trie_pair.h"
#include "storage/memory/store.h"
#include "storage/types/hash_value.h"
#include "storage/types/list.h"
#include "storage/types/set_value.h"
#include "storage/types/stream_value.h"
#include "storage/types/zset.h"
#include "tests/support/test_store.h"

namespace verso::storage {
namespace {

constexpr KeyEvent kEvent{"test", 'g'};

class Fixture {
 public:
  Fixture() {
    store_ = FreshStore(&clock_);
    clock_.Set(1'000'000);
  }
  ~Fixture() { REQUIRE(store_->Audit() == ""); }

  WriteView View(int db = 0) {
    REQUIRE(store_->ReserveForWrite(size_t{8} << 20, 64));
    return WriteView(*store_, store_->main(), db, clock_.NowMs());
  }
  PinHandle Pin() { return store_->PinForRead(store_->main(), clock_.NowMs()); }
  ReadView At(const PinHandle& pin) { return {*store_, pin.root(), 0, pin.moment_ms()}; }
  ManualClock& clock() { return clock_; }
  bool Same(const ReadView& a, const ReadView& b, ByteView name) {
    const bool same = SameContent(a, b, a.MakeKey(name));
    REQUIRE(same == SameContent(b, a, a.MakeKey(name)));
    return same;
  }
  // The head against a pin, and two names of the head.
  bool SameAs(const PinHandle& pin, ByteView name) { return Same(View(), At(pin), name); }
  bool SameNames(ByteView a, ByteView b) {
    const WriteView view = View();
    return SameContent(view, view.Find(view.MakeKey(a), Access::kPeek),
                       view.Find(view.MakeKey(b), Access::kPeek));
  }

  void SetString(ByteView name, ByteView value, uint64_t deadline_ms = kNoDeadline) {
    WriteView view = View();
    SetOptions options;
    options.deadline_ms = deadline_ms;
    view.SetString(view.MakeKey(name), value, options, kEvent);
  }
  void ChangeHash(ByteView name, const std::function<void(HashWriter&)>& change) {
    WriteView view = View();
    const Key key = view.MakeKey(name);
    HashWriter hash(view, key, view.FindForWrite(key), limits);
    change(hash);
    hash.Finish(kEvent);
  }
  void ChangeSet(ByteView name, const std::function<void(SetWriter&)>& change) {
    WriteView view = View();
    const Key key = view.MakeKey(name);
    SetWriter set(view, key, view.FindForWrite(key), limits);
    change(set);
    set.Finish(kEvent);
  }
  void ChangeZset(ByteView name, const std::function<void(ZsetWriter&)>& change) {
    WriteView view = View();
    const Key key = view.MakeKey(name);
    ZsetWriter zset(view, key, view.FindForWrite(key), limits);
    change(zset);
    zset.Finish(kEvent);
  }
  void ChangeList(ByteView name, const std::function<void(ListWriter&)>& change) {
    WriteView view = View();
    const Key key = view.MakeKey(name);
    ListWriter list(view, key, view.FindForWrite(key), limits);
    change(list);
    list.Finish(kEvent);
  }
  void ChangeStream(ByteView name, const std::function<void(StreamWriter&)>& change) {
    WriteView view = View();
    const Key key = view.MakeKey(name);
    StreamWriter stream(view, key, view.FindForWrite(key));
    change(stream);
    stream.Finish(kEvent);
  }

  CollectionLimits limits;

 private:
  ManualClock clock_;
  std::unique_ptr<Store> store_;
};

void Push(ListWriter& list, ByteView element) {
  list.Push(ListEnd::kTail, std::vector<ByteView>{element});
}

}  // namespace

TEST_CASE("the same content: presence, deadlines, strings of every size") {
  Fixture fixture;
  for (const size_t size : {0u, 20u, 500u, 8192u, 300'000u, 2'000'000u}) {
    fixture.SetString("key", std::string(size, 'x'));
    const PinHandle before = fixture.Pin();
    REQUIRE(fixture.SameAs(before, "key"));
    fixture.SetString("key", std::string(size, 'x') + "y");
    REQUIRE_FALSE(fixture.SameAs(before, "key"));
    fixture.SetString("key", std::string(size, 'x'));
    REQUIRE(fixture.SameAs(before, "key"));  // changed and changed back
    fixture.SetString("key", std::string(size, 'x'), 5'000'000);
    REQUIRE_FALSE(fixture.SameAs(before, "key"));
    if (size > 0) {
      WriteView view = fixture.View();
      fixture.SetString("key", std::string(size, 'x'));
      view.SetRange(view.MakeKey("key"), size / 2, "z", kEvent);
      REQUIRE_FALSE(fixture.SameAs(before, "key"));
      view.SetRange(view.MakeKey("key"), size / 2, "x", kEvent);
      REQUIRE(fixture.SameAs(before, "key"));
    }
    WriteView view = fixture.View();
    REQUIRE(view.Erase(view.MakeKey("key"), kEvent));
    REQUIRE_FALSE(fixture.SameAs(before, "key"));
    REQUIRE(fixture.SameAs(before, "no such key"));
  }
}

TEST_CASE("the same content: holes of ropes are zeros, moments decide what is there") {
  Fixture fixture;
  WriteView view = fixture.View();
  view.SetRange(view.MakeKey("a"), 3'000'000, "end", kEvent);
  fixture.SetString("b", std::string(3'000'000, '\0') + "end");
  REQUIRE(fixture.SameNames("a", "b"));
  view.SetRange(view.MakeKey("a"), 1'000'000, "x", kEvent);
  REQUIRE_FALSE(fixture.SameNames("a", "b"));

  fixture.SetString("soon", "v", 1'000'500);
  const PinHandle before = fixture.Pin();
  fixture.clock().Set(1'000'499);
  REQUIRE(fixture.SameAs(before, "soon"));
  fixture.clock().Set(1'000'500);
  REQUIRE_FALSE(fixture.SameAs(before, "soon"));
  REQUIRE(fixture.SameAs(fixture.Pin(), "soon"));  // absent in both
}

TEST_CASE("the same content: hashes and sets in all forms") {
  Fixture fixture;
  for (const int fields : {3, 100, 5000}) {
    const auto fill = [&](HashWriter& hash) {
      for (int i = 0; i < fields; ++i) hash.Set("f" + std::to_string(i), std::to_string(i * 7));
    };
    fixture.ChangeHash("hash", fill);
    fixture.ChangeSet("set", [&](SetWriter& set) {
      for (int i = 0; i < fields; ++i) set.Add("m" + std::to_string(i));
    });
    fixture.ChangeSet("integers", [&](SetWriter& set) {
      for (int i = 0; i < fields; ++i) set.Add(std::to_string(i));
    });
    const PinHandle before = fixture.Pin();
    fixture.ChangeHash("hash", [](HashWriter& hash) { hash.Set("f1", "other"); });
    REQUIRE_FALSE(fixture.SameAs(before, "hash"));
    fixture.ChangeHash("hash", [](HashWriter& hash) { hash.Erase("f1"); });
    REQUIRE_FALSE(fixture.SameAs(before, "hash"));
    fixture.ChangeHash("hash", [](HashWriter& hash) { hash.Set("g1", "7"); });
    REQUIRE_FALSE(fixture.SameAs(before, "hash"));
    fixture.ChangeHash("hash", [](HashWriter& hash) {
      hash.Erase("g1");
      hash.Set("f1", "7");
    });
    REQUIRE(fixture.SameAs(before, "hash"));  // in another order

    fixture.ChangeSet("set", [](SetWriter& set) {
      set.Remove("m1");
      set.Add("n1");
    });
    REQUIRE_FALSE(fixture.SameAs(before, "set"));
    fixture.ChangeSet("set", [](SetWriter& set) {
      set.Add("m1");
      set.Remove("n1");
    });
    REQUIRE(fixture.SameAs(before, "set"));

    fixture.ChangeSet("integers", [](SetWriter& set) { set.Add("text"); });
    REQUIRE_FALSE(fixture.SameAs(before, "integers"));
    fixture.ChangeSet("integers", [](SetWriter& set) { set.Remove("text"); });
    REQUIRE(fixture.SameAs(before, "integers"));  // an intset has become a listpack

    if (fields < 200) {  // the same contents, one packed, one large
      fixture.limits = {.hash_entries = 0, .set_integers = 0, .set_entries = 0};
      fixture.ChangeHash("large", fill);
      fixture.ChangeSet("large set", [&](SetWriter& set) {
        for (int i = 0; i < fields; ++i) set.Add("m" + std::to_string(i));
      });
      fixture.limits = {};
      REQUIRE(fixture.SameNames("hash", "large"));
      REQUIRE(fixture.SameNames("set", "large set"));
      fixture.ChangeHash("large", [](HashWriter& hash) { hash.Set("f2", "other"); });
      fixture.ChangeSet("large set", [](SetWriter& set) {
        set.Remove("m2");
        set.Add("other");
      });
      REQUIRE_FALSE(fixture.SameNames("hash", "large"));
      REQUIRE_FALSE(fixture.SameNames("set", "large set"));
      WriteView view = fixture.View();
      view.Erase(view.MakeKey("large"), kEvent);
      view.Erase(view.MakeKey("large set"), kEvent);
    }
    REQUIRE_FALSE(fixture.SameNames("hash", "set"));
  }
}

TEST_CASE("the same content: sorted sets in both forms, the sign of zero") {
  Fixture fixture;
  for (const int members : {3, 100, 5000}) {
    const auto fill = [&](ZsetWriter& zset) {
      for (int i = 0; i < members; ++i) zset.Set("m" + std::to_string(i), i % 17);
    };
    fixture.ChangeZset("zset", fill);
    const PinHandle before = fixture.Pin();
    fixture.ChangeZset("zset", [](ZsetWriter& zset) { zset.Set("m2", 99.5); });
    REQUIRE_FALSE(fixture.SameAs(before, "zset"));
    fixture.ChangeZset("zset", [](ZsetWriter& zset) { zset.Set("m2", 2); });
    REQUIRE(fixture.SameAs(before, "zset"));
    if (members < 200) {
      fixture.limits.zset_entries = 0;
      fixture.ChangeZset("large", fill);
      fixture.limits = {};
      REQUIRE(fixture.SameNames("zset", "large"));
      fixture.ChangeZset("large", [](ZsetWriter& zset) { zset.Set("m2", 2.5); });
      REQUIRE_FALSE(fixture.SameNames("zset", "large"));
      WriteView view = fixture.View();
      view.Erase(view.MakeKey("large"), kEvent);
    }
    fixture.ChangeZset("zset", [](ZsetWriter& zset) {
      zset.Erase("m0");
      zset.Set("m0", -0.0);
    });
    // A packed one has made 0 of it.
    REQUIRE(fixture.SameAs(before, "zset") == (members < 200));
  }
}

TEST_CASE("the same content: lists by position, across all shapes of their trees") {
  Fixture fixture;
  for (const int elements : {3, 100, 20'000}) {
    fixture.ChangeList("list", [&](ListWriter& list) {
      for (int i = 0; i < elements; ++i) Push(list, "element:" + std::to_string(i));
    });
    const PinHandle before = fixture.Pin();
    const uint64_t middle = static_cast<uint64_t>(elements) / 2;
    const std::string old = "element:" + std::to_string(middle);
    fixture.ChangeList("list", [&](ListWriter& list) { list.Replace(middle, "other"); });
    REQUIRE_FALSE(fixture.SameAs(before, "list"));
    fixture.ChangeList("list", [&](ListWriter& list) { list.Replace(middle, old); });
    REQUIRE(fixture.SameAs(before, "list"));
    fixture.ChangeList("list", [&](ListWriter& list) { list.Insert(middle, "new"); });
    REQUIRE_FALSE(fixture.SameAs(before, "list"));
    fixture.ChangeList("list", [&](ListWriter& list) { list.Erase(middle, 1); });
    REQUIRE(fixture.SameAs(before, "list"));
    // Many insertions split leaves which then stay split: the same list in another shape.
    const uint64_t many = static_cast<uint64_t>(elements) / 2 + 1;
    fixture.ChangeList("list", [&](ListWriter& list) {
      for (uint64_t i = 0; i < many; ++i) list.Insert(middle, std::string(40, 'i'));
    });
    fixture.ChangeList("list", [&](ListWriter& list) { list.Erase(middle, many); });
    REQUIRE(fixture.SameAs(before, "list"));
    fixture.ChangeList("list", [&](ListWriter& list) {
      list.Erase(0, 1);
      Push(list, "element:0");
    });
    REQUIRE_FALSE(fixture.SameAs(before, "list"));  // as many, but moved
    WriteView view = fixture.View();
    view.Erase(view.MakeKey("list"), kEvent);
  }
  fixture.ChangeList("packed", [](ListWriter& list) { Push(list, "a"), Push(list, "bc"); });
  fixture.limits.list_size = 1;
  fixture.ChangeList("large", [](ListWriter& list) { Push(list, "a"), Push(list, "bc"); });
  REQUIRE(fixture.SameNames("packed", "large"));
  fixture.ChangeList("large", [](ListWriter& list) { list.Replace(1, "bd"); });
  REQUIRE_FALSE(fixture.SameNames("packed", "large"));
  fixture.ChangeList("large", [](ListWriter& list) { list.Replace(1, std::string(9000, 'r')); });
  const PinHandle before = fixture.Pin();
  fixture.ChangeList("large", [](ListWriter& list) { list.Replace(1, std::string(9000, 'q')); });
  REQUIRE_FALSE(fixture.SameAs(before, "large"));
  fixture.ChangeList("large", [](ListWriter& list) { list.Replace(1, std::string(9000, 'r')); });
  REQUIRE(fixture.SameAs(before, "large"));
}

TEST_CASE("the same content: streams with groups, consumers and pending entries") {
  Fixture fixture;
  for (const uint64_t entries : {2u, 3000u}) {
    const auto fill = [&](StreamWriter& stream) {
      for (uint64_t i = 1; i <= entries; ++i) {
        stream.Append({i, 0}, std::vector<ByteView>{"field", "value"});
      }
      REQUIRE(stream.CreateGroup("group", {1, 0}, 1));
      REQUIRE(stream.Group("group")->CreateConsumer("alice", 5));
      stream.Group("group")->Deliver({1, 0}, "alice", 100, 1);
    };
    fixture.ChangeStream("stream", fill);
    fixture.ChangeStream("twin", fill);
    REQUIRE(fixture.SameNames("stream", "twin"));
    const PinHandle before = fixture.Pin();
    const auto differs = [&](const std::function<void(StreamWriter&)>& change) {
      WriteView view = fixture.View();
      REQUIRE(view.Copy(view.MakeKey("twin"), view.MakeKey("stream"), 0));
      REQUIRE(fixture.SameNames("stream", "twin"));
      REQUIRE(fixture.SameAs(before, "stream"));  // other pages, the same content
      fixture.ChangeStream("stream", change);
      REQUIRE_FALSE(fixture.SameNames("stream", "twin"));
      REQUIRE_FALSE(fixture.SameAs(before, "stream"));
    };
    differs([&](StreamWriter& s) { s.Append({entries + 1, 0}, std::vector<ByteView>{"f", "v"}); });
    differs([](StreamWriter& s) { REQUIRE(s.Erase({1, 0})); });
    differs([](StreamWriter& s) { s.SetEntriesAdded(1 << 20); });
    differs([](StreamWriter& s) { s.SetLast({1 << 20, 0}); });
    differs([](StreamWriter& s) { s.CreateGroup("other", {}, 0); });
    differs([](StreamWriter& s) { s.EraseGroup("group"); });
    differs([](StreamWriter& s) { s.Group("group")->SetLast({2, 0}, 2); });
    differs([](StreamWriter& s) { s.Group("group")->CreateConsumer("bob", 5); });
    differs([](StreamWriter& s) { s.Group("group")->Acknowledge({1, 0}); });
    differs([](StreamWriter& s) { s.Group("group")->Deliver({1, 0}, "alice", 100, 2); });
    // When a consumer was seen is told by the clock, not by what was written.
    WriteView view = fixture.View();
    REQUIRE(view.Copy(view.MakeKey("twin"), view.MakeKey("stream"), 0));
    fixture.ChangeStream("stream",
                         [](StreamWriter& s) { s.Group("group")->SetSeen("alice", 77, 77); });
    REQUIRE(fixture.SameAs(before, "stream"));
    view.Erase(view.MakeKey("stream"), kEvent);
    view.Erase(view.MakeKey("twin"), kEvent);
  }
}

TEST_CASE("a pair of tries costs the pages that differ") {
  Fixture fixture;
  constexpr int kKeys = 200'000;
  for (int i = 0; i < kKeys; ++i) fixture.SetString("key:" + std::to_string(i), "value");
  const PinHandle before = fixture.Pin();
  constexpr int kChanged = 200;
  for (int i = 0; i < kChanged; ++i) fixture.SetString("key:" + std::to_string(i * 997), "other");
  WriteView view = fixture.View();
  const auto keys = [&](const Ref& root) {
    return reinterpret_cast<const LineRoot*>(view.arena().Resolve(root))->databases[0].keys;
  };
  TriePair pair(view.arena(), keys(before.root()), keys(view.store().main().head()), view.secret());
  int found = 0;
  uint64_t from = 0;
  int pauses = 0;
  do {
    from = pair.Next(
        from, [&found](const TrieEntry* a, const TrieEntry* b) { found += a && b ? 1 : 0; }, 1);
    ++pauses;
  } while (from != 0);
  REQUIRE(found == kChanged);
  // A leaf of either version for each, and the directories above: three levels here. Each call
  // starts from the root.
  REQUIRE(pair.pages() < kChanged * 2 * 4 + static_cast<uint64_t>(pauses) * 8);
}

}  // namespace verso::storage
