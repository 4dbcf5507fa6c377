// What a dump file holds, on its way from the child that reads the file to the process that builds
// it: a flat sequence of records, so that the builder can stop behind any element of any value.
//
//   RdbRecordSender      child: an RdbFileSink that writes records, some 32 KiB at a time
//   RdbRecordReceiver    reads records, one element a step, and builds values in a line
//
//   record   kind u8, then numbers as RDB lengths and strings as RDB strings (rdb_output.h)
//
// A string above kPieceBytes comes in several records, so it is never whole in private memory.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "persistence/rdb/rdb_file_reader.h"
#include "persistence/rdb/rdb_value_builder.h"
#include "storage/memory/store.h"

namespace verso::persistence {

class RdbRecordSender final : public RdbFileSink {
 public:
  static constexpr size_t kBatchBytes = 32 * 1024;
  static constexpr size_t kPieceBytes = 64 * 1024;

  explicit RdbRecordSender(std::function<void(ByteView)> send) : send_(std::move(send)) {}
  void Flush();
  // What was left out, once each.
  const std::string& skipped() const { return skipped_; }

  Status Begin(const RdbKey& key) override;
  Status End() override;
  void Skipped(const char* what) override;
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
  Status Sent();
  std::function<void(ByteView)> send_;
  std::string batch_;
  std::string skipped_;
};

class RdbRecordReceiver {
 public:
  // Builds in this line, where nobody looks yet. Keys whose deadline lies at or before the moment
  // are left out.
  RdbRecordReceiver(storage::Store& store, storage::Line& line,
                    const storage::CollectionLimits& limits, uint64_t moment_ms)
      : store_(store), line_(line), limits_(limits), moment_ms_(moment_ms) {}

  // Starts with these records; they must stay until AtEnd().
  void Take(ByteView records) { in_.emplace(records); }
  bool AtEnd() const { return !in_.has_value() || in_->left() == 0; }
  // One record. Requires: !AtEnd(). Fails: kOutOfMemory; kCorruption: a key, member ... twice.
  Status Step();
  uint64_t keys() const { return keys_; }
  // Hears of each key that is complete.
  using KeyBuilt = std::function<void(const storage::ReadView& view, const storage::Key& key)>;
  void set_key_built(KeyBuilt built) { key_built_ = std::move(built); }

 private:
  Status Begin();
  Status End();
  Status StreamEntry();
  Status StreamPart(uint8_t kind);
  Status MoreOfString();

  storage::Store& store_;
  storage::Line& line_;
  const storage::CollectionLimits& limits_;
  uint64_t moment_ms_;
  uint64_t keys_ = 0;
  KeyBuilt key_built_;
  std::optional<RdbInput> in_;

  // The key that is being built; `builder_` is null for one that is left out.
  std::string key_bytes_;
  uint64_t deadline_ms_ = storage::kNoDeadline;
  std::optional<storage::WriteView> view_;
  storage::Key key_;
  std::optional<RdbValueBuilder> builder_;
  std::vector<ByteView> fields_;
};

}  // namespace verso::persistence
