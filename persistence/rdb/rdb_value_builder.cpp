#include "persistence/rdb/rdb_value_builder.h"

#include <algorithm>

#include "storage/memory/store.h"

namespace verso::persistence {

using storage::KeyEvent;
using storage::StreamId;
using storage::ValueView;

namespace {

// Nobody hears of it: a scratch line has no observers.
constexpr KeyEvent kBuilt{"restore", 'g', 0};

constexpr uint64_t kElementsAtOnce = 64;
constexpr uint64_t kBytesAtOnce = 16 * 1024;

Error Twice(const char* what) { return {ErrorCode::kCorruption, what}; }

}  // namespace

uint64_t RdbRoom(const storage::PageArena& arena, uint64_t elements, uint64_t bytes) {
  return std::max({storage::ElementsEstimate(arena, elements, bytes),
                   storage::ZsetEstimate(arena, nullptr, elements, bytes),
                   storage::ListEstimate(elements, bytes),
                   storage::StreamEstimate(arena, elements, bytes)});
}

RdbValueBuilder::~RdbValueBuilder() {
  // A stream is at its key from its first entry on.
  auto* list = std::get_if<storage::ListBuilder>(&writer_);
  if (list != nullptr && list->count() > 0) list->FinishAsNew(key_, kBuilt);
  if (auto* set = std::get_if<storage::SetWriter>(&writer_)) set->Finish(kBuilt);
  if (auto* hash = std::get_if<storage::HashWriter>(&writer_)) hash->Finish(kBuilt);
  if (auto* zset = std::get_if<storage::ZsetWriter>(&writer_)) zset->Finish(kBuilt);
}

// Before each element: it has these bytes.
Status RdbValueBuilder::Room(uint64_t bytes) {
  if (elements_left_ == 0 || bytes > bytes_left_) {
    const uint64_t more = std::max(bytes, kBytesAtOnce);
    const uint64_t need = RdbRoom(view_.arena(), kElementsAtOnce, more);
    if (!view_.store().ReserveForWrite(need, 1)) {
      return Error{ErrorCode::kOutOfMemory, "no room for the value"};
    }
    elements_left_ = kElementsAtOnce;
    bytes_left_ = more;
  }
  --elements_left_;
  bytes_left_ -= bytes;
  return {};
}

Status RdbValueBuilder::String(ByteView value) {
  VERSO_TRY_STATUS(Room(value.size()));
  view_.SetString(key_, value, {}, kBuilt);
  return {};
}

Status RdbValueBuilder::ListElement(ByteView element) {
  if (std::holds_alternative<std::monostate>(writer_)) {
    writer_.emplace<storage::ListBuilder>(view_, limits_);
  }
  VERSO_TRY_STATUS(Room(element.size()));
  std::get<storage::ListBuilder>(writer_).Append(element);
  return {};
}

Status RdbValueBuilder::SetMember(ByteView member) {
  if (std::holds_alternative<std::monostate>(writer_)) {
    writer_.emplace<storage::SetWriter>(view_, key_, std::nullopt, limits_);
  }
  VERSO_TRY_STATUS(Room(member.size()));
  if (!std::get<storage::SetWriter>(writer_).Add(member)) return Twice("a member twice");
  return {};
}

Status RdbValueBuilder::HashField(ByteView field, ByteView value) {
  if (std::holds_alternative<std::monostate>(writer_)) {
    writer_.emplace<storage::HashWriter>(view_, key_, std::nullopt, limits_);
  }
  VERSO_TRY_STATUS(Room(field.size() + value.size()));
  if (!std::get<storage::HashWriter>(writer_).Set(field, value)) return Twice("a field twice");
  return {};
}

Status RdbValueBuilder::ZsetMember(ByteView member, double score) {
  if (std::holds_alternative<std::monostate>(writer_)) {
    writer_.emplace<storage::ZsetWriter>(view_, key_, std::nullopt, limits_);
  }
  VERSO_TRY_STATUS(Room(member.size()));
  bool there = false;
  std::get<storage::ZsetWriter>(writer_).Change(
      member, [&](const std::optional<double>& old) -> std::optional<double> {
        there = old.has_value();
        if (there) return std::nullopt;
        return score;
      });
  if (there) return Twice("a member twice");
  return {};
}

storage::StreamWriter& RdbValueBuilder::Stream() {
  if (std::holds_alternative<std::monostate>(writer_)) {
    writer_.emplace<storage::StreamWriter>(view_, key_, std::nullopt);
  }
  return std::get<storage::StreamWriter>(writer_);
}

Status RdbValueBuilder::StreamEntry(StreamId id, std::span<const ByteView> fields) {
  uint64_t bytes = 0;
  for (const ByteView field : fields) bytes += field.size() + kRdbStreamFieldBytes;
  VERSO_TRY_STATUS(Room(bytes));
  Stream().Append(id, fields);
  return {};
}

Status RdbValueBuilder::StreamNumbers(const RdbStreamNumbers& numbers) {
  VERSO_TRY_STATUS(Room(0));
  storage::StreamWriter& stream = Stream();
  stream.SetLast(numbers.last);
  stream.SetDeleted(numbers.deleted);
  if (numbers.entries_added.has_value()) stream.SetEntriesAdded(*numbers.entries_added);
  return {};
}

Status RdbValueBuilder::StreamGroup(const RdbStreamGroup& group) {
  VERSO_TRY_STATUS(Room(group.name.size()));
  std::optional<uint64_t> entries_read = group.entries_read;
  if (!entries_read.has_value()) {
    const std::optional<ValueView> stream = view_.Find(key_, storage::Access::kPeek);
    entries_read = storage::StreamView(view_.arena(), *stream).EntriesUpTo(group.last);
  }
  group_.reset();
  if (!Stream().CreateGroup(group.name, group.last,
                            entries_read.value_or(storage::kEntriesReadUnknown))) {
    return Twice("a group twice");
  }
  group_ = Stream().Group(group.name);
  return {};
}

Status RdbValueBuilder::StreamConsumer(const RdbStreamConsumer& consumer) {
  VERSO_TRY_STATUS(Room(consumer.name.size()));
  if (!group_->CreateConsumer(consumer.name, consumer.seen_ms)) return Twice("a consumer twice");
  group_->SetSeen(consumer.name, consumer.seen_ms, consumer.active_ms);
  consumer_ = consumer.name;
  return {};
}

Status RdbValueBuilder::StreamPending(StreamId id, uint64_t delivered_ms, uint64_t deliveries) {
  VERSO_TRY_STATUS(Room(consumer_.size()));
  group_->Deliver(id, consumer_, delivered_ms, deliveries);
  return {};
}

}  // namespace verso::persistence
