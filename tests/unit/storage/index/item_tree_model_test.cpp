// Goal: in each flavour the tree holds what a std::vector holds, answers rank, by-index and
// searches exactly, keeps its structure (I1-I5), its pinned versions and its forks apart, and gives
// back every page.
// Method: the same random operations on both, in phases that grow, shrink, replace and cut ranges;
// payloads from nothing to a rope; after each batch the structure, the contents and the store's
// audit are compared. The seed is printed by Catch (CAPTURE).
#include "tests/unit/storage/index/item_tree_fixture.h"

namespace verso::storage {
namespace {

class ModelTest {
 public:
  ModelTest(ItemFlavour flavour, uint64_t seed, bool tiny)
      : flavour_(flavour), tiny_(tiny), random_(seed), fixture_(flavour) {}

  void Run(int batches) {
    for (int batch = 0; batch < batches; ++batch) {
      const int phase = batch / 4 % 4;  // grow, mix, shrink, mix
      for (int step = 0; step < 200; ++step) Step(phase);
      Compare();
      if (batch % 3 == 0) versions_.push_back({fixture_.Pin(), model_});
      if (versions_.size() > 3) {
        const size_t victim = random_() % versions_.size();
        CompareVersion(versions_[victim]);
        versions_.erase(versions_.begin() + static_cast<ptrdiff_t>(victim));
      }
      if (batch % 5 == 4) fixture_.AuditIsClean();
      if (batch % 10 == 5) ForkAndReturn();
    }
    for (const Version& version : versions_) CompareVersion(version);
    if (!model_.empty()) fixture_.EraseRange(0, model_.size());
    REQUIRE(fixture_.root().null());
    for (const Version& version : versions_) CompareVersion(version);
    versions_.clear();
    fixture_.AuditIsClean();
  }

 private:
  struct Version {
    PinHandle pin;
    ItemModel model;
  };

  uint64_t Random(uint64_t below) { return random_() % below; }

