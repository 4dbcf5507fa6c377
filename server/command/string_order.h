// StringOrder: puts any number of strings in order, without ever doing much at a time: they are
// sorted in chunks as they come, and the chunks merged as the result is taken.
//
//   Add ──> chunk of 512, sorted │ chunk │ chunk ...
//               └──── heap of the chunks' first ones ──First, DropFirst──> in order
//
// An entry names its string where it stands in the pages: 32 bytes each, in pieces of the clients'
// memory, which are given back as their chunks are used up.
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
    kScore,      // and where scores are equal, by the strings
    kScoreOnly,  // and where scores are equal, as they came
    kArrival,    // as they came; scores are kept only
    kBytes,      // the strings themselves
    kWeight,     // other strings; those without one come first
  };

  StringOrder(By by, bool descending) : by_(by), descending_(descending) {}
  ~StringOrder();
  StringOrder(const StringOrder&) = delete;
  StringOrder& operator=(const StringOrder&) = delete;

  void Add(const storage::PageArena& arena, const storage::ValueView& string, double score);
  // Requires: kWeight.
  void Add(const storage::PageArena& arena, const storage::ValueView& string,
           const std::optional<storage::ValueView>& weight);
  // There will be no more.
  void Close(const storage::PageArena& arena);

  // Requires: closed; not empty.
  bool empty() const { return heap_.empty(); }
  storage::ValueView First() const { return Shown(first().string); }
  double first_score() const { return first().score; }  // if added with one
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
  static_assert(sizeof(Entry) == 32);
  // Small enough that sorting it is a matter of microseconds.
  static constexpr size_t kChunkEntries = 512;
  static constexpr size_t kChunksPerPiece =
      PiecePool::kPieceBytes / (kChunkEntries * sizeof(Entry));
  struct Chunk {
    Entry* next;  // the first one that is left
    Entry* end;
  };
  struct Piece {
    char* memory;
    size_t chunks_left;  // that are not used up
  };

  const Entry& first() const { return *chunks_[heap_.front()].next; }
  bool LastIsFull() const {
    return !chunks_.empty() && chunks_.back().end == chunks_.back().next + kChunkEntries;
  }
  void BeginChunk();
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
  std::pmr::vector<Piece> pieces_{ClientMemory()};
  std::pmr::vector<uint32_t> heap_{ClientMemory()};  // chunks that have entries left
  std::pmr::deque<storage::Ref> ropes_{ClientMemory()};
};

}  // namespace verso::server
