#include "server/command/dispatcher.h"

#include <algorithm>
#include <new>

#include "server/command/error_reply.h"
#include "server/server.h"
#include "server/session/transaction.h"

namespace verso::server {

using storage::ReadView;
using storage::WriteView;

void ChangeTracker::KeyChanged(const storage::Line& line, int db, const storage::Key& key,
                               const storage::KeyEvent& event) {
  if (line.scratch()) [[unlikely]] {
    // Built aside, or in a transaction: it is told of when it is published.
    Txn* const txn = state_->txns.writing();
    if (txn != nullptr) txn->NoteChange(line, db, key, event);
    return;
  }
  changes_ += event.changes;
  if (event.klass == 'x' || event.klass == 'e') {
    ++(event.klass == 'x' ? expired_ : evicted_);
    RecordRemoval(db, key);
  }
  if ((state_->watches.size() | state_->blocked.size()) != 0) [[unlikely]] {
    const KeyPlace place{line.id(), db, key.bytes, key.hash};
    state_->watches.KeyChanged(place, event.klass == 'x');
    state_->blocked.KeyChanged(place);
  }
}

void ChangeTracker::RecordRemoval(int db, const storage::Key& key) {
  if (consumer_ == nullptr) return;
  const ByteView deletion[] = {"DEL", key.bytes};
  UnitWriter& unit = state_->unit;
  if (!unit.open()) {
    consumer_->Command(deletion);  // active expiry: the unit is that of one database
    return;
  }
  // Not always the database that is selected: a COMMIT has keys of several.
  const int selected = unit.db();
  unit.Select(db);
  unit.Command(deletion);
  unit.Select(selected);
}

void ChangeTracker::DatabaseChanged(const storage::Line& line, int db, const char* event,
                                    uint64_t changes) {
  changes_ += changes;
  if ((state_->watches.size() | state_->blocked.size()) == 0) return;
  const std::string_view name = event;
  const bool replaced = name != "flushdb" && name != "swapdb";
  state_->watches.DatabaseChanged(line.id(), db, replaced, [&](const KeyPlace& place) {
    return WatchStateAt(*state_, line, place);
  });
  state_->blocked.DatabaseChanged(line.id(), db);
}

WatchState WatchStateAt(const ServerState& state, const storage::Line& line,
                        const KeyPlace& place) {
  const storage::Key key{place.key, place.hash};
  if (ReadView(*state.store, line, place.db, state.now_ms).Exists(key)) return WatchState::kLive;
  // At the beginning of time nothing has expired: so it is seen whether an entry stands there.
  return ReadView(*state.store, line, place.db, 0).Exists(key) ? WatchState::kExpired
                                                               : WatchState::kMissing;
}

Dispatcher::Dispatcher(ServerState* state, Server* server)
    : state_(state),
      server_(server),
      table_(&CommandTable::Get()),
      exec_(table_->Find("exec")),
      ping_(table_->Find("ping")),
      commit_(table_->FindFull("txn|commit")) {
  state_->command_metrics.resize(table_->entries().size());
}

const CommandEntry* Dispatcher::EntryOf(const Request& request) {
  const CommandEntry* entry = request.entry;
  if (entry == nullptr || entry->subcommands.empty() || request.arguments.size() < 2) return entry;
  return entry->FindSubcommand(request.arguments[1]);
}

std::string Dispatcher::Resolve(Request* request) const {
  const CommandEntry* entry = EntryOf(*request);
  if (entry == nullptr) return UnknownCommand(*request);
  request->entry = entry;
  const bool fits = entry->row->ArityFits(request->arguments.size());
  return fits && entry->subcommands.empty() ? "" : error::WrongArity(entry->full_name);
}

Outcome Dispatcher::Run(const Request& request, Session& session, ReplyWriter& reply,
                        std::unique_ptr<Continuation>* rest) {
  if (session.txn != nullptr && !session.txn->Touch(state_->now_ms)) [[unlikely]] {
    session.txn.reset();
    Refuse(nullptr, error::kTxnExpired, session, reply);
    return Outcome::kDone;
  }
  const CommandEntry* entry = EntryOf(request);
  if (entry == nullptr) {
    Refuse(nullptr, UnknownCommand(request), session, reply);
    return Outcome::kDone;
  }
  session.last_command = entry;
  if (const std::string refusal = Refusal(*entry, request, session); !refusal.empty()) {
    Refuse(entry, refusal, session, reply);
    return Outcome::kDone;
  }
  if (state_->pause.until_ms != 0 && IsPaused(*entry, session)) [[unlikely]] {
    Parking for_no_key;
    for_no_key.key_count = 0;
    state_->blocked.Park(&session, request, for_no_key, state_->LineOf(session).id(),
                         state_->HeadOf(session));
    return Outcome::kParked;
  }
  if (session.transaction != nullptr && session.transaction->open && !entry->row->Has(kNotQueued)) {
    Enqueue(*entry, request, session.transaction.get());
    reply.Raw("+QUEUED\r\n");
    return Outcome::kDone;
  }
  return Invoke(*entry, request, session, reply, rest, nullptr);
}

Outcome Dispatcher::Invoke(const CommandEntry& entry, const Request& request, Session& session,
                           ReplyWriter& reply, std::unique_ptr<Continuation>* rest,
                           const ReadView* pinned) {
  const uint64_t errors_before = reply.errors();
  const CommandSpec& row = *entry.row;
  Txn* const txn = pinned == nullptr ? session.txn.get() : nullptr;
  EffectUnit effects(txn == nullptr ? state_->effects() : nullptr);
  CommandContext context(&row, request.arguments, &reply, &effects, &session, &state_->environment);
  if (request.hashed_index != 0) context.SetHash(request.hashed_index, request.hash);
  if (session.no_touch) context.SetAccess(storage::Access::kPeek);
  context.SetInUnit(in_unit_ || at_once_ || pinned != nullptr || txn != nullptr ||
                    session.internal);

  const uint64_t mark = reply.out().written();
  Outcome outcome;
  try {
    if (const auto* read = std::get_if<ReadHandler>(&row.run)) {
      const ReadView view = pinned != nullptr ? pinned->InDatabase(session.db)
                            : txn != nullptr  ? txn->View(session.db)
                                              : state_->HeadOf(session);
      outcome = (*read)(view, context);
      if (txn != nullptr) txn->NoteReads(row, request.arguments, view, context);
    } else if (const auto* write = std::get_if<WriteHandler>(&row.run)) {
      outcome = txn != nullptr ? RunInTxn(row, request, *write, context, session, reply)
                               : RunWrite(row, request, *write, context, effects, session, reply);
    } else if (const auto* plain = std::get_if<PlainHandler>(&row.run)) {
      outcome = (*plain)(context);
    } else if (const auto* own = std::get_if<DispatcherHandler>(&row.run)) {
      outcome = (*own)(*this, context);
    } else {
      outcome = std::get<ServerHandler>(row.run)(*server_, context);
    }
  } catch (const std::bad_alloc&) {
    // The only exception that may come: private memory for a handler's own lists ran out.
    reply.out().TruncateTo(mark);
    outcome = context.Fail(error::kOom);
  }
  if (outcome == Outcome::kYield) {
    std::unique_ptr<AsideBuild> build = context.TakeAside();
    *rest = build == nullptr ? context.TakeRest()
                             : MakeAside(entry, request, session, std::move(build));
  }
  if (outcome == Outcome::kParked) {
    if (session.parked == nullptr) {
      state_->blocked.Park(&session, request, context.parking(), state_->LineOf(session).id(),
                           state_->HeadOf(session));
    }
    return outcome;  // it counts when it has run
  }

  if (session.internal) return outcome;  // no client's, and no time of it

  CommandMetrics& metrics = CountCall(entry, session, reply, errors_before);
  const uint64_t cycles = __builtin_ia32_rdtsc();
  const uint64_t spent = cycles - cycles_;
  metrics.cycles += spent;
  cycles_ = cycles;
  if (state_->slow_log.Wants(spent) && !row.Has(kSkipSlowlog)) [[unlikely]] {
    const Connection* connection = server_ == nullptr ? nullptr : server_->Find(session.handle);
    state_->slow_log.Add(entry.full_name, request.arguments, spent, state_->now_ms,
                         connection == nullptr ? std::string() : connection->peer_address(),
                         session.name);
  }
  return outcome;
}

CommandMetrics& Dispatcher::CountCall(const CommandEntry& entry, Session& session,
                                      const ReplyWriter& reply, uint64_t errors_before) {
  ++session.commands;
  ++state_->metrics.commands_processed;
  CommandMetrics& metrics = state_->command_metrics[entry.index];
  ++metrics.calls;
  if (reply.errors() != errors_before) {
    ++metrics.failed;
    CountError(reply);
  }
  return metrics;
}

std::string Dispatcher::Refusal(const CommandEntry& entry, const Request& request,
                                const Session& session) {
  const CommandSpec& row = *entry.row;
  if (!row.ArityFits(request.arguments.size()) || std::holds_alternative<std::monostate>(row.run)) {
    return error::WrongArity(entry.full_name);
  }
  if (!session.authenticated && !row.Has(kNoAuth)) return std::string(error::kNoAuth);
  uint64_t flags = row.flags;
  if (session.txn != nullptr) [[unlikely]] {
    if (row.Has(kNoTxn)) return error::NotInTxn(entry.full_name);
    if (session.txn->read_only && row.Has(kWrite)) return error::ViewReadOnly(entry.full_name);
    if (&entry == commit_ && session.txn->written.size() != 0) flags |= kWrite;
  }
  if (session.transaction != nullptr && session.transaction->open) [[unlikely]] {
    const Transaction& transaction = *session.transaction;
    if (row.Has(kNoMulti)) return std::string(error::kNotInTransaction);
    if (&entry == exec_) {
      flags |= transaction.flags_of_any & (kWrite | kDenyOom);
      flags &= transaction.flags_of_all | ~static_cast<uint64_t>(kLoading);
    }
    // A queue may take any amount of memory, so nothing is queued beyond the limit.
    if ((!row.Has(kNotQueued) || (flags & kDenyOom) != 0) && !MakeRoom(session)) {
      return eviction_.Refusal();
    }
  }
  if (state_->loading && (flags & kLoading) == 0) return std::string(error::kLoading);
  if (state_->last_save_failed && ((flags & kWrite) != 0 || &entry == ping_) && !session.internal &&
      state_->settings.stop_writes_on_bgsave_error && !state_->settings.save.empty()) {
    return std::string(error::kMisconf);
  }
  if (!state_->log_error.empty() && (flags & kWrite) != 0 && !session.internal) [[unlikely]] {
    return "MISCONF Errors writing to the AOF file: " + state_->log_error;
  }
  return {};
}

bool Dispatcher::IsPaused(const CommandEntry& entry, const Session& session) const {
  uint64_t flags = entry.row->flags;
  if (&entry == exec_ && session.transaction != nullptr) flags |= session.transaction->flags_of_any;
  return !session.internal && state_->pause.Holds(flags, state_->now_ms);
}

void Dispatcher::Refuse(const CommandEntry* entry, std::string_view text, Session& session,
                        ReplyWriter& reply) {
  if (entry != nullptr) ++state_->command_metrics[entry->index].rejected;
  if (entry == exec_) {
    // Whatever keeps EXEC from running ends the transaction.
    session.transaction.reset();
    if (text.starts_with("ERR ")) text.remove_prefix(4);
    reply.Error(std::string(error::kExecAbortBecause) + std::string(text));
  } else {
    if (session.transaction != nullptr && session.transaction->open) {
      session.transaction->aborted = true;
    }
    reply.Error(text);
  }
  CountError(reply);
}

Dispatcher::WriteNeed Dispatcher::NeedOf(const CommandSpec& row, const Request& request,
                                         const CommandContext& context, const ReadView& view) {
  WriteNeed need;
  for (const Keys& spec : row.keys) need.keys += KeysIn(spec, request.arguments).count();
  need.keys = std::max<size_t>(need.keys, 1);
  need.payload = row.reserve != nullptr ? row.reserve(view, context) : request.bytes;
  return need;
}

bool Dispatcher::Reserve(WriteNeed need, uint64_t flags) {
  storage::Store& store = *state_->store;
  // Many keys share their paths: together they cannot copy more than there is.
  constexpr size_t kPathBytes = storage::Store::kBytesPerKeyWrite;
  const size_t keys =
      std::min(need.keys, 2 + need.keys / 16 + store.arena().bytes_allocated() / kPathBytes);
  if (store.ReserveForWrite(need.payload, keys)) return true;
  // The kernel gives no more. What takes away must still get through: it lives on the slabs that
  // commands which grow may not touch.
  return (flags & kDenyOom) == 0 && store.arena().HasLastSlabs();
}

Outcome Dispatcher::RunWrite(const CommandSpec& row, const Request& request, WriteHandler handler,
                             CommandContext& context, EffectUnit& effects, Session& session,
                             ReplyWriter& reply) {
  storage::Store& store = *state_->store;
  WriteView view(store, state_->LineOf(session), session.db, state_->now_ms);
  // Of an EXEC all is reserved; only what depends on the values could have come to need more since.
  if (!in_unit_ || row.reserve != nullptr) {
    if (!in_unit_ && row.Has(kDenyOom) && !MakeRoom(session)) {
      reply.Error(eviction_.Refusal());
      return Outcome::kDone;
    }
    if (!Reserve(NeedOf(row, request, context, view), row.flags)) {
      reply.Error(error::kOom);
      return Outcome::kDone;
    }
  }
  return Record(request, effects, session, [&] { return handler(view, context); });
}

std::string Dispatcher::UnknownCommand(const Request& request) const {
  // Redis shows at most 128 bytes of the name and about 128 of the arguments, each up to its first
  // zero byte.
  constexpr size_t kShownMax = 128;
  const auto shown_of = [](ByteView word, size_t bytes_max) {
    return std::string(word.substr(0, std::min(word.find('\0'), bytes_max)));
  };
  if (request.entry != nullptr) {
    std::string container(request.entry->full_name);
    for (char& c : container) {
      if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 32);
    }
    return "ERR unknown subcommand '" + shown_of(request.arguments[1], kShownMax) + "'. Try " +
           container + " HELP.";
  }
  std::string shown;
  for (size_t i = 1; i < request.arguments.size() && shown.size() < kShownMax; ++i) {
    shown += "'" + shown_of(request.arguments[i], kShownMax - shown.size()) + "' ";
  }
  return "ERR unknown command '" + shown_of(request.arguments[0], kShownMax) +
         "', with args beginning with: " + shown;
}

void Dispatcher::CountError(const ReplyWriter& reply) {
  // A client that sends ever new error codes cannot make this grow: codes are ours.
  Metrics& metrics = state_->metrics;
  ++metrics.error_replies;
  const std::string_view code = reply.last_error_code();
  const auto found = metrics.errors_by_code.find(code);
  if (found != metrics.errors_by_code.end()) {
    ++found->second;
  } else {
    metrics.errors_by_code.emplace(code, 1);
  }
}

}  // namespace verso::server
