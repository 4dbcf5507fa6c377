// Goal: a stream holds what a std::map of entries and groups holds; pinned versions stay what they
// were; its digest knows the contents only; damaged entries are read without harm.
// Method: random changes through StreamWriter against the maps, with pins held; the structure (S1,
// S2), the digest and the store's audit after each batch.
#include "storage/types/stream_value.h"

#include <catch2/catch.hpp>
#include <deque>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "storage/memory/store.h"
#include "storage/types/string_value.h"
#include "tests/support/test_store.h"

namespace verso::storage {
namespace {

constexpr KeyEvent kEvent{"test", 't'};

struct PlainPending {
  std::string consumer;
  uint64_t delivered_ms;
  uint64_t deliveries;
  bool operator==(const PlainPending&) const = default;
};

struct PlainGroup {
  StreamId last;
  uint64_t entries_read = kEntriesReadUnknown;
  std::map<StreamId, PlainPending> pending;
  std::map<std::string, uint64_t> consumers;  // seen
  bool operator==(const PlainGroup&) const = default;
};

struct Plain {
  std::map<StreamId, std::vector<std::string>> entries;
  StreamId last;
  StreamId deleted;
  uint64_t added = 0;
  std::map<std::string, PlainGroup> groups;
  bool operator==(const Plain&) const = default;
};

class Fixture {
 public:
  explicit Fixture(uint64_t seed = 1) : random_(seed) { store_ = FreshStore(&clock_, seed); }

