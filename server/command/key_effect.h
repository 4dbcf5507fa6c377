// What a key holds as a command that makes it so wherever it is repeated: for what takes effect as
// contents and not as commands (a transaction's COMMIT).
#pragma once

#include "server/command/effect_unit.h"
#include "storage/keyspace/keyspace.h"

namespace verso::server {

// DEL, SET ... PXAT or RESTORE ... ABSTTL.
void EmitKey(const storage::ReadView& view, const storage::Key& key, EffectConsumer& consumer);

}  // namespace verso::server
