// One row per directive, sorted by name at the first use.
#include <algorithm>
#include <array>

#include "server/command/arg_reader.h"
#include "server/config.h"

namespace verso::server {
namespace {

constexpr int64_t kIntMax = 2147483647;
constexpr std::string_view kLogLevels[] = {"debug", "verbose", "notice", "warning", "nothing"};
constexpr std::string_view kPolicies[] = {"noeviction",      "allkeys-lru",  "allkeys-lfu",
                                          "allkeys-random",  "volatile-lru", "volatile-lfu",
                                          "volatile-random", "volatile-ttl"};
constexpr std::string_view kAppendFsync[] = {"always", "everysec", "no"};
constexpr std::string_view kDebugAccess[] = {"no", "local", "yes"};
constexpr std::string_view kSanitizePayload[] = {"no", "yes", "clients"};

std::string Join(const std::vector<std::string>& words) {
  std::string text;
  for (const std::string& word : words) text += (text.empty() ? "" : " ") + word;
  return text;
}

// CONFIG SET hands over one string, the file several words.
std::vector<std::string> SplitSpaces(const std::vector<std::string>& words) {
  std::vector<std::string> parts;
  for (const std::string& word : words) {
    size_t at = 0;
    while (at < word.size()) {
      const size_t end = std::min(word.find(' ', at), word.size());
      if (end > at) parts.push_back(word.substr(at, end - at));
      at = end + 1;
    }
  }
  return parts;
}

std::string SetSave(Settings* settings, const std::vector<std::string>& words, bool first) {
  const std::vector<std::string> parts = SplitSpaces(words);
  if (first || parts.empty()) settings->save.clear();
  if (parts.size() % 2 != 0) return "Invalid save parameters";
  for (size_t i = 0; i < parts.size(); i += 2) {
    SavePoint point;
    if (!ParseInteger(parts[i], &point.seconds) || !ParseInteger(parts[i + 1], &point.changes) ||
        point.seconds < 1 || point.changes < 0) {
      return "Invalid save parameters";
    }
    settings->save.push_back(point);
  }
  return "";
}

std::string GetSave(const Settings& settings) {
  std::vector<std::string> words;
  for (const SavePoint& point : settings.save) {
    words.push_back(std::to_string(point.seconds) + " " + std::to_string(point.changes));
  }
  return Join(words);
}

std::string SetBind(Settings* settings, const std::vector<std::string>& words, bool) {
  settings->bind = SplitSpaces(words);
  if (settings->bind.empty()) settings->bind = {"*", "-::*"};
  return "";
}

std::string GetBind(const Settings& settings) { return Join(settings.bind); }

std::string SetOutputLimit(Settings* settings, const std::vector<std::string>& words, bool) {
  const std::vector<std::string> parts = SplitSpaces(words);
  if (parts.empty() || parts.size() % 4 != 0) {
    return "Wrong number of arguments in buffer limit configuration.";
  }
  for (size_t i = 0; i < parts.size(); i += 4) {
    OutputLimit limit;
    if (!ParseMemory(parts[i + 1], &limit.hard_bytes) ||
        !ParseMemory(parts[i + 2], &limit.soft_bytes) ||
        !ParseInteger(parts[i + 3], &limit.soft_seconds) || limit.soft_seconds < 0) {
      return "Error in hard, soft or soft_seconds setting in buffer limit configuration.";
    }
    if (parts[i] == "normal") {
      settings->output_limit_normal = limit;
    } else if (parts[i] == "replica" || parts[i] == "slave") {
      settings->output_limit_replica = limit;
    } else if (parts[i] == "pubsub") {
      settings->output_limit_pubsub = limit;
    } else {
      return "Invalid client class specified in buffer limit configuration.";
    }
  }
  return "";
}

std::string GetOutputLimit(const Settings& settings) {
  const auto show = [](std::string_view name, const OutputLimit& limit) {
    return std::string(name) + " " + std::to_string(limit.hard_bytes) + " " +
           std::to_string(limit.soft_bytes) + " " + std::to_string(limit.soft_seconds);
  };
  return show("normal", settings.output_limit_normal) + " " +
         show("slave", settings.output_limit_replica) + " " +
         show("pubsub", settings.output_limit_pubsub);
}

std::string SetSnapshotAuto(Settings* settings, const std::vector<std::string>& words, bool) {
  const std::vector<std::string> parts = SplitSpaces(words);
  constexpr int64_t kSecondsMax = int64_t{1} << 40;
  int64_t seconds = 0;
  int64_t keep = 0;
  if (!parts.empty() &&
      (parts.size() != 2 || !ParseInteger(parts[0], &seconds) || !ParseInteger(parts[1], &keep) ||
       seconds < 1 || seconds > kSecondsMax || keep < 1)) {
    return "snapshot-auto takes how many seconds lie between two snapshots and how many are kept";
  }
  settings->snapshot_auto_seconds = seconds;
  settings->snapshot_auto_keep = keep;
  return "";
}

std::string GetSnapshotAuto(const Settings& settings) {
  if (settings.snapshot_auto_seconds == 0) return "";
  return std::to_string(settings.snapshot_auto_seconds) + " " +
         std::to_string(settings.snapshot_auto_keep);
}

struct TimeUnit {
  char letter;
  int64_t seconds;
};
constexpr TimeUnit kTimeUnits[] = {{'d', 86400}, {'h', 3600}, {'m', 60}, {'s', 1}};

std::string SetRetain(Settings* settings, const std::vector<std::string>& words, bool) {
  constexpr int64_t kSecondsMax = int64_t{366} * 86400;
  const std::string wrong =
      "appendonly-retain takes a time of up to 366 days with its unit (90s, 30m, 24h, 7d), or 0";
  if (words.size() != 1 || words[0].empty()) return wrong;
  std::string digits = words[0];
  int64_t factor = 1;
  for (const TimeUnit& unit : kTimeUnits) {
    if (digits.back() != unit.letter) continue;
    factor = unit.seconds;
    digits.pop_back();
    break;
  }
  int64_t number = 0;
  if (!ParseInteger(digits, &number) || number < 0 || number > kSecondsMax / factor) return wrong;
  settings->appendonly_retain_seconds = number * factor;
  return "";
}

std::string GetRetain(const Settings& settings) {
  const int64_t seconds = settings.appendonly_retain_seconds;
  if (seconds == 0) return "0";
  const TimeUnit* unit = kTimeUnits;
  while (seconds % unit->seconds != 0) ++unit;
  return std::to_string(seconds / unit->seconds) + unit->letter;
}

constexpr ConfigSpecial kRetain = {&SetRetain, &GetRetain};
constexpr ConfigSpecial kSnapshotAuto = {&SetSnapshotAuto, &GetSnapshotAuto};
constexpr ConfigSpecial kSave = {&SetSave, &GetSave};
constexpr ConfigSpecial kBind = {&SetBind, &GetBind};
constexpr ConfigSpecial kOutputLimit = {&SetOutputLimit, &GetOutputLimit};

std::string RefuseDaemonize(const Settings& settings) {
  if (!settings.daemonize) return "";
  return "this server stays in the foreground (use a service manager): daemonize must be no";
}

using Kind = ConfigKind;

// The directory that the files of Redis stand in is `dir`, or one below it.
std::string RefuseNoBasename(const std::string& name) {
  if (!name.empty() && name.find('/') == std::string::npos) return "";
  return "it must be a name without a path";
}
std::string RefuseAppendFile(const Settings& settings) {
  return RefuseNoBasename(settings.appendfilename);
}
std::string RefuseAppendDir(const Settings& settings) {
  return RefuseNoBasename(settings.appenddirname);
}

constexpr ConfigRow kRows[] = {
    {.name = "aof-load-truncated",
     .kind = Kind::kBool,
     .field = &Settings::aof_load_truncated,
     .changeable = true},
    {.name = "appenddirname",
     .kind = Kind::kText,
     .field = &Settings::appenddirname,
     .refuse = &RefuseAppendDir},
    {.name = "appendfilename",
     .kind = Kind::kText,
     .field = &Settings::appendfilename,
     .refuse = &RefuseAppendFile},
    {.name = "appendfsync",
     .kind = Kind::kChoice,
     .field = &Settings::appendfsync,
     .changeable = true,
     .choices = kAppendFsync,
     .choice_count = static_cast<int>(std::size(kAppendFsync))},
    {.name = "appendonly", .kind = Kind::kBool, .field = &Settings::appendonly, .changeable = true},
    {.name = "appendonly-retain", .kind = Kind::kSpecial, .field = &kRetain, .changeable = true},
    {.name = "arena-dir", .kind = Kind::kText, .field = &Settings::arena_dir},
    {.name = "bind", .kind = Kind::kSpecial, .field = &kBind},
    {.name = "client-output-buffer-limit",
     .kind = Kind::kSpecial,
     .field = &kOutputLimit,
     .changeable = true},
    {.name = "client-query-buffer-limit",
     .kind = Kind::kMemory,
     .field = &Settings::client_query_buffer_limit,
     .changeable = true,
     .min = 1024 * 1024,
     .max = INT64_MAX},
    {.name = "daemonize",
     .kind = Kind::kBool,
     .field = &Settings::daemonize,
     .refuse = &RefuseDaemonize},
    {.name = "databases",
     .kind = Kind::kInteger,
     .field = &Settings::databases,
     .min = 1,
     .max = 16},
    {.name = "dbfilename", .kind = Kind::kText, .field = &Settings::dbfilename},
    {.name = "dir", .kind = Kind::kText, .field = &Settings::dir},
    {.name = "enable-debug-command",
     .kind = Kind::kChoice,
     .field = &Settings::enable_debug_command,
     .choices = kDebugAccess,
     .choice_count = 3},
    {.name = "hash-max-listpack-entries",
     .kind = Kind::kInteger,
     .field = &Settings::hash_max_listpack_entries,
     .changeable = true,
     .max = INT64_MAX},
    {.name = "hash-max-listpack-value",
     .kind = Kind::kMemory,
     .field = &Settings::hash_max_listpack_value,
     .changeable = true,
     .max = INT64_MAX},
    {.name = "hash-max-ziplist-entries",
     .kind = Kind::kInteger,
     .field = &Settings::hash_max_listpack_entries,
     .changeable = true,
     .max = INT64_MAX},
    {.name = "hash-max-ziplist-value",
     .kind = Kind::kMemory,
     .field = &Settings::hash_max_listpack_value,
     .changeable = true,
     .max = INT64_MAX},
    {.name = "hll-sparse-max-bytes",
     .kind = Kind::kMemory,
     .field = &Settings::hll_sparse_max_bytes,
     .changeable = true,
     .max = INT64_MAX},
    {.name = "hz",
     .kind = Kind::kInteger,
     .field = &Settings::hz,
     .changeable = true,
     .min = 1,
     .max = 500},
    {.name = "lazyfree-lazy-eviction",
     .kind = Kind::kBool,
     .field = &Settings::lazyfree_lazy_eviction,
     .changeable = true},
    {.name = "lazyfree-lazy-expire",
     .kind = Kind::kBool,
     .field = &Settings::lazyfree_lazy_expire,
     .changeable = true},
    {.name = "lazyfree-lazy-server-del",
     .kind = Kind::kBool,
     .field = &Settings::lazyfree_lazy_server_del,
     .changeable = true},
    {.name = "lazyfree-lazy-user-del",
     .kind = Kind::kBool,
     .field = &Settings::lazyfree_lazy_user_del,
     .changeable = true},
    {.name = "lazyfree-lazy-user-flush",
     .kind = Kind::kBool,
     .field = &Settings::lazyfree_lazy_user_flush,
     .changeable = true},
    {.name = "lfu-decay-time",
     .kind = Kind::kInteger,
     .field = &Settings::lfu_decay_time,
     .changeable = true,
     .max = kIntMax},
    {.name = "lfu-log-factor",
     .kind = Kind::kInteger,
     .field = &Settings::lfu_log_factor,
     .changeable = true,
     .max = kIntMax},
    {.name = "list-compress-depth",
     .kind = Kind::kInteger,
     .field = &Settings::list_compress_depth,
     .changeable = true,
     .max = kIntMax},
    {.name = "list-max-listpack-size",
     .kind = Kind::kInteger,
     .field = &Settings::list_max_listpack_size,
     .changeable = true,
     .min = -kIntMax - 1,
     .max = kIntMax},
    {.name = "list-max-ziplist-size",
     .kind = Kind::kInteger,
     .field = &Settings::list_max_listpack_size,
     .changeable = true,
     .min = -kIntMax - 1,
     .max = kIntMax},
    {.name = "logfile", .kind = Kind::kText, .field = &Settings::logfile},
    {.name = "loglevel",
     .kind = Kind::kChoice,
     .field = &Settings::loglevel,
     .changeable = true,
     .choices = kLogLevels,
     .choice_count = 5},
    {.name = "maxclients",
     .kind = Kind::kInteger,
     .field = &Settings::maxclients,
     .changeable = true,
     .min = 1,
     .max = 1'000'000},
    {.name = "maxmemory",
     .kind = Kind::kMemory,
     .field = &Settings::maxmemory,
     .changeable = true,
     .max = INT64_MAX},
    {.name = "maxmemory-policy",
     .kind = Kind::kChoice,
     .field = &Settings::maxmemory_policy,
     .changeable = true,
     .choices = kPolicies,
     .choice_count = 8},
    {.name = "maxmemory-samples",
     .kind = Kind::kInteger,
     .field = &Settings::maxmemory_samples,
     .changeable = true,
     .min = 1,
     .max = 64},
    {.name = "port", .kind = Kind::kInteger, .field = &Settings::port, .min = 0, .max = 65535},
    {.name = "protected-mode",
     .kind = Kind::kBool,
     .field = &Settings::protected_mode,
     .changeable = true},
    {.name = "proto-max-bulk-len",
     .kind = Kind::kMemory,
     .field = &Settings::proto_max_bulk_len,
     .changeable = true,
     .min = 1024 * 1024,
     .max = int64_t{512} << 20},
    {.name = "requirepass",
     .kind = Kind::kSecret,
     .field = &Settings::requirepass,
     .changeable = true},
    {.name = "sanitize-dump-payload",
     .kind = Kind::kChoice,
     .field = &Settings::sanitize_dump_payload,
     .changeable = true,
     .choices = kSanitizePayload,
     .choice_count = 3},
    {.name = "save", .kind = Kind::kSpecial, .field = &kSave, .changeable = true},
    {.name = "set-max-intset-entries",
     .kind = Kind::kInteger,
     .field = &Settings::set_max_intset_entries,
     .changeable = true,
     .max = INT64_MAX},
    {.name = "set-max-listpack-entries",
     .kind = Kind::kInteger,
     .field = &Settings::set_max_listpack_entries,
     .changeable = true,
     .max = INT64_MAX},
    {.name = "set-max-listpack-value",
     .kind = Kind::kMemory,
     .field = &Settings::set_max_listpack_value,
     .changeable = true,
     .max = INT64_MAX},
    {.name = "slowlog-log-slower-than",
     .kind = Kind::kInteger,
     .field = &Settings::slowlog_log_slower_than,
     .changeable = true,
     .min = -1,
     .max = INT64_MAX},
    {.name = "slowlog-max-len",
     .kind = Kind::kInteger,
     .field = &Settings::slowlog_max_len,
     .changeable = true,
     .min = 0,
     .max = INT64_MAX},
    {.name = "snapshot-auto", .kind = Kind::kSpecial, .field = &kSnapshotAuto, .changeable = true},
    {.name = "snapshot-max",
     .kind = Kind::kInteger,
     .field = &Settings::snapshot_max,
     .changeable = true,
     .min = 0,
     .max = INT64_MAX},
    {.name = "branch-max",
     .kind = Kind::kInteger,
     .field = &Settings::branch_max,
     .changeable = true,
     .min = 0,
     .max = INT64_MAX},
    {.name = "txn-max",
     .kind = Kind::kInteger,
     .field = &Settings::txn_max,
     .changeable = true,
     .min = 0,
     .max = INT64_MAX},
    {.name = "txn-timeout",
     .kind = Kind::kInteger,
     .field = &Settings::txn_timeout_ms,
     .changeable = true,
     .min = 0,
     .max = INT64_MAX},
    {.name = "rollback-keep",
     .kind = Kind::kInteger,
     .field = &Settings::rollback_keep,
     .changeable = true,
     .min = 0,
     .max = INT64_MAX},
    {.name = "stop-writes-on-bgsave-error",
     .kind = Kind::kBool,
     .field = &Settings::stop_writes_on_bgsave_error,
     .changeable = true},
    {.name = "stream-node-max-bytes",
     .kind = Kind::kMemory,
     .field = &Settings::stream_node_max_bytes,
     .changeable = true,
     .max = INT64_MAX},
    {.name = "stream-node-max-entries",
     .kind = Kind::kInteger,
     .field = &Settings::stream_node_max_entries,
     .changeable = true,
     .max = INT64_MAX},
    {.name = "tcp-backlog",
     .kind = Kind::kInteger,
     .field = &Settings::tcp_backlog,
     .min = 1,
     .max = kIntMax},
    {.name = "tcp-keepalive",
     .kind = Kind::kInteger,
     .field = &Settings::tcp_keepalive,
     .changeable = true,
     .min = 0,
     .max = 32767},
    {.name = "timeout",
     .kind = Kind::kInteger,
     .field = &Settings::timeout,
     .changeable = true,
     .min = 0,
     .max = kIntMax},
    {.name = "unixsocket", .kind = Kind::kText, .field = &Settings::unixsocket},
    {.name = "unixsocketperm",
     .kind = Kind::kOctal,
     .field = &Settings::unixsocketperm,
     .min = 0,
     .max = 0777},
    {.name = "zset-max-listpack-entries",
     .kind = Kind::kInteger,
     .field = &Settings::zset_max_listpack_entries,
     .changeable = true,
     .max = INT64_MAX},
    {.name = "zset-max-listpack-value",
     .kind = Kind::kMemory,
     .field = &Settings::zset_max_listpack_value,
     .changeable = true,
     .max = INT64_MAX},
    {.name = "zset-max-ziplist-entries",
     .kind = Kind::kInteger,
     .field = &Settings::zset_max_listpack_entries,
     .changeable = true,
     .max = INT64_MAX},
    {.name = "zset-max-ziplist-value",
     .kind = Kind::kMemory,
     .field = &Settings::zset_max_listpack_value,
     .changeable = true,
     .max = INT64_MAX},
};

// Of redis.conf (7.2), without a meaning here: accepted so that existing files start, with a
// warning that says so.
constexpr std::string_view kInert[] = {
    "activedefrag",
    "active-defrag-cycle-max",
    "active-defrag-cycle-min",
    "active-defrag-ignore-bytes",
    "active-defrag-max-scan-fields",
    "active-defrag-threshold-lower",
    "active-defrag-threshold-upper",
    "active-expire-effort",
    "activerehashing",
    "always-show-logo",
    "aof-rewrite-incremental-fsync",
    "aof-timestamp-enabled",
    "aof-use-rdb-preamble",
    "aof_rewrite_cpulist",
    "auto-aof-rewrite-min-size",
    "auto-aof-rewrite-percentage",
    "bgsave_cpulist",
    "bio_cpulist",
    "busy-reply-threshold",
    "client-query-buffer-limit-replica",
    "crash-log-enabled",
    "crash-memcheck-enabled",
    "disable-thp",
    "dynamic-hz",
    "enable-module-command",
    "enable-protected-configs",
    "hide-user-data-from-log",
    "ignore-warnings",
    "io-threads",
    "io-threads-do-reads",
    "jemalloc-bg-thread",
    "latency-monitor-threshold",
    "latency-tracking",
    "latency-tracking-info-percentiles",
    "locale-collate",
    "lua-time-limit",
    "maxmemory-clients",
    "maxmemory-eviction-tenacity",
    "min-replicas-max-lag",
    "min-replicas-to-write",
    "no-appendfsync-on-rewrite",
    "notify-keyspace-events",
    "oom-score-adj",
    "oom-score-adj-values",
    "pidfile",
    "proc-title-template",
    "rdb-del-sync-files",
    "rdb-save-incremental-fsync",
    "rdbchecksum",
    "rdbcompression",
    "repl-backlog-size",
    "repl-backlog-ttl",
    "repl-disable-tcp-nodelay",
    "repl-diskless-load",
    "repl-diskless-sync",
    "repl-diskless-sync-delay",
    "repl-diskless-sync-max-replicas",
    "repl-ping-replica-period",
    "repl-ping-slave-period",
    "repl-timeout",
    "replica-announce-ip",
    "replica-announce-port",
    "replica-announced",
    "replica-ignore-disk-write-errors",
    "replica-ignore-maxmemory",
    "replica-lazy-flush",
    "replica-priority",
    "replica-read-only",
    "replica-serve-stale-data",
    "server_cpulist",
    "set-proc-title",
    "shutdown-on-sigint",
    "shutdown-on-sigterm",
    "shutdown-timeout",
    "slave-lazy-flush",
    "slave-priority",
    "slave-read-only",
    "slave-serve-stale-data",
    "socket-mark-id",
    "supervised",
    "syslog-enabled",
    "syslog-facility",
    "syslog-ident",
    "tls-port",
    "tracking-table-max-keys",
    "use-exit-on-panic",
};

}  // namespace

const std::vector<const ConfigRow*>& ConfigRows() {
  static const std::vector<const ConfigRow*> rows = [] {
    std::vector<const ConfigRow*> sorted;
    for (const ConfigRow& row : kRows) sorted.push_back(&row);
    std::sort(sorted.begin(), sorted.end(),
              [](const auto* a, const auto* b) { return a->name < b->name; });
    return sorted;
  }();
  return rows;
}

const ConfigRow* FindConfigRow(std::string_view name) {
  for (const ConfigRow& row : kRows) {
    if (EqualsIgnoreCase(name, row.name)) return &row;
  }
  return nullptr;
}

bool IsInertDirective(std::string_view name) {
  return std::any_of(std::begin(kInert), std::end(kInert),
                     [name](std::string_view inert) { return EqualsIgnoreCase(name, inert); });
}

}  // namespace verso::server
