// RESTORE-TO: what a branch held at an earlier moment, as a branch.
#include <string>

#include "server/command/arg_reader.h"
#include "server/command/command_families.h"
#include "server/command/dispatcher.h"
#include "server/command/version_ref.h"
#include "server/server.h"

namespace verso::server {
namespace {

// From the log: RESTORE-TO record AS name LINE id OF parent. The line is in the save that the log
// follows.
Outcome ReplayRestoreTo(ServerState& state, CommandContext& context) {
  storage::Store& store = *state.store;
  ArgReader args(context, 4);
  storage::LineId id = 0;
  if (!TakeLine(context.session(), &args, &id) || !args.Take("of")) {
    return context.Fail(error::kSyntax);
  }
  const ByteView parent = args.Next();
  if (!args.ok()) return context.Fail(args.error());
  storage::Line* const line = store.FindUnnamed(id);
  if (line == nullptr) return context.Fail("ERR the save does not contain what was restored");
  if (!CheckFree(store, context, context[3])) return Outcome::kDone;
  store.branches().TakeUnnamed(context[3], line, parent, state.now_ms);
  context.reply().Ok();
  return Outcome::kDone;
}

// A number up to that of the last record is a record; from kTimeMin on (September 2001), a time.
// False: the error is replied.
bool ReadTarget(Server& server, CommandContext& context, RestoreRequest* request) {
  constexpr uint64_t kTimeMin = 1'000'000'000'000;
  uint64_t number = 0;
  if (!ParseUnsigned(context[1], &number) || number == 0) {
    context.reply().Error("ERR the target is no record's number and no time in Unix milliseconds");
    return false;
  }
  const bool is_record = number <= request->through || number < kTimeMin;
  (is_record ? request->sequence : request->time_ms) = number;
  const uint64_t last = is_record ? request->through : server.state().now_ms;
  if (number <= last) return true;
  context.reply().Error("ERR the target lies in the future: " +
                        (is_record ? "the last record is " + std::to_string(last)
                                   : "it is " + std::to_string(last) + " now"));
  return false;
}

void NoteNames(const storage::Store& store, RestoreRequest* request) {
  for (const auto& [name, snapshot] : store.snapshots().all()) {
    request->snapshots.push_back({std::string(name), snapshot.line->id(), snapshot.moment_ms});
  }
  for (const auto& [name, branch] : store.branches().all()) {
    request->branches.push_back({std::string(name), branch.line->id(), 0});
  }
}

// It waits as a client waits for the end of CLIENT PAUSE, and is run once more then.
Outcome RestoreToRecord(Dispatcher& dispatcher, CommandContext& context) {
  if (!EqualsIgnoreCase(context[2], "as")) return context.Fail(error::kSyntax);
  if (context.session().internal) return ReplayRestoreTo(dispatcher.state(), context);
  if (context.size() != 4) return context.Fail(error::WrongArity("restore-to"));
  Server& server = *dispatcher.server();
  const ByteView name = context[3];
  const RestoreTo::Job* const mine = server.restore().JobOf(context.session().handle);
  if (mine != nullptr && mine->ended && mine->target == context[1] && mine->name == name) {
    if (!mine->error.empty()) return context.Fail(mine->error);
    context.reply().Integer(static_cast<int64_t>(mine->sequence));
    return Outcome::kDone;
  }
  if (mine == nullptr || mine->ended) {
    if (!CheckFree(server.store(), context, name)) return Outcome::kDone;
    if (!server.log().on()) {
      return context.Fail("ERR there is no operation log to restore from: appendonly is no");
    }
    if (std::string full = BranchesFull(server.state()); !full.empty()) return context.Fail(full);
    if (server.restore().running()) return context.Fail("ERR a RESTORE-TO is running already");
    if (server.transfers().report().importing) {
      return context.Fail("ERR an import is running already");
    }
    if (server.store().arena().pending()) {  // each page that is missing would be waited for
      return context.Fail(
          "ERR the data set is still being brought in (async_loading in INFO): try again then");
    }
    RestoreRequest request;
    request.branch = BranchOf(server.store(), context.session())->name;
    request.through = server.log().appended();
    if (!ReadTarget(server, context, &request)) return Outcome::kDone;
    NoteNames(server.store(), &request);
    server.restore().Start(std::move(request), context[1], name, context.session().handle);
  }
  Parking for_no_key;
  for_no_key.key_count = 0;
  return context.Park(for_no_key);
}

// ---- rows

constexpr ArgSpec kArgs[] = {{.name = "unix-ms-or-record", .type = ArgType::kInteger},
                             {.name = "branch", .token = "AS"}};

constexpr CommandSpec kRows[] = {
    {.name = "restore-to",
     .arity = -4,
     .flags = kNoTxn | kAdmin | kNoScript | kNoMulti | kDangerous | kMayReplicate,
     .group = Group::kServer,
     .args = kArgs,
     .since = "0.1.0",
     .complexity = "O(N) with N records between the nearest snapshot and the target, in slices "
                   "that stall nobody",
     .summary = "Makes a branch of what the present one held at a time or behind a record of the "
                "operation log.",
     .run = &RestoreToRecord}};
static_assert(CommandRowsProblem(kRows) == nullptr);

}  // namespace

const CommandFamily kRestoreToCommands = kRows;

}  // namespace verso::server
