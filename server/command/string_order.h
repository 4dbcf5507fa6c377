// StringOrder: puts any number of strings in order, without ever doing much at a time: they are
// sorted in chunks as they come, and the chunks merged as the result is taken.
//
//   Add ──> chunk of 512, sorted │ chunk │ chunk ...
//               └──── heap of the chunks' first ones ──First, DropFirst──> in order
//
// An entry names its string where it stands in the pages: 32 bytes each, in the clients' memory.
//
// O1 The strings stay where they are, in a version that does not change.
// O2 What compares equal keeps the order in which it came.
#pragma once

#include <deque>
#include <memory_resource>
#include <optional>
#include <vector>

#include "server/buffer_pool.h"
#include "storage/keyspace/keyspace.h"

namespace verso::server {

class StringOrder {
 public:
  enum class By : uint8_t {
    kScore,   // and where scores are equal, by the strings
    kBytes,   // the strings themselves
    kWeight,  // other strings; those without one come first
  };

  StringOrder(By by, bool descending) : by_(by), descending_(descending) {}

  void Add(const storage::PageArena& arena, const storage::ValueView& string, double score);
  // Requires: kWeight.
  void Add(const storage::PageArena& arena, const storage::ValueView& string,
           const std::optional<storage::ValueView>& weight);
  // There will be no more.
  void Close(const storage::PageArena& arena);

  // Requires: closed; not empty.
  bool empty() const { return heap_.empty(); }
  storage::ValueView First() const { return Shown(first().string); }
  double first_score() const { return first().score; }  // kScore
  void DropFirst(const storage::PageArena& arena);

 private:
  // A string where it stands.
  struct StringAt {
    enum class Kind : uint32_t { kNone, kBytes, kRope };
    const void* at;  // the bytes, or the rope's reference in ropes_
    uint32_t length;
    Kind kind;
  };
  struct Entry {
    StringAt string;
    union {
      double score;
      StringAt weight;
    };
  };
  struct Chunk {
    std::pmr::vector<Entry> entries{ClientMemory()};
    size_t next = 0;
  };

  const Entry& first() const {
    const Chunk& chunk = chunks_[heap_.front()];
    return chunk.entries[chunk.next];
  }
  Entry& AddEntry(const storage::PageArena& arena, const storage::ValueView& string);
  void Sort(const storage::PageArena& arena);
  StringAt Keep(const storage::PageArena& arena, const storage::ValueView& string);
  static storage::ValueView Shown(const StringAt& string);
  static int CompareStrings(const storage::PageArena& arena, const StringAt& a, const StringAt& b);
  int Compare(const storage::PageArena& arena, const Entry& a, const Entry& b) const;
  bool Later(const storage::PageArena& arena, uint32_t a, uint32_t b) const;

  const By by_;
  const bool descending_;
  std::pmr::vector<Chunk> chunks_{ClientMemory()};
  std::pmr::vector<uint32_t> heap_{ClientMemory()};  // chunks that have entries left
  std::pmr::deque<storage::Ref> ropes_{ClientMemory()};
};

}  // namespace verso::server
