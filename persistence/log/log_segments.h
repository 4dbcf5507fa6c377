// The segments of a log as they lie on the disk: which there are, and one of them read from front
// to end. Shared by the reader, the writer's start and the repairs.
#pragma once

#include <string>
#include <vector>

#include "persistence/file_io.h"
#include "persistence/log/log_format.h"

namespace verso::persistence {

struct SegmentFile {
  uint64_t index = 0;
  std::string path;
  uint64_t bytes = 0;
  uint64_t written_ms = 0;  // when it was last written, Unix ms: no record in it is younger
};

inline std::string LogDirectory(const std::string& directory) {
  return directory + "/" + kLogFolder;
}

// By index. No directory: none.
Result<std::vector<SegmentFile>> ListSegments(const std::string& log_directory);
// None: there is no such file. Fails: kCorruption, kIncompatible (newer, or another store's).
Result<std::optional<NewestFile>> ReadNewest(const std::string& log_directory, const Id& store_id);

enum class HeaderState : uint8_t {
  kGood,
  kEmpty,    // a file of 0 bytes: what a cut leaves of a damaged header
  kDamaged,  // cut, or of no segment
  kForeign,  // whole, but of another segment: they were exchanged
};

// What the next bytes of a segment are.
enum class RecordState : uint8_t {
  kRecord,
  kEnd,  // the file ends exactly here
  kBad,  // not a record: cut, zeros, anything
};

// Reads one segment in large pieces; memory is bounded by the largest record.
class SegmentReader {
 public:
  static constexpr size_t kWindowBytes = size_t{1} << 20;

  // Reads the header. `window`: how much is read at once. Fails: kIo; kIncompatible (a newer
  // format, another store's).
  static Result<SegmentReader> Open(const SegmentFile& file, const Id& store_id,
                                    size_t window = kWindowBytes);

  HeaderState header() const { return header_; }
  uint64_t follows() const { return follows_; }  // of a good header
  bool prepared() const { return (flags_ & kSegmentPrepared) != 0; }
  uint64_t bytes() const { return bytes_; }
  uint64_t offset() const { return offset_; }
  void Seek(uint64_t offset) { offset_ = offset; }

  // The record at offset(), by its CRC alone; moves behind it. *payload is valid until the next
  // call.
  Result<RecordState> Next(RecordHeader* header, ByteView* payload);

  // From offset() on: the next valid mark, wherever it begins; offset() is at it then. False: none.
  Result<bool> FindMark();
  // Whether nothing but zeros stands from offset() to the end.
  Result<bool> OnlyZeros();

 private:
  // At least `count` bytes from `offset` on, or what there is.
  Result<ByteView> Read(uint64_t offset, size_t count);

  std::string path_;
  OwnedFd fd_;
  size_t window_bytes_ = kWindowBytes;
  uint64_t bytes_ = 0;
  uint32_t seed_ = 0;
  uint32_t flags_ = 0;
  uint64_t follows_ = 0;
  HeaderState header_ = HeaderState::kDamaged;
  uint64_t offset_ = kSegmentDataOffset;
  std::string window_;
  uint64_t window_at_ = 0;
};

inline uint64_t MarkDurable(ByteView payload) { return LoadLe<uint64_t>(payload.data()); }

// The first record of a segment, if it is the mark that must be there.
struct Opening {
  uint64_t continues = 0;
  bool fresh_start = false;
};
Result<std::optional<Opening>> ReadOpening(const SegmentFile& file, const Id& store_id);

}  // namespace verso::persistence
