// Lists, several at a time: LMOVE RPOPLPUSH LMPOP.
#include <limits>

#include "server/command/command_families.h"
#include "server/command/list_elements.h"
#include "server/command/string_reply.h"

namespace verso::server {
namespace {

using storage::Key;
using storage::ListEnd;
using storage::WriteView;

constexpr int64_t kIntegerMax = std::numeric_limits<int64_t>::max();

Outcome Move(WriteView& view, CommandContext& context, ListEnd from, ListEnd to) {
  if (!MoveElement(view, context, context.KeyAt(view, 1), from, context.KeyAt(view, 2), to)) {
    context.reply().Null();
  }
  return Outcome::kDone;
}

Outcome Lmove(WriteView& view, CommandContext& context) {
  ArgReader args(context, 3);
  const ListEnd from = ReadListEnd(args);
  const ListEnd to = ReadListEnd(args);
  if (!args.ok()) return context.Fail(args.error());
  return Move(view, context, from, to);
}

Outcome Rpoplpush(WriteView& view, CommandContext& context) {
  return Move(view, context, ListEnd::kTail, ListEnd::kHead);
}

Outcome Lmpop(WriteView& view, CommandContext& context) {
  ListMultiPop pop;
  if (!ReadMultiPop(context, 1, &ReadListEnd, &pop)) return Outcome::kDone;
  if (!PopFirst(view, context, pop)) context.reply().NullArray();
  return Outcome::kDone;
}

// ---- rows

constexpr ArgSpec kFrom[] = {{.name = "left", .type = ArgType::kPureToken, .token = "LEFT"},
                             {.name = "right", .type = ArgType::kPureToken, .token = "RIGHT"}};
constexpr ArgSpec kMoveArgs[] = {{.name = "source", .type = ArgType::kKey},
                                 {.name = "destination", .type = ArgType::kKey, .key_spec = 1}};
constexpr ArgSpec kLmoveArgs[] = {{.name = "source", .type = ArgType::kKey},
                                  {.name = "destination", .type = ArgType::kKey, .key_spec = 1},
                                  {.name = "wherefrom", .type = ArgType::kOneOf, .args = kFrom},
                                  {.name = "whereto", .type = ArgType::kOneOf, .args = kFrom}};
constexpr ArgSpec kLmpopArgs[] = {
    {.name = "numkeys", .type = ArgType::kInteger},
    {.name = "key", .type = ArgType::kKey, .flags = kMultiple},
    {.name = "where", .type = ArgType::kOneOf, .args = kFrom},
    {.name = "count", .type = ArgType::kInteger, .token = "COUNT", .flags = kOptional}};

constexpr CommandSpec kRows[] = {
    {.name = "lmove",
     .arity = 5,
     .flags = kWrite | kDenyOom,
     .group = Group::kList,
     .keys = {Keys::At(1).Access(kKeyRw | kKeyAccess | kKeyDelete),
              Keys::At(2).Access(kKeyRw | kKeyInsert)},
     .args = kLmoveArgs,
     .since = "0.1.0",
     .complexity = "O(log N)",
     .summary = "Moves an element from an end of a list to an end of another one and returns it.",
     .run = &Lmove,
     .reserve = &ReserveListMove},
    {.name = "rpoplpush",
     .arity = 3,
     .flags = kWrite | kDenyOom,
     .group = Group::kList,
     .keys = {Keys::At(1).Access(kKeyRw | kKeyAccess | kKeyDelete),
              Keys::At(2).Access(kKeyRw | kKeyInsert)},
     .args = kMoveArgs,
     .since = "0.1.0",
     .complexity = "O(log N)",
     .summary = "Moves the last element of a list before the first one of another one.",
     .run = &Rpoplpush,
     .reserve = &ReserveListMove,
     .deprecated_since = "0.1.0",
     .replaced_by = "`LMOVE` with the `RIGHT` and `LEFT` arguments"},
    {.name = "lmpop",
     .arity = -4,
     .flags = kWrite | kMovableKeys,
     .group = Group::kList,
     .keys = {Keys::At(1).Counted().Access(kKeyRw | kKeyAccess | kKeyDelete)},
     .args = kLmpopArgs,
     .since = "0.1.0",
     .complexity = "O(N + M) with N keys and M elements returned",
     .summary = "Removes elements from an end of the first list that is there and returns them.",
     .run = &Lmpop,
     .reserve = &ReserveListArguments},
};
static_assert(CommandRowsProblem(kRows) == nullptr);

}  // namespace

const CommandFamily kListMoveCommands = kRows;

}  // namespace verso::server
