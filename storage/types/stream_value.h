// Streams: entries by id in an item tree, and consumer groups in a trie. Always a collection page,
// also when empty: a stream keeps its ids and groups without entries.
//
//   kCollection of the key     scalars: last id (2), highest id ever deleted (2), entries ever
//   added, of these those added before it was empty the last time
//     Ref 0  item tree          (ms, seq) -> field, value, field, value ...   (StreamFieldReader)
//     Ref 1  trie               group name -> kCollection of the group
//
//   kCollection of a group     scalars: last delivered id (2), entries read (or
//   kEntriesReadUnknown)
//     Ref 0  item tree          (ms, seq) -> delivered at ms u64, deliveries u64, consumer's name
//     Ref 1  trie               consumer name -> kCollection of the consumer
//
//   kCollection of a consumer  scalars: seen at ms, active at ms (or kNeverActive)
//     Ref 0  item tree          (ms, seq) -> nothing: its share of the group's pending entries
//
// S1 Ids in the tree are at most the last id, and entries added at least as many as there are.
// S2 An id is pending in a group once, and in exactly the consumer that the group's entry names.
//
// Streams with a deleted group or consumer lose their pending lists in slices (V9).
#pragma once

#include <compare>
#include <cstdint>
#include <optional>
#include <span>
#include <string>

#include "storage/index/hash_trie.h"
#include "storage/index/item_tree.h"
#include "storage/keyspace/keyspace.h"
#include "storage/types/collection.h"
#include "storage/types/content_hash.h"

namespace verso::storage {

struct StreamId {
  uint64_t ms = 0;
  uint64_t seq = 0;
  auto operator<=>(const StreamId&) const = default;  // NOLINT(modernize-use-nullptr): no pointer
  bool zero() const { return ms == 0 && seq == 0; }
};
inline constexpr StreamId kStreamIdMax{~uint64_t{0}, ~uint64_t{0}};

inline constexpr uint64_t kEntriesReadUnknown = ~uint64_t{0};
inline constexpr uint64_t kNeverActive = ~uint64_t{0};

// ---- reading. Requires of all: a stream. A damaged value reads as an empty one.

// A group or consumer as a reader sees it. Views are valid until the next change of the line.
struct StreamConsumerView {
  std::string name;
  uint64_t seen_ms = 0;
  uint64_t active_ms = kNeverActive;
  Ref pending;  // item tree of ids
};

struct StreamGroupView {
  StreamId last;
  uint64_t entries_read = kEntriesReadUnknown;
  Ref pending;    // item tree: StreamPendingOf
  Ref consumers;  // trie: StreamConsumerOf
};

struct StreamPending {
  StreamId id;
  uint64_t delivered_ms = 0;
  uint64_t deliveries = 0;
  std::string consumer;
};

class StreamView {
 public:
  StreamView(const PageArena& arena, const ValueView& value);
  StreamView(const StreamView&) = delete;
  StreamView& operator=(const StreamView&) = delete;

  const PageArena& arena() const { return arena_; }
  uint64_t count() const { return ItemsCount(arena_, entries_); }
  StreamId last() const { return last_; }
  StreamId deleted() const { return deleted_; }  // highest id removed by name; zero: none
  StreamId first() const;                        // of the entries that are there; zero: none
  uint64_t entries_added() const { return entries_added_; }
  // Since it was empty the last time.
  uint64_t entries_added_since_empty() const { return entries_added_ - nodes_from_; }

  // Item tree of the entries, for cursors: ItemCursor::From(arena, entries(), StreamFrom(id)).
  const Ref& entries() const { return entries_; }
  const Ref& groups() const { return groups_; }
  // What the value of an entry of groups() says.
  StreamGroupView GroupOf(const ValueView& value) const;

  std::optional<StreamGroupView> FindGroup(const HashSecret& secret, ByteView name) const;
  uint64_t group_count() const;
  // visit(ByteView name, const StreamGroupView&), in no order that users know.
  template <typename Visit>
  void ForEachGroup(Visit&& visit) const {
    TrieReader(arena_, groups_).ForEach([&](const TrieEntry& entry) {
      visit(ByteView(entry.KeyCopy(arena_)), GroupOf(entry.value));
    });
  }

  std::optional<StreamConsumerView> FindConsumer(const HashSecret& secret,
                                                 const StreamGroupView& group, ByteView name) const;
  template <typename Visit>
  void ForEachConsumer(const StreamGroupView& group, Visit&& visit) const {
    TrieReader(arena_, group.consumers).ForEach([&](const TrieEntry& entry) {
      visit(ConsumerOf(entry));
    });
  }
  std::optional<StreamPending> FindPending(const StreamGroupView& group, StreamId id) const;

