// What the tests of the item tree share: a store with the tree in its first database, and a plain
// vector to compare with.
#pragma once

#include <algorithm>
#include <catch2/catch.hpp>
#include <cstring>
#include <memory>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "storage/index/item_tree.h"
#include "storage/memory/line_root.h"
#include "storage/memory/store.h"
#include "storage/types/string_value.h"
#include "tests/support/test_store.h"

namespace verso::storage {

struct ModelItem {
  uint64_t a = 0;
  uint64_t b = 0;
  std::string bytes;

  Item item() const { return Item{a, b, bytes}; }
  bool operator==(const ModelItem&) const = default;
};
using ItemModel = std::vector<ModelItem>;

inline bool ModelBelow(ItemFlavour flavour, const ModelItem& x, const ModelItem& y) {
  if (x.a != y.a) return x.a < y.a;
  return flavour == ItemFlavour::kStream ? x.b < y.b : x.bytes < y.bytes;
}

class ItemTreeFixture {
 public:
  explicit ItemTreeFixture(ItemFlavour flavour = ItemFlavour::kList) : flavour_(flavour) {
    store_ = FreshStore(&clock_, 1);
    line_ = &store_->main();
    REQUIRE(store_->ReserveForWrite(0, 1));
    *line().mutable_head() = line().NewPage(PageKind::kLineRoot, sizeof(LineRoot));
    new (line().Writable(line().mutable_head())) LineRoot;
    Database()->keys = line().NewPage(PageKind::kValue, kCellBytes);
    std::memset(store_->arena().ResolveMutable(Database()->keys), 0, kCellBytes);
  }

  Store& store() { return *store_; }
  Line& line() { return *line_; }
  void set_line(Line* line) { line_ = line; }  // the line that the calls below mean
  const PageArena& arena() { return store_->arena(); }
  // Where the tree hangs: in a line's root page, so that pins and audits see it. (A value stands in
  // for the keys: it tells the audit that this database is none of a key space.)
  Ref* slot() {
    REQUIRE(store_->ReserveForWrite(0, 1));
    return &Database()->deadlines;
  }
  Ref root() { return RootOf(line().head()); }
  Ref RootOf(const Ref& head) {
    return reinterpret_cast<const LineRoot*>(arena().Resolve(head))->databases[0].deadlines;
  }
  uint64_t pages_copied() { return store_->stats().pages_copied; }
  PinHandle Pin() { return store_->PinForRead(line(), 0); }

  void Insert(const ModelItem& item) {
    Reserve(item.bytes.size());
    ItemsInsert(line(), slot(), flavour_, item.item());
  }
  void InsertAt(uint64_t index, ByteView bytes) {
    Reserve(bytes.size());
    ItemsInsertAt(line(), slot(), index, bytes);
  }
  void ReplaceAt(uint64_t index, ByteView bytes) {
    Reserve(bytes.size());
    ItemsReplaceAt(line(), slot(), index, bytes);
  }
  bool Erase(const ModelItem& item) {
    Reserve(0);
    return ItemsErase(line(), slot(), item.item());
  }
  void EraseRange(uint64_t from, uint64_t count) {
    Reserve(0);
    ItemsEraseRange(line(), slot(), from, count);
  }
  uint64_t Count() { return ItemsCount(arena(), root()); }
  std::string Validate() { return ItemsValidate(arena(), root()); }

  ModelItem Copy(const ItemView& item) {
    return ModelItem{item.a, item.b, StringCopy(arena(), item.value())};
  }
  // Does the tree hold exactly this, read from either end?
  bool Equals(const Ref& from, const ItemModel& model) {
    if (ItemsCount(arena(), from) != model.size()) return false;
    size_t at = 0;
    for (auto item = ItemCursor::At(arena(), from, 0); item.valid(); item.Next(), ++at) {
      if (at >= model.size() || item.index() != at || !(Copy(item.item()) == model[at]))
        return false;
    }
    if (at != model.size()) return false;
    if (model.empty()) return true;
    for (auto item = ItemCursor::At(arena(), from, at - 1); item.valid(); item.Prev()) {
      if (at == 0 || item.index() != --at || !(Copy(item.item()) == model[at])) return false;
    }
    return at == 0;
  }
  void AuditIsClean() {
    store_->DrainBackground();
    REQUIRE(store_->Audit() == "");
  }

 private:
  DatabaseRoot* Database() {
    return reinterpret_cast<LineRoot*>(line().Writable(line().mutable_head()))->databases;
  }
  void Reserve(uint64_t payload) {
    slot();
    REQUIRE(store_->arena().Reserve(ItemsEstimate(1, payload)));
  }

  const ItemFlavour flavour_;
  ManualClock clock_;
  std::unique_ptr<Store> store_;
  Line* line_ = nullptr;
};

}  // namespace verso::storage
