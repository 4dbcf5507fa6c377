// Merge bases: for two branches that were merged, the version that the one had which was merged
// from. The next merge of the two, in either direction, starts from there; without one, from the
// newest version that both have in their history.
//
//   from   ──o────o──────o      base: `from` as it was when it was merged
//                  \            merged: the epoch from which on versions of `into` contain it
//   into   ──o──────o────o
//
// M1 A base holds the pin of its version and is kept by saves, as a snapshot is; it has no name.
// M2 It belongs to what the two branches contain: it follows their names when they are renamed or
//    exchange their lines, and goes with either of them.
// M3 It goes when either branch returns to a version from before: then the merge is undone there.
// M4 Of two branches there is one at most, that of their last merge.
// M5 A merge that takes several slices says which version it has begun with, so that a replay,
// which
//    comes to its end at one go, has that version, too. A save contains it; it goes with the merge.
#pragma once

#include <memory_resource>
#include <string>
#include <vector>

#include "storage/base/bytes.h"
#include "storage/memory/line.h"
#include "storage/memory/store_meta.h"

namespace verso::storage {

class PinHandle;
class Store;
struct Branch;

// A place in the histories of lines: all versions of the line up to this epoch, and before its fork
// those of its parent.
struct LineVersion {
  Line* line = nullptr;
  Epoch epoch = kEpochMax;  // the head
};
// The newest version that is in both histories; no line: there is none.
LineVersion CommonVersion(const LineVersion& a, const LineVersion& b);

class MergeBases {
 public:
  explicit MergeBases(Store* store);
  MergeBases(const MergeBases&) = delete;
  MergeBases& operator=(const MergeBases&) = delete;

  // Where a merge of the two starts from. Nothing is held: they have nothing in common.
  PinHandle Hold(const Branch& a, const Branch& b) const;
  // What `from` had in this version, which somebody holds, is in the head of `into` now.
  void Merged(const Branch& from, const Branch& into, Line& line, Epoch epoch);
  size_t size() const { return bases_.size(); }

  // M5: a merge has begun with this version, which somebody holds. Whatever had this token before
  // goes.
  void Begun(ByteView token, Line& line, Epoch epoch);
  // Its line; null: there is none.
  LineVersion FindBegun(ByteView token) const;
  void ForgetBegun(ByteView token);
  void ForgetBegun();  // all of them

  // ---- what becomes of the branches (Branches)
  void Dropped(ByteView branch);
  void Renamed(ByteView from, ByteView to);
  void Exchanged(ByteView a, ByteView b);
  void Restarts(const Branch& branch, const LineVersion& at);

  // ---- saves and restarts (Store)
  void Describe(std::vector<MetaName>* names) const;
  std::string Restore(const MetaName& name);  // empty: good

 private:
  struct Base {
    std::pmr::string from;
    std::pmr::string into;
    Line* line = nullptr;
    Epoch epoch = 0;
    Epoch merged = 0;
  };
  using Bases = std::pmr::vector<Base>;

  Bases::const_iterator Find(ByteView a, ByteView b) const;
  void Add(ByteView from, ByteView into, Line& line, Epoch epoch, Epoch merged);
  template <typename Chosen>
  void DropIf(Chosen&& chosen);

  Store* store_;
  Bases bases_;
  Bases begun_;  // `from` is the token, `into` is empty
};

}  // namespace verso::storage
