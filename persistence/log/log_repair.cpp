#include "persistence/log/log_repair.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>

#include "persistence/log/log_history.h"

namespace verso::persistence {

namespace {

Status CutFile(const std::string& path, uint64_t bytes) {
  const OwnedFd fd(open(path.c_str(), O_WRONLY | O_CLOEXEC));
  if (!fd) return OsError("open " + path);
  if (ftruncate(fd.get(), static_cast<off_t>(bytes)) != 0) return OsError("truncate " + path);
  if (fsync(fd.get()) != 0) return OsError("fsync " + path);
  return {};
}

// Empty, but still a segment if it is one.
Status EmptySegment(const SegmentFile& file) {
  if (file.bytes == 0) return {};
  std::string bytes(kSegmentHeaderBytes, '\0');
  const OwnedFd fd(open(file.path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd) return OsError("open " + file.path);
  const ssize_t n = pread(fd.get(), bytes.data(), bytes.size(), 0);
  if (n < 0) return OsError("read " + file.path);
  bytes.resize(static_cast<size_t>(n));
  const bool good = DecodeSegmentHeader(bytes).has_value() && file.bytes >= kSegmentDataOffset;
  return CutFile(file.path, good ? kSegmentDataOffset : 0);
}

// A name that nobody has: <path>.lost, <path>.2.lost, …
std::string LostName(const std::string& path) {
  std::string name = path + ".lost";
  for (int i = 2; PathExists(name); ++i) name = path + "." + std::to_string(i) + ".lost";
  return name;
}

Status CopyTail(const std::string& path, uint64_t offset, uint64_t bytes) {
  const OwnedFd from(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!from) return OsError("open " + path);
  const std::string name = LostName(path + ".tail");
  const OwnedFd to(open(name.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
  if (!to) return OsError("open " + name);
  std::string piece(std::min<uint64_t>(bytes - offset, uint64_t{1} << 20), '\0');
  while (offset < bytes) {
    const size_t wanted = std::min<uint64_t>(piece.size(), bytes - offset);
    const ssize_t n = pread(from.get(), piece.data(), wanted, static_cast<off_t>(offset));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return OsError("read " + path);
    if (n == 0) break;
    VERSO_TRY_STATUS(WriteAll(to.get(), {piece.data(), static_cast<size_t>(n)}, name));
    offset += static_cast<uint64_t>(n);
  }
  if (fsync(to.get()) != 0) return OsError("fsync " + name);
  return {};
}

Status ReplaceNewest(const std::string& log_directory, const Id& store_id, uint64_t index,
                     uint64_t next) {
  // An index is given once, whatever became of the segment.
  auto old = ReadNewest(log_directory, store_id);
  if (old && *old) next = std::max(next, (*old)->next);
  if (!old && old.error().code != ErrorCode::kCorruption) return std::move(old).error();
  NewestBuffer text;
  const size_t bytes = EncodeNewest({store_id, index, next}, &text);
  return ReplaceFile(log_directory + "/" + kNewestName, {text.data(), bytes});
}

// Renames from the newest to the oldest, so that what is left is always a log that ends earlier.
Status SetAside(const std::string& log_directory, const std::vector<SegmentFile>& files,
                uint64_t from_index) {
  for (auto file = files.rbegin(); file != files.rend() && file->index >= from_index; ++file) {
    VERSO_TRY_STATUS(RenameDurably(file->path, LostName(file->path)));
  }
  return SyncDirectory(log_directory);
}

}  // namespace

Status CutTornTail(const TornTail& tail) {
  const std::filesystem::path path(tail.path);
  const std::string directory = path.parent_path().string();
  const auto index = ParseSegmentName(path.filename().string());
  if (!index) return Error{ErrorCode::kInvalidArgument, tail.path + ": is no segment"};
  VERSO_TRY(const auto files, ListSegments(directory));
  // The last first: killed in between, what is left has the same torn tail, only shorter.
  for (auto file = files.rbegin(); file != files.rend() && file->index > *index; ++file) {
    if (file->index <= tail.last_index) VERSO_TRY_STATUS(EmptySegment(*file));
  }
  VERSO_TRY_STATUS(CutFile(tail.path, tail.offset));
  return SyncDirectory(directory);
}

Status SetUnbasedAside(const std::string& directory, const Id& store_id, uint64_t from_index) {
  const std::string path = LogDirectory(directory);
  VERSO_TRY(const auto files, ListSegments(path));
  VERSO_TRY_STATUS(SetAside(path, files, from_index));
  uint64_t newest = 0;
  uint64_t next = from_index + 1;
  for (const SegmentFile& file : files) {
    if (file.index < from_index) newest = file.index;
    next = std::max(next, file.index + 1);
  }
  return ReplaceNewest(path, store_id, newest, next);
}

Status RecoverTo(const std::string& directory, const Id& store_id, uint64_t sequence) {
  const std::string path = LogDirectory(directory);
  VERSO_TRY(const auto files, ListSegments(path));
  const uint64_t next = files.empty() ? 1 : files.back().index + 1;
  // `newest` may be what is damaged. One that names nothing lets the reader see what is there.
  VERSO_TRY_STATUS(ReplaceNewest(path, store_id, 0, next));

  std::optional<SegmentFile> last;
  uint64_t offset = 0;
  LogReaderOptions options;
  options.stop_behind_after = true;
  auto reader = LogReader::Open(directory, store_id, sequence, options);
  if (!reader && reader.error().code != ErrorCode::kCorruption) return std::move(reader).error();
  if (reader && !reader->files().empty()) {
    LogRecord record;
    const auto more = reader->Next(&record);  // at or below `after`: none is handed out
    if (!more && more.error().code != ErrorCode::kCorruption) return more.error();
    last = reader->files()[reader->place().segment];
    offset = reader->place().offset;
  }
  if (last && last->bytes > offset) VERSO_TRY_STATUS(CopyTail(last->path, offset, last->bytes));
  VERSO_TRY_STATUS(SetAside(path, files, last ? last->index + 1 : 0));
  VERSO_TRY_STATUS(ReplaceNewest(path, store_id, last ? last->index : 0, next));
  if (last) VERSO_TRY_STATUS(CutFile(last->path, std::min(offset, last->bytes)));
  return SyncDirectory(path);
}

namespace {

// What a start does not need: the segments before those that CheckLog has read, up to this record.
Status CheckRetained(const std::string& directory, const Id& store_id, uint64_t through,
                     std::string* report) {
  VERSO_TRY(auto history, LogHistory::Open(directory, store_id, through));
  LogRecord record;
  while (true) {
    VERSO_TRY(const LogHistory::Step step, history.Next(&record));
    if (step == LogHistory::Step::kEnd) break;
    if (step == LogHistory::Step::kGap && history.damaged()) {
      *report += "; retained for RESTORE-TO: " + history.gap() + "; a start does not need them";
      return Error{ErrorCode::kCorruption, history.gap()};
    }
  }
  if (history.units() > 0) {
    *report += "; retained for RESTORE-TO: records " + std::to_string(history.begins_behind() + 1) +
               ".." + std::to_string(through);
  }
  return {};
}

}  // namespace

Status CheckLog(const std::string& directory, const Id& store_id, uint64_t after,
                std::string* report) {
  auto reader = LogReader::Open(directory, store_id, after);
  if (!reader) {
    *report = "operation log: " + reader.error().context;
    return std::move(reader).error();
  }
  LogRecord record;
  auto more = reader->Next(&record);
  while (more && *more) more = reader->Next(&record);
  *report = "operation log: " + std::to_string(reader->segments()) + " segments, " +
            std::to_string(reader->bytes_total()) + " bytes, " + std::to_string(reader->units()) +
            " units intact";
  if (reader->units() > 0) {
    *report += ", records " + std::to_string(reader->first_sequence()) + ".." +
               std::to_string(reader->last_sequence());
  }
  if (reader->torn_tail()) {
    const TornTail& tail = *reader->torn_tail();
    *report += "; a torn tail of " + std::to_string(tail.bytes) + " bytes in " + tail.path +
               ", offset " + std::to_string(tail.offset) + ", which a start will cut off";
  }
  if (reader->unbased()) *report += "; " + reader->unbased_text();
  if (!more) {
    *report += "; " + more.error().context;
    return std::move(more).error();
  }
  if (reader->files().empty()) return {};
  VERSO_TRY(const auto opening, ReadOpening(reader->files().front(), store_id));
  return opening ? CheckRetained(directory, store_id, opening->continues, report) : Status();
}

}  // namespace verso::persistence
