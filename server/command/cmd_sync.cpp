// SYNC, as redis-cli --rdb uses it: the whole data set as a dump, once. There is no replication,
// and who wants to go on as a replica is told so.
//
//   REPLCONF capa eof, rdb-only 1 ──> OK
//   SYNC ──> an export into a file without a name (RdbTransfers::StartSync) ── "\n" each second ──>
//   ended ──> $<bytes> CRLF, the file in slices ──> the connection ends
//
// What is not sent yet lies in the file: a slow reader costs disk, neither memory nor a version.
#include <unistd.h>

#include <cerrno>
#include <memory>

#include "server/command/arg_reader.h"
#include "server/command/command_families.h"
#include "server/command/dispatcher.h"
#include "server/logging.h"
#include "server/server.h"

namespace verso::server {
namespace {

constexpr std::string_view kNoReplicas =
    "ERR this server has no replicas; SYNC without introducing oneself as one (redis-cli --rdb) "
    "returns the data set once";

class SendFile final : public Continuation {
 public:
  SendFile(persistence::OwnedFd file, uint64_t bytes)
      : file_(std::move(file)), left_(bytes), piece_(std::make_unique<char[]>(kPieceBytes)) {}

  bool Run(const storage::ReadView&, Slice& slice) override {
    while (left_ > 0) {
      const ssize_t got = pread(file_.get(), piece_.get(), std::min<uint64_t>(kPieceBytes, left_),
                                static_cast<off_t>(sent_));
      if (got < 0 && errno == EINTR) continue;
      if (got <= 0) {
        // The length is announced already: all that is left is to end too early.
        LogWarning("SYNC failed: {}", persistence::OsError("read").context);
        return true;
      }
      slice.reply().Append({piece_.get(), static_cast<size_t>(got)});
      sent_ += static_cast<uint64_t>(got);
      left_ -= static_cast<uint64_t>(got);
      if (left_ > 0 && slice.SpentNow()) return false;
    }
    return true;
  }

  bool NeedsVersion() const override { return false; }

 private:
  static constexpr size_t kPieceBytes = 64 * 1024;

  persistence::OwnedFd file_;
  uint64_t sent_ = 0;
  uint64_t left_;
  std::unique_ptr<char[]> piece_;
};

Outcome Sync(Dispatcher& dispatcher, CommandContext& context) {
  Server& server = *dispatcher.server();
  Session& session = context.session();
  if (session.replica) return context.Fail(kNoReplicas);
  RdbTransfers& transfers = server.transfers();
  if (auto ended = transfers.TakeEndedSync(session.handle)) {
    if (!ended->error.empty()) return context.Fail("ERR " + ended->error);
    session.close_after_reply = true;
    context.reply().BulkBegin(ended->bytes);
    return context.Yield(std::make_unique<SendFile>(std::move(ended->file), ended->bytes));
  }
  if (!transfers.IsSyncing(session.handle)) {
    ServerState& state = server.state();
    const Status started = transfers.StartSync(
        server.store().PinForRead(state.LineOf(session), state.now_ms), session.handle);
    if (!started) return context.Fail("ERR " + started.error().context);
  }
  Parking for_no_key;
  for_no_key.key_count = 0;
  return context.Park(for_no_key);
}

// Only what stands before a single dump is agreed to. A replica goes on to SYNC whatever it is told
// here, so it is remembered.
Outcome Replconf(CommandContext& context) {
  if (context.size() % 2 == 0) return context.Fail(error::kSyntax);
  ArgReader args(context, 1);
  while (!args.AtEnd()) {
    if (args.Take("rdb-only")) {
      args.Integer();
    } else if (args.Take("capa")) {
      if (!args.Take("eof")) {
        args.Next();
        context.session().replica = true;
      }
    } else {
      context.session().replica = true;
      args.SetError(kNoReplicas);
    }
    if (!args.ok()) return context.Fail(args.error());
  }
  context.reply().Ok();
  return Outcome::kDone;
}

// With any other code a replica goes on to SYNC, and comes back at once whatever that answers, a
// thousand times a second; with this one it waits a second.
Outcome Psync(CommandContext& context) {
  context.session().replica = true;
  return context.Fail("NOMASTERLINK this server has no replicas, nor will it have any");
}

constexpr CommandSpec kRows[] = {
    {.name = "sync",
     .arity = 1,
     .flags = kAdmin | kNoScript | kNoAsyncLoading | kNoMulti | kNoTxn,
     .group = Group::kServer,
     .since = "0.1.0",
     .complexity = "O(N) with N keys, in a child; the fork takes the same time for any data",
     .summary = "Sends the data set as a dump file and ends the connection (redis-cli --rdb).",
     .run = &Sync},
    {.name = "psync",
     .arity = -3,
     .flags = kAdmin | kNoScript | kNoAsyncLoading | kNoMulti | kNoTxn,
     .group = Group::kServer,
     .since = "0.1.0",
     .complexity = "O(1)",
     .summary = "Refuses a replica: there is no replication.",
     .run = &Psync},
    {.name = "replconf",
     .arity = -1,
     .flags = kAdmin | kNoScript | kLoading | kStale | kAllowBusy,
     .group = Group::kServer,
     .since = "0.1.0",
     .complexity = "O(1)",
     .summary = "Says what the client expects of SYNC: rdb-only, capa eof; replicas are refused.",
     .run = &Replconf},
};
static_assert(CommandRowsProblem(kRows) == nullptr);

}  // namespace

const CommandFamily kSyncCommands = kRows;

}  // namespace verso::server
