#include "persistence/rdb/rdb_file_writer.h"

#include <string>

#include "persistence/rdb/crc64.h"
#include "persistence/rdb/rdb_output.h"
#include "persistence/rdb/rdb_value_writer.h"

namespace verso::persistence {
namespace {

constexpr size_t kBufferBytes = 256 * 1024;
constexpr size_t kScanCount = 256;

class FileWriter {
 public:
  FileWriter(const std::function<Status(ByteView)>& write,
             const std::function<void(uint64_t)>& keys)
      : write_(write), keys_(keys) {}

  Status Write(const storage::ReadView& view) {
    constexpr char kVersionWritten[] = "0009";
    static_assert(kRdbVersionWritten == 9);
    buffer_ += kRdbMagic;
    buffer_ += kVersionWritten;
    Aux("redis-bits", "64");
    Aux("ctime", std::to_string(view.moment_ms() / 1000));
    for (int db = 0; db < storage::kDatabases; ++db) {
      VERSO_TRY_STATUS(Database(view.InDatabase(db)));
    }
    Put(RdbOpcode::kEof);
    VERSO_TRY_STATUS(Flush());
    AppendLe(&buffer_, crc_);
    return Flush();
  }

 private:
  void Put(RdbOpcode code) { buffer_.push_back(static_cast<char>(code)); }

  void Aux(ByteView name, ByteView text) {
    Put(RdbOpcode::kAux);
    AppendRdbString(&buffer_, name);
    AppendRdbString(&buffer_, text);
  }

  Status Database(const storage::ReadView& view) {
    const uint64_t count = view.Count();
    if (count == 0) return {};
    Put(RdbOpcode::kSelectDb);
    AppendRdbLength(&buffer_, static_cast<uint64_t>(view.db()));
    Put(RdbOpcode::kResizeDb);
    AppendRdbLength(&buffer_, count);
    AppendRdbLength(&buffer_, view.CountWithDeadline());
    Status status;
    uint64_t cursor = 0;
    do {
      cursor = view.Scan(cursor, kScanCount, [&](ByteView key, const storage::ValueView& value) {
        if (status) status = Entry(view, key, value);
      });
      if (!status) return status;
      keys_(count_);
    } while (cursor != 0);
    return {};
  }

  Status Entry(const storage::ReadView& view, ByteView key, const storage::ValueView& value) {
    if (value.deadline_ms != storage::kNoDeadline) {
      Put(RdbOpcode::kExpireMs);
      AppendLe(&buffer_, value.deadline_ms);
    }
    const std::unique_ptr<RdbValueWriter> writer = MakeRdbValueWriter(view, value);
    buffer_.push_back(static_cast<char>(writer->type()));
    AppendRdbString(&buffer_, key);
    while (writer->Next(&buffer_)) {
      if (buffer_.size() >= kBufferBytes) VERSO_TRY_STATUS(Flush());
    }
    if (writer->failed()) {
      return Error{ErrorCode::kInvalidArgument,
                   "an entry of the stream '" + std::string(key) + "' is too large for the format"};
    }
    ++count_;
    return buffer_.size() >= kBufferBytes ? Flush() : Status();
  }

  Status Flush() {
    crc_ = Crc64(crc_, buffer_);
    Status written = write_(buffer_);
    buffer_.clear();
    return written;
  }

  const std::function<Status(ByteView)>& write_;
  const std::function<void(uint64_t)>& keys_;
  std::string buffer_;
  uint64_t crc_ = 0;
  uint64_t count_ = 0;
};

}  // namespace

Status WriteRdbFile(const storage::ReadView& view, const std::function<Status(ByteView)>& write,
                    const std::function<void(uint64_t)>& keys) {
  return FileWriter(write, keys).Write(view);
}

}  // namespace verso::persistence
