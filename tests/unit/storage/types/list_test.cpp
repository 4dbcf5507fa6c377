// Goal: a list holds what a std::vector holds, packed and large, on both sides of each threshold;
// its digest knows the elements and their order only; pinned versions stay what they were.
// Method: random changes through ListWriter against the vector, with limits that make the form
// change often; the structure (L1-L3), the digest and the store's audit after each batch.
#include "storage/types/list.h"

#include <algorithm>
#include <catch2/catch.hpp>
#include <memory>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "storage/memory/store.h"
#include "tests/support/test_store.h"

namespace verso::storage {
namespace {

using Model = std::vector<std::string>;
constexpr KeyEvent kEvent{"test", 'l'};

class Fixture {
 public:
  explicit Fixture(int64_t list_size = -2) {
    limits_.list_size = list_size;
    store_ = FreshStore(&clock_, 1);
  }

  Store& store() { return *store_; }
  const PageArena& arena() { return store_->arena(); }
  WriteView View() { return WriteView(*store_, store_->main(), 0, 1'000); }
  std::optional<ValueView> Value(const ReadView& view) { return view.Find(view.MakeKey("list")); }
  std::optional<ValueView> Value() { return Value(View()); }

  template <typename Change>
  void Write(uint64_t elements, uint64_t bytes, Change&& change) {
    WriteView view = View();
    REQUIRE(store_->ReserveForWrite(ListEstimate(elements, bytes), 1));
    const Key key = view.MakeKey("list");
    ListWriter writer(view, key, view.FindForWrite(key), limits_);
    change(writer);
    writer.Finish(kEvent);
  }
  void Push(ListEnd end, const Model& elements) {
    const std::vector<ByteView> views(elements.begin(), elements.end());
    size_t bytes = 0;
    for (const ByteView view : views) bytes += view.size();
    Write(views.size(), bytes, [&](ListWriter& writer) { writer.Push(end, views); });
  }
  Model Read(const ReadView& view) {
    Model model;
    const auto value = Value(view);
    if (!value) return model;
    ListForEach(view.arena(), *value, 0, ListCount(view.arena(), *value),
                [&](const ItemView& item) { model.push_back(StringCopy(arena(), item.value())); });
    return model;
  }
  Model Read() { return Read(View()); }
  std::string Encoding() { return ListEncoding(arena(), *Value()); }
  std::string Validate() {
    const auto value = Value();
    return value ? ValidateList(arena(), *value, store_->secret()) : "";
  }
  void AuditIsClean() {
    store_->DrainBackground();
    REQUIRE(store_->Audit() == "");
  }

 private:
  ManualClock clock_;
  CollectionLimits limits_;
  std::unique_ptr<Store> store_;
};

class ModelTest {
 public:
  ModelTest(int64_t list_size, uint64_t seed) : random_(seed), fixture_(list_size) {}

  void Run() {
    for (int batch = 0; batch < 40; ++batch) {
      const bool grow = batch / 5 % 2 == 0;
      for (int step = 0; step < 60; ++step) Step(grow);
      Compare(grow);
    }
  }

 private:
  uint64_t Random(uint64_t below) { return random_() % below; }

  std::string Element() {
    const uint64_t kind = Random(100);
    const size_t length = kind == 0 ? Random(20'000) : kind < 4 ? Random(700) : Random(30);
    return std::string(length, static_cast<char>('a' + Random(3)));
  }

  void Step(bool grow) {
    const uint64_t kind = Random(10);
    if (model_.empty() || (grow ? kind < 5 : kind < 2)) {
      Model elements(1 + Random(4));
      for (std::string& element : elements) element = Element();
      const bool head = Random(2) == 0;
      fixture_.Push(head ? ListEnd::kHead : ListEnd::kTail, elements);
      if (head) std::reverse(elements.begin(), elements.end());
      model_.insert(head ? model_.begin() : model_.end(), elements.begin(), elements.end());
    } else if (kind < 6) {
      const std::string element = Element();
      const size_t index = Random(model_.size() + 1);
      fixture_.Write(1, element.size(), [&](ListWriter& writer) { writer.Insert(index, element); });
      model_.insert(model_.begin() + static_cast<ptrdiff_t>(index), element);
    } else if (kind < 7) {
      const size_t index = Random(model_.size());
      const std::string element =
          Random(2) == 0 ? Element() : std::string(model_[index].size(), 'z');
      fixture_.Write(1, element.size(),
                     [&](ListWriter& writer) { writer.Replace(index, element); });
      model_[index] = element;
    } else if (kind < 9) {
      const size_t from = Random(2) == 0 ? 0 : Random(model_.size());
      const size_t count = std::min(model_.size() - from, Random(grow ? 4 : 12));
      fixture_.Write(1, 0, [&](ListWriter& writer) { writer.Erase(from, count); });
      model_.erase(model_.begin() + static_cast<ptrdiff_t>(from),
                   model_.begin() + static_cast<ptrdiff_t>(from + count));
    } else {
      EraseEqual();
    }
    REQUIRE(fixture_.Read().size() == model_.size());
  }

  void EraseEqual() {
    const std::string element = model_[Random(model_.size())];
    ListSearch search;
    search.element = element;
    search.backwards = Random(2) == 0;
    search.count = Random(4);
    const auto value = fixture_.Value();
    std::vector<uint64_t> found = ListFind(fixture_.arena(), *value, search);
    std::vector<uint64_t> expected;
    for (size_t i = 0; i < model_.size(); ++i) {
      const size_t index = search.backwards ? model_.size() - 1 - i : i;
      if (model_[index] == element) expected.push_back(index);
    }
    if (search.count > 0 && expected.size() > search.count) expected.resize(search.count);
    REQUIRE(found == expected);
    std::sort(found.begin(), found.end());
    fixture_.Write(64, 64 * 1024, [&](ListWriter& writer) { writer.EraseEach(found); });
    for (auto at = found.rbegin(); at != found.rend(); ++at) {
      model_.erase(model_.begin() + static_cast<ptrdiff_t>(*at));
    }
  }

  void Compare(bool grow) {
    REQUIRE(fixture_.Validate() == "");
    REQUIRE(fixture_.Read() == model_);
    if (pin_) {
      const ReadView pinned(fixture_.store(), pin_.root(), 0, 1'000);
      REQUIRE(fixture_.Read(pinned) == pinned_);
      pin_.Release();
    }
    if (grow) {
      pin_ = fixture_.store().PinForRead(fixture_.store().main(), 1'000);
      pinned_ = model_;
    }
    fixture_.AuditIsClean();
    if (model_.empty()) return;
    // The same elements by another way give the same digest.
    Fixture other(1);
    other.Push(ListEnd::kTail, model_);
    const auto digest = [](Fixture& fixture) { return DigestOf(fixture.View(), 0); };
    REQUIRE(digest(other) == digest(fixture_));
    other.Push(ListEnd::kTail, {"one more"});
    REQUIRE_FALSE(digest(other) == digest(fixture_));
  }

  std::mt19937_64 random_;
  Fixture fixture_;
  Model model_;
  PinHandle pin_;
  Model pinned_;
};

}  // namespace

TEST_CASE("A list holds what a vector holds, in either form and in every version", "[list]") {
  const int64_t list_size = GENERATE(-1, -2, 3, 40);
  const uint64_t seed = GENERATE(1, 2);
  CAPTURE(list_size, seed);
  ModelTest(list_size, seed).Run();
}

TEST_CASE("The order of elements is part of a list's digest", "[list]") {
  Fixture one;
  Fixture other;
  one.Push(ListEnd::kTail, {"a", "b"});
  other.Push(ListEnd::kHead, {"a", "b"});
  REQUIRE_FALSE(DigestOf(one.View(), 0) == DigestOf(other.View(), 0));
}

TEST_CASE("A list becomes large where list-max-listpack-size says so, and packed again at half",
          "[list]") {
  Fixture entries(4);
  entries.Push(ListEnd::kTail, {"1", "2", "3", "4"});
  REQUIRE(entries.Encoding() == "listpack");
  entries.Push(ListEnd::kTail, {"5"});
  REQUIRE(entries.Encoding() == "quicklist");
  entries.Write(1, 0, [](ListWriter& writer) { writer.Erase(0, 2); });
  REQUIRE(entries.Encoding() == "quicklist");
  entries.Write(1, 0, [](ListWriter& writer) { writer.Erase(0, 1); });
  REQUIRE(entries.Encoding() == "listpack");
  REQUIRE(entries.Read() == Model{"4", "5"});

  Fixture bytes(-1);
  bytes.Push(ListEnd::kTail, {std::string(4096 - kPackHeaderBytes - 2, 'x')});
  REQUIRE(bytes.Encoding() == "listpack");
  bytes.Write(1, 5'000, [](ListWriter& writer) {
    writer.Replace(0, std::string(4096 - kPackHeaderBytes - 1, 'y'));
  });
  REQUIRE(bytes.Encoding() == "quicklist");
  bytes.Write(1, 0, [](ListWriter& writer) { writer.Replace(0, "short"); });
  REQUIRE(bytes.Encoding() == "listpack");
  REQUIRE(bytes.Read() == Model{"short"});
  bytes.AuditIsClean();
}

TEST_CASE("A large list that is not what its page says reads as empty", "[list]") {
  Fixture fixture(1);
  fixture.Push(ListEnd::kTail, {"a", "b", "c"});
  WriteView view = fixture.View();
  const Key key = view.MakeKey("list");
  Ref* tree = CollectionRefs(view.WritableCollection(key));
  const Ref sound = *tree;
  *tree = Ref{sound.where, sound.when | uint64_t{1} << 52};  // the flavour of another type
  REQUIRE(ListCount(fixture.arena(), *fixture.Value()) == 0);
  REQUIRE_FALSE(ListAt(fixture.arena(), *fixture.Value(), 0));
  REQUIRE(fixture.Validate() != "");
  *tree = sound;
  REQUIRE(fixture.Validate() == "");
}

}  // namespace verso::storage
