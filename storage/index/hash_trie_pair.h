// Two versions of one hash trie side by side: what differs between them, at the cost of the pages
// that differ. Equal references are equal content (V10) and are not followed.
//
// The versions may have different shapes: where one has a directory and the other a leaf or
// nothing, the directory is opened and its parts are compared with that part of the leaf.
//
//   TriePair pair(arena, root_a, root_b, secret);
//   uint64_t from = 0;
//   do { from = pair.Next(from, visit); } while (from != 0);
//
// P1 Each key whose entries differ is visited once, in the order of hash ranges. Entries are equal
//    if their types, deadlines and inline bytes (or root pages) are; equal content below different
//    pages is for the caller to find out.
// P2 A position is a place in hash space, as in TrieReader::Scan: it means the same after changes.
#pragma once

#include <cstdint>
#include <functional>

#include "storage/index/hash_trie.h"

namespace verso::storage {

class TriePair {
 public:
  // One of the two may be null: the key is not in that version.
  using Visitor = std::function<void(const TrieEntry* a, const TrieEntry* b)>;

  // Null roots are empty tries. Both were made under this secret.
  TriePair(const PageArena& arena, const Ref& a, const Ref& b, const HashSecret& secret)
      : arena_(arena), a_(a), b_(b), secret_(secret) {}

  // Goes to the next pair of leaves that differ, visits what differs in them and returns the
  // position behind; 0: that was the end. Looks at about `pages_max` directories at most, so that
  // the visitor may not be called at all.
  uint64_t Next(uint64_t from, const Visitor& visit, uint64_t pages_max = ~uint64_t{0});
  // Pages looked at so far, of both versions.
  uint64_t pages() const { return pages_; }

 private:
  // A reference and the hashes it stands for, the last one included.
  struct Side {
    Ref ref;
    uint64_t first = 0;
    uint64_t last = ~uint64_t{0};
    unsigned consumed = 0;  // a directory: hash bits above it

    bool dir() const { return ref.kind() == PageKind::kTrieDir; }
    uint64_t width() const { return last - first; }
  };
  enum class Found : uint8_t { kNothing, kLeaves, kPause };

  Found Seek(const Side& a, const Side& b, uint64_t from, const Visitor& visit);
  Side Child(const Side& dir, uint64_t hash) const;
  void Compare(const Side& a, const Side& b, uint64_t first, uint64_t last,
               const Visitor& visit) const;

  const PageArena& arena_;
  const Ref a_;
  const Ref b_;
  const HashSecret& secret_;
  uint64_t pages_ = 0;
  uint64_t pages_until_ = 0;
  uint64_t behind_ = 0;  // the last hash of what Seek has dealt with
};

}  // namespace verso::storage
