// Hash trie: key -> value by the bits of a 64-bit hash. The structure of the key space and of large
// hashes and sets.
//
//   root slot -> null | leaf | directory         a slot in a page of its owner (a line root, a leaf
//   entry, ...)
//
//      directory (hash bits 63..54)   16 to 1,024 slots, doubling as leaves outgrow it
//      |  |  |  |
//      |  leaf leaf ...               entries with the bits of their slots in common; found by
//      one-byte fingerprints directory (next 4..7 bits)
//
// Pages are drawn in hash_trie_node.h (T1-T6). A full leaf of 1 KiB is split by the next bit; two
// buddies that fit well below that are merged, directories halve and vanish, the empty trie is the
// null reference. Between a split (1,024 bytes) and a merge (640) lies room enough that one key
// coming and going moves nothing.
//
// Reading (TrieReader) works on any version and changes nothing. Writing (TrieWriter) follows Line:
// it descends without writing and, if the leaf is in place, changes it there (L2); else it makes
// the path writable from the root down.
//
// Cost: 48 bytes a key of 16 bytes with a value of 16. A lookup misses the cache at the last
// directory, the leaf, the entry: 3 times, so commands are looked up in batches: Prefetch first,
// then Find, Put, ... in order. Prefetch has no effect on results.
//
// Equal hashes: a leaf that cannot be split grows to 255 entries or 64 KiB. One more is refused
// (kRefused), with nothing changed. Under a secret 64-bit hash that does not happen by chance, and
// a client cannot prepare it.
//
// Views (TrieEntry and what it points at) are valid until the next change of that line. Nothing
// here allocates outside the arena. Room must have been reserved (Line, Store::ReserveForWrite): at
// most kTrieWriteBytesMax, plus the bytes of an external key.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <type_traits>

#include "storage/base/bytes.h"
#include "storage/base/hash.h"
#include "storage/index/hash_trie_node.h"
#include "storage/memory/line.h"
#include "storage/memory/page_probe.h"
#include "storage/types/value.h"

namespace verso::storage {

// A key and its hash under the store's secret: always Hash64(bytes, secret), computed once per
// command.
struct TrieKey {
  ByteView bytes;
  uint64_t hash = 0;
};

// Where an entry stands: the leaf and its slot in it, as PageArena::Clock wants them.
struct TriePlace {
  Ref leaf;
  uint32_t slot = 0;
};

// One entry as a reader sees it.
struct TrieEntry {
  ValueView value;
  TriePlace place;
  uint32_t bytes = 0;  // of the entry in the leaf; its share of the leaf is about 3 bytes more
  bool key_external = false;
  ByteView key_inline;    // if not external
  uint64_t key_hash = 0;  // if external
  Ref key_ref;            // if external: kValue or kRope

  uint64_t KeyLength(const PageArena& arena) const;
  std::optional<ByteView> KeyContiguous(const PageArena& arena) const;  // nullopt: a rope
  std::string KeyCopy(const PageArena& arena) const;
  uint64_t KeyHash(const HashSecret& secret) const;
};

// What a key held before a change. An external value is the caller's from then on: to retire, or to
// put elsewhere (RENAME).
struct TriePrevious {
  ValueType type = ValueType::kString;
  uint8_t hint = 0;
  uint64_t deadline_ms = kNoDeadline;
  Ref value;  // null if it was inline
};

enum class TriePutOutcome : uint8_t { kInserted, kReplaced, kRefused };

struct TriePutResult {
  TriePutOutcome outcome = TriePutOutcome::kRefused;
  TriePrevious previous;  // if replaced
  TriePlace place;        // of the entry now
};

// A value that may be changed where it stands. Valid until the next change of the line.
struct TrieMutableValue {
  ValueType type;
  uint64_t deadline_ms;
  TrieEntryHeader* header;  // type and hint may be changed, sizes and flags not
  char* bytes;              // inline: value_bytes of them; null if external
  Ref* ref;  // external: the slot of the value's root page, for Line::Writable and the like
  TriePlace place;
};

// Upper bound of the arena bytes one Put, SetDeadline or Erase takes besides an external key, given
// hashes that do not collide in more than 38 leading bits: a root directory copied and doubled,
// three directories below it copied, leaves split.
inline constexpr size_t kTrieWriteBytesMax =
    (sizeof(Ref) << kTrieRootDirBitsMax) * 3 / 2 + 3 * (sizeof(Ref) << kTrieDirBitsMax) + 4 * 1024;

struct TrieStats {
  uint64_t entries = 0;
  uint64_t leaves = 0;
  uint64_t leaf_bytes = 0;
  uint64_t dirs = 0;
  uint64_t dir_bytes = 0;
  uint64_t garbage_bytes = 0;
};

class TrieReader {
 public:
  TrieReader(const PageArena& arena, const Ref& root) : arena_(arena), root_(root) {}

  std::optional<TrieEntry> Find(const TrieKey& key) const;

  // Brings what Find or a change of these keys will touch into the cache, in stages over 16 keys at
  // a time: directories, leaves, the entry, the first bytes of an external value.
  static constexpr size_t kPrefetchBatch = 16;
  void Prefetch(const TrieKey* keys, size_t count) const;
  // Of what Find of this key and a look at its value would read.
  void Probe(const TrieKey& key, PageProbe* probe) const;

  // The first entry with exactly this hash for which accept(const TrieEntry&) is true (deadline
  // index: hash -> key).
  template <typename Accept>
  std::optional<TrieEntry> FindByHash(uint64_t hash, const HashSecret& secret,
                                      Accept&& accept) const {
    using Plain = std::remove_reference_t<Accept>;
    return FindByHashImpl(hash, secret, Context(accept),
                          [](void* context, const TrieEntry& entry) -> bool {
                            return (*static_cast<Plain*>(context))(entry);
                          });
  }

