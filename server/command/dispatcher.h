// Dispatcher: the one gate between a parsed request and its handler. In this order:
//
//   1 name and subcommand known   -ERR unknown command ...
//   2 arity                       -ERR wrong number of arguments ...
//   3 auth                        -NOAUTH
//   4 state                       -LOADING, -MISCONF
//   5 memory                      -OOM: above maxmemory (kDenyOom), or no room for the worst case
//   of a write (every write) 6 handler                     on a const view, a writable view, or the
//   server 7 effects                     what changed goes to the log and the replicas as one unit
//
// Nothing before 6 changes anything but counters. Sessions, sockets and time are passed in.
#pragma once

#include <memory>
#include <span>

#include "server/command/command_context.h"
#include "server/command/command_table.h"
#include "server/server_state.h"
#include "server/session/session.h"

namespace verso::server {

struct Request {
  const CommandEntry* entry = nullptr;  // as Find() answers; null: unknown
  std::span<const ByteView> arguments;
  size_t bytes = 0;         // of the request, for the memory gate
  size_t hashed_index = 0;  // 0: the prefetch stage made no hash
  uint64_t hash = 0;
};

class Dispatcher {
 public:
  // `server` is what server handlers get; null where only data commands run.
  Dispatcher(ServerState* state, Server* server);

  // Runs one request. kDone: the reply is written. kYield: *rest goes on with it. Requires:
  // state->now_ms is this turn's.
  Outcome Run(const Request& request, Session& session, ReplyWriter& reply,
              std::unique_ptr<Continuation>* rest);

  // Counts what happened since the last call to the command that ran: cycles are taken once per
  // command.
  void StartTurn() { cycles_ = __builtin_ia32_rdtsc(); }

 private:
  // Null: all gates are open. Else the error has been written.
  bool Gates(const CommandEntry& entry, const Request& request, const Session& session,
             ReplyWriter& reply);
  bool MemoryGate(const CommandSpec& row, const Request& request, const CommandContext& context,
                  const storage::ReadView& view, ReplyWriter& reply);
  void UnknownCommand(const Request& request, ReplyWriter& reply);
  Outcome RunWrite(const CommandSpec& row, const Request& request, WriteHandler handler,
                   CommandContext& context, EffectUnit& effects, Session& session,
                   ReplyWriter& reply);
  void CountError(const ReplyWriter& reply);

  ServerState* state_;
  Server* server_;
  const CommandTable* table_;
  uint64_t cycles_ = 0;
};

}  // namespace verso::server
