#include "server/info.h"

#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>

#include "server/command/arg_reader.h"
#include "server/config.h"
#include "server/logging.h"
#include "server/process_info.h"
#include "server/server.h"
#include "server/version.h"
#include "storage/memory/branches.h"
#include "storage/memory/snapshots.h"

namespace verso::server {
namespace {

std::string Human(uint64_t bytes) {
  static constexpr std::pair<uint64_t, char> kUnits[] = {
      {uint64_t{1} << 40, 'T'}, {1 << 30, 'G'}, {1 << 20, 'M'}, {1 << 10, 'K'}};
  for (const auto& [size, unit] : kUnits) {
    if (bytes >= size) {
      return fmt::format("{:.2f}{}", static_cast<double>(bytes) / static_cast<double>(size), unit);
    }
  }
  return fmt::format("{}B", bytes);
}

class Lines {
 public:
  template <typename Value>
  void Add(std::string_view name, const Value& value) {
    fmt::format_to(std::back_inserter(text_), "{}:{}\r\n", name, value);
  }
  void Fixed(std::string_view name, double value, int digits) {
    fmt::format_to(std::back_inserter(text_), "{}:{:.{}f}\r\n", name, value, digits);
  }
  void Section(std::string_view name) {
    if (!text_.empty()) text_ += "\r\n";
    fmt::format_to(std::back_inserter(text_), "# {}\r\n", name);
  }
  std::string Take() { return std::move(text_); }

