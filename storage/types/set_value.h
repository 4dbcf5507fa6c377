// Sets. A small one of nothing but integers is an integer pack (hint kSetIntegers), another small
// one a pack of its members in order of insertion, a large one an element trie. Which of them it
// is follows CollectionLimits, as in Redis; it goes from left to right only:
//
//   integers ("intset") -> pack ("listpack") -> trie ("hashtable")
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "storage/keyspace/keyspace.h"
#include "storage/types/collection.h"
#include "storage/types/collection_limits.h"
#include "storage/types/content_hash.h"
#include "storage/types/element_trie.h"
#include "storage/types/integer_pack.h"
#include "storage/types/pack.h"

namespace verso::storage {

inline constexpr uint8_t kSetIntegers = 2;

enum class SetForm : uint8_t { kIntegers, kPacked, kLarge };

inline SetForm SetFormOf(const ValueView& set) {
  if (CollectionRef(set)) return SetForm::kLarge;
  return set.hint == kSetIntegers ? SetForm::kIntegers : SetForm::kPacked;
}

// ---- reading. Requires of all: a set.

uint64_t SetCount(const PageArena& arena, const ValueView& set);
bool SetContains(const ReadView& view, const ValueView& set, ByteView member);
// With a member that was hashed for SetPrefetch.
bool SetContainsKey(const PageArena& arena, const ValueView& set, const Key& member);
// Prefetches what SetContains or a change of these members touches; nothing for a small set.
void SetPrefetch(const PageArena& arena, const ValueView& set, const Key* members, size_t count);

// visit(ByteView member) for every member of a set that is not large.
template <typename Visit>
void SmallSetForEach(const PageArena& arena, const ValueView& set, Visit&& visit) {
  if (SetFormOf(set) == SetForm::kIntegers) {
    const IntegerPack integers(PackOf(arena, set));
    char text[kIntegerTextMax];
    for (size_t i = 0; i < integers.count(); ++i) visit(FormatMember(integers.At(i), text));
    return;
  }
  PackReader pack(PackOf(arena, set));
  while (pack.left() > 0) visit(pack.NextBytes());
}

// visit(ByteView member) for every member.
template <typename Visit>
void SetForEach(const PageArena& arena, const ValueView& set, Visit&& visit) {
  if (SetFormOf(set) != SetForm::kLarge) {
    SmallSetForEach(arena, set, visit);
    return;
  }
  ElementTrie(arena, set).trie().ForEach([&](const TrieEntry& entry) {
    WithElement(arena, entry, visit);
  });
}

// The rows of type_ops.cpp.
void DigestSet(const PageArena& arena, const ValueView& value, ContentHash* into);
const char* SetEncoding(const PageArena& arena, const ValueView& value);

// ---- writing

// Changes one set, or makes one beside it: any number of changes, then one of the last three calls.
// Bytes handed in must not lie in pages of the line. Requires: room for ElementsEstimate.
class SetWriter {
 public:
  // `value`: what FindForWrite answered: a set, or nothing.
  SetWriter(WriteView& view, const Key& key, const std::optional<ValueView>& value,
            const CollectionLimits& limits);

  bool Add(ByteView member);     // true: it is new
  bool Remove(ByteView member);  // true: it was there
  // Removes and returns a member by chance. Requires: count() > 0.
  std::string TakeRandom(uint64_t random);
  uint64_t count() const;

  // Puts what has become of it and says that the key has changed. Without members the key goes
  // instead, as "del". Requires: something was changed.
  void Finish(const KeyEvent& event);
  // Puts it in the place of whatever the key holds, without a deadline. Requires: made from
  // nothing, not empty.
  void FinishAsNew(const KeyEvent& event);

 private:
  IntegerBuffer& Integers();
  PackBuffer& Buffer();
  ElementTrieWriter Elements();
  ByteView pack() const;
  bool ContainsLarge(const Key& member) const;
  bool FindMember(ByteView member, PackItem* item) const;
  bool AddInteger(int64_t integer);
  bool AddPacked(ByteView member);
  void LeaveIntegers(ByteView member);
  void MakeLarge();
  ValueView Built(char* room);

  WriteView& view_;
  const Key& key_;
  const CollectionLimits& limits_;
  const std::optional<ValueView> old_;
  SetForm form_;
  std::optional<IntegerBuffer> integers_;  // while integers and changed
  std::optional<PackBuffer> buffer_;       // while packed and changed
  char* page_ = nullptr;                   // while large and writable
  ValueView built_;                        // a collection page made here, not yet put
};

}  // namespace verso::storage
