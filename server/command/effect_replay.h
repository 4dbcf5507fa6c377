// EffectReplay: units of effects (effect_unit.h), one after the other, into a store: what the
// operation log does at a start, and a replica with what it is sent.
//
//   EffectReplay replay(&dispatcher, &state);
//   for (each record)  VERSO_TRY_STATUS(replay.Apply(line, db, time_ms, payload));
//   replay.Finish();      nothing more comes
//
// R1 A unit takes effect as a whole, through the same dispatcher and the same handlers as when it
//    was recorded. Its gates were open then: nobody is asked for a password, maxmemory refuses
//    nothing, nothing waits and nothing is computed aside. Replies are looked at and thrown away.
// R2 Time is the unit's: state.now_ms is time_ms while it runs. Nobody expires keys meanwhile: the
//    units have the deletions.
// R3 A unit finds its line by its id. One that makes a line says its id by itself (LINE of BRANCH
//    CREATE, SNAPSHOT ROLLBACK, SNAPSHOT IMPORT). So a replay must begin with the state that the
//    first unit was recorded on, and leave none out.
// R4 What fails is an Error with the command and the reply; the unit may then have been applied in
//    part, and the store is of no use. kOutOfMemory: the machine has not enough memory; everything
//    else means that state and log do not belong together, or a fault of ours. Whoever calls adds
//    the sequence number.
#pragma once

#include <string>
#include <vector>

#include "server/command/dispatcher.h"
#include "server/resp/parser.h"
#include "storage/base/result.h"
#include "storage/memory/branches.h"

namespace verso::server {

class EffectReplay {
 public:
  EffectReplay(Dispatcher* dispatcher, ServerState* state);
  EffectReplay(const EffectReplay&) = delete;
  EffectReplay& operator=(const EffectReplay&) = delete;

  Status Apply(uint32_t line, int db, uint64_t time_ms,
               std::span<const std::span<const ByteView>> commands);
  // The commands as RESP arrays of bulk strings, one behind the other.
  Status Apply(uint32_t line, int db, uint64_t time_ms, ByteView payload);

  // One command, in this line, whatever it is in: a part of a unit, where nobody looks yet.
  Status ApplyIn(storage::Line* line, int db, uint64_t time_ms, ByteView payload);

  // What units had begun and none has ended goes (imports, merges): it was lost with the process
  // that did it.
  void Finish() { state_.store->DropUnnamed(); }

 private:
  Status Parse(ByteView payload);
  Status Run(uint32_t line, int db, uint64_t time_ms);
  Status RunHere(int db, uint64_t time_ms);
  bool FindLine(uint32_t line);

  Dispatcher& dispatcher_;
  ServerState& state_;
  Session session_;
  storage::Branch unnamed_;  // stands for the line of an import, which no branch has
  BufferPool pool_;
  OutputChain replies_{&pool_};
  ReplyWriter reply_{&replies_};
  // Of the unit that is applied; kept for their memory.
  std::vector<Request> requests_;
  std::vector<ByteView> arguments_;
};

}  // namespace verso::server
