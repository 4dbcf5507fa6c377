// What an operator or a start does to a log that did not end well, and the check that changes
// nothing. All of it may be killed at any moment and is done again then.
#pragma once

#include <string>

#include "persistence/log/log_reader.h"

namespace verso::persistence {

// Cuts it off: before the writer's Open.
Status CutTornTail(const TornTail& tail);

// Takes segments from reader.unbased_index() on out of the way, as *.lost.
Status SetUnbasedAside(const std::string& directory, const Id& store_id, uint64_t from_index);

// --log-recover-to: the log ends with record `sequence` (or the end of the unit before it, or where
// damage begins). What follows is renamed to *.lost, the rest of the segment that is cut is copied
// to one; nothing is deleted. Fails: kIo, kNoSpace, kIncompatible.
Status RecoverTo(const std::string& directory, const Id& store_id, uint64_t sequence);

// --check: reads all of it. *report says what is intact, also when it fails (as LogReader does).
// A torn tail is no failure; the report names it. Damage in segments that are only retained is
// one, though a start does not need them.
Status CheckLog(const std::string& directory, const Id& store_id, uint64_t after,
                std::string* report);

}  // namespace verso::persistence