  std::string Payload() {
    const uint64_t kind = Random(1'000);
    size_t length = Random(24);
    if (tiny_) {
      length = Random(2);
    } else if (kind < 2) {
      length = 8'000 + Random(400);  // around the longest run
    } else if (kind < 20) {
      length = 500 + Random(30);  // around the longest inline payload
    } else if (kind < 60) {
      length = 230 + Random(20);  // around the short length
    }
    // Few first bytes and a long common head: the separators of a sorted set tie.
    std::string bytes = Random(3) == 0 ? "" : "common head ";
    while (bytes.size() < length) bytes.push_back(static_cast<char>('a' + Random(4)));
    bytes.resize(length);
    return bytes;
  }

  ModelItem NewItem() {
    switch (flavour_) {
      case ItemFlavour::kList:
        return {0, 0, Payload()};
      case ItemFlavour::kZset:
        return {Random(3) == 0 ? Random(1'000'000) : 7, 0, Payload()};
      case ItemFlavour::kStream:
        return {Random(50), Random(1'000'000), Payload()};
    }
    return {};
  }

  void Insert() {
    ModelItem item = NewItem();
    if (flavour_ == ItemFlavour::kList) {
      const uint64_t kind = Random(4);
      const size_t index = kind == 0 ? 0 : kind == 1 ? model_.size() : Random(model_.size() + 1);
      fixture_.InsertAt(index, item.bytes);
      model_.insert(model_.begin() + static_cast<ptrdiff_t>(index), std::move(item));
      return;
    }
    if (flavour_ == ItemFlavour::kStream && !model_.empty() && Random(2) == 0) {
      item.a = model_.back().a;  // in order, as XADD does
      item.b = model_.back().b + 1;
    }
    const auto at = Lower(item);
    if (at != model_.end() && !ModelBelow(flavour_, item, *at))
      return;  // owners never insert twice
    fixture_.Insert(item);
    model_.insert(at, std::move(item));
  }

  ItemModel::iterator Lower(const ModelItem& item) {
    return std::lower_bound(
        model_.begin(), model_.end(), item,
        [this](const ModelItem& x, const ModelItem& y) { return ModelBelow(flavour_, x, y); });
  }

  void EraseOne() {
    if (flavour_ != ItemFlavour::kList && Random(3) > 0) {
      const ModelItem item = Random(2) == 0 ? NewItem() : model_[Random(model_.size())];
      const auto at = Lower(item);
      const bool there = at != model_.end() && !ModelBelow(flavour_, item, *at);
      REQUIRE(fixture_.Erase(item) == there);
      if (there) model_.erase(at);
      return;
    }
    const uint64_t kind = Random(4);
    const size_t index = kind == 0 ? 0 : kind == 1 ? model_.size() - 1 : Random(model_.size());
    fixture_.EraseRange(index, 1);
    model_.erase(model_.begin() + static_cast<ptrdiff_t>(index));
  }

  void EraseSome() {
    const size_t from = Random(model_.size());
    const size_t count = std::min(model_.size() - from, 1 + Random(Random(10) == 0 ? 2'000 : 40));
    fixture_.EraseRange(from, count);
    model_.erase(model_.begin() + static_cast<ptrdiff_t>(from),
                 model_.begin() + static_cast<ptrdiff_t>(from + count));
  }

  void ReplaceOne() {
    const size_t index = Random(model_.size());
    model_[index].bytes = Payload();
    fixture_.ReplaceAt(index, model_[index].bytes);
  }

  void Step(int phase) {
    constexpr uint64_t kInserts[] = {95, 45, 15, 50};
    const uint64_t dice = Random(100);
    if (dice < kInserts[phase] || model_.empty()) {
      Insert();
    } else if (dice < 97) {
      if (flavour_ != ItemFlavour::kZset && Random(4) == 0) {
        ReplaceOne();
      } else {
        EraseOne();
      }
    } else if (phase != 0) {
      EraseSome();
    }
    REQUIRE(fixture_.Count() == model_.size());
  }

  void Compare() {
    REQUIRE(fixture_.Validate() == "");
    REQUIRE(fixture_.Equals(fixture_.root(), model_));
    const PageArena& arena = fixture_.arena();
    const Ref root = fixture_.root();
    for (int i = 0; i < 5 && !model_.empty(); ++i) {
      const size_t index = Random(model_.size());
      REQUIRE(fixture_.Copy(*ItemsAt(arena, root, index)) == model_[index]);
    }
    REQUIRE_FALSE(ItemsAt(arena, root, model_.size()));
    REQUIRE_FALSE(ItemCursor::At(arena, root, model_.size()).valid());
    if (flavour_ == ItemFlavour::kList) return;
    for (int i = 0; i < 20; ++i) {
      ComparePlace(Random(2) == 0 || model_.empty() ? NewItem() : model_[Random(model_.size())]);
    }
    ComparePlace({0, 0, ""});
    ComparePlace({~uint64_t{0}, ~uint64_t{0}, std::string(20, '\xff')});
  }

  void ComparePlace(const ModelItem& item) {
    const PageArena& arena = fixture_.arena();
    const Ref root = fixture_.root();
    const auto lower = Lower(item);
    const auto rank = static_cast<uint64_t>(lower - model_.begin());
    const bool there = lower != model_.end() && !ModelBelow(flavour_, item, *lower);
    const ItemBound before{item.item(), false};
    const ItemBound behind{item.item(), true};
    REQUIRE(ItemsRank(arena, root, before) == rank);
    REQUIRE(ItemsRank(arena, root, behind) == rank + (there ? 1 : 0));
    REQUIRE(ItemsFind(arena, root, item.item()).has_value() == there);
    REQUIRE(ItemsIndexOf(arena, root, item.item()) == (there ? std::optional(rank) : std::nullopt));
    auto from = ItemCursor::From(arena, root, before);
    auto at = lower;
    for (int i = 0; i < 300 && at != model_.end(); ++i, ++at, from.Next()) {
      REQUIRE(from.valid());
      REQUIRE(from.index() == static_cast<uint64_t>(at - model_.begin()));
      REQUIRE(fixture_.Copy(from.item()) == *at);
    }
    REQUIRE(from.valid() == (at != model_.end()));
    auto down = ItemCursor::Before(arena, root, before);
    at = lower;
    for (int i = 0; i < 300 && at != model_.begin(); ++i, down.Prev()) {
      REQUIRE(down.valid());
      REQUIRE(fixture_.Copy(down.item()) == *--at);
    }
    REQUIRE(down.valid() == (at != model_.begin()));
    const auto last = ItemCursor::Before(arena, root, behind);
    REQUIRE(last.valid() == (rank + (there ? 1 : 0) > 0));
    if (there) REQUIRE(fixture_.Copy(last.item()) == *lower);
  }

  void CompareVersion(const Version& version) {
    const Ref root = fixture_.RootOf(version.pin.root());
    REQUIRE(ItemsValidate(fixture_.arena(), root) == "");
    REQUIRE(fixture_.Equals(root, version.model));
  }

  // A second line goes its own way from a version; neither sees the other.
  void ForkAndReturn() {
    Store& store = fixture_.store();
    const ItemModel trunk = model_;
    const Epoch epoch = store.Pin(store.main(), 0);
    Line* branch = store.Fork(store.main(), epoch, false);
    store.Unpin(store.main(), epoch);
    fixture_.set_line(branch);
    for (int step = 0; step < 150; ++step) Step(step < 75 ? 1 : 2);
    Compare();
    fixture_.set_line(&store.main());
    REQUIRE(fixture_.Equals(fixture_.root(), trunk));
    fixture_.AuditIsClean();
    store.DropHead(branch);
    model_ = trunk;
    fixture_.AuditIsClean();
    Compare();
  }

  const ItemFlavour flavour_;
  const bool tiny_;
  std::mt19937_64 random_;
  ItemTreeFixture fixture_;
  ItemModel model_;
  std::vector<Version> versions_;
};

}  // namespace

TEST_CASE("An item tree holds what a vector holds, in every version", "[item_tree]") {
  const auto flavour = GENERATE(ItemFlavour::kList, ItemFlavour::kZset, ItemFlavour::kStream);
  for (uint64_t seed = 1; seed <= 3; ++seed) {
    CAPTURE(static_cast<int>(flavour), seed);
    ModelTest(flavour, seed, false).Run(48);
  }
}

TEST_CASE("An item tree of empty and one-byte payloads keeps to the items of a leaf",
          "[item_tree]") {
  const auto flavour = GENERATE(ItemFlavour::kList, ItemFlavour::kStream);
  CAPTURE(static_cast<int>(flavour));
  ModelTest(flavour, 4, true).Run(64);
}

}  // namespace verso::storage