 private:
  std::string text_;
};

void ServerSection(Server& server, Lines* out) {
  const ServerState& state = server.state();
  const uint64_t up_s = (state.now_ms - server.started_ms()) / 1000;
  out->Section("Server");
  out->Add("redis_version", kRedisVersion);
  out->Add("server_name", kServerName);
  out->Add("verso_version", kVersoVersion);
  out->Add("redis_mode", "standalone");
  out->Add("os", OperatingSystem());
  out->Add("arch_bits", 64);
  out->Add("multiplexing_api", "epoll");
  out->Add("gcc_version", fmt::format("{}.{}.{}", __GNUC__, __GNUC_MINOR__, __GNUC_PATCHLEVEL__));
  out->Add("process_id", getpid());
  out->Add("process_supervised", "no");
  out->Add("run_id", server.run_id());
  out->Add("tcp_port", server.bound_port());
  out->Add("server_time_usec", state.now_ms * 1000);
  out->Add("uptime_in_seconds", up_s);
  out->Add("uptime_in_days", up_s / 86400);
  out->Add("hz", state.settings.hz);
  out->Add("configured_hz", state.settings.hz);
  out->Add("executable", ExecutablePath());
  out->Add("config_file", server.config_file());
  out->Add("io_threads_active", 0);
}

void ClientsSection(Server& server, Lines* out) {
  uint64_t input_max = 0, output_max = 0;
  server.ForEachClient([&](Connection& connection) {
    input_max = std::max<uint64_t>(input_max, connection.input_capacity());
    output_max = std::max<uint64_t>(output_max, connection.out().bytes_pending());
  });
  out->Section("Clients");
  out->Add("connected_clients", server.client_count());
  out->Add("cluster_connections", 0);
  out->Add("maxclients", server.state().settings.maxclients);
  out->Add("client_recent_max_input_buffer", input_max);
  out->Add("client_recent_max_output_buffer", output_max);
  const BlockedKeys& blocked = server.state().blocked;
  out->Add("blocked_clients", blocked.size());
  out->Add("tracking_clients", 0);
  out->Add("watching_clients", server.state().watches.sets());
  out->Add("clients_in_timeout_table", blocked.deadlines());
  out->Add("total_watched_keys", server.state().watches.keys());
  out->Add("total_blocking_keys", blocked.keys());
  out->Add("total_blocking_keys_on_nokey", blocked.keys_woken_without());
}

void MemorySection(Server& server, Lines* out) {
  const ServerState& state = server.state();
  const storage::ArenaStats arena = server.store().arena().stats();
  const ProcessMemory process = ReadProcessMemory();
  const uint64_t used = state.used_memory();
  const uint64_t peak = std::max(server.memory_peak(), used);
  const uint64_t total = TotalSystemMemory();
  const double backed = static_cast<double>(std::max<uint64_t>(arena.bytes_backed, 1));
  const double used_or_one = static_cast<double>(std::max<uint64_t>(used, 1));
  out->Section("Memory");
  out->Add("used_memory", used);
  out->Add("used_memory_human", Human(used));
  out->Add("used_memory_rss", process.resident);
  out->Add("used_memory_rss_human", Human(process.resident));
  out->Add("used_memory_peak", peak);
  out->Add("used_memory_peak_human", Human(peak));
  out->Add("used_memory_peak_perc",
           fmt::format("{:.2f}%", 100 * static_cast<double>(used) /
                                      static_cast<double>(std::max<uint64_t>(peak, 1))));
  out->Add("used_memory_overhead", state.bytes_outside_arena);
  out->Add("used_memory_startup", server.memory_at_start());
  out->Add("used_memory_dataset", arena.bytes_allocated);
  out->Add("used_memory_dataset_perc",
           fmt::format("{:.2f}%", 100 * static_cast<double>(arena.bytes_allocated) / used_or_one));
  out->Add("allocator_allocated", arena.bytes_allocated);
  out->Add("allocator_active", arena.bytes_used_slabs);
  out->Add("allocator_resident", arena.bytes_backed);
  out->Add("total_system_memory", total);
  out->Add("total_system_memory_human", Human(total));
  out->Add("used_memory_lua", 0);
  out->Add("used_memory_scripts", 0);
  out->Add("maxmemory", state.settings.maxmemory);
  out->Add("maxmemory_human", Human(state.settings.maxmemory));
  out->Add("maxmemory_policy", ConfigValue(*FindConfigRow("maxmemory-policy"), state.settings));
  out->Fixed("allocator_frag_ratio",
             static_cast<double>(arena.bytes_used_slabs) /
                 static_cast<double>(std::max<uint64_t>(arena.bytes_allocated, 1)),
             2);
  out->Add("allocator_frag_bytes", arena.bytes_used_slabs - arena.bytes_allocated);
  out->Fixed("allocator_rss_ratio",
             backed / static_cast<double>(std::max<uint64_t>(arena.bytes_used_slabs, 1)), 2);
  out->Add("allocator_rss_bytes", arena.bytes_backed - arena.bytes_used_slabs);
  out->Fixed("mem_fragmentation_ratio", static_cast<double>(process.resident) / used_or_one, 2);
  out->Add("mem_fragmentation_bytes",
           static_cast<int64_t>(process.resident) - static_cast<int64_t>(used));
  out->Add("mem_not_counted_for_evict", 0);
  out->Add("mem_clients_slaves", 0);
  out->Add("mem_clients_normal",
           server.buffers().bytes_used() + LargeBuffer::bytes_of_all() + ClientMemoryBytes());
  out->Add("mem_allocator", "verso-arena");
  out->Add("active_defrag_running", 0);
  out->Add("lazyfree_pending_objects", server.store().stats().reclaim_backlog);
  out->Add("private_memory", process.anonymous);
  out->Add("shared_memory", process.shared);
  out->Add("client_buffers_mapped", server.buffers().bytes_mapped());
  out->Add("arena_bytes_allocated", arena.bytes_allocated);
  out->Add("arena_bytes_used_slabs", arena.bytes_used_slabs);
  out->Add("arena_bytes_backed", arena.bytes_backed);
  out->Add("arena_bytes_ready", arena.bytes_ready);
  out->Add("arena_slabs_grown", arena.slabs_grown);
  out->Add("arena_slabs_trimmed", arena.slabs_trimmed);
}

void PersistenceSection(Server& server, Lines* out) {
  const ServerState& state = server.state();
  const SaveReport save = server.saves() == nullptr ? SaveReport() : server.saves()->report();
  const storage::StoreStats store = server.store().stats();
  out->Section("Persistence");
  out->Add("loading", state.loading ? 1 : 0);
  const bool streaming = server.store().arena().pending();
  out->Add("async_loading", streaming ? 1 : 0);
  if (state.loading || streaming) {
    out->Add("loading_start_time", server.started_ms() / 1000);
    out->Add("loading_total_bytes", save.load_bytes_total);
    out->Add("loading_loaded_bytes", save.load_bytes_done);
    out->Fixed("loading_loaded_perc",
               save.load_bytes_total == 0 ? 0.0
                                          : 100 * static_cast<double>(save.load_bytes_done) /
                                                static_cast<double>(save.load_bytes_total),
               2);
    out->Add("loading_total_pages", save.load_pages_total);
    out->Add("loading_loaded_pages", save.load_pages_done);
  }
  out->Add("scrub_in_progress", state.loading || streaming ? 1 : 0);
  out->Add("scrub_pages_verified", save.load_pages_done);
  out->Add("scrub_pages_total", save.load_pages_total);
  out->Add("loading_served_after_ms", save.load_serving_ms);
  out->Add("loading_pages_awaited", save.load_pages_awaited);
  out->Add("current_cow_size", store.bytes_copied);
  out->Add("current_save_keys_processed", 0);
  out->Add("current_save_keys_total", 0);
  out->Add("rdb_changes_since_last_save", state.changes.changes_since_save());
  // One that was answered with "scheduled" is not over either, for those who wait for its end.
  out->Add("rdb_bgsave_in_progress", save.running || server.save_scheduled() ? 1 : 0);
  out->Add("rdb_last_save_time", server.last_save_time());
  out->Add("rdb_last_bgsave_status", state.last_save_failed ? "err" : "ok");
  out->Add("rdb_last_bgsave_time_sec", save.last_seconds);
  out->Add("rdb_current_bgsave_time_sec", save.running_seconds);
  out->Add("rdb_saves", save.saves);
  out->Add("rdb_last_cow_size", save.child_private_bytes);
  out->Add("rdb_last_load_keys_expired", 0);
  out->Add("rdb_last_load_keys_loaded", 0);
  const bool log_on = server.log().on();
  const OperationLog::Report log = server.log().report();
  out->Add("aof_enabled", log_on ? 1 : 0);
  out->Add("aof_rewrite_in_progress", log_on && save.running ? 1 : 0);
  out->Add("aof_rewrite_scheduled", 0);
  out->Add("aof_last_rewrite_time_sec", log_on ? save.last_seconds : -1);
  out->Add("aof_current_rewrite_time_sec", log_on ? save.running_seconds : -1);
  out->Add("aof_last_bgrewrite_status", log_on && state.last_save_failed ? "err" : "ok");
  out->Add("aof_last_write_status", state.log_error.empty() ? "ok" : "err");
  out->Add("aof_last_cow_size", save.child_private_bytes);
  if (log_on) {
    out->Add("aof_current_size", log.bytes_total);
    out->Add("aof_buffer_length", log.bytes_waiting);
  }
  out->Add("log_last_seq", log.sequence);
  out->Add("log_last_written_seq", log.written);
  out->Add("log_last_durable_seq", log.durable);
  out->Add("log_last_durable_age_ms", log.durable_age_ms);
  out->Add("log_bytes_waiting", log.bytes_waiting);
  out->Add("log_syncs", log.syncs);
  out->Add("log_records_replayed", log.replayed);
  out->Add("log_last_error", state.log_error);
  out->Add("save_last_error", state.last_save_failed ? save.last_error : "");
  const RdbTransfers::Report transfers = server.transfers().report();
  out->Add("export_in_progress", transfers.exporting ? 1 : 0);
  out->Add("export_keys", transfers.export_keys);
  out->Add("export_last_status", transfers.export_failed ? "err" : "ok");
  out->Add("export_last_error", transfers.export_error);
  out->Add("import_in_progress", transfers.importing ? 1 : 0);
  out->Add("import_keys", transfers.import_keys);
  out->Add("import_last_status", transfers.import_failed ? "err" : "ok");
  out->Add("import_last_error", transfers.import_error);
  const RestoreTo::Report restore = server.restore().report();
  out->Add("restore_in_progress", restore.running ? 1 : 0);
  out->Add("restore_commands", restore.commands);
  out->Add("restore_last_status", restore.failed ? "err" : "ok");
  out->Add("restore_last_error", restore.error);
  out->Add("save_resolving", save.resolving ? 1 : 0);
  out->Fixed("save_progress",
             save.pages_total == 0
                 ? 0.0
                 : static_cast<double>(save.pages_written) / static_cast<double>(save.pages_total),
             4);
  out->Add("save_pages_written", save.pages_written);
  out->Add("save_pages_total", save.pages_total);
  out->Add("save_bytes_written", save.bytes_written);
  out->Add("save_bytes_total", save.bytes_total);
  out->Add("save_pin_usec", save.pin_us);
  out->Add("pages_copied", store.pages_copied);
  out->Add("bytes_copied", store.bytes_copied);
  out->Add("pages_released_early", store.pages_released_early);
  out->Add("garbage_pages", store.garbage_pages);
  out->Add("reclaim_backlog", store.reclaim_backlog);
  out->Add("pins", store.pins);
  out->Add("pin_bytes", store.pin_bytes);
  out->Add("pin_oldest_age_ms",
           store.pin_oldest_moment_ms == 0 || store.pin_oldest_moment_ms > state.now_ms
               ? 0
               : state.now_ms - store.pin_oldest_moment_ms);
}

void StatsSection(Server& server, Lines* out) {
  const ServerState& state = server.state();
  const Metrics& metrics = state.metrics;
  const SaveReport save = server.saves() == nullptr ? SaveReport() : server.saves()->report();
  out->Section("Stats");
  out->Add("total_connections_received", metrics.connections_received);
  out->Add("total_commands_processed", metrics.commands_processed);
  out->Add("instantaneous_ops_per_sec", static_cast<uint64_t>(metrics.commands_rate.PerSecond()));
  out->Add("total_net_input_bytes", metrics.bytes_in);
  out->Add("total_net_output_bytes", metrics.bytes_out);
  out->Add("total_net_repl_input_bytes", 0);
  out->Add("total_net_repl_output_bytes", 0);
  out->Fixed("instantaneous_input_kbps", metrics.bytes_in_rate.PerSecond() / 1024, 2);
  out->Fixed("instantaneous_output_kbps", metrics.bytes_out_rate.PerSecond() / 1024, 2);
  out->Add("rejected_connections", metrics.connections_rejected);
  for (const char* name : {"sync_full", "sync_partial_ok", "sync_partial_err"}) out->Add(name, 0);
  out->Add("expired_keys", state.changes.expired());
  out->Add("expired_stale_perc", "0.00");
  out->Add("expired_time_cap_reached_count", 0);
  out->Add("evicted_keys", state.changes.evicted());
  out->Add("evicted_clients", 0);
  out->Add("keyspace_hits", state.environment.keyspace_hits);
  out->Add("keyspace_misses", state.environment.keyspace_misses);
  for (const char* name : {"pubsub_channels", "pubsub_patterns", "pubsubshard_channels"}) {
    out->Add(name, 0);
  }
  out->Add("latest_fork_usec", save.fork_us);
  out->Add("total_forks", save.forks);
  out->Add("migrate_cached_sockets", 0);
  out->Add("slave_expires_tracked_keys", 0);
  out->Add("active_defrag_hits", 0);
  out->Add("active_defrag_misses", 0);
  out->Add("unexpected_error_replies", metrics.unexpected_error_replies);
  out->Add("total_error_replies", metrics.error_replies);
  out->Add("dump_payload_sanitizations", 0);
  out->Add("total_reads_processed", metrics.reads);
  out->Add("total_writes_processed", metrics.writes);
  out->Add("client_query_buffer_limit_disconnections", metrics.query_buffer_disconnections);
  out->Add("client_output_buffer_limit_disconnections", metrics.output_buffer_disconnections);
  out->Add("reply_slices", metrics.slices);
  out->Add("eventloop_cycles", metrics.turns);
  out->Add("eventloop_duration_max", metrics.turn_us_max);
}

void ReplicationSection(Server& server, Lines* out) {
  out->Section("Replication");
  out->Add("role", "master");
  out->Add("connected_slaves", 0);
  out->Add("master_failover_state", "no-failover");
  out->Add("master_replid", server.run_id());
  out->Add("master_replid2", std::string(40, '0'));
  out->Add("master_repl_offset", 0);
  out->Add("second_repl_offset", -1);
  out->Add("repl_backlog_active", 0);
  out->Add("repl_backlog_size", 1048576);
  out->Add("repl_backlog_first_byte_offset", 0);
  out->Add("repl_backlog_histlen", 0);
}

void CpuSection(Server&, Lines* out) {
  const auto seconds = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
  };
  rusage self{}, children{};
  getrusage(RUSAGE_SELF, &self);
  getrusage(RUSAGE_CHILDREN, &children);
  out->Section("CPU");
  out->Fixed("used_cpu_sys", seconds(self.ru_stime), 6);
  out->Fixed("used_cpu_user", seconds(self.ru_utime), 6);
  out->Fixed("used_cpu_sys_children", seconds(children.ru_stime), 6);
  out->Fixed("used_cpu_user_children", seconds(children.ru_utime), 6);
}

void ModulesSection(Server&, Lines* out) { out->Section("Modules"); }

void CommandStatsSection(Server& server, Lines* out) {
  out->Section("Commandstats");
  const double per_us = CyclesPerMicrosecond();
  for (const CommandEntry& entry : CommandTable::Get().entries()) {
    const CommandMetrics& metrics = server.state().command_metrics[entry.index];
    if (metrics.calls == 0 && metrics.rejected == 0) continue;
    const double us = static_cast<double>(metrics.cycles) / per_us;
    out->Add("cmdstat_" + entry.full_name,
             fmt::format("calls={},usec={},usec_per_call={:.2f},rejected_calls={},failed_calls={}",
                         metrics.calls, static_cast<uint64_t>(us),
                         metrics.calls == 0 ? 0.0 : us / static_cast<double>(metrics.calls),
                         metrics.rejected, metrics.failed));
  }
}

void ErrorStatsSection(Server& server, Lines* out) {
  out->Section("Errorstats");
  for (const auto& [code, count] : server.state().metrics.errors_by_code) {
    out->Add("errorstat_" + code, fmt::format("count={}", count));
  }
}

void ClusterSection(Server&, Lines* out) {
  out->Section("Cluster");
  out->Add("cluster_enabled", 0);
}

void KeyspaceSection(Server& server, Lines* out) {
  out->Section("Keyspace");
  if (server.state().loading) return;
  for (int db = 0; db < server.state().environment.databases; ++db) {
    const storage::ReadView view(server.store(), server.store().main(), db, server.state().now_ms);
    const uint64_t keys = view.Count();
    if (keys == 0) continue;
    out->Add(fmt::format("db{}", db), fmt::format("keys={},expires={},avg_ttl={}", keys,
                                                  view.CountWithDeadline(), view.AverageTtlMs()));
  }
}

void SnapshotsSection(Server& server, Lines* out) {
  out->Section("Snapshots");
  const storage::Snapshots& snapshots = server.store().snapshots();
  uint64_t oldest_ms = server.state().now_ms;
  for (const auto& [name, snapshot] : snapshots.all()) {
    oldest_ms = std::min(oldest_ms, snapshot.moment_ms);
  }
  out->Add("snapshots", snapshots.size());
  out->Add("snapshot_oldest_age_ms", server.state().now_ms - oldest_ms);
}

void BranchesSection(Server& server, Lines* out) {
  out->Section("Branches");
  out->Add("branches", server.store().branches().size());
}

void TransactionsSection(Server& server, Lines* out) {
  out->Section("Transactions");
  const TxnRegistry& txns = server.state().txns;
  const uint64_t now_ms = server.state().now_ms;
  uint64_t writing = 0;
  for (const Txn* txn : txns.open()) writing += txn->read_only ? 0 : 1;
  const uint64_t oldest_ms = txns.open().empty() ? now_ms : txns.open().front()->begun_ms;
  out->Add("transactions", txns.open().size());
  out->Add("transactions_read_write", writing);
  out->Add("txn_oldest_age_ms", now_ms - oldest_ms);
  out->Add("txn_begun", txns.counts.begun);
  out->Add("txn_committed", txns.counts.committed);
  out->Add("txn_conflicts", txns.counts.conflicts);
  out->Add("txn_aborted", txns.counts.aborted);
  out->Add("txn_expired", txns.counts.expired);
}

struct SectionRow {
  std::string_view name;
  void (*write)(Server& server, Lines* out);
  bool by_default;
};

constexpr SectionRow kSections[] = {
    {"server", &ServerSection, true},
    {"clients", &ClientsSection, true},
    {"memory", &MemorySection, true},
    {"persistence", &PersistenceSection, true},
    {"stats", &StatsSection, true},
    {"replication", &ReplicationSection, true},
    {"cpu", &CpuSection, true},
    {"modules", &ModulesSection, true},
    {"commandstats", &CommandStatsSection, false},
    {"errorstats", &ErrorStatsSection, true},
    {"cluster", &ClusterSection, true},
    {"snapshots", &SnapshotsSection, true},
    {"branches", &BranchesSection, true},
    {"transactions", &TransactionsSection, true},
    {"keyspace", &KeyspaceSection, true},
};

}  // namespace

std::string InfoText(Server& server, const std::vector<std::string_view>& sections) {
  const auto asked = [&sections](std::string_view name) {
    return std::any_of(sections.begin(), sections.end(), [name](std::string_view section) {
      return EqualsIgnoreCase(section, name);
    });
  };
  const bool all = asked("all") || asked("everything");
  const bool usual = sections.empty() || asked("default");
  Lines lines;
  for (const SectionRow& row : kSections) {
    if (all || (usual && row.by_default) || asked(row.name)) row.write(server, &lines);
  }
  return lines.Take();
}

}  // namespace verso::server
