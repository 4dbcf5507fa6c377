#include "server/session/txn.h"

#include <algorithm>

#include "server/command/command_context.h"
#include "server/command/command_table.h"
#include "storage/memory/store.h"

namespace verso::server {

void TxnKeys::Add(int db, const storage::Key& key, const storage::KeyEvent& event) {
  const KeyPlace place{0, db, key.bytes, key.hash};
  const auto found = by_place_.find(place);
  if (found == by_place_.end()) {
    in_order_.push_back(&*by_place_.emplace(place, event).first);
    return;
  }
  const uint64_t changes = found->second.changes + event.changes;
  found->second = event;
  found->second.changes = changes;
}

void TxnKeys::Clear() {
  in_order_.clear();
  by_place_.clear();
}

void TxnDelete::operator()(Txn* txn) const {
  std::pmr::polymorphic_allocator<>(ClientMemory()).delete_object(txn);
}

Txn::~Txn() {
  if (expired) return;
  registry->Remove(this);
  if (!over) ++registry->counts.aborted;
}

storage::Line& Txn::Scratch() {
  if (!scratch) scratch.emplace(*store, *line, pin.epoch());
  return scratch->line();
}

bool Txn::Touch(uint64_t now_ms) {
  if (!expired && Idle(now_ms)) Expire();
  active_ms = now_ms;
  return !expired;
}

void Txn::Expire() {
  registry->Remove(this);
  ++registry->counts.expired;
  expired = true;
  scratch.reset();
  pin.Release();
  written.Clear();
  read.Clear();
}

void Txn::NoteChange(const storage::Line& of, int db, const storage::Key& key,
                     const storage::KeyEvent& event) {
  // What had expired at BEGIN was absent before, too.
  if (!scratch || &scratch->line() != &of || event.klass == 'x') return;
  written.Add(db, key, event);
}

void Txn::NoteReads(const CommandSpec& row, std::span<const ByteView> arguments,
                    const storage::ReadView& view, const CommandContext& context) {
  if (!serializable || read_only) return;
  std::vector<KeyPosition> positions;
  FindKeys(row, arguments, &positions);
  if (positions.empty() || context.reads_unnamed_keys()) read_whole |= uint32_t{1} << view.db();
  for (const KeyPosition& position : positions) {
    read.Add(view.db(), view.MakeKey(arguments[position.index]), {"read", 'g', 0});
  }
}

Txn& TxnRegistry::Begin(Session* session) {
  session->txn.reset(std::pmr::polymorphic_allocator<>(ClientMemory()).new_object<Txn>(this));
  Txn& txn = *session->txn;
  txn.id = next_id_++;
  txn.session = session;
  open_.push_back(&txn);
  ++counts.begun;
  return txn;
}

void TxnRegistry::Remove(Txn* txn) {
  const auto by_id = [](const Txn* open, uint64_t id) { return open->id < id; };
  open_.erase(std::lower_bound(open_.begin(), open_.end(), txn->id, by_id));
}

size_t TxnRegistry::ReadersOf(const storage::Line* line, storage::Epoch epoch) const {
  return static_cast<size_t>(std::count_if(open_.begin(), open_.end(), [&](const Txn* txn) {
    return txn->of_snapshot && txn->line == line && txn->pin.epoch() == epoch;
  }));
}

void TxnRegistry::ExpireIdle(uint64_t now_ms) {
  for (size_t i = open_.size(); i > 0; --i) {
    Txn& txn = *open_[i - 1];
    // One whose command is held (CLIENT PAUSE) is not idle.
    if (txn.session->parked != nullptr) txn.active_ms = now_ms;
    if (txn.Idle(now_ms)) txn.Expire();
  }
}

}  // namespace verso::server
