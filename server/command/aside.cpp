#include "server/command/aside.h"

#include "server/command/command_context.h"
#include "storage/memory/store.h"
#include "storage/types/list.h"
#include "storage/types/set_value.h"
#include "storage/types/zset.h"

namespace verso::server {

using storage::Key;
using storage::WriteView;

void AsideStore::Commit(WriteView& view, CommandContext& context, AsideResult built) {
  const Key key = view.MakeKey(target());
  if (count_ > 0) {
    view.PublishFrom(built.aside, key, storage::kNoDeadline, event_, built.born_after);
  } else {
    view.Erase(key, {"del", 'g'});
  }
  context.reply().Integer(static_cast<int64_t>(count_));
}

bool AsideStore::PutMembers(WriteView& aside, const std::vector<std::string>& members) {
  uint64_t bytes = 0;
  for (const std::string& member : members) bytes += member.size();
  if (members.empty()) return true;
  const uint64_t needed = storage::ElementsEstimate(aside.arena(), members.size(), bytes);
  if (!aside.store().ReserveForWrite(needed, 1)) return false;
  const Key key = aside.MakeKey(target());
  storage::SetWriter writer(aside, key, aside.FindForWrite(key), limits_);
  bool added = false;
  for (const std::string& member : members) added |= writer.Add(member);
  count_ = writer.count();
  if (added) writer.Finish(event_);
  return true;
}

bool AsideStore::PutScored(WriteView& aside, const std::vector<Scored>& members) {
  uint64_t bytes = 0;
  for (const Scored& scored : members) bytes += scored.member.size();
  if (members.empty()) return true;
  const uint64_t needed = storage::ZsetEstimate(aside.arena(), nullptr, members.size(), bytes);
  if (!aside.store().ReserveForWrite(needed, 1)) return false;
  const Key key = aside.MakeKey(target());
  storage::ZsetWriter writer(aside, key, aside.FindForWrite(key), limits_);
  for (const Scored& scored : members) writer.Set(scored.member, scored.score);
  count_ = writer.count();
  writer.Finish(event_);
  return true;
}

bool AsideStore::PutElements(WriteView& aside, const std::vector<ByteView>& elements) {
  uint64_t bytes = 0;
  for (const ByteView element : elements) bytes += element.size();
  if (elements.empty()) return true;
  const uint64_t needed = storage::ListEstimate(elements.size(), bytes);
  if (!aside.store().ReserveForWrite(needed, 1)) return false;
  const Key key = aside.MakeKey(target());
  storage::ListWriter writer(aside, key, aside.FindForWrite(key), limits_);
  writer.Push(storage::ListEnd::kTail, elements);
  count_ = writer.count();
  writer.Finish(event_);
  return true;
}

}  // namespace verso::server
