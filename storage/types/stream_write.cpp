#include <algorithm>
#include <string>

#include "storage/base/check.h"
#include "storage/memory/store.h"
#include "storage/types/stream_layout.h"
#include "storage/types/stream_value.h"

namespace verso::storage {
namespace {

Ref* Items(char* page) { return CollectionRefs(page) + kStreamItemsRef; }
Ref* Trie(char* page) { return CollectionRefs(page) + kStreamTrieRef; }
uint64_t* Scalars(char* page) { return CollectionAt(page).scalars; }

Key KeyOf(WriteView& view, ByteView name) { return {name, Hash64(name, view.secret())}; }

TrieWriter Names(WriteView& view, char* page) {
  return TrieWriter(view.line(), Trie(page), view.secret());
}

// The page of a group or consumer, made writable; null: there is none of this name.
char* WritableNamed(WriteView& view, char* owner, ByteView name) {
  const auto value = Names(view, owner).Mutate(KeyOf(view, name));
  if (!value || value->ref == nullptr || value->ref->kind() != PageKind::kCollection) {
    return nullptr;
  }
  return view.line().Writable(value->ref);
}

char* CreateNamed(WriteView& view, char* owner, ByteView name, size_t refs) {
  const ValueView value = view.BuildCollection(ValueType::kStream, refs);
  const TriePutResult put = Names(view, owner).Put(KeyOf(view, name), value, view.clock());
  VERSO_CHECK(put.outcome == TriePutOutcome::kInserted);
  return view.line().arena().ResolveMutable(value.ref);
}

bool IsNamed(const WriteView& view, const char* owner, ByteView name) {
  return TrieReader(view.arena(), CollectionRefs(owner)[kStreamTrieRef])
      .Find({name, Hash64(name, view.secret())})
      .has_value();
}

void AppendVarint(std::string* bytes, uint64_t number) {
  for (; number >= 0x80; number >>= 7) bytes->push_back(static_cast<char>(number | 0x80));
  bytes->push_back(static_cast<char>(number));
}

Item ItemAt(StreamId id, ByteView payload = {}) { return {id.ms, id.seq, payload}; }

}  // namespace

StreamWriter::StreamWriter(WriteView& view, const Key& key, const std::optional<ValueView>& value)
    : view_(view), key_(key) {
  if (!value) view.SetValue(key, view.BuildCollection(ValueType::kStream, 2));
  page_ = view.WritableCollection(key);
}

StreamId StreamWriter::last() const {
  const uint64_t* scalars = Scalars(page_);
  return {scalars[kLastMs], scalars[kLastSeq]};
}

uint64_t StreamWriter::count() const { return ItemsCount(view_.arena(), *Items(page_)); }

void StreamWriter::Append(StreamId id, std::span<const ByteView> fields) {
  std::string payload;
  size_t bytes = 10;
  for (const ByteView field : fields) bytes += field.size() + 10;
  payload.reserve(bytes);
  AppendVarint(&payload, fields.size());
  for (const ByteView field : fields) {
    AppendVarint(&payload, field.size());
    payload.append(field);
  }
  if (count() == 0) Scalars(page_)[kNodesFrom] = Scalars(page_)[kEntriesAdded];
  ItemsInsert(view_.line(), Items(page_), ItemFlavour::kStream, ItemAt(id, payload));
  ++Scalars(page_)[kEntriesAdded];
  SetLast(id);
}

bool StreamWriter::Erase(StreamId id) {
  if (!ItemsErase(view_.line(), Items(page_), ItemAt(id))) return false;
  const StreamId deleted{Scalars(page_)[kDeletedMs], Scalars(page_)[kDeletedSeq]};
  if (id > deleted) SetDeleted(id);
  return true;
}

void StreamWriter::EraseOldest(uint64_t entries) {
  if (entries != 0) ItemsEraseRange(view_.line(), Items(page_), 0, entries);
}

void StreamWriter::SetLast(StreamId last) {
  Scalars(page_)[kLastMs] = last.ms;
  Scalars(page_)[kLastSeq] = last.seq;
}

void StreamWriter::SetEntriesAdded(uint64_t entries) {
  // What was added since the stream was empty stays the same number, modulo 2^64.
  Scalars(page_)[kNodesFrom] += entries - Scalars(page_)[kEntriesAdded];
  Scalars(page_)[kEntriesAdded] = entries;
}

void StreamWriter::SetDeleted(StreamId deleted) {
  Scalars(page_)[kDeletedMs] = deleted.ms;
  Scalars(page_)[kDeletedSeq] = deleted.seq;
}

bool StreamWriter::CreateGroup(ByteView name, StreamId last, uint64_t entries_read) {
  if (IsNamed(view_, page_, name)) return false;
  StreamGroupWriter group(&view_, CreateNamed(view_, page_, name, 2));
  group.SetLast(last, entries_read);
  return true;
}

bool StreamWriter::EraseGroup(ByteView name) {
  const auto taken = Names(view_, page_).Erase(KeyOf(view_, name));
  if (!taken) return false;
  view_.line().Retire(taken->value);
  return true;
}

std::optional<StreamGroupWriter> StreamWriter::Group(ByteView name) {
  char* page = WritableNamed(view_, page_, name);
  if (page == nullptr) return std::nullopt;
  return StreamGroupWriter(&view_, page);
}

StreamId StreamGroupWriter::last() const {
  return {Scalars(page_)[kGroupLastMs], Scalars(page_)[kGroupLastSeq]};
}

void StreamGroupWriter::SetLast(StreamId last, uint64_t entries_read) {
  Scalars(page_)[kGroupLastMs] = last.ms;
  Scalars(page_)[kGroupLastSeq] = last.seq;
  Scalars(page_)[kGroupEntriesRead] = entries_read;
}

uint64_t StreamGroupWriter::entries_read() const { return Scalars(page_)[kGroupEntriesRead]; }

bool StreamGroupWriter::HasConsumer(ByteView name) const { return IsNamed(*view_, page_, name); }

bool StreamGroupWriter::CreateConsumer(ByteView name, uint64_t now_ms) {
  if (HasConsumer(name)) return false;
  uint64_t* scalars = Scalars(CreateNamed(*view_, page_, name, 1));
  scalars[kConsumerSeen] = now_ms;
  scalars[kConsumerActive] = kNeverActive;
  return true;
}

char* StreamGroupWriter::WritableConsumer(ByteView name) {
  char* page = WritableNamed(*view_, page_, name);
  VERSO_CHECK(page != nullptr);
  return page;
}

std::optional<uint64_t> StreamGroupWriter::EraseConsumer(ByteView name) {
  const auto taken = Names(*view_, page_).Erase(KeyOf(*view_, name));
  if (!taken) return std::nullopt;
  const PageArena& arena = view_->arena();
  uint64_t pending = 0;
  if (taken->value.kind() == PageKind::kCollection) {
    const Ref ids = CollectionRefs(arena.Resolve(taken->value))[kStreamItemsRef];
    for (auto at = ItemCursor::At(arena, ids, 0); at.valid(); at.Next()) {
      // The cursor is of the consumer's tree, which nobody changes here.
      pending += ItemsErase(view_->line(), Items(page_), ItemAt(StreamIdOf(at.item()))) ? 1 : 0;
    }
  }
  view_->line().Retire(taken->value);
  return pending;
}

void StreamGroupWriter::SetSeen(ByteView consumer, uint64_t seen_ms, uint64_t active_ms) {
  uint64_t* scalars = Scalars(WritableConsumer(consumer));
  scalars[kConsumerSeen] = seen_ms;
  if (active_ms != kNeverActive) scalars[kConsumerActive] = active_ms;
}

void StreamGroupWriter::Deliver(StreamId id, ByteView consumer, uint64_t delivered_ms,
                                uint64_t deliveries) {
  Acknowledge(id);
  std::string payload(kPendingHeaderBytes, '\0');
  StoreLe<uint64_t>(payload.data(), delivered_ms);
  StoreLe<uint64_t>(payload.data() + sizeof(uint64_t), deliveries);
  payload.append(consumer);
  ItemsInsert(view_->line(), Items(page_), ItemFlavour::kStream, ItemAt(id, payload));
  ItemsInsert(view_->line(), Items(WritableConsumer(consumer)), ItemFlavour::kStream, ItemAt(id));
}

bool StreamGroupWriter::Acknowledge(StreamId id) {
  const auto item = ItemsFind(view_->arena(), *Items(page_), ItemAt(id));
  if (!item) return false;
  const StreamPending pending = StreamPendingOf(view_->arena(), *item);
  ItemsErase(view_->line(), Items(page_), ItemAt(id));
  if (char* owner = WritableNamed(*view_, page_, pending.consumer)) {
    ItemsErase(view_->line(), Items(owner), ItemAt(id));
  }
  return true;
}

uint64_t StreamEstimate(const PageArena& arena, uint64_t entries, uint64_t bytes) {
  // Each entry changes two trees (a stream's or group's, a consumer's). Entries share their paths:
  // together they cannot copy more than there is.
  const uint64_t path = ItemsEstimate(1, 0);
  const uint64_t paths = std::min(2 * entries, 4 + entries / 4 + arena.bytes_allocated() / path);
  constexpr uint64_t kNames = 4 * Store::kBytesPerKeyWrite;
  return paths * path + ItemsEstimate(2 * entries, bytes + entries * 64) + bytes + kNames;
}

}  // namespace verso::storage
