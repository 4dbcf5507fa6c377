#include "storage/types/hash_value.h"

#include <cstring>

#include "storage/base/check.h"

namespace verso::storage {

uint64_t HashCount(const PageArena& arena, const ValueView& hash) {
  if (CollectionRef(hash)) return ElementTrie(arena, hash).count();
  return PackCount(PackOf(arena, hash)) / 2;
}

std::optional<ValueView> HashFindKey(const PageArena& arena, const ValueView& hash,
                                     const Key& field) {
  if (CollectionRef(hash)) {
    const std::optional<TrieEntry> entry = ElementTrie(arena, hash).trie().Find(field);
    if (!entry) return std::nullopt;
    return entry->value;
  }
  PackReader pack(PackOf(arena, hash));
  while (pack.left() >= 2) {
    const bool found = pack.NextBytes() == field.bytes;
    const ByteView value = pack.NextBytes();
    if (found) return PackedString(value);
  }
  return std::nullopt;
}

std::optional<ValueView> HashFind(const ReadView& view, const ValueView& hash, ByteView field) {
  // A pack is searched by bytes alone.
  return HashFindKey(view.arena(), hash, CollectionRef(hash) ? view.MakeKey(field) : Key{field, 0});
}

void HashPrefetch(const PageArena& arena, const ValueView& hash, const Key* fields, size_t count) {
  if (CollectionRef(hash)) ElementTrie(arena, hash).trie().Prefetch(fields, count);
}

void DigestHash(const PageArena& arena, const ValueView& value, ContentHash* into) {
  ContentHash element;
  Digest sum;
  uint64_t count = 0;
  HashForEach(arena, value, [&](ByteView field, const ValueView& content) {
    element.Reset();
    element.Item(field);
    StringForEachPiece(arena, content, 0, kStringBytesMax,
                       [&](ByteView piece) { element.Bytes(piece); });
    sum.Add(element.Finish());
    ++count;
  });
  into->Number(count);
  into->Add(sum);
}

const char* HashEncoding(const PageArena&, const ValueView& value) {
  return CollectionRef(value) ? "hashtable" : "listpack";
}

// ---- writing

HashWriter::HashWriter(WriteView& view, const Key& key, const std::optional<ValueView>& value,
                       const CollectionLimits& limits)
    : view_(view), key_(key), limits_(limits), old_(value) {
  if (!value) {
    buffer_.emplace();
  } else if (!CollectionRef(*value)) {
    pack_ = PackOf(view.arena(), *value);
  }
}

uint64_t HashWriter::count() const {
  if (page_ != nullptr) return CollectionAt(page_).scalars[0];
  if (buffer_ || !CollectionRef(*old_)) return PackCount(pack()) / 2;
  return ElementTrie(view_.arena(), *old_).count();
}

bool HashWriter::FindPair(ByteView field, Pair* pair) const {
  PackReader reader(pack());
  while (reader.left() >= 2) {
    reader.Next(&pair->field);
    reader.Next(&pair->value);
    if (pair->field.bytes == field) return true;
  }
  return false;
}

PackBuffer& HashWriter::Buffer() {
  if (!buffer_) buffer_.emplace(pack_);
  return *buffer_;
}

ElementTrieWriter HashWriter::Elements() {
  if (page_ == nullptr) page_ = view_.WritableCollection(key_);
  return {view_, page_};
}

void HashWriter::MakeLarge() {
  built_ = view_.BuildCollection(ValueType::kHash, 1);
  page_ = view_.line().arena().ResolveMutable(built_.ref);
  ElementTrieWriter elements(view_, page_);
  PackReader reader(pack());
  while (reader.left() >= 2) {
    const Key field = view_.MakeKey(reader.NextBytes());
    elements.Put(field, reader.NextBytes());
  }
  buffer_.reset();
}

bool HashWriter::Set(ByteView field, ByteView value) {
  const bool packed = page_ == nullptr && (buffer_ || !CollectionRef(*old_));
  if (!packed) return Elements().Put(view_.MakeKey(field), value);

  Pair pair;
  const bool found = FindPair(field, &pair);
  const bool small =
      field.size() <= limits_.hash_value_bytes && value.size() <= limits_.hash_value_bytes;
  if (found && small && !buffer_ && pair.value.bytes.size() == value.size()) {
    // Same length: overwritten where it stands.
    char* bytes = view_.WritablePack(key_);
    if (!value.empty()) {
      std::memcpy(bytes + pair.value.end - value.size(), value.data(), value.size());
    }
    pack_ = ByteView(bytes, pack_.size());
    return false;
  }
  const size_t more = PackItemBytes(value.size()) + (found ? 0 : PackItemBytes(field.size()));
  const auto fields_max = static_cast<uint64_t>(limits_.hash_entries);
  if (!small || (!found && count() >= fields_max) || pack().size() + more > kPackBytesMax) {
    MakeLarge();
    return ElementTrieWriter(view_, page_).Put(view_.MakeKey(field), value);
  }
  PackBuffer& buffer = Buffer();
  if (found) {
    buffer.Replace(pair.value, value);
  } else {
    buffer.Append(field);
    buffer.Append(value);
  }
  return !found;
}

bool HashWriter::Erase(ByteView field) {
  if (page_ == nullptr && (buffer_ || !CollectionRef(*old_))) {
    Pair pair;
    if (!FindPair(field, &pair)) return false;
    Buffer().EraseRange(pair.field.begin, pair.value.end, 2);
    return true;
  }
  const Key hashed = view_.MakeKey(field);
  // Looked for first: what is not there copies nothing.
  if (page_ == nullptr && !ElementTrie(view_.arena(), *old_).trie().Find(hashed)) return false;
  return Elements().Erase(hashed);
}

void HashWriter::Finish(const KeyEvent& event) {
  if (count() == 0) {
    if (built_.ref) view_.line().Retire(built_.ref);
    view_.Erase(key_, {"del", 'g', event.changes});
    return;
  }
  if (built_.ref) {
    view_.ReplaceValue(key_, built_);
  } else if (buffer_) {
    view_.ReplaceValue(key_,
                       view_.BuildPack(ValueType::kHash, kCollectionPacked, buffer_->bytes()));
  }
  view_.NotifyChanged(key_, event);
}

}  // namespace verso::storage
