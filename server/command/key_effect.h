// A unit of contents: for what takes effect as what keys hold and not as commands (COMMIT of a
// transaction, MERGE of a branch). Each key becomes the command that makes it so wherever it is
// repeated: DEL, SET ... PXAT or RESTORE ... ABSTTL.
#pragma once

#include "server/command/effect_unit.h"
#include "server/server_state.h"
#include "storage/keyspace/keyspace.h"

namespace verso::server {

class KeyEffects {
 public:
  KeyEffects(ServerState* state, const storage::Line& line)
      : unit_(&state->unit, state->effect_consumer, line.id(), 0) {}

  // What the view shows of the key, in its database.
  void Add(const storage::ReadView& view, const storage::Key& key);
  UnitScope& unit() { return unit_; }

 private:
  UnitScope unit_;
};

}  // namespace verso::server
