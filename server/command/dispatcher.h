// Dispatcher: the one gate between a parsed request and its handler. In this order:
//
//   1 name and subcommand known   -ERR unknown command ...
//   2 arity                       -ERR wrong number of arguments ...
//   3 auth                        -NOAUTH
//   4 transaction                 -TXNEXPIRED (before all others), -ERR ... not allowed in TXN,
//                                 -VIEWREADONLY, -ERR Command not allowed inside a transaction
//   5 state                       -LOADING, -MISCONF
//   6 queue                       +QUEUED after MULTI; a refusal by 1-5 makes EXEC fail
//   7 memory                      -OOM: above maxmemory (kDenyOom), or no room for the worst case
//                                 of a write (every write)
//   8 handler                     on a const view, a writable view, the server, or on this
//   9 effects                     what changed goes to the log and the replicas as one unit
//
// Nothing before 8 changes anything but counters and the queue. Sessions, sockets and time are
// passed in.
//
// A unit is what takes effect as one: a command, or all those of an EXEC (dispatcher_exec.cpp). D1
// Of an EXEC, gate 7 judges the sum before the first command runs: all or nothing. D2 An EXEC of
// reads only goes on in slices like any long read, all of it on one version; one that writes runs
// to its end. D3 A write that is computed aside (aside.h) is a unit of the instant at which it is
// committed; gates 1-7 were open when it began. D4 A command inside a TXN (dispatcher_txn.cpp) sees
// the transaction's view, writes to its scratch line, and has no effects; COMMIT is a unit.
#pragma once

#include <memory>
#include <span>
#include <string>

#include "server/command/command_context.h"
#include "server/command/command_table.h"
#include "server/command/request.h"
#include "server/server_state.h"
#include "server/session/session.h"

namespace verso::server {

class Dispatcher {
 public:
  // `server` is what server handlers get; null where only data commands run.
  Dispatcher(ServerState* state, Server* server);

  // Runs one request. kDone: the reply is written. kYield: *rest goes on with it. kParked: it
  // waits in session.parked; run again, it may still. Requires: state->now_ms is this turn's.
  Outcome Run(const Request& request, Session& session, ReplyWriter& reply,
              std::unique_ptr<Continuation>* rest);

  // One command of a unit, without the gates before the memory gate. `pinned`: reads see this
  // version instead of the head. kDone or kYield.
  Outcome RunInUnit(const Request& request, Session& session, ReplyWriter& reply,
                    std::unique_ptr<Continuation>* rest, const storage::ReadView* pinned);
  // For commands that run another one: makes the request's entry that of its subcommand. Empty, or
  // the error: unknown, or another number of arguments.
  std::string Resolve(Request* request) const;
  // A client's wait has ended and it has got its reply without the command running again: now it
  // counts. `errors_before`: of the reply writer, before that reply.
  void CountWaited(Session& session, const ReplyWriter& reply, uint64_t errors_before) {
    CountCall(*session.last_command, session, reply, errors_before);
  }

  // For a unit that no write handler makes (BRANCH MERGE): room for so many keys of so many bytes
  // together, and maxmemory allows it. False: answer -OOM.
  bool ReserveForUnit(const Session& session, size_t payload_bytes, size_t keys) {
    return MakeRoom(session) && Reserve({.payload = payload_bytes, .keys = keys}, kDenyOom);
  }
  // An error of a continuation counts as one of a command.
  void CountError(const ReplyWriter& reply);

  // EXEC.
  Outcome Exec(CommandContext& context);
  // TXN COMMIT. Requires: one is open.
  Outcome CommitTxn(CommandContext& context);

  // The request's entry, or that of its subcommand; null: unknown.
  static const CommandEntry* EntryOf(const Request& request);
  bool IsExec(const Request& request) const { return request.entry == exec_; }

  ServerState& state() { return *state_; }
  Server* server() { return server_; }  // null: there are no clients

