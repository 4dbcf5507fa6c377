// SNAPSHOT EXPORT and SNAPSHOT IMPORT: versions as dump files that other servers read and write.
#include "server/command/arg_reader.h"
#include "server/command/dispatcher.h"
#include "server/command/snapshot_file.h"
#include "server/command/version_ref.h"
#include "server/server.h"

namespace verso::server {
namespace {

// False: the error is replied.
bool ReadPath(Server& server, CommandContext& context, ByteView path, std::string* out) {
  Result<std::string> under = PathUnder(server.state().settings.dir, path);
  if (!under) {
    context.reply().Error("ERR " + under.error().context);
    return false;
  }
  *out = *std::move(under);
  return true;
}

}  // namespace

Outcome SnapshotExport(Server& server, CommandContext& context) {
  ArgReader args(context, 4);
  if (!args.AtEnd() && (args.remaining() != 2 || !args.Take("format") || !args.Take("rdb"))) {
    return context.Fail(error::kSyntax);
  }
  storage::Store& store = server.store();
  VersionRef ref;
  std::string path;
  if (!ReadRef(store, context, context[2], &ref)) return Outcome::kDone;
  if (!ReadPath(server, context, context[3], &path)) return Outcome::kDone;
  storage::Line* line = nullptr;
  storage::PinHandle pin = HoldRef(store, ref, server.state().now_ms, &line);
  const Status started = server.transfers().StartExport(std::move(pin), path);
  if (!started) return context.Fail("ERR " + started.error().context);
  context.reply().SimpleString("Background export started");
  return Outcome::kDone;
}

namespace {

// From the log: LINE id BEGIN, AS name or FAILED. In between its keys come as commands in that
// line.
Outcome ReplayImport(ServerState& state, CommandContext& context) {
  storage::Store& store = *state.store;
  ArgReader args(context, 2);
  storage::LineId id = 0;
  if (!TakeLine(context.session(), &args, &id) || !args.ok() || args.AtEnd()) {
    return context.Fail(error::kSyntax);
  }
  if (args.Take("begin")) {
    if (!UseLine(store, context, id)) return Outcome::kDone;
    store.NewUnnamed();
    context.reply().Ok();
    return Outcome::kDone;
  }
  storage::Line* const line = store.FindUnnamed(id);
  if (line == nullptr) return context.Fail("ERR no line is being imported under this id");
  if (args.Take("failed")) {
    store.DropHead(line);
  } else if (!args.Take("as") || args.AtEnd()) {
    return context.Fail(error::kSyntax);
  } else {
    const ByteView name = args.Next();
    if (!CheckFree(store, context, name)) return Outcome::kDone;
    store.snapshots().TakeUnnamed(name, line, state.now_ms);
  }
  context.reply().Ok();
  return Outcome::kDone;
}

}  // namespace

// It waits for the import as a client waits for the end of CLIENT PAUSE, and is run once more then.
Outcome SnapshotImport(Dispatcher& dispatcher, CommandContext& context) {
  if (context.session().internal) return ReplayImport(dispatcher.state(), context);
  if (context.size() != 5) return context.Fail(error::WrongArity("snapshot|import"));
  Server& server = *dispatcher.server();
  RdbTransfers& transfers = server.transfers();
  const ByteView name = context[4];
  std::string path;
  if (!EqualsIgnoreCase(context[3], "as")) return context.Fail(error::kSyntax);
  if (!ReadPath(server, context, context[2], &path)) return Outcome::kDone;
  const RdbTransfers::Import* const mine = transfers.ImportOf(context.session().handle);
  const bool again = mine != nullptr && mine->path == path && mine->name == name;
  if (again && mine->ended) {
    if (!mine->error.empty()) return context.Fail(mine->error);
    context.reply().Integer(static_cast<int64_t>(mine->keys));
    return Outcome::kDone;
  }
  if (!again) {
    if (!CheckFree(server.store(), context, name)) return Outcome::kDone;
    const Status started = transfers.StartImport(path, name, context.session().handle);
    if (!started) return context.Fail("ERR " + started.error().context);
  }
  Parking for_no_key;
  for_no_key.key_count = 0;
  return context.Park(for_no_key);
}

}  // namespace verso::server
