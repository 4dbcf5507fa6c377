#include "persistence/store_db.h"

#include <rocksdb/env.h>
#include <rocksdb/table.h>
#include <unistd.h>

#include <filesystem>

#include "persistence/file_io.h"

namespace verso::persistence {

namespace {

constexpr size_t kBlockBytes =
    64 * 1024;  // 5 % smaller and cheaper to read than 4 KiB (measured); pages are read in order
constexpr uint64_t kFileBytes = uint64_t{256} << 20;
constexpr uint64_t kCompactionBytesMax = uint64_t{1} << 30;  // obsolete files go piece by piece
constexpr size_t kReadaheadBytes = 4 << 20;
constexpr int kOpenFilesMax = 256;
constexpr int kNever = 1 << 30;

// RocksDB would leave a LOG file behind for every opening.
class SilentLogger final : public rocksdb::Logger {
 public:
  using rocksdb::Logger::Logv;
  void Logv(const char*, va_list) override {}
};

// Each opening begins a write-ahead log, and RocksDB forgets only those that it has flushed: ours
// are always empty.
Status RemoveEmptyLogs(const std::string& path) {
  std::error_code error;
  for (const auto& file : std::filesystem::directory_iterator(path, error)) {
    if (file.path().extension() != ".log" || file.file_size(error) != 0 || error) continue;
    if (unlink(file.path().c_str()) != 0) return OsError("unlink " + file.path().string());
  }
  if (error) return Error{ErrorCode::kIo, "list " + path + ": " + error.message()};
  return {};
}

}  // namespace

Error FromRocks(const rocksdb::Status& status, const std::string& what) {
  ErrorCode code = ErrorCode::kIo;
  if (status.IsNoSpace() || status.ToString().find("File too large") != std::string::npos) {
    code = ErrorCode::kNoSpace;
  } else if (status.IsCorruption() || status.IsInvalidArgument() || status.IsNotFound() ||
             status.IsPathNotFound()) {
    code = ErrorCode::kCorruption;
  } else if (status.IsBusy() || status.ToString().find("While lock file") != std::string::npos) {
    code = ErrorCode::kBusy;
  } else if (status.IsNotSupported()) {
    code = ErrorCode::kIncompatible;
  } else if (status.IsMemoryLimit()) {
    code = ErrorCode::kOutOfMemory;
  }
  return Error{code, what + ": " + status.ToString()};
}

rocksdb::Options StoreOptionsForRocks() {
  rocksdb::Options options;
  rocksdb::BlockBasedTableOptions table;
  table.block_size = kBlockBytes;
  table.format_version = 5;
  table.checksum = rocksdb::kXXH3;
  table.no_block_cache = true;
  options.table_factory.reset(rocksdb::NewBlockBasedTableFactory(table));
  options.compression = rocksdb::kLZ4Compression;
  options.num_levels = 3;
  options.disable_auto_compactions = true;
  options.level0_slowdown_writes_trigger = kNever;
  options.level0_stop_writes_trigger = kNever;
  options.target_file_size_base = kFileBytes;
  options.max_compaction_bytes = kCompactionBytesMax;
  options.compaction_readahead_size = kReadaheadBytes;
  options.bytes_per_sync =
      kReadaheadBytes;  // so that the fsync at the end is no stall for the whole disk
  options.max_open_files = kOpenFilesMax;
  options.max_background_jobs = 1;
  options.max_file_opening_threads = 1;
  options.stats_dump_period_sec = 0;
  options.stats_persist_period_sec = 0;
  options.paranoid_checks = true;
  options.verify_sst_unique_id_in_manifest = true;
  options.wal_recovery_mode = rocksdb::WALRecoveryMode::kAbsoluteConsistency;
  options.write_buffer_size = 1 << 20;
  options.manifest_preallocation_size = 64 * 1024;
  options.info_log = std::make_shared<SilentLogger>();
  return options;
}

rocksdb::Status StoreDb::TryOpen(StoreMode mode) {
  rocksdb::Options options = StoreOptionsForRocks();
  std::vector<rocksdb::ColumnFamilyDescriptor> families;
  for (const char* name : {"default", kFamilyPages, kFamilySpace, kFamilySnapshots}) {
    families.emplace_back(name, options);
  }
  rocksdb::DB* db = nullptr;
  rocksdb::Status status;
  if (mode == StoreMode::kRead) {
    status = rocksdb::DB::OpenForReadOnly(options, path_, families, &handles_, &db);
  } else {
    options.create_missing_column_families = true;
    status = rocksdb::DB::Open(options, path_, families, &handles_, &db);
  }
  db_.reset(db);
  return status;
}

Result<std::unique_ptr<StoreDb>> StoreDb::Open(const std::string& path, StoreMode mode) {
  if (mode == StoreMode::kWrite && !PathExists(path)) {
    const std::string fresh = path + ".new";
    VERSO_TRY_STATUS(RemoveDirectoryOfFiles(fresh));
    VERSO_TRY_STATUS(MakeDirectory(fresh));
    {
      rocksdb::Options options = StoreOptionsForRocks();
      options.create_if_missing = true;
      rocksdb::DB* db = nullptr;
      const rocksdb::Status made = rocksdb::DB::Open(options, fresh, &db);
      std::unique_ptr<rocksdb::DB> owner(db);
      if (!made.ok()) return FromRocks(made, fresh);
      for (const char* name : {kFamilyPages, kFamilySpace, kFamilySnapshots}) {
        rocksdb::ColumnFamilyHandle* handle = nullptr;
        const rocksdb::Status added = db->CreateColumnFamily(options, name, &handle);
        if (!added.ok()) return FromRocks(added, fresh);
        db->DestroyColumnFamilyHandle(handle);
      }
    }
    VERSO_TRY_STATUS(SyncDirectory(fresh));
    VERSO_TRY_STATUS(RenameDurably(fresh, path));
  }
  if (mode == StoreMode::kWrite) VERSO_TRY_STATUS(RemoveEmptyLogs(path));
  std::unique_ptr<StoreDb> store(new StoreDb(path));
  const rocksdb::Status status = store->TryOpen(mode);
  if (!status.ok()) return FromRocks(status, path);
  return store;
}

StoreDb::~StoreDb() {
  if (!db_) return;
  for (rocksdb::ColumnFamilyHandle* handle : handles_) db_->DestroyColumnFamilyHandle(handle);
}

std::unique_ptr<rocksdb::Iterator> StoreDb::Iterate(rocksdb::ColumnFamilyHandle* family) {
  rocksdb::ReadOptions options;
  options.verify_checksums = true;
  options.fill_cache = false;
  options.readahead_size = kReadaheadBytes;
  options.total_order_seek = true;
  return std::unique_ptr<rocksdb::Iterator>(db_->NewIterator(options, family));
}

Result<std::optional<CatalogueEntry>> StoreDb::ReadNewest() {
  const auto entries = Iterate(snapshots());
  entries->SeekToLast();
  if (!entries->status().ok()) return FromRocks(entries->status(), path_ + ": catalogue");
  if (!entries->Valid()) return std::optional<CatalogueEntry>();
  auto entry = DecodeCatalogue(ToView(entries->key()), ToView(entries->value()));
  if (!entry) return Error{entry.error().code, path_ + ": " + entry.error().context};
  return std::optional<CatalogueEntry>(*entry);
}

}  // namespace verso::persistence
