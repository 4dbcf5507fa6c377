#include "server/command/version_list.h"

#include <algorithm>

#include "server/command/element_reply.h"

namespace verso::server {
namespace {

constexpr size_t kRowsAtOnce = 64;

}  // namespace

bool VersionList::Run(const storage::ReadView&, Slice& slice) {
  if (!begun_) {
    begun_ = true;
    if (!one_) slice.reply().Array(rows_.size());
  }
  for (; next_ < rows_.size(); ++next_) {
    if (slice.Spent()) return false;
    const VersionRow& row = rows_[next_];
    if (!walk_) walk_.emplace(*arena_, row.walk_root, row.walk_above);
    while (!walk_->Step()) {
      if (slice.Spent()) return false;
    }
    row.write(slice.reply(), row.pin, walk_->bytes());
    walk_.reset();
  }
  return true;
}

Outcome ReplyVersions(const storage::ReadView& view, CommandContext& context,
                      std::vector<VersionRow> rows, bool one) {
  const bool is_short = rows.size() <= kRowsAtOnce &&
                        std::none_of(rows.begin(), rows.end(),
                                     [](const VersionRow& row) { return bool{row.walk_root}; });
  auto list = std::make_unique<VersionList>(&view.arena(), std::move(rows), one);
  if (!is_short) return context.Yield(std::move(list));
  return RunAtOnce(view, context, *list);
}

}  // namespace verso::server
