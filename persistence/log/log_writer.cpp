#include "persistence/log/log_writer.h"

#include <fcntl.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <charconv>
#include <filesystem>
#include <new>

#include "persistence/log/crc32c.h"
#include "persistence/log/log_segments.h"
#include "storage/base/monotonic_time.h"

namespace verso::persistence {

namespace {

constexpr size_t kCountBytesMax = 24;

// "*3\r\n". Returns its end.
char* PutCount(char* to, char type, uint64_t count) {
  *to++ = type;
  to = std::to_chars(to, to + kCountBytesMax - 3, count).ptr;
  *to++ = '\r';
  *to++ = '\n';
  return to;
}

// What a life that was cut short left half made.
Status RemoveTemporaries(const std::string& log_directory) {
  std::error_code error;
  std::filesystem::directory_iterator files(log_directory, error);
  if (error) return Error{ErrorCode::kIo, "list " + log_directory + ": " + error.message()};
  for (; files != std::filesystem::directory_iterator(); files.increment(error)) {
    if (error) return Error{ErrorCode::kIo, "list " + log_directory + ": " + error.message()};
    if (files->path().extension() != ".new") continue;
    if (unlink(files->path().c_str()) != 0) return OsError("unlink " + files->path().string());
  }
  return {};
}

// The life before may have been killed between a write and its sync. Nothing is called durable
// that is in the page cache only.
Status SyncSegment(LogSystem* system, int directory, const SegmentFile& file) {
  const auto name = SegmentName(file.index);
  const OwnedFd fd(Uninterrupted([&] { return system->OpenAt(directory, name.data(), O_RDWR); }));
  if (!fd) return OsError("open " + file.path);
  if (Uninterrupted([&] { return system->DataSync(fd.get()); }) != 0) {
    return OsError("fdatasync " + file.path);
  }
  return {};
}

}  // namespace

Result<std::unique_ptr<LogWriter>> LogWriter::Open(const LogWriterOptions& given) {
  LogWriterOptions options = given;
  if (options.memory == nullptr) options.memory = std::pmr::get_default_resource();
  if (options.system == nullptr) options.system = LogSystem::Real();
  std::unique_ptr<LogWriter> writer(new LogWriter(options));

  const std::string path = LogDirectory(options.directory);
  VERSO_TRY_STATUS(MakeDirectory(path));
  // A life that made the directory may have ended before its name was durable.
  VERSO_TRY_STATUS(SyncDirectory(options.directory));
  VERSO_TRY_STATUS(RemoveTemporaries(path));
  writer->directory_ = OwnedFd(open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!writer->directory_) return OsError("open " + path);
  writer->event_fd_ = OwnedFd(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC));
  if (!writer->event_fd_) return OsError("eventfd");

  VERSO_TRY(const auto newest, ReadNewest(path, options.store_id));
  VERSO_TRY(const auto files, ListSegments(path));
  FlusherStart start;
  start.place = {options.system, writer->directory_.get(), options.store_id};
  start.index = newest ? newest->next : 1;
  for (const SegmentFile& file : files) {
    VERSO_TRY_STATUS(SyncSegment(options.system, writer->directory_.get(), file));
    VERSO_TRY(const auto opening, ReadOpening(file, options.store_id));
    if (opening && opening->fresh_start && opening->continues > options.last_sequence) {
      // A reader would end before it, and so before what is written now.
      return Error{ErrorCode::kInvalidArgument,
                   file.path + ": nothing can follow it; it is to be set aside first"};
    }
    start.segments.push_back(
        {file.index, opening ? opening->continues : UINT64_MAX, file.bytes, file.written_ms});
    start.index = std::max(start.index, file.index + 1);
  }
  // One without an opening mark has no records: it continues what the next one continues.
  uint64_t continues = options.last_sequence;
  for (auto segment = start.segments.rbegin(); segment != start.segments.rend(); ++segment) {
    if (segment->continues == UINT64_MAX) segment->continues = continues;
    continues = segment->continues;
  }
  start.sequence = options.last_sequence;
  start.policy = options.policy;
  start.retry_us = options.retry_us;
  const OpeningMark mark{options.last_sequence, options.last_sequence,
                         options.fresh_start ? kMarkFreshStart : uint16_t{0}};
  if (const LogFailure failure =
          CreateSegment(start.place, start.index, files.empty() ? 0 : files.back().index, &mark,
                        &start.segment)) {
    return Error{failure.MayPass() ? ErrorCode::kNoSpace : ErrorCode::kIo, failure.Text()};
  }
  start.segments.push_back(
      {start.index, options.last_sequence, kSegmentDataOffset + kMarkBytes, 0});
  start.chunk = writer->buffer_.first();
  start.event_fd = writer->event_fd_.get();

