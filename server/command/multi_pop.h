// numkeys key [key ...] <end> [COUNT count]: LMPOP and ZMPOP, and the forms of both that wait.
#pragma once

#include <optional>

#include "server/command/arg_reader.h"
#include "server/command/command_context.h"

namespace verso::server {

template <typename End>
struct MultiPop {
  size_t first_key = 0;  // index of the first key among the arguments
  size_t key_count = 0;
  End end = {};
  uint64_t count = 1;
};

// `first`: the argument numkeys. `read_end` leaves a syntax error in the reader if there is none.
// False: the error has been written.
template <typename End>
bool ReadMultiPop(CommandContext& context, size_t first, End (*read_end)(ArgReader&),
                  MultiPop<End>* pop) {
  ArgReader args(context, first);
  const int64_t keys = args.Integer(error::kNumkeysNotPositive);
  if (args.ok() && keys <= 0) args.SetError(error::kNumkeysNotPositive);
  if (args.ok() && static_cast<uint64_t>(keys) >= args.remaining()) args.SetError(error::kSyntax);
  if (args.ok()) {
    pop->first_key = args.position();
    pop->key_count = static_cast<size_t>(keys);
    args = ArgReader(context, pop->first_key + pop->key_count);
    pop->end = read_end(args);
    bool counted = false;
    while (args.ok() && !args.AtEnd()) {
      if (!counted && args.remaining() > 1 && args.Take("count")) {
        counted = true;
        const int64_t count = args.Integer(error::kCountNotPositive);
        if (count <= 0) args.SetError(error::kCountNotPositive);
        pop->count = static_cast<uint64_t>(count);
      } else {
        args.SetError(error::kSyntax);
      }
    }
  }
  if (!args.ok()) context.reply().Error(args.error());
  return args.ok();
}

// From the first key that holds something: replies its name and what `pop_from(key, value)`
// replies, or WRONGTYPE, and says which argument it was and how many were taken (WRONGTYPE: 0).
// nullopt, with nothing replied: none of them is there.
struct Popped {
  size_t key = 0;
  uint64_t count = 0;
};
template <typename End, typename PopFrom>
std::optional<Popped> PopFirst(storage::WriteView& view, CommandContext& context,
                               storage::ValueType type, const MultiPop<End>& pop,
                               PopFrom&& pop_from) {
  for (size_t i = pop.first_key; i < pop.first_key + pop.key_count; ++i) {
    const storage::Key key = context.KeyAt(view, i);
    const std::optional<storage::ValueView> value = view.FindForWrite(key);
    if (!value) continue;
    if (IsWrongType(value, type)) {
      context.reply().Error(error::kWrongType);
      return Popped{i, 0};
    }
    context.reply().Array(2);
    context.reply().Bulk(key.bytes);
    return Popped{i, pop_from(key, *value)};
  }
  return std::nullopt;
}

}  // namespace verso::server
