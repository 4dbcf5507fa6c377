// Lists, for those who can wait: BLPOP BRPOP BLMOVE BRPOPLPUSH BLMPOP. What they do when there is
// something is that of the commands which do not wait, and that is what they leave in the log (P2).
#include <string>
#include <vector>

#include "server/command/blocking_args.h"
#include "server/command/command_families.h"
#include "server/command/list_elements.h"
#include "server/command/string_reply.h"

namespace verso::server {
namespace {

using storage::Key;
using storage::ListEnd;
using storage::ValueType;
using storage::ValueView;
using storage::WriteView;

std::string_view NameOf(ListEnd end) { return end == ListEnd::kHead ? "LEFT" : "RIGHT"; }

Outcome BlockingPop(WriteView& view, CommandContext& context, ListEnd end) {
  const size_t last = context.size() - 1;
  uint64_t timeout_ms = 0;
  if (!ReadBlockSeconds(context, context[last], &timeout_ms)) return Outcome::kDone;
  for (size_t i = 1; i < last; ++i) {
    const Key key = context.KeyAt(view, i);
    const std::optional<ValueView> list = view.FindForWrite(key);
    if (!list) continue;
    if (IsWrongType(list, ValueType::kList)) return context.Fail(error::kWrongType);
    context.reply().Array(2);
    context.reply().Bulk(key.bytes);
    PopElements(view, context, key, *list, end, 1, PopReply::kElement);
    context.effects().Emit({end == ListEnd::kHead ? "LPOP" : "RPOP", key.bytes});
    return Outcome::kDone;
  }
  return context.Park({.first_key = 1, .key_count = last - 1, .timeout_ms = timeout_ms});
}

Outcome Blpop(WriteView& view, CommandContext& context) {
  return BlockingPop(view, context, ListEnd::kHead);
}
Outcome Brpop(WriteView& view, CommandContext& context) {
  return BlockingPop(view, context, ListEnd::kTail);
}

Outcome BlockingMove(WriteView& view, CommandContext& context, ListEnd from_end, ListEnd to_end) {
  uint64_t timeout_ms = 0;
  if (!ReadBlockSeconds(context, context[context.size() - 1], &timeout_ms)) return Outcome::kDone;
  const Key from = context.KeyAt(view, 1);
  const Key to = context.KeyAt(view, 2);
  const uint64_t errors = context.reply().errors();
  if (!MoveElement(view, context, from, from_end, to, to_end)) {
    return context.Park({.timeout_ms = timeout_ms, .reply = NoWaitReply::kNull});
  }
  if (context.reply().errors() == errors) {
    context.effects().Emit({"LMOVE", from.bytes, to.bytes, NameOf(from_end), NameOf(to_end)});
  }
  return Outcome::kDone;
}

Outcome Blmove(WriteView& view, CommandContext& context) {
  ArgReader args(context, 3);
  const ListEnd from = ReadListEnd(args);
  const ListEnd to = ReadListEnd(args);
  if (!args.ok()) return context.Fail(args.error());
  return BlockingMove(view, context, from, to);
}

Outcome Brpoplpush(WriteView& view, CommandContext& context) {
  return BlockingMove(view, context, ListEnd::kTail, ListEnd::kHead);
}

Outcome Blmpop(WriteView& view, CommandContext& context) {
  ListMultiPop pop;
  uint64_t timeout_ms = 0;
  if (!ReadMultiPop(context, 2, &ReadListEnd, &pop) ||
      !ReadBlockSeconds(context, context[1], &timeout_ms)) {
    return Outcome::kDone;
  }
  const std::optional<Popped> popped = PopFirst(view, context, pop);
  if (!popped) {
    return context.Park(
        {.first_key = pop.first_key, .key_count = pop.key_count, .timeout_ms = timeout_ms});
  }
  if (popped->count > 0 && context.effects().wanted()) {
    std::vector<ByteView> words = {"LMPOP"};
    const auto from_numkeys = context.arguments().subspan(2);
    words.insert(words.end(), from_numkeys.begin(), from_numkeys.end());
    context.effects().Emit(words);
  }
  return Outcome::kDone;
}

// ---- rows

constexpr ArgSpec kFrom[] = {{.name = "left", .type = ArgType::kPureToken, .token = "LEFT"},
                             {.name = "right", .type = ArgType::kPureToken, .token = "RIGHT"}};
constexpr ArgSpec kPopArgs[] = {{.name = "key", .type = ArgType::kKey, .flags = kMultiple},
                                {.name = "timeout", .type = ArgType::kDouble}};
constexpr ArgSpec kMoveArgs[] = {{.name = "source", .type = ArgType::kKey},
                                 {.name = "destination", .type = ArgType::kKey, .key_spec = 1},
                                 {.name = "timeout", .type = ArgType::kDouble}};
constexpr ArgSpec kLmoveArgs[] = {{.name = "source", .type = ArgType::kKey},
                                  {.name = "destination", .type = ArgType::kKey, .key_spec = 1},
                                  {.name = "wherefrom", .type = ArgType::kOneOf, .args = kFrom},
                                  {.name = "whereto", .type = ArgType::kOneOf, .args = kFrom},
                                  {.name = "timeout", .type = ArgType::kDouble}};
constexpr ArgSpec kLmpopArgs[] = {
    {.name = "timeout", .type = ArgType::kDouble},
    {.name = "numkeys", .type = ArgType::kInteger},
    {.name = "key", .type = ArgType::kKey, .flags = kMultiple},
    {.name = "where", .type = ArgType::kOneOf, .args = kFrom},
    {.name = "count", .type = ArgType::kInteger, .token = "COUNT", .flags = kOptional}};

constexpr uint16_t kTaken = kKeyRw | kKeyAccess | kKeyDelete;

constexpr CommandSpec kRows[] = {
    {.name = "blpop",
     .arity = -3,
     .flags = kWrite | kNoScript | kBlocking,
     .group = Group::kList,
     .keys = {Keys::At(1).To(-2).Access(kTaken)},
     .args = kPopArgs,
     .since = "0.1.0",
     .complexity = "O(N) with N keys",
     .summary = "Removes the first element of the first list that is there, waiting for one.",
     .run = &Blpop,
     .reserve = &ReserveListArguments},
    {.name = "brpop",
     .arity = -3,
     .flags = kWrite | kNoScript | kBlocking,
     .group = Group::kList,
     .keys = {Keys::At(1).To(-2).Access(kTaken)},
     .args = kPopArgs,
     .since = "0.1.0",
     .complexity = "O(N) with N keys",
     .summary = "Removes the last element of the first list that is there, waiting for one.",
     .run = &Brpop,
     .reserve = &ReserveListArguments},
    {.name = "blmove",
     .arity = 6,
     .flags = kWrite | kDenyOom | kNoScript | kBlocking,
     .group = Group::kList,
     .keys = {Keys::At(1).Access(kTaken), Keys::At(2).Access(kKeyRw | kKeyInsert)},
     .args = kLmoveArgs,
     .since = "0.1.0",
     .complexity = "O(log N)",
     .summary = "Moves an element between ends of lists and returns it, waiting for one.",
     .run = &Blmove,
     .reserve = &ReserveListMove},
    {.name = "brpoplpush",
     .arity = 4,
     .flags = kWrite | kDenyOom | kNoScript | kBlocking,
     .group = Group::kList,
     .keys = {Keys::At(1).Access(kTaken), Keys::At(2).Access(kKeyRw | kKeyInsert)},
     .args = kMoveArgs,
     .since = "0.1.0",
     .complexity = "O(log N)",
     .summary = "Moves the last element of a list before the first of another, waiting for one.",
     .run = &Brpoplpush,
     .reserve = &ReserveListMove,
     .deprecated_since = "0.1.0",
     .replaced_by = "`BLMOVE` with the `RIGHT` and `LEFT` arguments"},
    {.name = "blmpop",
     .arity = -5,
     .flags = kWrite | kBlocking | kMovableKeys,
     .group = Group::kList,
     .keys = {Keys::At(2).Counted().Access(kTaken)},
     .args = kLmpopArgs,
     .since = "0.1.0",
     .complexity = "O(N + M) with N keys and M elements returned",
     .summary = "Removes elements of the first list that is there, waiting for one.",
     .run = &Blmpop,
     .reserve = &ReserveListArguments},
};
static_assert(CommandRowsProblem(kRows) == nullptr);

}  // namespace

const CommandFamily kListBlockingCommands = kRows;

}  // namespace verso::server