  writer->appended_ = writer->sequence_ = options.last_sequence;
  writer->segment_index_ = start.index;
  writer->seed_ = SegmentSeed(options.store_id, start.index);
  writer->flusher_ = std::make_unique<LogFlusher>(std::move(start));
  VERSO_TRY_STATUS(writer->flusher_->Start());
  return writer;
}

LogWriter::~LogWriter() {
  if (!flusher_) return;
  // The ring may be full: the flusher makes room in it unless it cannot write.
  while (true) {
    const uint32_t seen = flusher_->progress();
    Submit();
    if (pending_.empty() || health() != LogHealth::kGood) break;
    flusher_->WaitProgress(seen, 10'000);
  }
  flusher_.reset();
}

// ---- one unit

void LogWriter::Begin(uint32_t line, int db, uint64_t time_ms) {
  VERSO_CHECK(!in_unit_);
  in_unit_ = true;
  any_ = false;
  record_ = RecordHeader();
  record_.db = static_cast<uint8_t>(db);
  record_.line = line;
  record_.time_ms = time_ms;
}

void LogWriter::Add(std::span<const ByteView> command) {
  VERSO_CHECK(in_unit_);
  if (out_of_memory_) return;
  try {
    if (!any_) {
      if (buffer_.bytes() - segment_begin_ >= options_.segment_bytes_max) BeginSegment();
      any_ = true;
      BeginRecord();
    }
    if (AppendSmall(command)) return;
    AppendCount('*', command.size());
    for (const ByteView word : command) {
      AppendCount('$', word.size());
      Append(word);
      Append("\r\n");
    }
  } catch (const std::bad_alloc&) {
    // What was applied cannot be logged: the log ends before it. Nothing is handed over any more,
    // so the half unit stays here.
    out_of_memory_ = true;
  }
}

uint64_t LogWriter::End() {
  VERSO_CHECK(in_unit_);
  in_unit_ = false;
  if (!any_ || out_of_memory_) return appended_;
  EndRecord(false);
  appended_ = sequence_;
  return appended_;
}

void LogWriter::BeginRecord() {
  record_.bytes = 0;
  payload_crc_ = seed_;
  record_at_ = buffer_.Reserve(kRecordHeaderBytes);
}

void LogWriter::EndRecord(bool more) {
  record_.flags = more ? kRecordMore : 0;
  record_.sequence = ++sequence_;
  EncodeRecordHeader(record_, payload_crc_, record_at_);
}

void LogWriter::AppendCount(char type, uint64_t count) {
  char text[kCountBytesMax];
  Append({text, static_cast<size_t>(PutCount(text, type, count) - text)});
}

// What nearly all commands are: in one piece, so that its checksum is one, too (a third of the cost
// of those of its eleven pieces). False: it is larger.
bool LogWriter::AppendSmall(std::span<const ByteView> command) {
  constexpr size_t kSmallBytes = 4096;
  size_t most = kCountBytesMax;
  for (const ByteView word : command) {
    most += kCountBytesMax + word.size() + 2;
    if (most > kSmallBytes) return false;
  }
  if (record_.bytes + most > options_.record_bytes_max) return false;
  char* const begin = buffer_.Reserve(most);
  char* at = PutCount(begin, '*', command.size());
  for (const ByteView word : command) {
    at = PutCount(at, '$', word.size());
    at += word.copy(at, word.size());
    *at++ = '\r';
    *at++ = '\n';
  }
  const auto bytes = static_cast<size_t>(at - begin);
  buffer_.GiveBack(most - bytes);
  payload_crc_ = Crc32c(payload_crc_, {begin, bytes});
  record_.bytes += static_cast<uint32_t>(bytes);
  return true;
}

void LogWriter::Append(ByteView bytes) {
  while (!bytes.empty()) {
    if (record_.bytes == options_.record_bytes_max) {
      EndRecord(true);
      BeginRecord();
    }
    const size_t wanted = std::min<size_t>(bytes.size(), options_.record_bytes_max - record_.bytes);
    size_t granted = 0;
    char* to = buffer_.ReserveSome(wanted, &granted);
    std::memcpy(to, bytes.data(), granted);
    payload_crc_ = Crc32c(payload_crc_, {to, granted});
    record_.bytes += static_cast<uint32_t>(granted);
    bytes.remove_prefix(granted);
  }
}

// ---- hand-over

void LogWriter::BeginSegment() {
  // What was appended before belongs to the segment before.
  if (handed_bytes_ < buffer_.bytes()) pending_.push_back({buffer_.bytes(), sequence_, false});
  pending_.push_back({buffer_.bytes(), sequence_, true});
  handed_bytes_ = buffer_.bytes();
  segment_begin_ = buffer_.bytes();
  seed_ = SegmentSeed(options_.store_id, ++segment_index_);
}

void LogWriter::Submit() {
  VERSO_CHECK(!in_unit_);
  buffer_.FreeThrough(flusher_->consumed());
  if (out_of_memory_) return;
  if (handed_bytes_ < buffer_.bytes()) {
    handed_bytes_ = buffer_.bytes();
    if (pending_.empty()) {
      pending_.push_back({handed_bytes_, appended_, false});
    } else {  // the ring is full; behind a change of segment, too, it is one batch
      pending_.back().bytes_end = handed_bytes_;
      pending_.back().sequence_end = appended_;
    }
  }
  if (pending_.empty()) return;
  buffer_.Publish();
  size_t pushed = 0;
  while (pushed < pending_.size() && flusher_->ring().Push(pending_[pushed])) ++pushed;
  pending_.erase(pending_.begin(), pending_.begin() + static_cast<ptrdiff_t>(pushed));
  if (pushed > 0) flusher_->Wake();
}

void LogWriter::Drain() {
  uint64_t count = 0;
  // Non-blocking: it may have been read already.
  [[maybe_unused]] const ssize_t n = read(event_fd_.get(), &count, sizeof(count));
  flusher_->ClearSignal();
  buffer_.FreeThrough(flusher_->consumed());
}

uint64_t LogWriter::Rotate() {
  VERSO_CHECK(!in_unit_);
  rotated_at_ = buffer_.bytes();
  if (out_of_memory_ || segment_begin_ == buffer_.bytes()) return appended_;
  BeginSegment();
  Submit();
  return appended_;
}

void LogWriter::SetPolicy(SyncPolicy policy) {
  options_.policy = policy;
  flusher_->SetPolicy(policy);
}

LogHealth LogWriter::health() const {
  return out_of_memory_ ? LogHealth::kFailed : flusher_->health();
}

std::string LogWriter::error() const {
  if (out_of_memory_) return LogFailure{LogStep::kMemory, 0, segment_index_}.Text();
  return flusher_->failure().Text();
}

bool LogWriter::WaitDurable(int timeout_ms) {
  const uint64_t deadline = MonotonicUs() + static_cast<uint64_t>(timeout_ms) * 1000;
  flusher_->SyncThrough(appended_);
  while (true) {
    const uint32_t seen = flusher_->progress();
    Submit();
    if (durable() >= appended_ && !out_of_memory_) return true;
    const uint64_t now = MonotonicUs();
    if (health() == LogHealth::kFailed || now >= deadline) return false;
    flusher_->WaitProgress(seen, static_cast<int64_t>(deadline - now));
  }
}

}  // namespace verso::persistence
