// The body of a large hash or set: a collection page (collection.h) whose scalar 0 counts the
// elements and whose reference 0 is a hash trie: field -> value of a hash, member -> nothing of a
// set. Elements are hashed under the store's secret, as keys are.
#pragma once

#include <cstdint>
#include <string>

#include "storage/index/hash_trie.h"
#include "storage/keyspace/keyspace.h"
#include "storage/types/collection.h"

namespace verso::storage {

// Of any version. A value that is not large reads as no elements.
class ElementTrie {
 public:
  ElementTrie(const PageArena& arena, const ValueView& value) : arena_(arena) {
    const Ref collection = CollectionRef(value);
    if (!collection) return;
    const char* page = arena.Resolve(collection);
    root_ = CollectionTrie(page, collection, 0);
    count_ = root_ ? CollectionAt(page).scalars[0] : 0;
  }
  ElementTrie(const ElementTrie&) = delete;
  ElementTrie& operator=(const ElementTrie&) = delete;

  uint64_t count() const { return count_; }
  TrieReader trie() const { return {arena_, root_}; }

 private:
  const PageArena& arena_;
  Ref root_;
  uint64_t count_ = 0;
};

// Changes the body of a collection page that is writable and has reference 0.
class ElementTrieWriter {
 public:
  ElementTrieWriter(WriteView& view, char* page)
      : view_(view), page_(page), trie_(view.line(), CollectionRefs(page), view.secret()) {}

  uint64_t count() const { return CollectionAt(page_).scalars[0]; }
  // True: it was not there. What was its value is retired.
  bool Put(const Key& element, ByteView value);
  bool Erase(const Key& element);

 private:
  WriteView& view_;
  char* page_;
  TrieWriter trie_;
};

// The bytes of an entry's key, wherever they stand, as a string value.
inline ValueView ElementName(const TrieEntry& entry) {
  ValueView name;
  name.external = entry.key_external;
  name.bytes = entry.key_inline;
  name.ref = entry.key_ref;
  return name;
}

// visit(ByteView) with the bytes of an entry's key, wherever they stand.
template <typename Visit>
void WithElement(const PageArena& arena, const TrieEntry& entry, Visit&& visit) {
  if (const auto whole = entry.KeyContiguous(arena)) {
    visit(*whole);
  } else {
    visit(ByteView(entry.KeyCopy(arena)));
  }
}

// Upper bound of the payload bytes to reserve (Store::ReserveForWrite) for changing so many
// elements of one hash or set, that have so many bytes together; its becoming large included.
uint64_t ElementsEstimate(const PageArena& arena, uint64_t elements, uint64_t bytes);

// Structural audit: the trie, the count, long values.
std::string ValidateElements(const PageArena& arena, const ValueView& value,
                             const HashSecret& secret);

}  // namespace verso::storage
