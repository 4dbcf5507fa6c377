// Writes keys in ascending order into as many SST files as it takes. Each file is synced when it is
// finished.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "storage/base/bytes.h"
#include "storage/base/result.h"

namespace rocksdb {
class ColumnFamilyHandle;
class SstFileWriter;
}  // namespace rocksdb

namespace verso::persistence {

using SstFiles = std::vector<std::string>;

class SstOutput {
 public:
  // Files are named <prefix>-<n>.sst.
  SstOutput(std::string prefix, rocksdb::ColumnFamilyHandle* family);
  ~SstOutput();
  Status Put(ByteView key, ByteView value);
  Status Delete(ByteView key);
  Result<SstFiles> Finish();

 private:
  Status Begin();
  Status End();
  std::string prefix_;
  rocksdb::ColumnFamilyHandle* family_;
  std::unique_ptr<rocksdb::SstFileWriter> writer_;
  SstFiles files_;
};

}  // namespace verso::persistence