  // visit(const TrieEntry&) for every entry, in the order of hash ranges.
  template <typename Visit>
  void ForEach(Visit&& visit) const {
    ForEachImpl(root_, Context(visit), &Call<Visit>);
  }

  // Visits whole leaves from `cursor`, a position in hash space (0: the start), until at least
  // `count` entries were visited. Returns the next cursor, 0 at the end. An entry that is there
  // throughout a scan is visited exactly once, whatever splits and merges.
  template <typename Visit>
  uint64_t Scan(uint64_t cursor, size_t count, const HashSecret& secret, Visit&& visit) const {
    return ScanImpl(cursor, count, secret, Context(visit), &Call<Visit>);
  }

  // Some entry, chosen by a random number: every entry can come, nearly uniformly over leaves.
  // nullopt: the trie is empty.
  std::optional<TrieEntry> Random(uint64_t random) const;

  // Structural audit: T1-T6, fingerprints, hash prefixes, the bytes that must be zero. Empty:
  // sound. Else what is wrong, and where.
  std::string Validate(const HashSecret& secret, TrieStats* stats = nullptr) const;

 private:
  using VisitFunction = void (*)(void* context, const TrieEntry& entry);
  using AcceptFunction = bool (*)(void* context, const TrieEntry& entry);
  struct LeafRange;

  // A callable as a plain pointer, const or not: Call and its like give it its type back.
  template <typename Function>
  static void* Context(Function& function) {
    return const_cast<std::remove_const_t<Function>*>(&function);
  }
  template <typename Visit>
  static void Call(void* context, const TrieEntry& entry) {
    (*static_cast<std::remove_reference_t<Visit>*>(context))(entry);
  }

  void PrefetchSome(const TrieKey* keys, size_t count) const;
  Ref FindLeaf(uint64_t hash) const;
  std::optional<TrieEntry> FindByHashImpl(uint64_t hash, const HashSecret& secret, void* context,
                                          AcceptFunction accept) const;
  void ForEachImpl(const Ref& ref, void* context, VisitFunction visit) const;
  uint64_t ScanImpl(uint64_t cursor, size_t count, const HashSecret& secret, void* context,
                    VisitFunction visit) const;
  bool SeekLeaf(const Ref& dir, unsigned consumed, uint64_t start, uint64_t from,
                LeafRange* range) const;
  bool FirstLeaf(uint64_t from, LeafRange* range) const;

  const PageArena& arena_;
  const Ref& root_;
};

struct TriePath;  // hash_trie_path.h
struct TrieItem;

class TrieWriter {
 public:
  // Requires: *root lies in a page that is writable, and stays there while this object is used.
  TrieWriter(Line& line, Ref* root, const HashSecret& secret)
      : line_(line), root_(root), secret_(secret) {}

  // Inserts or replaces. Of `value` either bytes (at most kTrieInlineBytesMax) or ref are taken.
  // The same layout is overwritten in place. A new entry gets this access clock; a replaced one
  // keeps its own. The value may lie in this trie.
  TriePutResult Put(const TrieKey& key, const ValueView& value, uint16_t clock);

  // Makes the value writable in place; null: no such key.
  std::optional<TrieMutableValue> Mutate(const TrieKey& key);

  // Sets or removes (kNoDeadline) the deadline. Returns the old one; nullopt: no such key.
  std::optional<uint64_t> SetDeadline(const TrieKey& key, uint64_t deadline_ms);

  // Removes; nullopt, with nothing changed: no such key. An external key is retired here, an
  // external value is the caller's. Inline value bytes are zeroed: copy them before if they are
  // needed.
  std::optional<TriePrevious> Erase(const TrieKey& key);

 private:
  struct Edit;

  // hash_trie_write.cpp
  TriePrevious PreviousAt(const char* entry) const;
  bool Apply(TriePath* path, const Edit& edit);
  void ApplyInPlace(TriePath* path, const Edit& edit);
  bool ApplyMoving(TriePath* path, const Edit& edit);
  char* WritableLeaf(TriePath* path);
  void RemoveSlot(char* leaf, const Ref& ref, size_t slot);

  // hash_trie_shape.cpp
  void MakeDirsWritable(TriePath* path);
  void SetLeaf(TriePath* path, unsigned depth, const Ref& leaf);
  size_t Gather(const Ref& leaf, size_t skip_slot, TrieItem* items) const;
  Ref BuildLeaf(const TrieItem* items, size_t count, size_t units, unsigned depth);
  void NewLeaf(TriePath* path, const TrieItem& item);
  void Rebuild(TriePath* path, const TrieItem* items, size_t count, size_t units);
  bool Split(TriePath* path, TrieItem* items, size_t count);
  void PlaceItems(Ref* dir_slot, unsigned consumed, unsigned depth, size_t prefix, TrieItem* items,
                  size_t count);
  Ref NewDir(unsigned bits);
  void DoubleDir(Ref* dir_slot);

  // hash_trie_shrink.cpp
  void ShrinkAfterErase(TriePath* path);
  void Tidy(TriePath* path, bool changed);
  bool MergeUp(TriePath* path);
  bool HalveDir(Ref* dir_slot);
  void LiftLeaf(TriePath* path, const Ref& a, const Ref& b, unsigned depth);

  Line& line_;
  Ref* root_;
  const HashSecret& secret_;
  TriePlace edited_;  // where BuildLeaf put the item marked `edited`
};

}  // namespace verso::storage
