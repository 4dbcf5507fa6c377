// AsideBuild: a write of which most is computing. Where it would hold the loop its handler returns
//
//   return context.BuildAside(std::make_unique<MyBuild>(copies of its arguments));
//
// and the result grows in slices in a scratch line, beside the data, from a pinned version. When it
// is complete it takes its place at one instant (V6), with its effect and its reply.
//
//   handler ──kYield──> Build, a slice a turn ──> young enough? ──> Commit: seen, recorded, replied
//                          │ a source has changed      │ no: Renewal, in slices
//                          └──> the handler again, to its end on the spot
//
// B1 The sources are the keys that the row reads (kKeyRo, kKeyRw), and are watched: what Commit
//    shows is what the command would have made at that instant. One that reads keys which no row
//    can name watches everything.
// B2 Whatever ends it (a disconnect, no room, a change of a source) drops the scratch line, and
// with
//    it all that was built.
// B3 Within an EXEC, a script or a replay nothing is built aside: context.in_unit().
// B4 The estimator of the row asks for nothing where the handler will build aside: Build reserves
//    for itself.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "server/command/continuation.h"
#include "storage/keyspace/keyspace.h"
#include "storage/types/collection_limits.h"

namespace verso::server {

class CommandContext;

enum class AsideStep : uint8_t {
  kMore,    // the slice is spent
  kDone,    // what is to be stored stands at the target's key in the scratch line, or nothing
  kNoRoom,  // -OOM
};

// What Commit puts in its place.
struct AsideResult {
  storage::WriteView& aside;
  storage::Epoch born_after;  // all pages of the result are younger
};

class AsideBuild {
 public:
  // The key that is written, and its database.
  AsideBuild(ByteView target, int db) : target_(target), db_(db) {}
  virtual ~AsideBuild() = default;

  // Goes on, within the slice. `view` is always the same pinned version; `aside` a view of the
  // scratch line, in the target's database. Nothing else is changed.
  virtual AsideStep Build(const storage::ReadView& view, storage::WriteView& aside,
                          Slice& slice) = 0;
  // The instant: requires room for the path of a key.
  virtual void Commit(storage::WriteView& view, CommandContext& context, AsideResult built) = 0;

  // True: the scratch line begins with a pinned version instead of nothing.
  virtual bool from_version() const { return false; }
  // B1
  virtual bool reads_unnamed_keys() const { return false; }

  ByteView target() const { return target_; }
  int db() const { return db_; }

 private:
  std::string target_;
  int db_;
};

// What most of them do: make one collection of many elements, whose number is the reply. Without
// any the key goes.
class AsideStore : public AsideBuild {
 public:
  AsideStore(ByteView target, const storage::ReadView& view, const storage::KeyEvent& event,
             const storage::CollectionLimits& limits)
      : AsideBuild(target, view.db()), event_(event), limits_(limits) {}

  void Commit(storage::WriteView& view, CommandContext& context, AsideResult built) override;

 protected:
  // Elements for the scratch line, a few at a time. False: no room.
  struct Scored {
    std::string member;
    double score = 0;
  };
  bool PutMembers(storage::WriteView& aside, const std::vector<std::string>& members);
  bool PutScored(storage::WriteView& aside, const std::vector<Scored>& members);
  bool PutElements(storage::WriteView& aside, const std::vector<ByteView>& elements);

  // How many there are so far.
  uint64_t count() const { return count_; }
  // Redis counts each element as a change in some of them.
  void CountChanges() { event_.changes = static_cast<uint32_t>(count_); }

 private:
  storage::KeyEvent event_;
  storage::CollectionLimits limits_;
  uint64_t count_ = 0;
};

}  // namespace verso::server
