#include "server/command/page_needs.h"

#include "server/command/command_table.h"
#include "server/session/transaction.h"
#include "server/session/txn.h"
#include "storage/memory/page_probe.h"

namespace verso::server {
namespace {

void ProbeKeys(const storage::ReadView& view, const Request& request, storage::PageProbe* probe) {
  const CommandEntry* const entry = Dispatcher::EntryOf(request);
  if (entry == nullptr || !entry->row->has_keys()) return;
  if (!entry->row->ArityFits(request.arguments.size())) return;
  std::vector<KeyPosition> keys;
  if (!FindKeys(*entry->row, request.arguments, &keys)) return;
  for (const KeyPosition& key : keys) view.Probe(view.MakeKey(request.arguments[key.index]), probe);
}

}  // namespace

storage::Ref MissingPage(Dispatcher& dispatcher, const Session& session, const Request& request) {
  const ServerState& state = dispatcher.state();
  storage::PageProbe probe(state.store->arena());
  const storage::ReadView view =
      session.txn != nullptr ? session.txn->View(session.db) : state.HeadOf(session);
  const Transaction* const multi = session.transaction.get();
  if (multi == nullptr || !multi->open) {
    ProbeKeys(view, request, &probe);
  } else if (dispatcher.IsExec(request)) {
    for (const Request& queued : multi->queue) ProbeKeys(view, queued, &probe);
  }
  return probe.missing();
}

}  // namespace verso::server
