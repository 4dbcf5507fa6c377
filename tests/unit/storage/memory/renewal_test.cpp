// Goal: after a renewal all pages of a value are young, it has the contents it had, and the version
// it came from is untouched, whether it came to its end or not. Method: values of all shapes copied
// in a scratch line that begins with a pinned version; the pages' births are walked, the store is
// audited at each step.
#include "storage/memory/renewal.h"

#include <catch2/catch.hpp>
#include <string>
#include <vector>

#include "storage/keyspace/keyspace.h"
#include "storage/memory/page_kinds.h"
#include "storage/memory/scratch_line.h"
#include "storage/memory/store.h"
#include "storage/types/hash_value.h"
#include "storage/types/set_value.h"
#include "storage/types/zset.h"
#include "tests/support/test_store.h"

namespace verso::storage {
namespace {

constexpr KeyEvent kEvent{"test", 'g'};
const std::vector<std::string> kNames = {"hash", "set", "zset", "text", "run", "short"};

class Fixture {
 public:
  Fixture() {
    store_ = FreshStore(&clock_, 3);
    REQUIRE(store_->ReserveForWrite(64 << 20, 64));
    Fill();
  }

  WriteView View() { return WriteView(*store_, store_->main(), 0, clock_.NowMs()); }
  std::string Long(int i, size_t bytes) {
    return std::to_string(i) + std::string(bytes, static_cast<char>('a' + i % 26));
  }

  void Fill() {
    WriteView view = View();
    const Key hash = view.MakeKey("hash");
    const Key set = view.MakeKey("set");
    const Key zset = view.MakeKey("zset");
    HashWriter fields(view, hash, std::nullopt, limits_);
    SetWriter members(view, set, std::nullopt, limits_);
    ZsetWriter scored(view, zset, std::nullopt, limits_);
    for (int i = 0; i < 5000; ++i) {
      const size_t bytes = i % 500 == 7 ? 20'000 : i % 50 == 7 ? 400 : 12;
      fields.Set(Long(i, i % 100 == 3 ? 200 : 5), Long(i, bytes));
      members.Add(Long(i, bytes));
      scored.Set(Long(i, bytes), i % 97);
    }
    fields.Finish(kEvent);
    members.Finish(kEvent);
    scored.Finish(kEvent);
    view.SetString(view.MakeKey("text"), std::string(3'000'000, 't'), {}, kEvent);
    view.SetString(view.MakeKey("run"), std::string(4000, 'r'), {}, kEvent);
    view.SetString(view.MakeKey("short"), "s", {}, kEvent);
  }

  Epoch Oldest(const Ref& ref) {
    Epoch oldest = ref.birth();
    if (!HasChildren(ref.kind())) return oldest;
    VisitRefs(store_->arena().Resolve(ref), ref,
              [&](const Ref& child) { oldest = std::min(oldest, Oldest(child)); });
    return oldest;
  }

  ManualClock clock_{1'700'000'000'000};
  CollectionLimits limits_;
  std::unique_ptr<Store> store_;
};

// The same value under another name, in the scratch line.
Ref* CopyOf(WriteView& aside, const std::string& name) {
  std::optional<ValueView> value = aside.Find(aside.MakeKey(name), Access::kPeek);
  REQUIRE(value.has_value());
  const std::string inlined(value->bytes);
  value->bytes = inlined;
  aside.SetValue(aside.MakeKey("copy"), *value);
  return aside.MutateValue(aside.MakeKey("copy"))->ref;
}

}  // namespace

TEST_CASE("a renewed value is a copy whose pages are all young") {
  Fixture f;
  for (const std::string& name : kNames) {
    INFO(name);
    const Digest digest = DigestOfKey(f.View(), f.View().MakeKey(name));
    const PinHandle pin = f.store_->PinForRead(f.store_->main(), f.clock_.NowMs());
    {
      ScratchLine scratch(*f.store_, f.store_->main(), pin.epoch());
      WriteView aside(*f.store_, scratch.line(), 0, f.clock_.NowMs());
      REQUIRE(f.store_->ReserveForWrite(1 << 20, 2));
      Ref* slot = CopyOf(aside, name);
      if (slot == nullptr) continue;  // it stands in the leaf
      const Digest of_copy = DigestOfKey(aside, aside.MakeKey("copy"));
      Renewal renewal(scratch.line(), slot, pin.epoch());
      for (int step = 0; !renewal.done(); ++step) {
        REQUIRE(renewal.Step());
        if (step % 16 == 0) REQUIRE(f.store_->Audit() == "");
      }
      REQUIRE(f.Oldest(*slot) > pin.epoch());
      REQUIRE(DigestOfKey(aside, aside.MakeKey("copy")) == of_copy);
      // What is young already stays where it is.
      const Ref once = *slot;
      Renewal again(scratch.line(), slot, pin.epoch());
      while (!again.done()) REQUIRE(again.Step());
      REQUIRE(*slot == once);
      // And what is old again goes, page by page.
      f.View().SetString(f.View().MakeKey("other"), name, {}, kEvent);
      const PinHandle later = f.store_->PinForRead(f.store_->main(), f.clock_.NowMs());
      Renewal anew(scratch.line(), slot, later.epoch());
      while (!anew.done()) REQUIRE(anew.Step());
      REQUIRE(f.Oldest(*slot) > later.epoch());
      REQUIRE(f.store_->Audit() == "");

      WriteView view = f.View();
      view.PublishFrom(aside, aside.MakeKey("copy"), kNoDeadline, kEvent, later.epoch());
      REQUIRE(DigestOfKey(view, view.MakeKey("copy")) == of_copy);
      REQUIRE(f.store_->Audit() == "");
    }
    f.store_->DrainBackground();
    REQUIRE(f.store_->Audit() == "");
    REQUIRE(f.store_->stats().lines == 1);
    REQUIRE(DigestOfKey(f.View(), f.View().MakeKey(name)) == digest);
  }
}

TEST_CASE("a renewal that is given up leaves nothing") {
  Fixture f;
  const size_t allocated = f.store_->arena().bytes_allocated();
  for (const std::string& name : kNames) {
    INFO(name);
    for (int steps = 0; steps < 40; steps += 13) {
      {
        const PinHandle pin = f.store_->PinForRead(f.store_->main(), f.clock_.NowMs());
        ScratchLine scratch(*f.store_, f.store_->main(), pin.epoch());
        WriteView aside(*f.store_, scratch.line(), 0, f.clock_.NowMs());
        REQUIRE(f.store_->ReserveForWrite(1 << 20, 2));
        Ref* slot = CopyOf(aside, name);
        if (slot == nullptr) continue;
        Renewal renewal(scratch.line(), slot, pin.epoch());
        for (int i = 0; i < steps && !renewal.done(); ++i) REQUIRE(renewal.Step());
      }
      f.store_->DrainBackground();
      REQUIRE(f.store_->Audit() == "");
      REQUIRE(f.store_->arena().bytes_allocated() == allocated);
    }
  }
}

}  // namespace verso::storage
