// What DUMP answers and RESTORE takes: one value in RDB form and a footer (rdb_format.h).
#pragma once

#include <memory>
#include <string>

#include "persistence/rdb/rdb_value_writer.h"
#include "storage/base/result.h"
#include "storage/types/collection_limits.h"

namespace verso::persistence {

// A payload, piece by piece, as RdbValueWriter writes the value.
class DumpWriter {
 public:
  DumpWriter(const storage::ReadView& view, const storage::ValueView& value,
             RdbStreams streams = RdbStreams::kFirstVersion)
      : value_(MakeRdbValueWriter(view, value, streams)) {}

  // Appends the next piece to what was appended before (or to an emptied string). False: that was
  // the last one.
  bool Next(std::string* out);
  bool failed() const { return value_->failed(); }

 private:
  std::unique_ptr<RdbValueWriter> value_;
  bool begun_ = false;
  uint64_t crc_ = 0;
};

// The type and the value of a payload, without its footer. Fails: it has none, its version is newer
// than what is known here, or the checksum is wrong.
Result<ByteView> OpenDump(ByteView payload);

// Builds what an opened payload holds at the key of a scratch line's view, where nothing is yet.
// Nothing may follow the value. Fails: kCorruption, kOutOfMemory; then there may be half a value.
Status BuildDump(ByteView opened, storage::WriteView& scratch, const storage::Key& key,
                 const storage::CollectionLimits& limits);

// How much BuildDump must reserve as it goes, at most: for who must know beforehand. The payload
// may be any bytes.
uint64_t DumpEstimate(ByteView payload, const storage::PageArena& arena);

}  // namespace verso::persistence
