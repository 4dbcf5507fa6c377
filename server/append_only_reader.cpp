#include "server/append_only_reader.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace verso::server {
namespace {

constexpr size_t kReadBytes = size_t{1} << 20;
constexpr size_t kAnnotationBytesMax = 1024;

bool IsDigit(char c) { return c >= '0' && c <= '9'; }

// "\r\n*<count>\r\n$": where a command ends and another begins.
bool HoldsBoundary(ByteView bytes) {
  for (size_t at = bytes.find("\r\n*"); at != ByteView::npos; at = bytes.find("\r\n*", at + 1)) {
    size_t i = at + 3;
    while (i < bytes.size() && IsDigit(bytes[i])) ++i;
    if (i > at + 3 && bytes.substr(i).starts_with("\r\n$")) return true;
  }
  return false;
}

Result<size_t> ReadAt(int fd, char* to, size_t bytes, uint64_t offset, const std::string& path) {
  while (true) {
    const ssize_t got = pread(fd, to, bytes, static_cast<off_t>(offset));
    if (got >= 0) return static_cast<size_t>(got);
    if (errno != EINTR) return persistence::OsError("read " + path);
  }
}

}  // namespace

Status AppendOnlyReader::Open(const std::string& path) {
  path_ = path;
  fd_ = persistence::OwnedFd(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd_) return persistence::OsError("open " + path);
  struct stat info;
  if (fstat(fd_.get(), &info) != 0) return persistence::OsError("stat " + path);
  if (!S_ISREG(info.st_mode)) return Error{ErrorCode::kInvalidArgument, path + ": is no file"};
  bytes_ = static_cast<uint64_t>(info.st_size);
  return {};
}

void AppendOnlyReader::Seek(uint64_t offset) {
  parser_.Reset();
  arguments_.clear();
  buffer_.reset();
  capacity_ = filled_ = at_ = 0;
  base_ = begin_ = offset;
}

Error AppendOnlyReader::Fault(const std::string& what) const {
  return {ErrorCode::kCorruption, path_ + ", offset " + std::to_string(begin_) + ": " + what};
}

Result<bool> AppendOnlyReader::BeginsWithDump() {
  constexpr ByteView kMagic = "REDIS";
  VERSO_TRY_STATUS(Fill(kMagic.size()));
  return ByteView(buffer_.get() + at_, left()).starts_with(kMagic);
}

// So many bytes from `at_` on, or all there are.
Status AppendOnlyReader::Fill(size_t wanted) {
  if (left() >= wanted) return {};
  if (capacity_ - at_ < wanted) {
    if (capacity_ < wanted) {
      const size_t capacity = std::max(kReadBytes, std::max(wanted, 2 * capacity_));
      auto larger = std::make_unique_for_overwrite<char[]>(capacity);
      if (left() > 0) std::memcpy(larger.get(), buffer_.get() + at_, left());
      buffer_ = std::move(larger);
      capacity_ = capacity;
    } else {
      std::memmove(buffer_.get(), buffer_.get() + at_, left());
    }
    base_ += at_;
    filled_ -= at_;
    at_ = 0;
  }
  while (left() < wanted && base_ + filled_ < bytes_) {
    const auto room = std::min<uint64_t>(capacity_ - filled_, bytes_ - base_ - filled_);
    VERSO_TRY(const size_t got, ReadAt(fd_.get(), buffer_.get() + filled_,
                                       static_cast<size_t>(room), base_ + filled_, path_));
    if (got == 0) return Fault("the file has become shorter");
    filled_ += got;
  }
  return {};
}

Result<AppendOnlyReader::Found> AppendOnlyReader::Next() {
  arguments_.clear();
  while (true) {
    begin_ = end();
    VERSO_TRY_STATUS(Fill(2));
    if (left() == 0) return Found::kEnd;
    const char first = buffer_[at_];
    if (first == '*') break;
    if (first != '#') return Fault("no command begins here");
    VERSO_TRY(const bool whole, SkipAnnotation());
    if (!whole) return Found::kTorn;
  }
  if (left() < 2) return Found::kTorn;
  // The parser passes over requests of nothing.
  if (!IsDigit(buffer_[at_ + 1]) || buffer_[at_ + 1] == '0') return Fault("a command of nothing");
  ParseLimits limits;
  limits.inline_allowed = false;
  limits.bulk_bytes_max = ~size_t{0} >> 1;
  limits.arguments_max = ~size_t{0} >> 1;
  while (true) {
    const ParseStatus status = parser_.Next(buffer_.get() + at_, left(), limits, &arguments_);
    if (status == ParseStatus::kError) return Fault(std::string(parser_.error()));
    if (status == ParseStatus::kRequest) break;
    const size_t wanted = parser_.bytes_wanted();
    if (wanted > bytes_ - begin_) return Torn();
    VERSO_TRY_STATUS(Fill(wanted));
  }
  if (!IsExact()) return Fault("a command that is damaged");
  at_ += parser_.consumed();
  return Found::kCommand;
}

// False: the file ends in it.
Result<bool> AppendOnlyReader::SkipAnnotation() {
  VERSO_TRY_STATUS(Fill(kAnnotationBytesMax));
  const size_t shown = std::min(left(), kAnnotationBytesMax);
  const size_t end = ByteView(buffer_.get() + at_, shown).find('\n');
  if (end != ByteView::npos) {
    at_ += end + 1;
    return true;
  }
  if (shown == kAnnotationBytesMax) return Fault("an annotation without an end");
  return false;
}

// What the parser, made for clients, takes on trust: that lines and arguments end in CR LF.
bool AppendOnlyReader::IsExact() const {
  const char* p = buffer_.get() + at_ + 1;
  while (IsDigit(*p)) ++p;
  if (p[0] != '\r' || p[1] != '\n') return false;
  for (const ByteView argument : arguments_) {
    const char* const end = argument.data() + argument.size();
    if (argument.data()[-1] != '\n' || end[0] != '\r' || end[1] != '\n') return false;
  }
  return true;
}

// A2.
Result<AppendOnlyReader::Found> AppendOnlyReader::Torn() {
  constexpr size_t kOverlap = 64;  // longer than what is looked for
  auto piece = std::make_unique_for_overwrite<char[]>(kReadBytes);
  for (uint64_t offset = begin_; offset < bytes_; offset += kReadBytes - kOverlap) {
    VERSO_TRY(const size_t got, ReadAt(fd_.get(), piece.get(), kReadBytes, offset, path_));
    if (HoldsBoundary({piece.get(), got})) {
      return Fault(
          "a command that does not end before the file does, and others behind its "
          "beginning: damage, not a cut");
    }
    if (got < kReadBytes) break;
  }
  return Found::kTorn;
}

}  // namespace verso::server
