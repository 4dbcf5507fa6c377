// RdbValueBuilder: makes a value of what ReadRdbValue tells.
//
// B1 It builds at one key of a view where nobody looks: a scratch line (ScratchLine). What it has
//    when reading fails is half a value, and goes with that line.
// B2 It reserves room as it goes, for some elements at a time: a value of a million elements needs
//    room for itself, not for the worst case of a million single changes. When there is none it
//    fails with kOutOfMemory (V2 of the reader: it refuses what comes twice, with kCorruption).
#pragma once

#include <string>
#include <variant>

#include "persistence/rdb/rdb_value_reader.h"
#include "storage/types/hash_value.h"
#include "storage/types/list.h"
#include "storage/types/set_value.h"
#include "storage/types/zset.h"

namespace verso::persistence {

// How long a field or value of a stream's entry is takes so many bytes at most.
inline constexpr uint64_t kRdbStreamFieldBytes = 10;

// For a value of any type: what so many more elements, of so many bytes together, take at worst.
uint64_t RdbRoom(const storage::PageArena& arena, uint64_t elements, uint64_t bytes);

class RdbValueBuilder final : public RdbValueSink {
 public:
  // Requires: the view has nothing at the key; all outlive the builder.
  RdbValueBuilder(storage::WriteView& scratch, const storage::Key& key,
                  const storage::CollectionLimits& limits)
      : view_(scratch), key_(key), limits_(limits) {}
  RdbValueBuilder(const RdbValueBuilder&) = delete;
  RdbValueBuilder& operator=(const RdbValueBuilder&) = delete;
  // Puts what there is at the key, whole or half (B1).
  ~RdbValueBuilder() override;

  Status String(ByteView value) override;
  Status ListElement(ByteView element) override;
  Status SetMember(ByteView member) override;
  Status HashField(ByteView field, ByteView value) override;
  Status ZsetMember(ByteView member, double score) override;
  Status StreamEntry(storage::StreamId id, std::span<const ByteView> fields) override;
  Status StreamNumbers(const RdbStreamNumbers& numbers) override;
  Status StreamGroup(const RdbStreamGroup& group) override;
  Status StreamConsumer(const RdbStreamConsumer& consumer) override;
  Status StreamPending(storage::StreamId id, uint64_t delivered_ms, uint64_t deliveries) override;

 private:
  Status Room(uint64_t bytes);
  storage::StreamWriter& Stream();

  storage::WriteView& view_;
  const storage::Key& key_;
  const storage::CollectionLimits& limits_;
  std::variant<std::monostate, storage::ListBuilder, storage::HashWriter, storage::SetWriter,
               storage::ZsetWriter, storage::StreamWriter>
      writer_;
  std::optional<storage::StreamGroupWriter> group_;
  std::string consumer_;
  uint64_t elements_left_ = 0;  // of those that room was reserved for
  uint64_t bytes_left_ = 0;
};

}  // namespace verso::persistence
