// Branches: names of lines (V2). `main` is always there; the others grow from a version and are
// written like it. A branch points to a line and may point to another one tomorrow (ROLLBACK,
// PROMOTE); whoever works in a branch therefore holds the branch, not its line.
//
//   B1 A Branch keeps its address until it is dropped, also when it is renamed.
//   B2 The line of a branch has a head.
#pragma once

#include <map>
#include <memory_resource>
#include <string>
#include <vector>

#include "storage/base/bytes.h"
#include "storage/memory/line.h"
#include "storage/memory/merge_bases.h"
#include "storage/memory/store_meta.h"

namespace verso::storage {

class Store;

struct Branch {
  ByteView name;  // the key of its entry
  Line* line = nullptr;
  std::pmr::string parent;  // the branch it was made from, by its present name; empty: none
  Epoch fork_version = 0;   // the version it began with
  uint64_t created_ms = 0;
};

class Branches {
 public:
  using Map = std::pmr::map<std::pmr::string, Branch, std::less<>>;

  Branches(Store* store, Line* main);

  Branch* Find(ByteView name);
  const Branch* Find(ByteView name) const;
  Branch& main() { return *main_; }
  const Branch& main() const { return *main_; }
  const Map& all() const { return branches_; }
  Map& all() { return branches_; }
  size_t size() const { return branches_.size(); }

  // A branch that begins with a version somebody holds. The name must be free.
  Branch& Add(ByteView name, Line& from, Epoch epoch, ByteView parent, uint64_t now_ms);
  // A line that has no name gets one.
  Branch& TakeUnnamed(ByteView name, Line* line, ByteView parent, uint64_t now_ms);
  // Requires: not main, and nobody works in it.
  void Drop(Branch* branch);
  // Requires: not main; the name is free. Children know their parent by the new name.
  void Rename(Branch* branch, ByteView to);
  // The branch goes on from a version somebody holds; its old line loses its head. Between the two
  // `replaced(old, new)` is called, while both have one.
  template <typename Replaced>
  void Restart(Branch* branch, Line& from, Epoch epoch, Replaced&& replaced) {
    Line* const old = branch->line;
    bases_.Restarts(*branch, {&from, epoch});
    Line* const made = Fork(from, epoch);
    Point(branch, made);
    replaced(*old, *made);
    DropHead(old);
  }
  // What the two names point to is exchanged.
  void Exchange(Branch* a, Branch* b);

  MergeBases& merge_bases() { return bases_; }

  // ---- saves and restarts (Store)
  void Describe(std::vector<MetaName>* names) const;
  std::string Restore(const MetaName& name);  // empty: good

 private:
  Branch& Emplace(ByteView name);
  Line* Fork(Line& from, Epoch epoch);
  void Point(Branch* branch, Line* line);
  void DropHead(Line* line);

  Store* store_;
  Map branches_;
  Branch* main_;
  MergeBases bases_;
};

}  // namespace verso::storage
