// Hashes. A small one is a pack of field, value, field, value in order of insertion; a large one is
// an element trie. It becomes large when a field or value is longer, or fields are more, than
// CollectionLimits say, or the pack than kPackBytesMax, and stays so.
//
// Values are shown as ValueView of a string, so that StringForEachPiece and the like read them.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "storage/keyspace/keyspace.h"
#include "storage/types/collection.h"
#include "storage/types/collection_limits.h"
#include "storage/types/content_hash.h"
#include "storage/types/element_trie.h"
#include "storage/types/pack.h"

namespace verso::storage {

// ---- reading. Requires of all: a hash.

uint64_t HashCount(const PageArena& arena, const ValueView& hash);
std::optional<ValueView> HashFind(const ReadView& view, const ValueView& hash, ByteView field);
// Prefetches what HashFind or a change of these fields touches; nothing for a small hash.
void HashPrefetch(const PageArena& arena, const ValueView& hash, const Key* fields, size_t count);
// With a field that was hashed for HashPrefetch.
std::optional<ValueView> HashFindKey(const PageArena& arena, const ValueView& hash,
                                     const Key& field);

// The value of a pack's item.
inline ValueView PackedString(ByteView bytes) {
  ValueView value;
  value.bytes = bytes;
  return value;
}

// visit(ByteView field, const ValueView& value) for every field. A pack in its order.
template <typename Visit>
void HashForEach(const PageArena& arena, const ValueView& hash, Visit&& visit) {
  if (CollectionRef(hash)) {
    ElementTrie(arena, hash).trie().ForEach([&](const TrieEntry& entry) {
      WithElement(arena, entry, [&](ByteView field) { visit(field, entry.value); });
    });
    return;
  }
  PackReader pack(PackOf(arena, hash));
  while (pack.left() >= 2) {
    const ByteView field = pack.NextBytes();
    visit(field, PackedString(pack.NextBytes()));
  }
}

// The rows of type_ops.cpp.
void DigestHash(const PageArena& arena, const ValueView& value, ContentHash* into);
const char* HashEncoding(const PageArena& arena, const ValueView& value);

// ---- writing

// Changes one hash: any number of changes, then Finish() once. Bytes handed in must not lie in
// pages of the line. Requires: room for ElementsEstimate.
class HashWriter {
 public:
  // `value`: what FindForWrite answered: a hash, or nothing (Set makes one).
  HashWriter(WriteView& view, const Key& key, const std::optional<ValueView>& value,
             const CollectionLimits& limits);

  // True: the field is new.
  bool Set(ByteView field, ByteView value);
  bool Erase(ByteView field);  // true: it was there
  uint64_t count() const;

  // Puts what has become of it and says that the key has changed. Without fields the key goes
  // instead, as "del". Requires: something was changed.
  void Finish(const KeyEvent& event);

 private:
  struct Pair {
    PackItem field;
    PackItem value;
  };
  ByteView pack() const { return buffer_ ? buffer_->bytes() : pack_; }
  bool FindPair(ByteView field, Pair* pair) const;
  PackBuffer& Buffer();
  ElementTrieWriter Elements();
  void MakeLarge();

  WriteView& view_;
  const Key& key_;
  const CollectionLimits& limits_;
  const std::optional<ValueView> old_;
  ByteView pack_;                     // while packed and not loaded
  std::optional<PackBuffer> buffer_;  // while packed and changed
  char* page_ = nullptr;              // while large and writable
  ValueView built_;                   // a collection page made here, not yet put
};

}  // namespace verso::storage
