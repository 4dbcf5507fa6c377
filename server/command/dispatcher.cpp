#include "server/command/dispatcher.h"

#include <algorithm>
#include <new>

#include "server/command/error_reply.h"

namespace verso::server {

using storage::ReadView;
using storage::WriteView;

void ChangeTracker::KeyChanged(const storage::Line&, int, const storage::Key& key,
                               const storage::KeyEvent& event) {
  changes_ += event.changes;
  if (event.klass == 'x') {
    ++expired_;
    if (consumer_ != nullptr) {
      const ByteView deletion[] = {"DEL", key.bytes};
      consumer_->Command(deletion);
    }
  }
}

void ChangeTracker::DatabaseChanged(const storage::Line&, int, const char*) { ++changes_; }

Dispatcher::Dispatcher(ServerState* state, Server* server)
    : state_(state), server_(server), table_(&CommandTable::Get()) {
  state_->command_metrics.resize(table_->entries().size());
}

Outcome Dispatcher::Run(const Request& request, Session& session, ReplyWriter& reply,
                        std::unique_ptr<Continuation>* rest) {
  const uint64_t errors_before = reply.errors();
  const CommandEntry* entry = request.entry;
  if (entry != nullptr && !entry->subcommands.empty() && request.arguments.size() > 1) {
    entry = entry->FindSubcommand(request.arguments[1]);
  }
  if (entry == nullptr || !Gates(*entry, request, session, reply)) {
    if (entry == nullptr) {
      UnknownCommand(request, reply);
    } else {
      ++state_->command_metrics[entry->index].rejected;
    }
    CountError(reply);
    return Outcome::kDone;
  }

  const CommandSpec& row = *entry->row;
  EffectUnit effects(state_->effect_consumer);
  CommandContext context(&row, request.arguments, &reply, &effects, &session, &state_->environment);
  if (request.hashed_index != 0) context.SetHash(request.hashed_index, request.hash);
  if (session.no_touch) context.SetAccess(storage::Access::kPeek);
  session.last_command = entry;

  const uint64_t mark = reply.out().written();
  Outcome outcome;
  try {
    if (const auto* read = std::get_if<ReadHandler>(&row.run)) {
      const ReadView view(*state_->store, state_->store->main(), session.db, state_->now_ms);
      outcome = (*read)(view, context);
    } else if (const auto* write = std::get_if<WriteHandler>(&row.run)) {
      outcome = RunWrite(row, request, *write, context, effects, session, reply);
    } else {
      outcome = std::get<ServerHandler>(row.run)(*server_, context);
    }
  } catch (const std::bad_alloc&) {
    // The only exception that may come: private memory for a handler's own lists ran out.
    reply.out().TruncateTo(mark);
    outcome = context.Fail(error::kOom);
  }
  if (outcome == Outcome::kYield) *rest = context.TakeRest();

  ++session.commands;
  ++state_->metrics.commands_processed;
  CommandMetrics& metrics = state_->command_metrics[entry->index];
  ++metrics.calls;
  const uint64_t cycles = __builtin_ia32_rdtsc();
  metrics.cycles += cycles - cycles_;
  cycles_ = cycles;
  if (reply.errors() != errors_before) {
    ++metrics.failed;
    CountError(reply);
  }
  return outcome;
}

bool Dispatcher::Gates(const CommandEntry& entry, const Request& request, const Session& session,
                       ReplyWriter& reply) {
  const CommandSpec& row = *entry.row;
  if (!row.ArityFits(request.arguments.size()) || std::holds_alternative<std::monostate>(row.run)) {
    reply.Error(error::WrongArity(entry.full_name));
    return false;
  }
  if (!session.authenticated && !row.Has(kNoAuth)) {
    reply.Error(error::kNoAuth);
    return false;
  }
  if (state_->loading && !row.Has(kLoading)) {
    reply.Error(error::kLoading);
    return false;
  }
  if (state_->last_save_failed && row.Has(kWrite) && !session.internal &&
      state_->settings.stop_writes_on_bgsave_error && !state_->settings.save.empty()) {
    reply.Error(error::kMisconf);
    return false;
  }
  return true;
}

bool Dispatcher::MemoryGate(const CommandSpec& row, const Request& request,
                            const CommandContext& context, const ReadView& view,
                            ReplyWriter& reply) {
  storage::Store& store = *state_->store;
  const size_t allocated = store.arena().bytes_allocated();
  size_t keys = 0;
  for (const Keys& spec : row.keys) {
    if (spec.first == 0) continue;
    const size_t width = spec.last >= 0
                             ? static_cast<size_t>(spec.last) + 1
                             : request.arguments.size() - static_cast<size_t>(spec.first);
    keys += (width + static_cast<size_t>(spec.step) - 1) / static_cast<size_t>(spec.step);
  }
  // Many keys share their paths: together they cannot copy more than there is.
  constexpr size_t kPathBytes = storage::Store::kBytesPerKeyWrite;
  keys = std::min(keys, 2 + keys / 16 + allocated / kPathBytes);
  const size_t payload = row.reserve != nullptr ? row.reserve(view, context) : request.bytes;
  const uint64_t maxmemory = state_->settings.maxmemory;
  if (row.Has(kDenyOom) && maxmemory != 0 && allocated > maxmemory) {
    reply.Error(error::kOom);
    return false;
  }
  if (store.ReserveForWrite(payload, std::max<size_t>(keys, 1))) return true;
  // The kernel gives no more. What takes away must still get through: it lives on the slabs that
  // commands which grow may not touch.
  if (!row.Has(kDenyOom) && store.arena().HasLastSlabs()) return true;
  reply.Error(error::kOom);
  return false;
}

Outcome Dispatcher::RunWrite(const CommandSpec& row, const Request& request, WriteHandler handler,
                             CommandContext& context, EffectUnit& effects, Session& session,
                             ReplyWriter& reply) {
  storage::Store& store = *state_->store;
  WriteView view(store, store.main(), session.db, state_->now_ms);
  if (!MemoryGate(row, request, context, view, reply)) return Outcome::kDone;
  EffectConsumer* const consumer = state_->effect_consumer;
  if (consumer == nullptr) return handler(view, context);

  const uint64_t changes_before = state_->changes.changes();
  consumer->Begin(store.main().id(), session.db);
  const Outcome outcome = handler(view, context);
  if (effects.empty() && state_->changes.changes() != changes_before) {
    effects.Emit(request.arguments);  // E1
  }
  consumer->End();
  return outcome;
}

void Dispatcher::UnknownCommand(const Request& request, ReplyWriter& reply) {
  // Redis shows at most 128 bytes of the name and about 128 of the arguments.
  constexpr size_t kShownMax = 128;
  const ByteView name = request.arguments[0].substr(0, kShownMax);
  if (request.entry != nullptr) {
    std::string container(request.entry->full_name);
    for (char& c : container) {
      if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 32);
    }
    reply.Error("ERR unknown subcommand '" +
                std::string(request.arguments[1].substr(0, kShownMax)) + "'. Try " + container +
                " HELP.");
    return;
  }
  std::string shown;
  for (size_t i = 1; i < request.arguments.size() && shown.size() < kShownMax; ++i) {
    shown += "'";
    shown += request.arguments[i].substr(0, kShownMax - shown.size());
    shown += "' ";
  }
  reply.Error("ERR unknown command '" + std::string(name) +
              "', with args beginning with: " + shown);
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
