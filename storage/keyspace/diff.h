// What differs between two versions of a database, a part at a time, in the order of hash ranges;
// then what differs only because time has passed between them.
//
//   KeyspaceDiff diff(store, {root_a, moment_a}, {root_b, moment_b}, db);
//   DiffPosition at;
//   while (diff.Step(&at, visit)) { ... }
//
// Cost: the pages that differ (hash_trie_pair.h), and the keys that expired between the moments.
//
// D1 A key is visited once if its content differs (same_content.h), each version judged by its own
//    moment, and never if it does not.
// D2 Two parts. What the earlier version holds with a deadline between the two moments stands in
//    pages that the versions may share; its deadline index knows it, and whatever the later version
//    has of it now differs. So these keys belong to the second part, by the order of deadlines, and
//    to no other: which part a key is of depends on the earlier version alone.
// D3 A position may be used later, on later versions of the same lines: what differed all the time
//    is visited once. The later moment is the one of the first step: what expires after it does not
//    change parts.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>

#include "storage/index/hash_trie_pair.h"
#include "storage/keyspace/keyspace.h"

namespace verso::storage {

struct DiffPosition {
  bool begun = false;
  bool by_deadline = false;  // in the second part (D2)
  uint64_t until_ms = 0;     // the later moment (D3)
  uint64_t deadline_ms = 0;  // second part: of the last item seen
  uint64_t hash = 0;         // its hash; in the first part, where to go on
};

class KeyspaceDiff {
 public:
  // `root`: a line root that somebody holds, or a head that does not change meanwhile; null: empty.
  struct Version {
    Ref root;
    uint64_t moment_ms = 0;
  };
  // What the two views show of the key; not both are empty.
  using Visitor = std::function<void(const Key& key, const std::optional<ValueView>& a,
                                     const std::optional<ValueView>& b)>;

  KeyspaceDiff(const Store& store, const Version& a, const Version& b, int db);
  KeyspaceDiff(const KeyspaceDiff&) = delete;
  KeyspaceDiff& operator=(const KeyspaceDiff&) = delete;

  // Goes on from *at by a leaf, some pages that do not differ, or a few deadlines. False: nothing
  // is left.
  bool Step(DiffPosition* at, const Visitor& visit);

  const ReadView& a() const { return a_; }
  const ReadView& b() const { return b_; }
  uint64_t pages() const { return pair_.pages(); }

 private:
  static Ref KeysOf(const PageArena& arena, const Ref& root, int db);
  bool StepDeadlines(DiffPosition* at, const Visitor& visit);
  void Compare(const DiffPosition& at, const TrieEntry* a, const TrieEntry* b,
               const Visitor& visit) const;

  const ReadView a_;
  const ReadView b_;
  const bool a_is_earlier_;
  const Ref earlier_root_;
  TriePair pair_;
};

}  // namespace verso::storage
