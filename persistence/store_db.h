// The RocksDB database under <dir>/store: its options, opening it, and its statuses as ours. Only
// children include this.
//
// No write-ahead log is used and no background compaction runs: a save ingests whole files,
// compaction is asked for (snapshot_writer.h). The directory appears under its name only when the
// database in it is complete, so one that lacks files was damaged (I2).
#pragma once

#include <rocksdb/db.h>
#include <rocksdb/options.h>
#include <rocksdb/sst_file_writer.h>

#include <memory>
#include <optional>
#include <string>

#include "persistence/store_format.h"
#include "storage/base/result.h"

namespace verso::persistence {

// The one place where a foreign status becomes ours.
Error FromRocks(const rocksdb::Status& status, const std::string& what);

inline rocksdb::Slice ToSlice(ByteView bytes) { return {bytes.data(), bytes.size()}; }
inline ByteView ToView(const rocksdb::Slice& slice) { return {slice.data(), slice.size()}; }

enum class StoreMode : unsigned char { kRead, kWrite };

class StoreDb {
 public:
  // kWrite makes the database if there is none.
  static Result<std::unique_ptr<StoreDb>> Open(const std::string& path, StoreMode mode);
  ~StoreDb();

  rocksdb::DB* db() { return db_.get(); }
  rocksdb::ColumnFamilyHandle* pages() { return handles_[1]; }
  rocksdb::ColumnFamilyHandle* space() { return handles_[2]; }
  rocksdb::ColumnFamilyHandle* snapshots() { return handles_[3]; }
  const std::string& path() const { return path_; }

  std::unique_ptr<rocksdb::Iterator> Iterate(rocksdb::ColumnFamilyHandle* family);
  // The newest catalogue entry, nullopt in a store without any.
  Result<std::optional<CatalogueEntry>> ReadNewest();

 private:
  explicit StoreDb(std::string path) : path_(std::move(path)) {}
  rocksdb::Status TryOpen(StoreMode mode);

  std::string path_;
  std::unique_ptr<rocksdb::DB> db_;
  std::vector<rocksdb::ColumnFamilyHandle*> handles_;
};

rocksdb::Options StoreOptionsForRocks();

}  // namespace verso::persistence
