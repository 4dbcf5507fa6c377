// Settings: the values of all directives, typed, with their defaults. config_table.cpp has one row
// per member.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace verso::server {

struct SavePoint {
  int64_t seconds = 0;
  int64_t changes = 0;
  bool operator==(const SavePoint&) const = default;
};

struct OutputLimit {
  uint64_t hard_bytes = 0;
  uint64_t soft_bytes = 0;
  int64_t soft_seconds = 0;
};

enum class LogLevel : uint8_t { kDebug, kVerbose, kNotice, kWarning, kNothing };
enum class DebugAccess : uint8_t { kNo, kLocal, kYes };

struct Settings {
  // Network.
  std::vector<std::string> bind = {"*", "-::*"};
  int64_t port = 6379;
  int64_t tcp_backlog = 511;
  int64_t tcp_keepalive = 300;
  std::string unixsocket;
  int64_t unixsocketperm = 0;  // octal digits in the file; 0: the umask decides
  bool protected_mode = true;

  // Clients.
  int64_t maxclients = 10000;
  int64_t timeout = 0;
  std::string requirepass;
  uint64_t proto_max_bulk_len = uint64_t{512} << 20;
  uint64_t client_query_buffer_limit = uint64_t{1} << 30;
  OutputLimit output_limit_normal;
  OutputLimit output_limit_replica = {uint64_t{256} << 20, uint64_t{64} << 20, 60};
  OutputLimit output_limit_pubsub = {uint64_t{32} << 20, uint64_t{8} << 20, 60};

  // Data.
  std::string dir = "./";
  std::string dbfilename = "dump.rdb";            // read at the start if there is no store yet
  std::string appendfilename = "appendonly.aof";  // so are these (redis_files.h)
  std::string appenddirname = "appendonlydir";
  bool aof_load_truncated = true;
  std::vector<SavePoint> save = {{3600, 1}, {300, 100}, {60, 10000}};
  bool appendonly = false;
  int64_t appendfsync = 1;                // persistence::SyncPolicy: "everysec"
  int64_t appendonly_retain_seconds = 0;  // how old segments stay; 0: none beyond the last save
  bool stop_writes_on_bgsave_error = true;
  uint64_t maxmemory = 0;
  int64_t maxmemory_policy = 0;  // index into the choices of its row
  int64_t maxmemory_samples = 5;
  int64_t lfu_log_factor = 10;
  int64_t lfu_decay_time = 1;
  int64_t databases = 16;
  std::string arena_dir;

  // How long collections stay packed (storage/types/collection_limits.h).
  int64_t hash_max_listpack_entries = 512;
  uint64_t hash_max_listpack_value = 64;
  int64_t set_max_intset_entries = 512;
  int64_t set_max_listpack_entries = 128;
  uint64_t set_max_listpack_value = 64;
  int64_t zset_max_listpack_entries = 128;
  uint64_t zset_max_listpack_value = 64;
  int64_t list_max_listpack_size = -2;
  uint64_t stream_node_max_bytes = 4096;
  int64_t stream_node_max_entries = 100;
  uint64_t hll_sparse_max_bytes = 3000;

  // Accepted and shown for those who set them; the server does always what the default says.
  bool lazyfree_lazy_eviction = true;  // V9: everything big is freed in slices
  bool lazyfree_lazy_expire = true;
  bool lazyfree_lazy_server_del = true;
  bool lazyfree_lazy_user_del = true;
  bool lazyfree_lazy_user_flush = true;
  int64_t list_compress_depth = 0;
  int64_t sanitize_dump_payload = 1;  // "yes"

  // Looking on.
  int64_t slowlog_log_slower_than = 10000;  // microseconds; negative: never
  int64_t slowlog_max_len = 128;

  int64_t snapshot_max = 10'000;
  int64_t branch_max = 1000;  // main included
  int64_t txn_max = 10'000;
  int64_t txn_timeout_ms = 60'000;    // idle; 0: none
  int64_t rollback_keep = 8;          // backups that rollbacks leave
  int64_t snapshot_auto_seconds = 0;  // 0: none are taken by themselves
  int64_t snapshot_auto_keep = 0;

  // The process.
  bool daemonize = false;
  int64_t hz = 10;
  int64_t loglevel = static_cast<int64_t>(LogLevel::kNotice);
  std::string logfile;
  int64_t enable_debug_command = static_cast<int64_t>(DebugAccess::kLocal);
};

}  // namespace verso::server
