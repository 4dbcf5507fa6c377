// MULTI, EXEC, DISCARD, WATCH, UNWATCH. Queueing and running are the dispatcher's.
#include "server/command/command_families.h"
#include "server/command/dispatcher.h"
#include "server/command/error_reply.h"
#include "server/session/transaction.h"

namespace verso::server {
namespace {

bool Open(const Session& session) {
  return session.transaction != nullptr && session.transaction->open;
}

Outcome Multi(Dispatcher& dispatcher, CommandContext& context) {
  if (Open(context.session())) return context.Fail("ERR MULTI calls can not be nested");
  TransactionOf(&context.session(), &dispatcher.state().watches).open = true;
  context.reply().Ok();
  return Outcome::kDone;
}

Outcome Exec(Dispatcher& dispatcher, CommandContext& context) { return dispatcher.Exec(context); }

Outcome Discard(Dispatcher&, CommandContext& context) {
  if (!Open(context.session())) return context.Fail("ERR DISCARD without MULTI");
  context.session().transaction.reset();
  context.reply().Ok();
  return Outcome::kDone;
}

Outcome Watch(Dispatcher& dispatcher, CommandContext& context) {
  Session& session = context.session();
  if (Open(session)) return context.Fail("ERR WATCH inside MULTI is not allowed");
  ServerState& state = dispatcher.state();
  Transaction& transaction = TransactionOf(&session, &state.watches);
  const storage::Line& line = state.LineOf(session);
  const storage::ReadView view = state.HeadOf(session);
  for (size_t i = 1; i < context.size() && !transaction.dirty(); ++i) {
    const storage::Key key = context.KeyAt(view, i);
    const KeyPlace place{line.id(), session.db, key.bytes, key.hash};
    transaction.watches.Add(place, WatchStateAt(state, line, place));
  }
  context.reply().Ok();
  return Outcome::kDone;
}

// Queued after MULTI, where it has nothing to do: EXEC has taken the watches away before.
Outcome Unwatch(Dispatcher&, CommandContext& context) {
  if (!Open(context.session())) context.session().transaction.reset();
  context.reply().Ok();
  return Outcome::kDone;
}

constexpr uint64_t kOwn = kNoScript | kLoading | kStale | kFast | kAllowBusy;

constexpr ArgSpec kWatchArgs[] = {{.name = "key", .type = ArgType::kKey, .flags = kMultiple}};

constexpr CommandSpec kRows[] = {
    {.name = "multi",
     .arity = 1,
     .flags = kNoTxn | kOwn | kNotQueued,
     .group = Group::kTransactions,
     .since = "0.1.0",
     .complexity = "O(1)",
     .summary = "Starts a transaction: what follows is queued until EXEC.",
     .run = &Multi},
    {.name = "exec",
     .arity = 1,
     .flags = kNoScript | kLoading | kStale | kSkipSlowlog | kNotQueued,
     .group = Group::kTransactions,
     .since = "0.1.0",
     .complexity = "Depends on the commands.",
     .summary = "Runs the queued commands as one.",
     .run = &Exec},
    {.name = "discard",
     .arity = 1,
     .flags = kOwn | kNotQueued,
     .group = Group::kTransactions,
     .since = "0.1.0",
     .complexity = "O(N) in the number of queued commands",
     .summary = "Drops the queued commands.",
     .run = &Discard},
    {.name = "watch",
     .arity = -2,
     .flags = kNoTxn | kOwn | kNotQueued,
     .group = Group::kTransactions,
     .keys = {Keys::At(1).To(-1).Access(kKeyRo)},
     .args = kWatchArgs,
     .since = "0.1.0",
     .complexity = "O(1) per key",
     .summary = "Makes the next EXEC do nothing if one of the keys has changed by then.",
     .run = &Watch},
    {.name = "unwatch",
     .arity = 1,
     .flags = kOwn,
     .group = Group::kTransactions,
     .since = "0.1.0",
     .complexity = "O(N) in the number of watched keys",
     .summary = "Watches no key any more.",
     .run = &Unwatch},
};
static_assert(CommandRowsProblem(kRows) == nullptr);

}  // namespace

const CommandFamily kTransactionCommands = kRows;

}  // namespace verso::server
