#include "persistence/rdb/rdb_file_reader.h"

#include <charconv>

#include "persistence/rdb/crc64.h"
#include "storage/memory/line_root.h"

namespace verso::persistence {
namespace {

class FileReader {
 public:
  FileReader(ByteView file, RdbFileSink& sink) : file_(file), in_(file), sink_(sink) {}

  Status Read() {
    VERSO_TRY_STATUS(Header());
    VERSO_TRY_STATUS(Checksum());
    VERSO_TRY_STATUS(Records());
    if (in_.left() != FooterBytes()) return in_.Fault("something behind the end");
    return {};
  }

  // As RdbFileBytes, with a sink that keeps nothing.
  Result<size_t> Measure() {
    VERSO_TRY_STATUS(Header());
    // Eight zeros at the end say that no checksum was computed, or are part of what follows.
    const bool sealed = file_.size() > FooterBytes() && FooterBytes() != 0 &&
                        LoadLe<uint64_t>(file_.data() + file_.size() - FooterBytes()) != 0;
    if (sealed && Checksum()) return file_.size();
    VERSO_TRY_STATUS(Records());
    VERSO_TRY_STATUS(in_.Raw(FooterBytes()));
    return file_.size() - in_.left();
  }

 private:
  Status Header() {
    const Result<ByteView> header = in_.Raw(kRdbHeaderBytes);
    if (!header || !header->starts_with(kRdbMagic)) {
      return Error{ErrorCode::kCorruption, "this is no RDB file"};
    }
    const char* const end = header->data() + header->size();
    const auto read = std::from_chars(header->data() + kRdbMagicBytes, end, version_);
    if (read.ptr != end || version_ < 1) return in_.Fault("a version that is no number");
    if (version_ > kRdbVersionRead) {
      return Error{ErrorCode::kIncompatible, "RDB version " + std::to_string(version_) +
                                                 ", the newest known here is " +
                                                 std::to_string(kRdbVersionRead)};
    }
    return {};
  }

  Status Checksum() {
    if (version_ < kRdbVersionWithCrc) return {};
    if (file_.size() < kRdbHeaderBytes + sizeof(uint64_t)) return in_.Fault("it ends too early");
    const size_t covered = file_.size() - sizeof(uint64_t);
    const auto written = LoadLe<uint64_t>(file_.data() + covered);
    if (written != 0 && Crc64(0, file_.substr(0, covered)) != written) {
      return Error{ErrorCode::kCorruption, "the checksum is wrong: damaged, or cut short"};
    }
    return {};
  }

  size_t FooterBytes() const { return version_ >= kRdbVersionWithCrc ? sizeof(uint64_t) : 0; }

  Status Records() {
    for (bool more = true; more;) {
      VERSO_TRY(more, Record());
    }
    return {};
  }

  Status SkipString() {
    RdbString ignored;
    return in_.String(&ignored);
  }

  // False: the end.
  Result<bool> Record() {
    VERSO_TRY(const uint8_t byte, in_.Byte());
    switch (static_cast<RdbOpcode>(byte)) {
      case RdbOpcode::kEof:
        return false;
      case RdbOpcode::kAux:
        VERSO_TRY_STATUS(SkipString());
        VERSO_TRY_STATUS(SkipString());
        return true;
      case RdbOpcode::kSelectDb: {
        VERSO_TRY(const uint64_t db, in_.Length());
        if (db >= storage::kDatabases) return in_.Fault("a database beyond 15");
        db_ = static_cast<int>(db);
        return true;
      }
      case RdbOpcode::kResizeDb:
        return SkipLengths(2);
      case RdbOpcode::kSlotInfo:
        return SkipLengths(3);
      case RdbOpcode::kFunction:
        sink_.Skipped("a library of functions");
        VERSO_TRY_STATUS(SkipString());
        return true;
      case RdbOpcode::kFunctionPreview:
        return in_.Fault("functions in the form of a preview of Redis 7.0");
      case RdbOpcode::kModuleAux:
        return in_.Fault("data of a module");
      case RdbOpcode::kExpireMs: {
        VERSO_TRY(deadline_ms_, in_.Number64());
        return true;
      }
      case RdbOpcode::kExpireSeconds: {
        VERSO_TRY(const ByteView seconds, in_.Raw(sizeof(uint32_t)));
        deadline_ms_ = uint64_t{LoadLe<uint32_t>(seconds.data())} * 1000;
        return true;
      }
      case RdbOpcode::kIdle:
        return SkipLengths(1);
      case RdbOpcode::kFrequency: {
        VERSO_TRY_STATUS(in_.Byte());
        return true;
      }
    }
    VERSO_TRY_STATUS(KeyAndValue(byte));
    return true;
  }

  Result<bool> SkipLengths(int count) {
    for (; count > 0; --count) {
      VERSO_TRY_STATUS(in_.Length());
    }
    return true;
  }

  Status KeyAndValue(uint8_t type) {
    RdbString key;
    VERSO_TRY_STATUS(in_.String(&key));
    // Redis keeps deadlines as signed numbers; one before 1970 has passed.
    const bool past = deadline_ms_ != storage::kNoDeadline && (deadline_ms_ >> 63) != 0;
    VERSO_TRY_STATUS(sink_.Begin({db_, key.bytes(), past ? 0 : deadline_ms_}));
    deadline_ms_ = storage::kNoDeadline;
    if (Status value = ReadRdbValue(in_, type, sink_); !value) {
      constexpr size_t kShown = 100;
      return Error{value.error().code, value.error().context + ", in the value of '" +
                                           std::string(key.bytes().substr(0, kShown)) + "'"};
    }
    return sink_.End();
  }

  ByteView file_;
  RdbInput in_;
  RdbFileSink& sink_;
  int version_ = 0;
  int db_ = 0;
  uint64_t deadline_ms_ = storage::kNoDeadline;
};

// For finding the end only.
class NoSink final : public RdbFileSink {
 public:
  Status Begin(const RdbKey&) override { return {}; }
  Status End() override { return {}; }
  void Skipped(const char*) override {}
  Status String(ByteView) override { return {}; }
  Status ListElement(ByteView) override { return {}; }
  Status SetMember(ByteView) override { return {}; }
  Status HashField(ByteView, ByteView) override { return {}; }
  Status ZsetMember(ByteView, double) override { return {}; }
  Status StreamEntry(storage::StreamId, std::span<const ByteView>) override { return {}; }
  Status StreamNumbers(const RdbStreamNumbers&) override { return {}; }
  Status StreamGroup(const RdbStreamGroup&) override { return {}; }
  Status StreamConsumer(const RdbStreamConsumer&) override { return {}; }
  Status StreamPending(storage::StreamId, uint64_t, uint64_t) override { return {}; }
};

}  // namespace

Result<size_t> RdbFileBytes(ByteView file) {
  NoSink sink;
  return FileReader(file, sink).Measure();
}

Status ReadRdbFile(ByteView file, RdbFileSink& sink) { return FileReader(file, sink).Read(); }

}  // namespace verso::persistence
