// Sorter: what SORT does, a step at a time: collects the elements of a list, set or sorted set with
// what they are ordered by, sorts them in chunks as they come, and merges the chunks while the
// result is taken. So no step is long, however many elements there are.
//
//   elements ──Prepare──> chunk of 512, sorted │ chunk │ chunk ...      (BY, if any, is looked up)
//                               └──── heap of the chunks' first ones ──Next──> the result, in order
//
// Entries name elements and weights where they stand in the pages: 32 bytes each, in the clients'
// memory. BY nosort keeps nothing but a few elements at a time.
//
// R1 All steps see the same version, which does not change while the sorter lives.
// R2 Elements that compare equal keep the order in which the value has them.
#pragma once

#include <cstdint>
#include <deque>
#include <memory_resource>
#include <optional>
#include <string>
#include <vector>

#include "server/buffer_pool.h"
#include "storage/keyspace/keyspace.h"

namespace verso::server {

// A BY or GET pattern: "weight_*", "object_*->field", "#".
class SortPattern {
 public:
  explicit SortPattern(ByteView text);

  // Has a '*'. Without one a BY asks for no order at all, and nothing is there to GET but "#".
  bool varies() const { return varies_; }
  // The string it leads to from an element; nullopt: none. Requires: the element is a string.
  std::optional<storage::ValueView> Lookup(const storage::ReadView& view,
                                           const storage::ValueView& element) const;

 private:
  bool itself_ = false;  // "#"
  bool varies_ = false;
  std::string prefix_;
  std::string suffix_;
  std::string field_;  // empty: the key holds the string itself
};

struct SortQuery {
  std::optional<SortPattern> by;
  std::vector<SortPattern> gets;  // empty: the elements themselves
  bool unsorted = false;
  bool descending = false;
  bool alpha = false;
  int64_t offset = 0;
  int64_t count = -1;  // negative: all

  uint64_t parts() const { return gets.empty() ? 1 : gets.size(); }
  // Of `size` elements, where the result begins and how many it has.
  uint64_t Begin(uint64_t size) const;
  uint64_t Count(uint64_t size) const;
};

class Sorter {
 public:
  explicit Sorter(SortQuery query) : query_(std::move(query)) {}

  const SortQuery& query() const { return query_; }
  // One step. True: the result can be taken, or there is none (failed). Requires: `value` is a
  // list, set or sorted set, always the same.
  bool Prepare(const storage::ReadView& view, const storage::ValueView& value);
  // A weight is no number.
  bool failed() const { return failed_; }
  // Elements of the result. Requires: prepared.
  uint64_t count() const { return count_; }
  // The next element of the result. False: that was the last one. Requires: prepared, not failed.
  bool Next(const storage::ReadView& view, const storage::ValueView& value,
            storage::ValueView* element);

  static uint64_t SizeOf(const storage::ReadView& view, const storage::ValueView& value);

 private:
  // A string where it stands.
  struct StringAt {
    enum class Kind : uint32_t { kNone, kBytes, kRope };
    const void* at;  // the bytes, or the rope's reference in ropes_
    uint32_t length;
    Kind kind;
  };
  struct Entry {
    StringAt element;
    union {
      double score;
      StringAt weight;
    };
  };
  struct Chunk {
    std::pmr::vector<Entry> entries{ClientMemory()};
    size_t next = 0;
  };

  void Begin(const storage::ReadView& view, const storage::ValueView& value);
  // Shows Add() the next few elements.
  void Walk(const storage::ReadView& view, const storage::ValueView& value);
  void WalkSet(const storage::ReadView& view, const storage::ValueView& value);
  void Add(const storage::ReadView& view, const storage::ValueView& element);
  void AddSorted(const storage::ReadView& view, const storage::ValueView& element);
  void FinishChunk(const storage::PageArena& arena);
  void DropFirst(const storage::PageArena& arena);
  StringAt Keep(const storage::PageArena& arena, const storage::ValueView& string);
  static storage::ValueView Shown(const StringAt& string);
  static int CompareStrings(const storage::PageArena& arena, const StringAt& a, const StringAt& b);
  int Compare(const storage::PageArena& arena, const Entry& a, const Entry& b) const;
  bool Later(const storage::PageArena& arena, uint32_t a, uint32_t b) const;

  SortQuery query_;
  bool begun_ = false;
  bool failed_ = false;
  bool walked_ = false;  // all elements have been shown
  uint64_t size_ = 0;    // elements of the value
  uint64_t from_ = 0;    // the first one to be walked to
  uint64_t walk_ = 0;    // how many
  uint64_t walked_so_far_ = 0;
  uint64_t cursor_ = 0;  // in a large set
  uint64_t skip_ = 0;    // elements before the result
  uint64_t count_ = 0;   // of the result
  uint64_t taken_ = 0;

  std::pmr::vector<Chunk> chunks_{ClientMemory()};
  std::pmr::vector<uint32_t> heap_{ClientMemory()};  // chunks that have entries left
  Chunk window_;                                     // unsorted: the next few
  std::pmr::deque<storage::Ref> ropes_{ClientMemory()};
  std::pmr::deque<std::pmr::string> texts_{ClientMemory()};  // of integers, which stand nowhere
};

}  // namespace verso::server
