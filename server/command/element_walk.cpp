#include "server/command/element_walk.h"

#include <algorithm>

#include "storage/types/hash_value.h"
#include "storage/types/list.h"
#include "storage/types/set_value.h"
#include "storage/types/zset.h"

namespace verso::server {

using storage::ItemView;
using storage::ReadView;
using storage::TrieEntry;
using storage::ValueType;
using storage::ValueView;

namespace {
constexpr uint64_t kStep = 64;
}

uint64_t ElementCount(const ReadView& view, const ValueView& value) {
  switch (value.type) {
    case ValueType::kList:
      return storage::ListCount(view.arena(), value);
    case ValueType::kSet:
      return storage::SetCount(view.arena(), value);
    default:
      return storage::ZsetCount(view.arena(), value);
  }
}

void ElementWalk::Begin(uint64_t from, uint64_t count, bool down) {
  from_ = from;
  count_ = count;
  down_ = down;
  shown_ = 0;
  cursor_ = 0;
}

void ElementWalk::Step(const ReadView& view, const ValueView& value, const Visitor& visit) {
  const uint64_t step = std::min(kStep, count_ - shown_);
  const uint64_t at = from_ + shown_;
  if (value.type == ValueType::kSet) {
    StepSet(view, value, visit);
    return;
  }
  shown_ += step;
  if (value.type == ValueType::kZset) {
    const uint64_t low = down_ ? storage::ZsetCount(view.arena(), value) - at - step : at;
    storage::ZsetForEach(view, value, {low, step}, down_,
                         [&](const ItemView& item, double score) { visit(item.value(), score); });
    return;
  }
  const auto show = [&](const ItemView& item) { visit(item.value(), 1); };
  if (down_) {
    const uint64_t last = storage::ListCount(view.arena(), value) - 1 - at;
    storage::ListForEachDown(view.arena(), value, last, step, show);
  } else {
    storage::ListForEach(view.arena(), value, at, step, show);
  }
}

void ElementWalk::StepSet(const ReadView& view, const ValueView& value, const Visitor& visit) {
  if (!storage::CollectionRef(value)) {
    const bool integers = storage::SetFormOf(value) == storage::SetForm::kIntegers;
    storage::SmallSetForEach(view.arena(), value, [&](ByteView member) {
      if (++shown_ > count_) return;
      visit(storage::PackedString(integers ? ByteView(texts_.emplace_back(member)) : member), 1);
    });
    shown_ = count_;
    return;
  }
  cursor_ = storage::ElementTrie(view.arena(), value)
                .trie()
                .Scan(cursor_, 1, view.secret(), [&](const TrieEntry& entry) {
                  if (++shown_ > count_) return;
                  ValueView member;
                  member.external = entry.key_external;
                  member.bytes = entry.key_inline;
                  member.ref = entry.key_ref;
                  visit(member, 1);
                });
  if (cursor_ == 0) shown_ = count_;
}

}  // namespace verso::server
