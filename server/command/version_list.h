// The maps that SNAPSHOT and BRANCH LIST and INFO reply, one after the other. What only a walk over
// pages tells (unique-bytes) is walked in slices.
#pragma once

#include <functional>
#include <optional>
#include <vector>

#include "server/command/command_context.h"
#include "storage/memory/store.h"
#include "storage/memory/subtree.h"

namespace verso::server {

struct VersionRow {
  storage::PinHandle pin;  // the name may go while the list is written
  // The pages to be walked: those below it that were born after `above`; null: none.
  storage::Ref walk_root;
  storage::Epoch walk_above = 0;
  std::function<void(ReplyWriter& reply, const storage::PinHandle& pin, uint64_t walked_bytes)>
      write;
};

class VersionList final : public Continuation {
 public:
  // `one`: a single map, not in an array.
  VersionList(const storage::PageArena* arena, std::vector<VersionRow> rows, bool one)
      : arena_(arena), rows_(std::move(rows)), one_(one) {}

  bool Run(const storage::ReadView& view, Slice& slice) override;

 private:
  const storage::PageArena* arena_;
  std::vector<VersionRow> rows_;
  bool one_;
  bool begun_ = false;
  size_t next_ = 0;
  std::optional<storage::SubtreeWalk> walk_;  // of rows_[next_]
};

// At once if that is short.
Outcome ReplyVersions(const storage::ReadView& view, CommandContext& context,
                      std::vector<VersionRow> rows, bool one);

}  // namespace verso::server
