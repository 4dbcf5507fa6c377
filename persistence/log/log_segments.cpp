#include "persistence/log/log_segments.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>

namespace verso::persistence {

namespace {

// A start looks at the opening mark of every segment, and of retained ones there may be thousands.
constexpr size_t kOpeningWindowBytes = 8192;

Result<SegmentFile> Describe(uint64_t index, std::string path) {
  struct stat info;
  if (stat(path.c_str(), &info) != 0) return OsError("stat " + path);
  constexpr uint64_t kMsPerSecond = 1000;
  constexpr uint64_t kNsPerMs = 1'000'000;
  const uint64_t written_ms = static_cast<uint64_t>(info.st_mtim.tv_sec) * kMsPerSecond +
                              static_cast<uint64_t>(info.st_mtim.tv_nsec) / kNsPerMs;
  return SegmentFile{index, std::move(path), static_cast<uint64_t>(info.st_size), written_ms};
}

}  // namespace

Result<std::vector<SegmentFile>> ListSegments(const std::string& log_directory) {
  std::vector<SegmentFile> segments;
  std::error_code error;
  std::filesystem::directory_iterator files(log_directory, error);
  if (error == std::errc::no_such_file_or_directory) return segments;
  for (; !error && files != std::filesystem::directory_iterator(); files.increment(error)) {
    const auto index = ParseSegmentName(files->path().filename().string());
    if (!index) continue;
    VERSO_TRY(SegmentFile file, Describe(*index, files->path().string()));
    segments.push_back(std::move(file));
  }
  if (error) return Error{ErrorCode::kIo, "list " + log_directory + ": " + error.message()};
  std::sort(segments.begin(), segments.end(),
            [](const SegmentFile& a, const SegmentFile& b) { return a.index < b.index; });
  return segments;
}

Result<std::optional<NewestFile>> ReadNewest(const std::string& log_directory, const Id& store_id) {
  const std::string path = log_directory + "/" + kNewestName;
  auto text = ReadSmallFile(path, kNewestBytesMax);
  if (!text && text.error().code == ErrorCode::kNotFound) return std::optional<NewestFile>();
  if (!text) return std::move(text).error();
  auto newest = DecodeNewest(*text);
  if (!newest) return Error{newest.error().code, path + ": " + newest.error().context};
  if (newest->store_id != store_id) {
    return Error{ErrorCode::kIncompatible, path + ": belongs to another store, " +
                                               newest->store_id.Hex() + " and not " +
                                               store_id.Hex()};
  }
  return std::optional<NewestFile>(*newest);
}

Result<SegmentReader> SegmentReader::Open(const SegmentFile& file, const Id& store_id,
                                          size_t window) {
  SegmentReader reader;
  reader.window_bytes_ = window;
  reader.path_ = file.path;
  reader.fd_ = OwnedFd(open(file.path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!reader.fd_) return OsError("open " + file.path);
  struct stat info;
  if (fstat(reader.fd_.get(), &info) != 0) return OsError("stat " + file.path);
  reader.bytes_ = static_cast<uint64_t>(info.st_size);
  reader.seed_ = SegmentSeed(store_id, file.index);
  if (reader.bytes_ == 0) {
    reader.header_ = HeaderState::kEmpty;
    return reader;
  }
  VERSO_TRY(const ByteView bytes, reader.Read(0, kSegmentHeaderBytes));
  const auto header = DecodeSegmentHeader(bytes);
  if (!header && header.error().code == ErrorCode::kIncompatible) {
    return Error{ErrorCode::kIncompatible, file.path + ": " + header.error().context};
  }
  if (!header || reader.bytes_ < kSegmentDataOffset) return reader;
  if (header->store_id != store_id) {
    return Error{ErrorCode::kIncompatible, file.path + ": belongs to another store, " +
                                               header->store_id.Hex() + " and not " +
                                               store_id.Hex()};
  }
  if (header->index != file.index) {
    reader.header_ = HeaderState::kForeign;
    return reader;
  }
  reader.flags_ = header->flags;
  reader.follows_ = header->follows;
  reader.header_ = HeaderState::kGood;
  return reader;
}

Result<ByteView> SegmentReader::Read(uint64_t offset, size_t count) {
  const uint64_t window_end = window_at_ + window_.size();
  if (offset < window_at_ || offset + count > window_end) {
    const uint64_t left = offset < bytes_ ? bytes_ - offset : 0;
    const auto wanted =
        static_cast<size_t>(std::min<uint64_t>(std::max(count, window_bytes_), left));
    window_.resize(wanted);
    window_at_ = offset;
    size_t done = 0;
    while (done < wanted) {
      const ssize_t n =
          pread(fd_.get(), window_.data() + done, wanted - done, static_cast<off_t>(offset + done));
      if (n < 0 && errno == EINTR) continue;
      if (n < 0) {
        window_.clear();
        return OsError("read " + path_);
      }
      if (n == 0) break;  // it became shorter: as good as cut
      done += static_cast<size_t>(n);
    }
    window_.resize(done);
    if (wanted <= kWindowBytes) window_.shrink_to_fit();
  }
  const auto at = static_cast<size_t>(offset - window_at_);
  return ByteView(window_).substr(at, count);
}

Result<RecordState> SegmentReader::Next(RecordHeader* header, ByteView* payload) {
  if (offset_ >= bytes_) return RecordState::kEnd;
  VERSO_TRY(const ByteView head, Read(offset_, kRecordHeaderBytes));
  if (head.size() < kRecordHeaderBytes) return RecordState::kBad;
  *header = DecodeRecordHeader(head.data());
  if (!PlausibleRecord(*header) || header->bytes > bytes_ - offset_ - kRecordHeaderBytes) {
    return RecordState::kBad;
  }
  const size_t bytes = kRecordHeaderBytes + header->bytes;
  VERSO_TRY(const ByteView record, Read(offset_, bytes));
  if (record.size() < bytes) return RecordState::kBad;
  *payload = record.substr(kRecordHeaderBytes);
  if (!RecordCrcFits(record.data(), *payload, seed_)) return RecordState::kBad;
  offset_ += bytes;
  return RecordState::kRecord;
}

Result<bool> SegmentReader::FindMark() {
  const ByteView pattern(kMarkPattern, sizeof(kMarkPattern));
  while (offset_ + kMarkBytes <= bytes_) {
    VERSO_TRY(const ByteView piece, Read(offset_, kWindowBytes));
    if (piece.size() < kMarkBytes) return false;
    size_t at = piece.find(pattern);
    while (at != ByteView::npos && at + kMarkBytes <= piece.size()) {
      const ByteView mark = piece.substr(at, kMarkBytes);
      if (RecordCrcFits(mark.data(), mark.substr(kRecordHeaderBytes), seed_)) {
        offset_ += at;
        return true;
      }
      at = piece.find(pattern, at + 1);
    }
    // The last bytes may be the beginning of one.
    offset_ += piece.size() - kMarkBytes + 1;
  }
  return false;
}

Result<bool> SegmentReader::OnlyZeros() {
  for (uint64_t at = offset_; at < bytes_;) {
    VERSO_TRY(const ByteView piece, Read(at, kWindowBytes));
    if (piece.empty()) break;
    if (piece.find_first_not_of('\0') != ByteView::npos) return false;
    at += piece.size();
  }
  return true;
}

Result<std::optional<Opening>> ReadOpening(const SegmentFile& file, const Id& store_id) {
  VERSO_TRY(SegmentReader reader, SegmentReader::Open(file, store_id, kOpeningWindowBytes));
  if (reader.header() != HeaderState::kGood) return std::optional<Opening>();
  RecordHeader header;
  ByteView payload;
  VERSO_TRY(const RecordState state, reader.Next(&header, &payload));
  if (state != RecordState::kRecord || header.kind != RecordKind::kMark ||
      (header.flags & kMarkOpens) == 0) {
    return std::optional<Opening>();
  }
  return std::optional<Opening>(Opening{header.sequence, (header.flags & kMarkFreshStart) != 0});
}

}  // namespace verso::persistence