  // How many entries were ever added up to `id`, that is how many a group that has read up to it
  // has read; nullopt where deletions make that unknowable.
  std::optional<uint64_t> EntriesUpTo(StreamId id) const;
  // Entries that a group has yet to read; nullopt: unknowable.
  std::optional<uint64_t> Lag(const StreamGroupView& group) const;
  // Was an entry at or behind `from` deleted by name, so that counting on from there is wrong?
  bool DeletedAfter(StreamId from) const;

 private:
  StreamConsumerView ConsumerOf(const TrieEntry& entry) const;

  const PageArena& arena_;
  StreamId last_;
  StreamId deleted_;
  uint64_t entries_added_ = 0;
  uint64_t nodes_from_ = 0;
  Ref entries_;
  Ref groups_;
};

inline StreamId StreamIdOf(const ItemView& item) { return {item.a, item.b}; }
// Just before an entry with this id, and just behind it.
inline ItemBound StreamFrom(StreamId id) { return {Item{id.ms, id.seq, {}}, false}; }
inline ItemBound StreamBehind(StreamId id) { return {Item{id.ms, id.seq, {}}, true}; }

// What an item of a group's pending entries says.
StreamPending StreamPendingOf(const PageArena& arena, const ItemView& item);

// Goes through the fields and values of an entry: they alternate. Safe on any bytes (P1 of pack.h):
// what does not end inside the entry reads as empty.
class StreamFieldReader {
 public:
  // Long entries are copied together; views live as long as the reader.
  StreamFieldReader(const PageArena& arena, const ItemView& entry);
  StreamFieldReader(const StreamFieldReader&) = delete;
  StreamFieldReader& operator=(const StreamFieldReader&) = delete;

  size_t count() const { return count_; }  // fields and values together
  bool AtEnd() const { return left_ == 0; }
  ByteView Next();

 private:
  uint64_t Varint();

  std::string copy_;
  ByteView rest_;
  size_t count_ = 0;
  size_t left_ = 0;
};

// The rows of type_ops.cpp.
void DigestStream(const PageArena& arena, const ValueView& value, ContentHash* into);
const char* StreamEncoding(const PageArena& arena, const ValueView& value);
std::string ValidateStream(const PageArena& arena, const ValueView& value,
                           const HashSecret& secret);

// ---- writing

class StreamWriter;

// A group of a stream that is being changed. Valid until its stream's groups change.
class StreamGroupWriter {
 public:
  StreamId last() const;
  void SetLast(StreamId last, uint64_t entries_read);
  uint64_t entries_read() const;

  bool HasConsumer(ByteView name) const;
  // True: made now, with `now_ms` as seen.
  bool CreateConsumer(ByteView name, uint64_t now_ms);
  // Its pending entries go too. nullopt: no such consumer; else how many were pending.
  std::optional<uint64_t> EraseConsumer(ByteView name);
  // Requires: it exists. What is kNeverActive stays as it was.
  void SetSeen(ByteView consumer, uint64_t seen_ms, uint64_t active_ms);

  // Makes the id pending with this consumer, whoever had it. Requires: the consumer exists.
  void Deliver(StreamId id, ByteView consumer, uint64_t delivered_ms, uint64_t deliveries);
  bool Acknowledge(StreamId id);  // true: it was pending

 private:
  friend class StreamWriter;
  StreamGroupWriter(WriteView* view, char* page) : view_(view), page_(page) {}
  char* WritableConsumer(ByteView name);

  WriteView* view_;
  char* page_;
};

// Changes one stream: any number of changes, then Finish() once. Bytes handed in must not lie in
// pages of the line. Requires: room for StreamEstimate.
class StreamWriter {
 public:
  // `value`: what FindForWrite answered: a stream, or nothing (an empty one is made).
  StreamWriter(WriteView& view, const Key& key, const std::optional<ValueView>& value);

  StreamId last() const;
  uint64_t count() const;

  // Requires: above last(); fields and values alternate.
  void Append(StreamId id, std::span<const ByteView> fields);
  // By name: the highest id so removed is kept.
  bool Erase(StreamId id);
  // The oldest ones, in slices (V9). Requires: at most count().
  void EraseOldest(uint64_t entries);
  void SetLast(StreamId last);
  void SetEntriesAdded(uint64_t entries);
  void SetDeleted(StreamId deleted);

  // False: it is there already.
  bool CreateGroup(ByteView name, StreamId last, uint64_t entries_read);
  bool EraseGroup(ByteView name);
  std::optional<StreamGroupWriter> Group(ByteView name);

  void Finish(const KeyEvent& event) { view_.NotifyChanged(key_, event); }

 private:
  WriteView& view_;
  const Key& key_;
  char* page_ = nullptr;
};

// Upper bound of the payload bytes to reserve (Store::ReserveForWrite) for so many entries added,
// delivered or removed, of so many bytes together.
uint64_t StreamEstimate(const PageArena& arena, uint64_t entries, uint64_t bytes);

}  // namespace verso::storage
