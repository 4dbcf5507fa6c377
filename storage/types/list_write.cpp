#include <algorithm>
#include <limits>

#include "storage/base/check.h"
#include "storage/types/list.h"

namespace verso::storage {
namespace {

// The item at `index`. Requires: it is there.
PackItem ItemAt(ByteView pack, uint64_t index) {
  PackReader reader(pack);
  PackItem item;
  do {
    reader.Next(&item);
  } while (index-- > 0);
  return item;
}

size_t OffsetAt(ByteView pack, uint64_t index) {
  return index == 0 ? kPackHeaderBytes : ItemAt(pack, index - 1).end;
}

}  // namespace

// -1 to -5: 4, 8, 16, 32, 64 KiB. Zero is one element, as in Redis.
ListLimit ListLimitOf(int64_t list_size) {
  if (list_size >= 0) {
    return {kPackBytesMax, static_cast<size_t>(std::max<int64_t>(list_size, 1))};
  }
  const auto shift = std::min<int64_t>(-list_size, 5) - 1;
  return {std::min(size_t{4096} << shift, kPackBytesMax), std::numeric_limits<uint16_t>::max()};
}

ListWriter::ListWriter(WriteView& view, const Key& key, const std::optional<ValueView>& value,
                       const CollectionLimits& limits)
    : view_(view), key_(key), limit_(ListLimitOf(limits.list_size)) {
  if (!value) return;
  VERSO_CHECK(value->type == ValueType::kList);
  there_ = true;
  form_ = CollectionRef(*value) ? kCollectionLarge : kCollectionPacked;
  count_ = ListCount(view.arena(), *value);
}

ByteView ListWriter::Pack() const {
  if (!there_) return {};
  const auto value = view_.Find(key_, Access::kPeek);
  VERSO_CHECK(value.has_value());
  return PackOf(view_.arena(), *value);
}

bool ListWriter::PackHolds(size_t bytes, uint64_t count) const {
  return bytes <= limit_.bytes && count <= limit_.count;  // L1
}

void ListWriter::PutPack(const PackBuffer& pack) {
  if (pack.count() > 0) {
    view_.ReplaceValue(key_, view_.BuildPack(ValueType::kList, kCollectionPacked, pack.bytes()));
    there_ = true;
    form_ = kCollectionPacked;
  }
  count_ = pack.count();  // none: Finish() removes the key
}

Ref* ListWriter::WritableTree() { return CollectionRefs(view_.WritableCollection(key_)); }

void ListWriter::MakeLarge() {
  const PackBuffer pack(Pack());
  const ValueView value = view_.BuildCollection(ValueType::kList, 1);
  Ref* tree = CollectionRefs(view_.line().arena().ResolveMutable(value.ref));
  PackReader elements(pack.bytes());
  for (uint64_t at = 0; elements.left() > 0; ++at) {
    ItemsInsertAt(view_.line(), tree, at, elements.NextBytes());
  }
  view_.ReplaceValue(key_, value);
  there_ = true;
  form_ = kCollectionLarge;
}

void ListWriter::MakePackedIfSmall() {
  if (!large() || count_ > limit_.count / 2) return;  // L2
  const PageArena& arena = view_.arena();
  const auto value = view_.Find(key_, Access::kPeek);
  const Ref tree = ListTree(arena, *value);
  if (tree.kind() != PageKind::kItemLeaf) return;
  size_t bytes = kPackHeaderBytes;
  for (auto at = ItemCursor::At(arena, tree, 0); at.valid(); at.Next()) {
    const size_t length = StringLength(arena, at.item().value());
    if (length > limit_.bytes / 2) return;
    bytes += PackItemBytes(length);
  }
  if (bytes > limit_.bytes / 2) return;
  PackBuffer pack;
  for (auto at = ItemCursor::At(arena, tree, 0); at.valid(); at.Next()) {
    pack.Append(*StringContiguous(arena, at.item().value()));  // too short for a rope
  }
  PutPack(pack);
}

void ListWriter::Push(ListEnd end, std::span<const ByteView> elements) {
  if (!large()) {
    const ByteView pack = Pack();
    size_t bytes = std::max(pack.size(), kPackHeaderBytes);
    for (const ByteView element : elements) {
      bytes += PackItemBytes(std::min(element.size(), kPackBytesMax));
    }
    if (PackHolds(bytes, count_ + elements.size())) {
      PackBuffer buffer(pack);
      for (const ByteView element : elements) {
        buffer.Insert(end == ListEnd::kHead ? kPackHeaderBytes : buffer.size(), element);
      }
      PutPack(buffer);
      return;
    }
    MakeLarge();
  }
  Ref* tree = WritableTree();
  for (const ByteView element : elements) {
    ItemsInsertAt(view_.line(), tree, end == ListEnd::kHead ? 0 : count_, element);
    ++count_;
  }
}

void ListWriter::Insert(uint64_t index, ByteView element) {
  if (!large()) {
    const ByteView pack = Pack();
    if (PackHolds(pack.size() + PackItemBytes(std::min(element.size(), kPackBytesMax)),
                  count_ + 1)) {
      PackBuffer buffer(pack);
      buffer.Insert(OffsetAt(pack, index), element);
      PutPack(buffer);
      return;
    }
    MakeLarge();
  }
  ItemsInsertAt(view_.line(), WritableTree(), index, element);
  ++count_;
}

void ListWriter::Replace(uint64_t index, ByteView element) {
  VERSO_CHECK(index < count_);
  if (!large()) {
    const ByteView pack = Pack();
    const PackItem item = ItemAt(pack, index);
    if (item.bytes.size() == element.size()) {
      char* bytes = view_.WritablePack(key_);
      if (!element.empty()) {
        std::memcpy(bytes + item.end - element.size(), element.data(), element.size());
      }
      return;
    }
    const size_t more = PackItemBytes(std::min(element.size(), kPackBytesMax));
    if (PackHolds(pack.size() - (item.end - item.begin) + more, count_)) {
      PackBuffer buffer(pack);
      buffer.Replace(item, element);
      PutPack(buffer);
      return;
    }
    MakeLarge();
  }
  ItemsReplaceAt(view_.line(), WritableTree(), index, element);
  MakePackedIfSmall();
}

void ListWriter::Erase(uint64_t from, uint64_t count) {
  VERSO_CHECK(from <= count_ && count <= count_ - from);
  if (count == 0) return;
  if (count == count_) {
    count_ = 0;  // Finish() removes the key, and with it all of this
    return;
  }
  if (!large()) {
    PackBuffer buffer(Pack());
    const size_t begin = OffsetAt(buffer.bytes(), from);
    const size_t end = OffsetAt(buffer.bytes(), from + count);
    buffer.EraseRange(begin, end, count);
    PutPack(buffer);
    return;
  }
  ItemsEraseRange(view_.line(), WritableTree(), from, count);
  count_ -= count;
  MakePackedIfSmall();
}

void ListWriter::EraseEach(std::span<const uint64_t> indexes) {
  if (indexes.empty()) return;
  if (indexes.size() == count_) {
    count_ = 0;
    return;
  }
  if (!large()) {
    const ByteView pack = Pack();
    PackBuffer kept;
    PackReader elements(pack);
    size_t next = 0;
    for (uint64_t at = 0; elements.left() > 0; ++at) {
      const ByteView element = elements.NextBytes();
      if (next < indexes.size() && indexes[next] == at) {
        ++next;
      } else {
        kept.Append(element);
      }
    }
    PutPack(kept);
    return;
  }
  Ref* tree = WritableTree();
  // From behind, so that those before keep their places; neighbours go together.
  for (size_t end = indexes.size(); end > 0;) {
    size_t begin = end - 1;
    while (begin > 0 && indexes[begin - 1] + 1 == indexes[begin]) --begin;
    ItemsEraseRange(view_.line(), tree, indexes[begin], end - begin);
    end = begin;
  }
  count_ -= indexes.size();
  MakePackedIfSmall();
}

void ListWriter::Finish(const KeyEvent& event) {
  if (count_ > 0) {
    view_.NotifyChanged(key_, event);
  } else if (there_) {
    view_.Erase(key_, {"del", 'g', event.changes});
  }
}

// ---- a list made beside its key

ListBuilder::ListBuilder(WriteView& view, const CollectionLimits& limits)
    : view_(view), limit_(ListLimitOf(limits.list_size)) {}

void ListBuilder::Append(ByteView element) {
  if (!built_.ref) {
    const size_t bytes = pack_.size() + PackItemBytes(std::min(element.size(), kPackBytesMax));
    if (bytes <= limit_.bytes && count_ < limit_.count) {
      pack_.Append(element);
      ++count_;
      return;
    }
    built_ = view_.BuildCollection(ValueType::kList, 1);
    count_ = 0;
    for (PackReader packed(pack_.bytes()); packed.left() > 0;) Append(packed.NextBytes());
  }
  Ref* tree = CollectionRefs(view_.line().arena().ResolveMutable(built_.ref));
  ItemsInsertAt(view_.line(), tree, count_++, element);
}

void ListBuilder::FinishAsNew(const Key& key, const KeyEvent& event) {
  VERSO_CHECK(count_ > 0);
  view_.SetValue(key, built_.ref
                          ? built_
                          : view_.BuildPack(ValueType::kList, kCollectionPacked, pack_.bytes()));
  view_.NotifyChanged(key, event);
}

}  // namespace verso::storage
