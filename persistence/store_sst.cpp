#include "persistence/store_sst.h"

#include "persistence/store_db.h"

namespace verso::persistence {

namespace {
constexpr uint64_t kFileBytesMax = uint64_t{256} << 20;
}

SstOutput::SstOutput(std::string prefix, rocksdb::ColumnFamilyHandle* family)
    : prefix_(std::move(prefix)), family_(family) {}

SstOutput::~SstOutput() = default;

Status SstOutput::Begin() {
  if (writer_) return {};
  files_.push_back(prefix_ + "-" + std::to_string(files_.size()) + ".sst");
  const rocksdb::Options options = StoreOptionsForRocks();
  writer_ = std::make_unique<rocksdb::SstFileWriter>(rocksdb::EnvOptions(options), options, family_,
                                                     /*invalidate_page_cache=*/false);
  const rocksdb::Status status = writer_->Open(files_.back());
  if (!status.ok()) return FromRocks(status, files_.back());
  return {};
}

Status SstOutput::End() {
  const rocksdb::Status status = writer_->Finish();
  writer_.reset();
  if (!status.ok()) return FromRocks(status, files_.back());
  return {};
}

Status SstOutput::Put(ByteView key, ByteView value) {
  VERSO_TRY_STATUS(Begin());
  const rocksdb::Status status = writer_->Put(ToSlice(key), ToSlice(value));
  if (!status.ok()) return FromRocks(status, files_.back());
  return writer_->FileSize() < kFileBytesMax ? Status() : End();
}

Status SstOutput::Delete(ByteView key) {
  VERSO_TRY_STATUS(Begin());
  const rocksdb::Status status = writer_->Delete(ToSlice(key));
  if (!status.ok()) return FromRocks(status, files_.back());
  return {};
}

Result<SstFiles> SstOutput::Finish() {
  if (writer_) VERSO_TRY_STATUS(End());
  return files_;
}

}  // namespace verso::persistence
