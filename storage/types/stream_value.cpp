#include "storage/types/stream_value.h"

#include "storage/types/stream_layout.h"

#include "storage/types/string_value.h"

namespace verso::storage {
namespace {

const Ref& CollectionItems(const char* page, const Ref& self, size_t index) {
  if (self.size() < CollectionBytes(index + 1)) return kNullRef;
  const Ref& ref = CollectionRefs(page)[index];
  const bool items = ref.kind() == PageKind::kItemInner || ref.kind() == PageKind::kItemLeaf;
  return items && ItemFlavourOf(ref.aux()) == ItemFlavour::kStream ? ref : kNullRef;
}

}  // namespace

StreamView::StreamView(const PageArena& arena, const ValueView& value) : arena_(arena) {
  const Ref self = CollectionRef(value);
  if (!self) return;
  const char* page = arena.Resolve(self);
  const uint64_t* scalars = CollectionAt(page).scalars;
  last_ = {scalars[kLastMs], scalars[kLastSeq]};
  deleted_ = {scalars[kDeletedMs], scalars[kDeletedSeq]};
  entries_added_ = scalars[kEntriesAdded];
  nodes_from_ = scalars[kNodesFrom];
  entries_ = CollectionItems(page, self, 0);
  groups_ = CollectionTrie(page, self, 1);
}

StreamId StreamView::first() const {
  const std::optional<ItemView> item = ItemsAt(arena_, entries_, 0);
  return item ? StreamIdOf(*item) : StreamId{};
}

StreamGroupView StreamView::GroupOf(const ValueView& value) const {
  StreamGroupView group;
  const Ref self = CollectionRef(value);
  if (!self) return group;
  const char* page = arena_.Resolve(self);
  const uint64_t* scalars = CollectionAt(page).scalars;
  group.last = {scalars[kGroupLastMs], scalars[kGroupLastSeq]};
  group.entries_read = scalars[kGroupEntriesRead];
  group.pending = CollectionItems(page, self, 0);
  group.consumers = CollectionTrie(page, self, 1);
  return group;
}

StreamConsumerView StreamView::ConsumerOf(const TrieEntry& entry) const {
  StreamConsumerView consumer;
  consumer.name = entry.KeyCopy(arena_);
  const Ref self = CollectionRef(entry.value);
  if (!self) return consumer;
  const char* page = arena_.Resolve(self);
  consumer.seen_ms = CollectionAt(page).scalars[kConsumerSeen];
  consumer.active_ms = CollectionAt(page).scalars[kConsumerActive];
  consumer.pending = CollectionItems(page, self, 0);
  return consumer;
}

std::optional<StreamGroupView> StreamView::FindGroup(const HashSecret& secret,
                                                     ByteView name) const {
  const auto entry = TrieReader(arena_, groups_).Find({name, Hash64(name, secret)});
  if (!entry) return std::nullopt;
  return GroupOf(entry->value);
}

uint64_t StreamView::group_count() const {
  uint64_t count = 0;
  TrieReader(arena_, groups_).ForEach([&count](const TrieEntry&) { ++count; });
  return count;
}

std::optional<StreamConsumerView> StreamView::FindConsumer(const HashSecret& secret,
                                                           const StreamGroupView& group,
                                                           ByteView name) const {
  const auto entry = TrieReader(arena_, group.consumers).Find({name, Hash64(name, secret)});
  if (!entry) return std::nullopt;
  return ConsumerOf(*entry);
}

std::optional<StreamPending> StreamView::FindPending(const StreamGroupView& group,
                                                     StreamId id) const {
  const auto item = ItemsFind(arena_, group.pending, Item{id.ms, id.seq, {}});
  if (!item) return std::nullopt;
  return StreamPendingOf(arena_, *item);
}

std::optional<uint64_t> StreamView::EntriesUpTo(StreamId id) const {
  if (entries_added_ == 0) return 0;
  if (id > last_) return std::nullopt;
  const uint64_t there = count();
  if (there == 0 || id == last_) return entries_added_;
  const StreamId oldest = first();
  // Nothing was deleted among those that are there: what was added before the oldest is known.
  if (deleted_.zero() || deleted_ < oldest) {
    if (id < oldest) return entries_added_ - there;
    if (id == oldest) return entries_added_ - there + 1;
  }
  return std::nullopt;
}

bool StreamView::DeletedAfter(StreamId from) const {
  return count() != 0 && !deleted_.zero() && deleted_ >= from;
}

std::optional<uint64_t> StreamView::Lag(const StreamGroupView& group) const {
  if (entries_added_ == 0) return 0;
  if (group.entries_read != kEntriesReadUnknown && !DeletedAfter(group.last)) {
    return entries_added_ - group.entries_read;
  }
  const std::optional<uint64_t> read = EntriesUpTo(group.last);
  if (!read) return std::nullopt;
  return entries_added_ - *read;
}

StreamPending StreamPendingOf(const PageArena& arena, const ItemView& item) {
  StreamPending pending;
  pending.id = StreamIdOf(item);
  const std::string bytes = StringCopy(arena, item.value());
  if (bytes.size() < kPendingHeaderBytes) return pending;
  pending.delivered_ms = LoadLe<uint64_t>(bytes.data());
  pending.deliveries = LoadLe<uint64_t>(bytes.data() + sizeof(uint64_t));
  pending.consumer = bytes.substr(kPendingHeaderBytes);
  return pending;
}

StreamFieldReader::StreamFieldReader(const PageArena& arena, const ItemView& entry) {
  const ValueView value = entry.value();
  if (const auto whole = StringContiguous(arena, value)) {
    rest_ = *whole;
  } else {
    copy_ = StringCopy(arena, value);
    rest_ = copy_;
  }
  count_ = Varint();
  // Each takes a byte at least: a damaged count cannot make a reader go on for ever.
  if (count_ > rest_.size()) count_ = rest_.size();
  left_ = count_;
}

uint64_t StreamFieldReader::Varint() {
  uint64_t number = 0;
  for (unsigned shift = 0; shift < 64 && !rest_.empty(); shift += 7) {
    const auto byte = static_cast<uint8_t>(rest_.front());
    rest_.remove_prefix(1);
    number |= uint64_t{byte & 0x7fu} << shift;
    if (byte < 0x80) break;
  }
  return number;
}

ByteView StreamFieldReader::Next() {
  if (left_ == 0) return {};
  --left_;
  const uint64_t length = Varint();
  if (length > rest_.size()) {
    rest_ = {};
    return {};
  }
  const ByteView bytes = rest_.substr(0, length);
  rest_.remove_prefix(length);
  return bytes;
}

// ---- type_ops.cpp

const char* StreamEncoding(const PageArena&, const ValueView&) { return "stream"; }

void DigestStream(const PageArena& arena, const ValueView& value, ContentHash* into) {
  const StreamView stream(arena, value);
  const auto id = [](ContentHash* hash, StreamId number) {
    hash->Number(number.ms);
    hash->Number(number.seq);
  };
  id(into, stream.last());
  id(into, stream.deleted());
  into->Number(stream.entries_added());
  into->Number(stream.count());
  for (auto at = ItemCursor::At(arena, stream.entries(), 0); at.valid(); at.Next()) {
    id(into, StreamIdOf(at.item()));
    StreamFieldReader fields(arena, at.item());
    into->Number(fields.count());
    while (!fields.AtEnd()) into->Item(fields.Next());
  }
  Digest groups;
  ContentHash hash;
  stream.ForEachGroup([&](ByteView name, const StreamGroupView& group) {
    Digest consumers;
    stream.ForEachConsumer(group, [&](const StreamConsumerView& consumer) {
      // When a consumer was seen last is told by the clock, not by what was written.
      hash.Reset();
      hash.Item(consumer.name);
      consumers.Add(hash.Finish());
    });
    hash.Reset();
    hash.Item(name);
    id(&hash, group.last);
    hash.Number(group.entries_read);
    hash.Add(consumers);
    for (auto at = ItemCursor::At(arena, group.pending, 0); at.valid(); at.Next()) {
      const StreamPending pending = StreamPendingOf(arena, at.item());
      id(&hash, pending.id);
      hash.Number(pending.delivered_ms);
      hash.Number(pending.deliveries);
      hash.Item(pending.consumer);
    }
    groups.Add(hash.Finish());
  });
  into->Add(groups);
}

std::string ValidateStream(const PageArena& arena, const ValueView& value,
                           const HashSecret& secret) {
  if (!CollectionRef(value)) return "a stream without its page";
  const StreamView stream(arena, value);
  std::string fault = ItemsValidate(arena, stream.entries());
  if (fault.empty()) fault = TrieReader(arena, stream.groups()).Validate(secret);
  if (fault.empty() && stream.entries_added() < stream.count()) fault = "more entries than added";
  if (fault.empty() && stream.count() != 0) {
    const auto newest = ItemsAt(arena, stream.entries(), stream.count() - 1);
    if (!newest || StreamIdOf(*newest) > stream.last())
      fault = "an entry behind the last id";  // S1
  }
  stream.ForEachGroup([&](ByteView, const StreamGroupView& group) {
    if (!fault.empty()) return;
    fault = ItemsValidate(arena, group.pending);
    if (fault.empty()) fault = TrieReader(arena, group.consumers).Validate(secret);
    uint64_t shares = 0;
    stream.ForEachConsumer(group, [&](const StreamConsumerView& consumer) {
      if (fault.empty()) fault = ItemsValidate(arena, consumer.pending);
      shares += ItemsCount(arena, consumer.pending);
      for (auto at = ItemCursor::At(arena, consumer.pending, 0); fault.empty() && at.valid();
           at.Next()) {
        const auto pending = stream.FindPending(group, StreamIdOf(at.item()));
        if (!pending || pending->consumer != consumer.name) fault = "pending with nobody";  // S2
      }
    });
    if (fault.empty() && shares != ItemsCount(arena, group.pending)) {
      fault = "pending entries of a group and of its consumers differ";  // S2
    }
  });
  return fault;
}

}  // namespace verso::storage
