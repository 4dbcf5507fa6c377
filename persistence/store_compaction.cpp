#include "persistence/store_compaction.h"

#include <rocksdb/table_properties.h>

#include "persistence/store_db.h"

namespace verso::persistence {

namespace {

constexpr uint64_t kGarbagePercentMax = 30;
constexpr uint64_t kGarbageBytesMin = 1 << 20;  // below it nothing is worth a rewrite
constexpr size_t kSmallFamilyFiles = 8;  // each save adds one file to `space` and `snapshots`
constexpr size_t kPageFilesMax = 128;    // more files than this for so little data: merge them
constexpr uint64_t kBytesPerFileMin = 32 << 20;

struct FamilySize {
  size_t files = 0;
  uint64_t raw_bytes = 0;
};

Result<FamilySize> Measure(StoreDb* store, rocksdb::ColumnFamilyHandle* family) {
  rocksdb::TablePropertiesCollection tables;
  const rocksdb::Status status = store->db()->GetPropertiesOfAllTables(family, &tables);
  if (!status.ok()) return FromRocks(status, store->path());
  FamilySize size;
  size.files = tables.size();
  for (const auto& [name, table] : tables)
    size.raw_bytes += table->raw_key_size + table->raw_value_size;
  return size;
}

Status Compact(StoreDb* store, rocksdb::ColumnFamilyHandle* family, bool merge_files) {
  rocksdb::CompactRangeOptions options;
  options.bottommost_level_compaction =
      merge_files ? rocksdb::BottommostLevelCompaction::kForceOptimized
                  : rocksdb::BottommostLevelCompaction::kIfHaveCompactionFilter;
  const rocksdb::Status status = store->db()->CompactRange(options, family, nullptr, nullptr);
  if (!status.ok()) return FromRocks(status, store->path() + ": compaction");
  return {};
}

}  // namespace

Result<std::string> CompactIfWorth(StoreDb* store, uint64_t live_bytes) {
  for (rocksdb::ColumnFamilyHandle* family : {store->space(), store->snapshots()}) {
    VERSO_TRY(const FamilySize size, Measure(store, family));
    if (size.files >= kSmallFamilyFiles) VERSO_TRY_STATUS(Compact(store, family, true));
  }
  VERSO_TRY(const FamilySize size, Measure(store, store->pages()));
  const uint64_t garbage = size.raw_bytes > live_bytes ? size.raw_bytes - live_bytes : 0;
  const bool much_garbage =
      garbage > kGarbageBytesMin && garbage * 100 > size.raw_bytes * kGarbagePercentMax;
  const bool many_files =
      size.files > kPageFilesMax && size.raw_bytes / size.files < kBytesPerFileMin;
  if (!much_garbage && !many_files) return std::string();
  VERSO_TRY_STATUS(Compact(store, store->pages(), many_files));
  VERSO_TRY(const FamilySize after, Measure(store, store->pages()));
  return "compacted the store from " + std::to_string(size.raw_bytes >> 20) + " to " +
         std::to_string(after.raw_bytes >> 20) + " MiB (" + std::to_string(size.files) + " to " +
         std::to_string(after.files) + " files)";
}

}  // namespace verso::persistence