  // A unit of the log again (effect_replay.h): as an EXEC, but for its gates, which were open when
  // it was recorded, and its replies. Requires: the session is internal. Fails: with the command
  // and its error; what was before it is done.
  Status Replay(std::span<Request> unit, Session& session, ReplyWriter& reply);

  // Counts what happened since the last call to the command that ran: cycles are taken once per
  // command.
  void StartTurn() {
    cycles_ = __builtin_ia32_rdtsc();
    eviction_.StartTurn();
  }
  Eviction& eviction() { return eviction_; }

 private:
  class AsideContinuation;
  class CommitContinuation;

  // What a write may need at worst: bytes, and keys whose paths are copied.
  struct WriteNeed {
    size_t payload = 0;
    size_t keys = 0;
  };

  // Empty: the gates 2-5 are open. Else the error.
  std::string Refusal(const CommandEntry& entry, const Request& request, const Session& session);
  bool IsPaused(const CommandEntry& entry, const Session& session) const;
  void Refuse(const CommandEntry* entry, std::string_view text, Session& session,
              ReplyWriter& reply);
  std::string UnknownCommand(const Request& request) const;
  void Enqueue(const CommandEntry& entry, const Request& request, Transaction* transaction) const;
  // Under maxmemory; what is replayed was within it. False: to be refused.
  bool MakeRoom(const Session& session) { return session.internal || eviction_.MakeRoom(); }
  static WriteNeed NeedOf(const CommandSpec& row, const Request& request,
                          const CommandContext& context, const storage::ReadView& view);
  // False: there is no room.
  bool Reserve(WriteNeed need, uint64_t flags);
  // Of a whole EXEC.
  bool ReserveAll(std::span<const Request> queue, uint64_t flags, Session& session,
                  ReplyWriter& reply);
  Outcome Invoke(const CommandEntry& entry, const Request& request, Session& session,
                 ReplyWriter& reply, std::unique_ptr<Continuation>* rest,
                 const storage::ReadView* pinned);
  // Between the begin and the end of a unit: change() with its effects.
  template <typename Change>
  Outcome Record(const Request& request, EffectUnit& effects, const Session& session,
                 Change&& change);
  std::unique_ptr<Continuation> MakeAside(const CommandEntry& entry, const Request& request,
                                          Session& session, std::unique_ptr<AsideBuild> build);
  Outcome RunWrite(const CommandSpec& row, const Request& request, WriteHandler handler,
                   CommandContext& context, EffectUnit& effects, Session& session,
                   ReplyWriter& reply);
  Outcome RunInTxn(const CommandSpec& row, const Request& request, WriteHandler handler,
                   CommandContext& context, Session& session, ReplyWriter& reply);
  void RunToEnd(const CommandQueue& queue, Session& session, ReplyWriter& reply);
  CommandMetrics& CountCall(const CommandEntry& entry, Session& session, const ReplyWriter& reply,
                            uint64_t errors_before);

  ServerState* state_;
  Eviction eviction_{state_};
  Server* server_;
  const CommandTable* table_;
  const CommandEntry* exec_;
  const CommandEntry* ping_;
  const CommandEntry* commit_;
  bool in_unit_ = false;  // of an EXEC
  bool at_once_ = false;  // nothing may be computed aside
  uint64_t cycles_ = 0;
};

template <typename Change>
Outcome Dispatcher::Record(const Request& request, EffectUnit& effects, const Session& session,
                           Change&& change) {
  if (!effects.wanted()) return change();
  const uint64_t changes_before = state_->changes.changes_by_commands();
  const UnitScope unit(&state_->unit, state_->effect_consumer, state_->LineOf(session).id(),
                       session.db);
  const Outcome outcome = change();
  if (effects.empty() && state_->changes.changes_by_commands() != changes_before) {
    effects.Emit(request.arguments);  // E1
  }
  return outcome;
}

}  // namespace verso::server