  Store& store() { return *store_; }
  uint64_t Random(uint64_t below) { return random_() % below; }
  WriteView View() { return WriteView(*store_, store_->main(), 0, 1'000); }

  template <typename Change>
  void Write(Change&& change) {
    WriteView view = View();
    REQUIRE(store_->ReserveForWrite(StreamEstimate(view.arena(), 8, 64 * 1024), 1));
    const Key key = view.MakeKey("stream");
    StreamWriter writer(view, key, view.FindForWrite(key));
    change(writer);
    writer.Finish(kEvent);
  }

  Plain Read(const ReadView& view) {
    Plain plain;
    const auto value = view.Find(view.MakeKey("stream"));
    if (!value) return plain;
    const PageArena& arena = view.arena();
    const StreamView stream(arena, *value);
    plain.last = stream.last();
    plain.deleted = stream.deleted();
    plain.added = stream.entries_added();
    for (auto at = ItemCursor::At(arena, stream.entries(), 0); at.valid(); at.Next()) {
      std::vector<std::string>& fields = plain.entries[StreamIdOf(at.item())];
      StreamFieldReader reader(arena, at.item());
      while (!reader.AtEnd()) fields.emplace_back(reader.Next());
    }
    REQUIRE(plain.entries.size() == stream.count());
    REQUIRE(stream.first() == (plain.entries.empty() ? StreamId{} : plain.entries.begin()->first));
    stream.ForEachGroup([&](ByteView name, const StreamGroupView& group) {
      PlainGroup& out = plain.groups[std::string(name)];
      out.last = group.last;
      out.entries_read = group.entries_read;
      for (auto at = ItemCursor::At(arena, group.pending, 0); at.valid(); at.Next()) {
        const StreamPending pending = StreamPendingOf(arena, at.item());
        out.pending[pending.id] = {pending.consumer, pending.delivered_ms, pending.deliveries};
      }
      stream.ForEachConsumer(group, [&](const StreamConsumerView& consumer) {
        out.consumers[consumer.name] = consumer.seen_ms;
      });
      REQUIRE(stream.FindGroup(store_->secret(), name)->last == group.last);
    });
    REQUIRE(plain.groups.size() == stream.group_count());
    return plain;
  }
  Plain Read() { return Read(View()); }

  void Check() {
    WriteView view = View();
    const auto value = view.Find(view.MakeKey("stream"));
    if (value) REQUIRE(ValidateStream(view.arena(), *value, store_->secret()) == "");
    REQUIRE(store_->Audit() == "");
  }

 private:
  ManualClock clock_;
  std::mt19937_64 random_;
  std::unique_ptr<Store> store_;
};

class ModelTest {
 public:
  explicit ModelTest(uint64_t seed) : fixture_(seed) {}

  void Run() {
    for (int batch = 0; batch < 30; ++batch) {
      for (int step = 0; step < 60; ++step) Step();
      REQUIRE(fixture_.Read() == model_);
      for (const auto& [pin, then] : pins_) {
        REQUIRE(fixture_.Read(ReadView(fixture_.store(), pin.root(), 0, 1'000)) == then);
      }
      fixture_.store().DrainBackground();
      fixture_.Check();
      if (pins_.size() > 4) pins_.erase(pins_.begin() + static_cast<ptrdiff_t>(Random(5)));
      pins_.emplace_back(fixture_.store().PinForRead(fixture_.store().main(), 1'000), model_);
    }
  }

 private:
  uint64_t Random(uint64_t below) { return fixture_.Random(below); }
  StreamId RandomId() {
    if (model_.entries.empty() || Random(10) == 0) return {Random(1000), Random(3)};
    auto at = model_.entries.begin();
    std::advance(at, static_cast<ptrdiff_t>(Random(model_.entries.size())));
    return at->first;
  }
  // Names of all lengths that are stored in different ways.
  static std::string Name(uint64_t number) {
    const std::string name = "name" + std::to_string(number);
    return number == 3   ? name + std::string(600, 'n')
           : number == 2 ? name + std::string(9000, 'N')
                         : name;
  }

  void Step() {
    const std::string name = Name(Random(4));
    const std::string consumer = Name(Random(4));
    const uint64_t kind = Random(20);
    fixture_.Write([&](StreamWriter& writer) {
      if (kind < 8) {
        StreamId id = model_.last;
        Random(3) == 0 ? (id.ms += Random(5) + 1, id.seq = Random(3)) : ++id.seq;
        std::vector<std::string> fields;
        const uint64_t count = 2 * (1 + Random(3));
        for (uint64_t i = 0; i < count; ++i) {
          const size_t length = Random(40) == 0 ? Random(20'000) : Random(30);
          fields.push_back(std::string(length, static_cast<char>('a' + Random(26))));
        }
        const std::vector<ByteView> views(fields.begin(), fields.end());
        writer.Append(id, views);
        model_.entries[id] = fields;
        model_.last = id;
        ++model_.added;
      } else if (kind < 10) {
        const StreamId id = RandomId();
        const bool there = model_.entries.erase(id) != 0;
        REQUIRE(writer.Erase(id) == there);
        if (there) model_.deleted = std::max(model_.deleted, id);
      } else if (kind == 10) {
        const uint64_t oldest = std::min<uint64_t>(model_.entries.size(), Random(12));
        writer.EraseOldest(oldest);
        for (uint64_t i = 0; i < oldest; ++i) model_.entries.erase(model_.entries.begin());
      } else if (kind == 11) {
        const StreamId last = RandomId();
        REQUIRE(writer.CreateGroup(name, last, 7) == (model_.groups.count(name) == 0));
        if (model_.groups.count(name) == 0) model_.groups[name] = {last, 7, {}, {}};
      } else if (kind == 12 && Random(4) == 0) {
        REQUIRE(writer.EraseGroup(name) == (model_.groups.erase(name) != 0));
      } else {
        std::optional<StreamGroupWriter> group = writer.Group(name);
        REQUIRE(group.has_value() == (model_.groups.count(name) != 0));
        if (group) StepGroup(kind, consumer, *group, &model_.groups[name]);
      }
      REQUIRE(writer.count() == model_.entries.size());
      REQUIRE(writer.last() == model_.last);
    });
  }

  void StepGroup(uint64_t kind, const std::string& consumer, StreamGroupWriter& group,
                 PlainGroup* model) {
    const bool there = model->consumers.count(consumer) != 0;
    const StreamId id = RandomId();
    if (kind == 13 && Random(3) == 0) {
      const auto erased = group.EraseConsumer(consumer);
      REQUIRE(erased.has_value() == there);
      model->consumers.erase(consumer);
      const auto gone = std::erase_if(
          model->pending, [&](const auto& entry) { return entry.second.consumer == consumer; });
      if (there) REQUIRE(*erased == gone);
    } else if (kind < 15 || !there) {
      REQUIRE(group.CreateConsumer(consumer, kind) == !there);
      if (!there) model->consumers[consumer] = kind;
    } else if (kind < 18) {
      group.Deliver(id, consumer, 1000 + kind, kind);
      model->pending[id] = {consumer, 1000 + kind, kind};
      group.SetSeen(consumer, kind, kNeverActive);
      model->consumers[consumer] = kind;
      group.SetLast(id, kind);
      model->last = id;
      model->entries_read = kind;
    } else {
      REQUIRE(group.Acknowledge(id) == (model->pending.erase(id) != 0));
    }
  }

  Fixture fixture_;
  Plain model_;
  std::deque<std::pair<PinHandle, Plain>> pins_;
};

TEST_CASE("random changes of a stream under pins match plain maps") {
  for (uint64_t seed = 1; seed <= 6; ++seed) {
    CAPTURE(seed);
    ModelTest(seed).Run();
  }
}

TEST_CASE("equal streams have equal digests, whatever their history") {
  const auto digest = [](Fixture& fixture) { return DigestOf(fixture.View(), 0).Hex(); };
  Fixture a(1);
  Fixture b(2);
  const std::vector<ByteView> fields = {"f", "v"};
  a.Write([&](StreamWriter& writer) {
    for (uint64_t i = 1; i <= 300; ++i) writer.Append({i, 0}, fields);
    writer.CreateGroup("x", {1, 0}, 1);
    writer.CreateGroup("y", {2, 0}, 2);
  });
  b.Write([&](StreamWriter& writer) {
    writer.CreateGroup("y", {2, 0}, 2);
    for (uint64_t i = 1; i <= 100; ++i) writer.Append({i, 0}, fields);
  });
  b.Write([&](StreamWriter& writer) {
    writer.CreateGroup("gone", {2, 0}, 2);
    for (uint64_t i = 101; i <= 300; ++i) writer.Append({i, 0}, fields);
    writer.EraseGroup("gone");
    writer.CreateGroup("x", {1, 0}, 1);
  });
  CHECK(digest(a) == digest(b));
  b.Write([&](StreamWriter& writer) { writer.SetLast({301, 0}); });
  CHECK(digest(a) != digest(b));
}

TEST_CASE("how far a group has read is known unless deletions hide it") {
  Fixture f;
  const std::vector<ByteView> fields = {"f", "v"};
  const auto lag = [&f](StreamId last, uint64_t read) {
    WriteView view = f.View();
    const auto value = view.Find(view.MakeKey("stream"));
    StreamGroupView group;
    group.last = last;
    group.entries_read = read;
    return StreamView(view.arena(), *value).Lag(group);
  };
  f.Write([&](StreamWriter& writer) {
    for (uint64_t i = 1; i <= 10; ++i) writer.Append({i, 0}, fields);
  });
  CHECK(lag({0, 0}, kEntriesReadUnknown) == 10);
  CHECK(lag({10, 0}, kEntriesReadUnknown) == 0);
  CHECK(lag({4, 0}, 4) == 6);
  CHECK(lag({4, 0}, kEntriesReadUnknown) == std::nullopt);
  f.Write([&](StreamWriter& writer) { writer.EraseOldest(2); });
  CHECK(lag({1, 0}, kEntriesReadUnknown) == 8);
  CHECK(lag({3, 0}, kEntriesReadUnknown) == 7);
  f.Write([&](StreamWriter& writer) { CHECK(writer.Erase({6, 0})); });
  CHECK(lag({4, 0}, 4) == std::nullopt);
  CHECK(lag({7, 0}, 7) == 3);
  f.Write([&](StreamWriter& writer) { writer.EraseOldest(writer.count()); });
  CHECK(lag({4, 0}, kEntriesReadUnknown) == 0);
}

TEST_CASE("an entry of any bytes is read without leaving it") {
  Fixture f;
  const PageArena& arena = f.store().arena();
  std::mt19937_64 random(5);
  for (int i = 0; i < 20'000; ++i) {
    std::string bytes(random() % 40, '\0');
    for (char& c : bytes) c = static_cast<char>(random());
    ItemView item;
    item.bytes = bytes;
    StreamFieldReader fields(arena, item);
    REQUIRE(fields.count() <= bytes.size());
    size_t read = 0;
    size_t count = 0;
    for (; !fields.AtEnd(); ++count) read += fields.Next().size();
    REQUIRE(count == fields.count());
    REQUIRE(read <= bytes.size());
  }
}

}  // namespace
}  // namespace verso::storage
