#include "server/command/list_elements.h"

#include <algorithm>
#include <string>

#include "server/command/element_reply.h"
#include "server/command/string_reply.h"
#include "storage/base/check.h"

namespace verso::server {

using storage::Access;
using storage::ItemView;
using storage::Key;
using storage::KeyEvent;
using storage::ListEnd;
using storage::ListWriter;
using storage::PageArena;
using storage::ReadView;
using storage::ValueView;
using storage::WriteView;

namespace {

constexpr KeyEvent kPush[] = {{"lpush", 'l'}, {"rpush", 'l'}};  // by ListEnd
constexpr const char* kPop[] = {"lpop", "rpop"};

// The elements of a list from an index on. The version is pinned, so they stay where they are.
class RangeContinuation final : public Continuation {
 public:
  RangeContinuation(ByteView key, uint64_t from, uint64_t count)
      : key_(key), from_(from), left_(count) {}

  bool Run(const ReadView& view, Slice& slice) override {
    const std::optional<ValueView> list = view.Find(view.MakeKey(key_), Access::kPeek);
    if (!begun_) {
      begun_ = true;
      if (!list.has_value()) left_ = 0;  // it expired between the command and the pin
      slice.reply().Array(left_);
    }
    if (left_ == 0) return true;
    VERSO_CHECK(list.has_value());
    if (const storage::Ref tree = storage::ListTree(view.arena(), *list)) {
      auto at = storage::ItemCursor::At(view.arena(), tree, from_);
      while (left_ > 0 && !slice.Spent()) {
        if (!Continue(view.arena(), at.item(), slice)) return false;
        at.Next();
        ++from_;
        --left_;
      }
      return left_ == 0;
    }
    storage::ListForEach(view.arena(), *list, from_, left_, [&](const ItemView& element) {
      ReplyElement(slice.reply(), view.arena(), element);
    });
    return true;
  }

 private:
  // False: the element is long, and the slice ended within it.
  bool Continue(const PageArena& arena, const ItemView& element, Slice& slice) {
    if (!element.external()) {
      slice.reply().Bulk(element.bytes);
      return true;
    }
    const ValueView value = element.value();
    if (!bulk_) bulk_ = SlicedBulk(0, storage::StringLength(arena, value));
    if (!bulk_->Run(arena, value, slice)) return false;
    bulk_.reset();
    return true;
  }

