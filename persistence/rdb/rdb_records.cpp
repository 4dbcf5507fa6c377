#include "persistence/rdb/rdb_records.h"

#include "persistence/rdb/rdb_output.h"

namespace verso::persistence {

using storage::KeyEvent;
using storage::StreamId;

namespace {

enum class Record : uint8_t {
  kBegin,  // db, deadline, key
  kEnd,
  kString,      // the first piece
  kStringMore,  // the next one
  kListElement,
  kSetMember,
  kHashField,
  kZsetMember,      // member, the score's bits
  kStreamEntry,     // id, count, fields
  kStreamNumbers,   // last, deleted, (0 | 1, entries added)
  kStreamGroup,     // name, last, (0 | 1, entries read)
  kStreamConsumer,  // name, seen, active
  kStreamPending,   // id, time, deliveries
};

constexpr KeyEvent kBuilt{"restore", 'g', 0};  // nobody hears of it

void Put(std::string* out, Record kind) { out->push_back(static_cast<char>(kind)); }

void Put(std::string* out, StreamId id) {
  AppendRdbLength(out, id.ms);
  AppendRdbLength(out, id.seq);
}

void Put(std::string* out, const std::optional<uint64_t>& number) {
  AppendRdbLength(out, number.has_value() ? 1 : 0);
  if (number.has_value()) AppendRdbLength(out, *number);
}

Result<ByteView> Text(RdbInput& in) {
  VERSO_TRY(const uint64_t length, in.Length());
  return in.Raw(length);
}

Result<StreamId> Id(RdbInput& in) {
  StreamId id;
  VERSO_TRY(id.ms, in.Length());
  VERSO_TRY(id.seq, in.Length());
  return id;
}

Result<std::optional<uint64_t>> Perhaps(RdbInput& in) {
  VERSO_TRY(const uint64_t there, in.Length());
  if (there == 0) return std::optional<uint64_t>();
  VERSO_TRY(const uint64_t number, in.Length());
  return std::optional<uint64_t>(number);
}

}  // namespace

// ---- the child's end

void RdbRecordSender::Flush() {
  if (!batch_.empty()) send_(batch_);
  batch_.clear();
}

Status RdbRecordSender::Sent() {
  if (batch_.size() >= kBatchBytes) Flush();
  return {};
}

void RdbRecordSender::Skipped(const char* what) {
  if (skipped_.find(what) != std::string::npos) return;
  skipped_ += skipped_.empty() ? "" : ", ";
  skipped_ += what;
}

Status RdbRecordSender::Begin(const RdbKey& key) {
  Put(&batch_, Record::kBegin);
  AppendRdbLength(&batch_, static_cast<uint64_t>(key.db));
  AppendRdbLength(&batch_, key.deadline_ms);
  AppendRdbString(&batch_, key.bytes);
  return Sent();
}

Status RdbRecordSender::End() {
  Put(&batch_, Record::kEnd);
  return Sent();
}

Status RdbRecordSender::String(ByteView value) {
  Put(&batch_, Record::kString);
  AppendRdbString(&batch_, value.substr(0, kPieceBytes));
  for (size_t at = kPieceBytes; at < value.size(); at += kPieceBytes) {
    Flush();
    Put(&batch_, Record::kStringMore);
    AppendRdbString(&batch_, value.substr(at, kPieceBytes));
  }
  return Sent();
}

Status RdbRecordSender::ListElement(ByteView element) {
  Put(&batch_, Record::kListElement);
  AppendRdbString(&batch_, element);
  return Sent();
}

Status RdbRecordSender::SetMember(ByteView member) {
  Put(&batch_, Record::kSetMember);
  AppendRdbString(&batch_, member);
  return Sent();
}

Status RdbRecordSender::HashField(ByteView field, ByteView value) {
  Put(&batch_, Record::kHashField);
  AppendRdbString(&batch_, field);
  AppendRdbString(&batch_, value);
  return Sent();
}

Status RdbRecordSender::ZsetMember(ByteView member, double score) {
  Put(&batch_, Record::kZsetMember);
  AppendRdbString(&batch_, member);
  AppendLe(&batch_, score);
  return Sent();
}

Status RdbRecordSender::StreamEntry(StreamId id, std::span<const ByteView> fields) {
  Put(&batch_, Record::kStreamEntry);
  Put(&batch_, id);
  AppendRdbLength(&batch_, fields.size());
  for (const ByteView field : fields) AppendRdbString(&batch_, field);
  return Sent();
}

Status RdbRecordSender::StreamNumbers(const RdbStreamNumbers& numbers) {
  Put(&batch_, Record::kStreamNumbers);
  Put(&batch_, numbers.last);
  Put(&batch_, numbers.deleted);
  Put(&batch_, numbers.entries_added);
  return Sent();
}

Status RdbRecordSender::StreamGroup(const RdbStreamGroup& group) {
  Put(&batch_, Record::kStreamGroup);
  AppendRdbString(&batch_, group.name);
  Put(&batch_, group.last);
  Put(&batch_, group.entries_read);
  return Sent();
}

Status RdbRecordSender::StreamConsumer(const RdbStreamConsumer& consumer) {
  Put(&batch_, Record::kStreamConsumer);
  AppendRdbString(&batch_, consumer.name);
  AppendRdbLength(&batch_, consumer.seen_ms);
  AppendRdbLength(&batch_, consumer.active_ms);
  return Sent();
}

Status RdbRecordSender::StreamPending(StreamId id, uint64_t delivered_ms, uint64_t deliveries) {
  Put(&batch_, Record::kStreamPending);
  Put(&batch_, id);
  AppendRdbLength(&batch_, delivered_ms);
  AppendRdbLength(&batch_, deliveries);
  return Sent();
}

// ---- the builder's end

Status RdbRecordReceiver::Begin() {
  VERSO_TRY(const uint64_t db, in_->Length());
  VERSO_TRY(deadline_ms_, in_->Length());
  VERSO_TRY(const ByteView key, Text(*in_));
  if (deadline_ms_ <= moment_ms_) return {};
  key_bytes_ = key;
  // Time stands still: nothing that is being built expires meanwhile.
  view_.emplace(store_, line_, static_cast<int>(db), moment_ms_);
  key_ = view_->MakeKey(key_bytes_);
  if (view_->Exists(key_)) return Error{ErrorCode::kCorruption, "a key twice: " + key_bytes_};
  builder_.emplace(*view_, key_, limits_);
  return {};
}

Status RdbRecordReceiver::End() {
  if (!builder_.has_value()) return {};
  // The key and the path to it, whatever went before: a list is put there now.
  if (!store_.ReserveForWrite(key_bytes_.size(), 2)) {
    return Error{ErrorCode::kOutOfMemory, "no room for a key"};
  }
  builder_.reset();
  if (deadline_ms_ != storage::kNoDeadline) view_->SetDeadline(key_, deadline_ms_, kBuilt);
  ++keys_;
  if (key_built_ != nullptr) key_built_(*view_, key_);
  return {};
}

Status RdbRecordReceiver::MoreOfString() {
  VERSO_TRY(const ByteView piece, Text(*in_));
  if (!builder_.has_value()) return {};
  if (!store_.ReserveForWrite(piece.size(), 1)) {
    return Error{ErrorCode::kOutOfMemory, "no room for the value"};
  }
  view_->Append(key_, piece, kBuilt);
  return {};
}

Status RdbRecordReceiver::StreamEntry() {
  VERSO_TRY(const StreamId id, Id(*in_));
  VERSO_TRY(const uint64_t count, in_->Length());
  fields_.clear();
  for (uint64_t i = 0; i < count; ++i) {
    VERSO_TRY(fields_.emplace_back(), Text(*in_));
  }
  return builder_.has_value() ? builder_->StreamEntry(id, fields_) : Status();
}

Status RdbRecordReceiver::StreamPart(uint8_t kind) {
  switch (static_cast<Record>(kind)) {
    case Record::kStreamNumbers: {
      RdbStreamNumbers numbers;
      VERSO_TRY(numbers.last, Id(*in_));
      VERSO_TRY(numbers.deleted, Id(*in_));
      VERSO_TRY(numbers.entries_added, Perhaps(*in_));
      return builder_.has_value() ? builder_->StreamNumbers(numbers) : Status();
    }
    case Record::kStreamGroup: {
      RdbStreamGroup group;
      VERSO_TRY(group.name, Text(*in_));
      VERSO_TRY(group.last, Id(*in_));
      VERSO_TRY(group.entries_read, Perhaps(*in_));
      return builder_.has_value() ? builder_->StreamGroup(group) : Status();
    }
    case Record::kStreamConsumer: {
      RdbStreamConsumer consumer;
      VERSO_TRY(consumer.name, Text(*in_));
      VERSO_TRY(consumer.seen_ms, in_->Length());
      VERSO_TRY(consumer.active_ms, in_->Length());
      return builder_.has_value() ? builder_->StreamConsumer(consumer) : Status();
    }
    case Record::kStreamPending: {
      VERSO_TRY(const StreamId id, Id(*in_));
      VERSO_TRY(const uint64_t delivered_ms, in_->Length());
      VERSO_TRY(const uint64_t deliveries, in_->Length());
      return builder_.has_value() ? builder_->StreamPending(id, delivered_ms, deliveries)
                                  : Status();
    }
    default:
      return in_->Fault("an unknown record");
  }
}

Status RdbRecordReceiver::Step() {
  VERSO_TRY(const uint8_t kind, in_->Byte());
  switch (static_cast<Record>(kind)) {
    case Record::kBegin:
      return Begin();
    case Record::kEnd:
      return End();
    case Record::kString: {
      VERSO_TRY(const ByteView value, Text(*in_));
      return builder_.has_value() ? builder_->String(value) : Status();
    }
    case Record::kStringMore:
      return MoreOfString();
    case Record::kListElement: {
      VERSO_TRY(const ByteView element, Text(*in_));
      return builder_.has_value() ? builder_->ListElement(element) : Status();
    }
    case Record::kSetMember: {
      VERSO_TRY(const ByteView member, Text(*in_));
      return builder_.has_value() ? builder_->SetMember(member) : Status();
    }
    case Record::kHashField: {
      VERSO_TRY(const ByteView field, Text(*in_));
      VERSO_TRY(const ByteView value, Text(*in_));
      return builder_.has_value() ? builder_->HashField(field, value) : Status();
    }
    case Record::kZsetMember: {
      VERSO_TRY(const ByteView member, Text(*in_));
      VERSO_TRY(const uint64_t score, in_->Number64());
      return builder_.has_value() ? builder_->ZsetMember(member, LoadLe<double>(&score)) : Status();
    }
    case Record::kStreamEntry:
      return StreamEntry();
    default:
      return StreamPart(kind);
  }
}

}  // namespace verso::persistence
