// Reads one value in RDB form, of every type and encoding that Redis 2.4 to 7.4 write, and tells a
// sink what it holds. Modules and hashes whose fields expire are not known here.
//
// V1 The bytes may come from anybody (RdbInput I1, I2; rdb_packed.h R1).
// V2 What the reader can tell alone, it checks: the form, counts, scores that are numbers, stream
//    ids in order, pending entries that belong to one consumer each. That nothing comes twice
//    (members, fields, groups, consumers) is for the sink to refuse, which knows what it has.
// V3 After an error the sink has seen some of the value, and is of no use any more.
#pragma once

#include <optional>
#include <span>

#include "persistence/rdb/rdb_input.h"
#include "storage/types/stream_value.h"

namespace verso::persistence {

struct RdbStreamNumbers {
  storage::StreamId last;
  storage::StreamId deleted;
  std::optional<uint64_t> entries_added;  // nullopt: as many as there are
};

struct RdbStreamGroup {
  ByteView name;
  storage::StreamId last;
  // nullopt: not told, so to be worked out; storage::kEntriesReadUnknown: told to be unknown.
  std::optional<uint64_t> entries_read;
};

struct RdbStreamConsumer {
  ByteView name;
  uint64_t seen_ms = 0;
  uint64_t active_ms = storage::kNeverActive;
};

// Takes what a value consists of, in this order; of one value calls for one type come only. Views
// are valid during the call. An error ends the reading and is its result.
class RdbValueSink {
 public:
  virtual ~RdbValueSink() = default;

  virtual Status String(ByteView value) = 0;
  virtual Status ListElement(ByteView element) = 0;
  virtual Status SetMember(ByteView member) = 0;
  virtual Status HashField(ByteView field, ByteView value) = 0;
  virtual Status ZsetMember(ByteView member, double score) = 0;
  // Entries in ascending order; then once the numbers, also without entries; then each group, each
  // of its consumers, each pending entry of this consumer.
  virtual Status StreamEntry(storage::StreamId id, std::span<const ByteView> fields) = 0;
  virtual Status StreamNumbers(const RdbStreamNumbers& numbers) = 0;
  virtual Status StreamGroup(const RdbStreamGroup& group) = 0;
  virtual Status StreamConsumer(const RdbStreamConsumer& consumer) = 0;
  virtual Status StreamPending(storage::StreamId id, uint64_t delivered_ms,
                               uint64_t deliveries) = 0;
};

// A value of this type, from where the input stands. Fails: kCorruption, or what the sink says.
Status ReadRdbValue(RdbInput& in, uint8_t type, RdbValueSink& sink);

// Of a stream, of one of the three versions (rdb_stream_reader.cpp).
Status ReadRdbStream(RdbInput& in, RdbType type, RdbValueSink& sink);

}  // namespace verso::persistence