  std::string key_;
  uint64_t from_;
  uint64_t left_;
  std::optional<SlicedBulk> bulk_;  // the element at from_, if it is long and has begun
  bool begun_ = false;
};

bool FitsAtOnce(const PageArena& arena, const ValueView& list, uint64_t from, uint64_t count) {
  if (count > kElementsAtOnce) return false;
  if (!storage::ListTree(arena, list)) return true;  // a pack
  size_t bytes = 0;
  storage::ListForEach(arena, list, from, count, [&](const ItemView& element) {
    bytes +=
        element.external() ? storage::StringLength(arena, element.value()) : element.bytes.size();
  });
  return bytes <= kStringBytesAtOnce;
}

}  // namespace

ListEnd ReadListEnd(ArgReader& args) {
  if (args.Take("left")) return ListEnd::kHead;
  if (!args.Take("right")) args.SetError(error::kSyntax);
  return ListEnd::kTail;
}

void ReplyElement(ReplyWriter& reply, const PageArena& arena, const ItemView& element) {
  if (!element.external()) [[likely]] {
    reply.Bulk(element.bytes);
  } else {
    ReplyString(reply, arena, element.value());
  }
}

Outcome ReplyElements(const ReadView& view, CommandContext& context, const Key& key,
                      const ValueView& list, uint64_t from, uint64_t count) {
  if (!FitsAtOnce(view.arena(), list, from, count)) {
    return context.Yield(std::make_unique<RangeContinuation>(key.bytes, from, count));
  }
  ReplyWriter& reply = context.reply();
  reply.Array(count);
  storage::ListForEach(view.arena(), list, from, count, [&](const ItemView& element) {
    ReplyElement(reply, view.arena(), element);
  });
  return Outcome::kDone;
}

uint64_t PopElements(WriteView& view, CommandContext& context, const Key& key,
                     const ValueView& list, ListEnd end, uint64_t count, PopReply shape) {
  ListWriter writer(view, key, list, context.environment().limits);
  count = std::min(count, writer.count());
  const PageArena& arena = view.arena();
  ReplyWriter& reply = context.reply();
  if (shape == PopReply::kArray) reply.Array(count);
  const uint64_t first = end == ListEnd::kHead ? 0 : writer.count() - count;
  if (end == ListEnd::kHead || count == 1) {
    storage::ListForEach(arena, list, first, count,
                         [&](const ItemView& element) { ReplyElement(reply, arena, element); });
  } else {
    storage::ListForEachDown(arena, list, writer.count() - 1, count,
                             [&](const ItemView& element) { ReplyElement(reply, arena, element); });
  }
  writer.Erase(first, count);
  writer.Finish({kPop[static_cast<int>(end)], 'l', count});
  return count;
}

std::optional<Popped> PopFirst(WriteView& view, CommandContext& context, const ListMultiPop& pop) {
  return PopFirst(
      view, context, storage::ValueType::kList, pop, [&](const Key& key, const ValueView& list) {
        return PopElements(view, context, key, list, pop.end, pop.count, PopReply::kArray);
      });
}

bool MoveElement(WriteView& view, CommandContext& context, const Key& from, ListEnd from_end,
                 const Key& to, ListEnd to_end) {
  const PageArena& arena = view.arena();
  std::optional<ValueView> source = view.FindForWrite(from);
  if (!source) return false;
  const bool same = from.bytes == to.bytes;
  std::optional<ValueView> target = same ? source : view.FindForWrite(to);
  if (IsWrongType(source, storage::ValueType::kList) ||
      IsWrongType(target, storage::ValueType::kList)) {
    context.reply().Error(error::kWrongType);
    return true;
  }
  const storage::CollectionLimits& limits = context.environment().limits;
  source = view.Find(from, Access::kPeek);  // an expired target may have gone
  ListWriter taking(view, from, source, limits);
  const uint64_t index = from_end == ListEnd::kHead ? 0 : taking.count() - 1;
  const std::optional<ItemView> element = storage::ListAt(arena, *source, index);
  VERSO_CHECK(element.has_value());
  ReplyElement(context.reply(), arena, *element);
  const std::string bytes = storage::StringCopy(arena, element->value());
  const ByteView elements[] = {bytes};
  if (same) {
    if (from_end != to_end && taking.count() > 1) {
      taking.Erase(index, 1);
      taking.Push(to_end, elements);
    }
    taking.Finish({kPop[static_cast<int>(from_end)], 'l'});
    return true;
  }
  taking.Erase(index, 1);
  taking.Finish({kPop[static_cast<int>(from_end)], 'l'});
  ListWriter giving(view, to, view.Find(to, Access::kPeek), limits);
  giving.Push(to_end, elements);
  // One change in all, as Redis counts them.
  giving.Finish({kPush[static_cast<int>(to_end)].name, 'l', 0});
  return true;
}

size_t ReserveListArguments(const ReadView&, const CommandContext& context) {
  size_t bytes = 0;
  for (const ByteView argument : context.arguments()) bytes += argument.size();
  return storage::ListEstimate(context.size(), bytes);
}

size_t ReserveListMove(const ReadView& view, const CommandContext& context) {
  size_t bytes = 0;
  const std::optional<ValueView> list = view.Find(context.KeyAt(view, 1), storage::Access::kPeek);
  if (list && !IsWrongType(list, storage::ValueType::kList)) {
    const uint64_t count = storage::ListCount(view.arena(), *list);
    for (const uint64_t index : {uint64_t{0}, count - 1}) {
      if (const auto element = storage::ListAt(view.arena(), *list, index)) {
        bytes = std::max(bytes, storage::StringLength(view.arena(), element->value()));
      }
    }
  }
  return 2 * storage::ListEstimate(2, bytes);
}

}  // namespace verso::server
