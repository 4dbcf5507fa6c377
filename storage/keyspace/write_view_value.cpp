// Values of any type: what the write classes of storage/types are made of.
#include <algorithm>
#include <cstring>
#include <limits>

#include "storage/base/check.h"
#include "storage/index/rope.h"
#include "storage/keyspace/keyspace.h"
#include "storage/memory/store.h"
#include "storage/types/collection.h"
#include "storage/types/pack.h"

namespace verso::storage {

std::optional<ValueView> WriteView::FindForWrite(const Key& key) {
  const std::optional<TrieEntry> entry = FindEntry(key);
  if (!entry) return std::nullopt;
  if (Expired(entry->value.deadline_ms)) {
    Erase(key, {"del", 'g'});
    return std::nullopt;
  }
  Touch(entry->place);
  return entry->value;
}

void WriteView::ReplaceValue(const Key& key, ValueView value) {
  const std::optional<TrieEntry> old = FindEntry(key);
  value.deadline_ms =
      old && !Expired(old->value.deadline_ms) ? old->value.deadline_ms : kNoDeadline;
  PutValue(db_, key, value);
}

ValueView WriteView::BuildString(ByteView bytes) {
  ValueView value;
  if (bytes.size() <= kInlineBytesMax) {
    value.bytes = bytes;
    return value;
  }
  value.external = true;
  if (bytes.size() <= kRunBytesMax) {
    value.ref = writable_line_->NewPage(PageKind::kValue, bytes.size());
    std::memcpy(writable_line_->arena().ResolveMutable(value.ref), bytes.data(), bytes.size());
  } else {
    value.ref = RopeBuild(*writable_line_, bytes);
  }
  return value;
}

ValueView WriteView::BuildPack(ValueType type, uint8_t hint, ByteView pack) {
  VERSO_CHECK(pack.size() <= kPackBytesMax);
  ValueView value = BuildString(pack);
  value.type = type;
  value.hint = hint;
  return value;
}

ValueView WriteView::BuildCollection(ValueType type, size_t refs) {
  VERSO_CHECK(refs >= 1 && refs <= kCollectionRefsMax);
  ValueView value;
  value.type = type;
  value.hint = kCollectionLarge;
  value.external = true;
  value.ref = writable_line_->NewPage(PageKind::kCollection, CollectionBytes(refs));
  std::memset(writable_line_->arena().ResolveMutable(value.ref), 0, CollectionBytes(refs));
  return value;
}

void WriteView::PublishFrom(WriteView& scratch, const Key& key, uint64_t deadline_ms,
                            const KeyEvent& event, Epoch born_after) {
  const std::optional<TrieEntry> built = scratch.FindEntry(key);
  VERSO_CHECK(built && built->value.deadline_ms == kNoDeadline);
  ValueView value = built->value;
  const std::string inlined(value.bytes);  // erasing zeroes the bytes where they stand
  value.bytes = inlined;
  value.deadline_ms = deadline_ms;
  Ref aside = scratch.TakeEntry(scratch.db_, key).value;
  const bool young = born_after >= std::max(scratch.line().frozen(), line().frozen());
  if (aside && !young) {
    value.ref = kNullRef;
    writable_store_->Publish(scratch.line(), &aside, *writable_line_, &value.ref);
  }
  PutValue(db_, key, value);
  Changed(db_, key, event);
}

void WriteView::SetClock(const Key& key, uint16_t clock) {
  const std::optional<TrieEntry> entry = FindEntry(key);
  if (entry) arena_->Touch(entry->place.leaf, entry->place.slot, clock);
}

std::optional<TrieMutableValue> WriteView::MutateValue(const Key& key) {
  return TrieWriter(*writable_line_, &WritableRoot(db_)->keys, store_->secret()).Mutate(key);
}

char* WriteView::WritablePack(const Key& key) {
  const std::optional<TrieMutableValue> value = MutateValue(key);
  VERSO_CHECK(value.has_value());
  if (value->ref == nullptr) return value->bytes;
  VERSO_CHECK(value->ref->kind() == PageKind::kValue);
  return writable_line_->Writable(value->ref);
}

char* WriteView::WritableCollection(const Key& key) {
  const std::optional<TrieMutableValue> value = MutateValue(key);
  VERSO_CHECK(value && value->ref != nullptr && value->ref->kind() == PageKind::kCollection);
  return writable_line_->Writable(value->ref);
}

}  // namespace verso::storage
