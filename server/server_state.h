// ServerState: what the dispatcher's gates and INFO look at, without a socket: a test or a replay
// makes one and runs commands on it.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "server/command/command_context.h"
#include "server/command/effect_unit.h"
#include "server/eviction.h"
#include "server/metrics.h"
#include "server/session/blocked_keys.h"
#include "server/session/session.h"
#include "server/session/txn.h"
#include "server/session/watch_registry.h"
#include "server/settings.h"
#include "server/slow_log.h"
#include "storage/keyspace/keyspace.h"
#include "storage/memory/branches.h"
#include "storage/memory/store.h"

namespace verso::server {

struct ServerState;

// Hears of every changed key (K3). Counts them for `save` points, records deletions by expiry as
// effects, tells those who watch a key or wait for one. Notifications will listen here.
class ChangeTracker final : public storage::KeyObserver {
 public:
  explicit ChangeTracker(ServerState* state) : state_(state) {}

  void KeyChanged(const storage::Line& line, int db, const storage::Key& key,
                  const storage::KeyEvent& event) override;
  void DatabaseChanged(const storage::Line& line, int db, const char* event,
                       uint64_t changes) override;

  uint64_t changes() const { return changes_; }  // ever
  // Those that were not deletions by expiry or eviction, which are recorded by themselves.
  uint64_t changes_by_commands() const { return changes_ - expired_ - evicted_; }
  uint64_t changes_since_save() const { return changes_ - changes_at_save_; }
  uint64_t expired() const { return expired_; }
  uint64_t evicted() const { return evicted_; }
  // A save has begun at a moment when changes() was `at`, and is through.
  void Saved(uint64_t at) { changes_at_save_ = at; }
  void set_consumer(EffectConsumer* consumer) { consumer_ = consumer; }

 private:
  void RecordRemoval(int db, const storage::Key& key);

  ServerState* state_;
  uint64_t changes_ = 0;
  uint64_t changes_at_save_ = 0;
  uint64_t expired_ = 0;
  uint64_t evicted_ = 0;
  EffectConsumer* consumer_ = nullptr;
};

// CLIENT PAUSE: until then clients wait with their commands, or with those that may write.
struct ClientPause {
  uint64_t until_ms = 0;
  bool all = false;
  bool Holds(uint64_t flags, uint64_t now_ms) const {
    return now_ms < until_ms && (all || (flags & (kWrite | kMayReplicate)) != 0);
  }
};

struct ServerState {
  Settings settings;
  CommandEnvironment environment;
  Metrics metrics;
  std::vector<CommandMetrics> command_metrics;  // by CommandEntry::index
  ChangeTracker changes{this};
  WatchRegistry watches;
  BlockedKeys blocked;
  TxnRegistry txns;
  storage::Store* store = nullptr;
  EffectConsumer* effect_consumer = nullptr;  // the log and the replicas, when there are any
  UnitWriter unit;                            // what effects reach it through
  uint64_t merges_begun = 0;
  uint64_t now_ms = 0;  // of this turn: commands are judged by it
  // Of this turn, too: what clients and bookkeeping take. maxmemory counts it.
  uint64_t bytes_outside_arena = 0;
  ClientPause pause;
  SlowLog slow_log;
  bool expires_actively = true;  // DEBUG SET-ACTIVE-EXPIRE
  bool loading = false;
  bool last_save_failed = false;
  std::string log_error;  // why the operation log cannot be written; "": it can, or there is none

  // Takes over what commands need from the settings, at the start and after CONFIG SET.
  void ApplySettings() {
    environment.databases = static_cast<int>(settings.databases);
    store->set_access(Eviction::AccessRuleOf(settings));
    environment.bulk_bytes_max = settings.proto_max_bulk_len;
    environment.hll_sparse_bytes_max = settings.hll_sparse_max_bytes;
    slow_log.Configure(settings.slowlog_log_slower_than,
                       static_cast<size_t>(settings.slowlog_max_len));
    environment.limits = {
        .hash_entries = settings.hash_max_listpack_entries,
        .hash_value_bytes = settings.hash_max_listpack_value,
        .set_integers = settings.set_max_intset_entries,
        .set_entries = settings.set_max_listpack_entries,
        .set_value_bytes = settings.set_max_listpack_value,
        .zset_entries = settings.zset_max_listpack_entries,
        .zset_value_bytes = settings.zset_max_listpack_value,
        .list_size = settings.list_max_listpack_size,
        .stream_node_bytes = settings.stream_node_max_bytes,
        .stream_node_entries = settings.stream_node_max_entries,
    };
  }
  // What the session reads and writes.
  storage::Line& LineOf(const Session& session) const {
    return session.branch != nullptr ? *session.branch->line : store->main();
  }
  // That, as it is now, in its selected database.
  storage::ReadView HeadOf(const Session& session) const {
    return {*store, LineOf(session), session.db, now_ms};
  }
  // A branch goes on as another line (ROLLBACK, PROMOTE). Requires: both have heads.
  void LineReplaced(const storage::Line& from, const storage::Line& to, const char* event) {
    changes.DatabaseChanged(from, -1, event, 1);
    blocked.LineReplaced(from.id(), to.id());
  }
  // PROMOTE: two branches have exchanged their lines.
  void LinesExchanged(const storage::Line& a, const storage::Line& b, const char* event) {
    changes.DatabaseChanged(a, -1, event, 1);
    changes.DatabaseChanged(b, -1, event, 0);
    constexpr storage::LineId kAside = ~storage::LineId{0};
    blocked.LineReplaced(a.id(), kAside);
    blocked.LineReplaced(b.id(), a.id());
    blocked.LineReplaced(kAside, b.id());
  }
  // The unit of something that a session does beside the data: within an EXEC, a part of that.
  UnitScope UnitOf(const Session& session) {
    return UnitScope(&unit, effect_consumer, LineOf(session).id(), session.db);
  }
  // The same of what happens by itself.
  UnitScope UnitOfMain() { return UnitScope(&unit, effect_consumer, store->main().id(), 0); }
  // What a handler's effects go to; null: nobody listens.
  UnitWriter* effects() { return effect_consumer != nullptr ? &unit : nullptr; }
  uint64_t used_memory() const { return store->arena().bytes_allocated() + bytes_outside_arena; }
};

// What WATCH would find there now.
WatchState WatchStateAt(const ServerState& state, const storage::Line& line, const KeyPlace& place);

}  // namespace verso::server
