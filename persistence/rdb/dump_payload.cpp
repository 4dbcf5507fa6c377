#include "persistence/rdb/dump_payload.h"

#include "persistence/rdb/crc64.h"
#include "persistence/rdb/rdb_output.h"
#include "persistence/rdb/rdb_value_builder.h"

namespace verso::persistence {
namespace {

// Counts what a value needs room for.
class Measure final : public RdbValueSink {
 public:
  uint64_t elements = 0;
  uint64_t bytes = 0;

  Status String(ByteView value) override { return Add(value.size()); }
  Status ListElement(ByteView element) override { return Add(element.size()); }
  Status SetMember(ByteView member) override { return Add(member.size()); }
  Status HashField(ByteView field, ByteView value) override {
    return Add(field.size() + value.size());
  }
  Status ZsetMember(ByteView member, double) override { return Add(member.size()); }
  Status StreamEntry(storage::StreamId, std::span<const ByteView> fields) override {
    uint64_t all = 0;
    for (const ByteView field : fields) all += field.size() + kRdbStreamFieldBytes;
    return Add(all);
  }
  Status StreamNumbers(const RdbStreamNumbers&) override { return Add(0); }
  Status StreamGroup(const RdbStreamGroup& group) override { return Add(group.name.size()); }
  Status StreamConsumer(const RdbStreamConsumer& consumer) override {
    name_bytes_ = consumer.name.size();
    return Add(name_bytes_);
  }
  Status StreamPending(storage::StreamId, uint64_t, uint64_t) override { return Add(name_bytes_); }

 private:
  Status Add(uint64_t more) {
    ++elements;
    bytes += more;
    return {};
  }
  uint64_t name_bytes_ = 0;
};

}  // namespace

bool DumpWriter::Next(std::string* out) {
  const size_t before = out->size();
  if (!begun_) out->push_back(static_cast<char>(value_->type()));
  begun_ = true;
  const bool more = value_->Next(out);
  if (!more) AppendLe(out, kRdbVersionWritten);
  crc_ = Crc64(crc_, ByteView(*out).substr(before));
  if (!more) AppendLe(out, crc_);
  return more;
}

Result<ByteView> OpenDump(ByteView payload) {
  const Error wrong{ErrorCode::kIncompatible, "DUMP payload version or checksum"};
  if (payload.size() < kDumpFooterBytes) return wrong;
  const size_t crc_at = payload.size() - sizeof(uint64_t);
  const size_t version_at = crc_at - sizeof(uint16_t);
  if (LoadLe<uint16_t>(payload.data() + version_at) > kRdbVersionRead) return wrong;
  if (Crc64(0, payload.substr(0, crc_at)) != LoadLe<uint64_t>(payload.data() + crc_at)) {
    return wrong;
  }
  return payload.substr(0, version_at);
}

Status BuildDump(ByteView opened, storage::WriteView& scratch, const storage::Key& key,
                 const storage::CollectionLimits& limits) {
  RdbInput in(opened);
  VERSO_TRY(const uint8_t type, in.Byte());
  RdbValueBuilder builder(scratch, key, limits);
  VERSO_TRY_STATUS(ReadRdbValue(in, type, builder));
  if (in.left() != 0) return in.Fault("something behind the value");
  return {};
}

uint64_t DumpEstimate(ByteView payload, const storage::PageArena& arena) {
  const Result<ByteView> opened = OpenDump(payload);
  if (!opened || opened->empty()) return 0;
  Measure measure;
  RdbInput in(*opened);
  const uint8_t type = *in.Byte();
  // What is damaged is built up to there, too.
  const Status read = ReadRdbValue(in, type, measure);
  return RdbRoom(arena, measure.elements + (read ? 0 : 1), measure.bytes);
}

}  // namespace verso::persistence
