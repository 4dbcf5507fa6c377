// Snapshots: names of immutable versions (VERSIONS.md). A name holds the pin of its version, and
// saves contain it: after a restart it is there again (R4).
//
//   name ──> line, epoch, moment: what a ReadView of it needs; deadline; whether a save has it
//
// S1 Two names of one version share its pin; each has its own moment (R2: time stands still there
//    from when it was taken).
// S2 Memory lies outside what a fork copies: a name is about 150 bytes.
#pragma once

#include <map>
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

struct Snapshot {
  Line* line = nullptr;
  Epoch epoch = 0;
  uint64_t moment_ms = 0;    // when it was taken
  uint64_t deadline_ms = 0;  // when it goes by itself; 0: never
  uint64_t number = 0;       // grows with each one taken
  bool saved = false;        // a committed save contains it
  bool in_save = false;      // the running save does
  std::pmr::string branch;   // what it was taken of, by its present name
};

class Snapshots {
 public:
  using Map = std::pmr::map<std::pmr::string, Snapshot, std::less<>>;

  explicit Snapshots(Store* store);

  const Snapshot* Find(ByteView name) const;
  const Map& all() const { return names_; }
  size_t size() const { return names_.size(); }
  // The oldest first, of those whose names begin so.
  std::vector<const Map::value_type*> ByAge(ByteView prefix = {}) const;

  // Names the current version of a branch, or the version that `of` names. The name must be free.
  const Snapshot& Take(ByteView name, const Branch& branch, uint64_t moment_ms,
                       uint64_t deadline_ms);
  const Snapshot& TakeOf(ByteView name, const Snapshot& of, uint64_t deadline_ms);
  // Names the content of a line that has no name, and takes its head from it.
  const Snapshot& TakeUnnamed(ByteView name, Line* line, uint64_t moment_ms);
  bool Drop(ByteView name);  // false: there is none
  // Requires: `from` is there, `to` is not.
  void Rename(ByteView from, ByteView to);
  void BranchRenamed(ByteView from, ByteView to);
  // The names of those that begin so (and were taken of that branch, if one is given) but for the
  // newest `keep`.
  std::vector<std::string> Oldest(ByteView prefix, size_t keep,
                                  const Branch* branch = nullptr) const;
  // Of those whose deadline has come.
  std::vector<std::string> Due(uint64_t now_ms) const;

  // The version stays readable as long as the handle lives, whatever becomes of the name.
  PinHandle Hold(const Snapshot& snapshot) const;

  // Bytes that dropping one name of this version would free, `own` being the holders that would go
  // with it. UniqueWalk is what has to be added by walking (V10: the newest pin of a line without a
  // head), null as a rule.
  uint64_t UniqueBytes(const Snapshot& snapshot, uint32_t own) const;
  struct UniqueWalk {
    Ref root;
    Epoch above = 0;
  };
  UniqueWalk UniqueWalkOf(const Snapshot& snapshot, uint32_t own) const;

  // ---- saves and restarts (Store)
  void Describe(std::vector<MetaName>* names) const;
  void SaveBegins();
  void SaveEnds(bool committed);
  // Empty: good. The names must hold their pins before those that nobody kept are dropped.
  std::string Restore(const MetaName& name);

 private:
  Snapshot& Add(ByteView name, const Snapshot& snapshot);
  const Snapshot& AddPinned(ByteView name, Line* line, Snapshot snapshot);
  Store* store_;
  Map names_;
  uint64_t next_number_ = 0;
};

}  // namespace verso::storage
