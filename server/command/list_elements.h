// What the list commands share, the blocking ones included: which end, replying elements, taking
// elements from a list and moving one to another.
#pragma once

#include <optional>

#include "server/command/arg_reader.h"
#include "server/command/command_context.h"
#include "server/command/multi_pop.h"
#include "storage/types/list.h"

namespace verso::server {

// LEFT or RIGHT, in any case. Else a syntax error in the reader.
storage::ListEnd ReadListEnd(ArgReader& args);

void ReplyElement(ReplyWriter& reply, const storage::PageArena& arena,
                  const storage::ItemView& element);

// Replies `count` elements from `from` on, as an array: at once, or as a continuation if they are
// many. Requires: they are there.
Outcome ReplyElements(const storage::ReadView& view, CommandContext& context,
                      const storage::Key& key, const storage::ValueView& list, uint64_t from,
                      uint64_t count);

enum class PopReply : uint8_t { kElement, kArray };

// Takes up to `count` elements from that end, the outermost first, and replies them: one as it is,
// or an array. Says how many. Requires: `list` is what FindForWrite answered for the key, a list;
// count > 0.
uint64_t PopElements(storage::WriteView& view, CommandContext& context, const storage::Key& key,
                     const storage::ValueView& list, storage::ListEnd end, uint64_t count,
                     PopReply shape);

// LMOVE of one element, with its reply: WRONGTYPE, the element, or, if there is no list at `from`,
// nothing at all and false (the caller replies null, or waits).
bool MoveElement(storage::WriteView& view, CommandContext& context, const storage::Key& from,
                 storage::ListEnd from_end, const storage::Key& to, storage::ListEnd to_end);

// LMPOP's work, done for BLMPOP as well: see multi_pop.h.
using ListMultiPop = MultiPop<storage::ListEnd>;
std::optional<Popped> PopFirst(storage::WriteView& view, CommandContext& context,
                               const ListMultiPop& pop);

// Estimators: what is given as arguments comes to one place of a list; the longest outer element of
// the list at the first key moves to another one.
size_t ReserveListArguments(const storage::ReadView& view, const CommandContext& context);
size_t ReserveListMove(const storage::ReadView& view, const CommandContext& context);

}  // namespace verso::server
