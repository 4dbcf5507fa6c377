// RdbValueWriter: a value of any type in RDB form, piece by piece, so that the largest one can be
// written in slices. What is written needs version 9 only, so Redis 5 to 8 read it: strings as they
// are, lists, sets, hashes and sorted sets as plain sequences, streams of the first version.
//
// A stream of the first version does not tell how many entries were ever added, the highest id ever
// deleted, how many entries a group has read and when a consumer was active: a reader guesses.
// Where nothing may be guessed (the log), they are written in the third, as Redis 7.2 does.
//
// W1 Of one version of a value two writers write the same bytes: lengths stand in front, so one is
//    run to count, the other to produce.
#pragma once

#include <memory>
#include <string>

#include "persistence/rdb/rdb_format.h"
#include "storage/keyspace/keyspace.h"

namespace verso::persistence {

enum class RdbStreams : uint8_t { kFirstVersion, kThirdVersion };

class RdbValueWriter {
 public:
  // A piece has about so many bytes. Now and then there is nothing yet.
  static constexpr size_t kPieceBytes = 8 * 1024;

  virtual ~RdbValueWriter() = default;

  virtual RdbType type() const = 0;
  // Appends the next piece to whatever is there. False: that was the last one.
  virtual bool Next(std::string* out) = 0;
  // What cannot be written: an entry of a stream that no listpack can hold. Nothing more comes.
  virtual bool failed() const { return false; }
};

// Requires: the version that the view shows lives as long as the writer: one that is pinned, or the
// head for as long as nothing changes.
std::unique_ptr<RdbValueWriter> MakeRdbValueWriter(const storage::ReadView& view,
                                                   const storage::ValueView& value,
                                                   RdbStreams streams = RdbStreams::kFirstVersion);

// rdb_stream_writer.cpp
std::unique_ptr<RdbValueWriter> MakeRdbStreamWriter(const storage::ReadView& view,
                                                    const storage::ValueView& value,
                                                    RdbStreams streams);

}  // namespace verso::persistence
