// Reads a dump file whole (rdb_format.h) and tells a sink what it holds.
//
// F1 The checksum of the whole file is verified before the sink is called, unless the file says
//    that none was computed.
// F2 The bytes may come from anybody (rdb_value_reader.h, V1). An error names the offset, and the
//    key if it is in a value.
#pragma once

#include "persistence/rdb/rdb_value_reader.h"

namespace verso::persistence {

struct RdbKey {
  int db = 0;
  ByteView bytes;
  uint64_t deadline_ms = storage::kNoDeadline;
};

// For each key Begin, its value by the calls of RdbValueSink, End.
class RdbFileSink : public RdbValueSink {
 public:
  virtual Status Begin(const RdbKey& key) = 0;
  virtual Status End() = 0;
  // Not kept here, but said: functions and what modules add.
  virtual void Skipped(const char* what) = 0;
};

Status ReadRdbFile(ByteView file, RdbFileSink& sink);

// How many bytes the dump has that the file begins with: all of them, unless something else follows
// it. Fails: there is no whole dump.
Result<size_t> RdbFileBytes(ByteView file);

}  // namespace verso::persistence
