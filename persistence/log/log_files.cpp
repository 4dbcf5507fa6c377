#include "persistence/log/log_files.h"

#include <fcntl.h>

#include <cerrno>
#include <cstring>

namespace verso::persistence {

namespace {

const char* StepText(LogStep step) {
  switch (step) {
    case LogStep::kNone:
      return "";
    case LogStep::kMemory:
      return "no memory to append to";
    case LogStep::kOpen:
      return "open";
    case LogStep::kWrite:
      return "write";
    case LogStep::kSync:
      return "sync";
    case LogStep::kTruncate:
      return "truncate";
    case LogStep::kRename:
      return "rename";
    case LogStep::kUnlink:
      return "remove";
    case LogStep::kSyncDirectory:
      return "sync the directory of";
    case LogStep::kNewest:
      return "replace `newest` for";
  }
  return "";
}

}  // namespace

bool LogFailure::MayPass() const {
  if (step == LogStep::kSync || step == LogStep::kSyncDirectory) return false;
  switch (error) {
    case ENOSPC:
    case EDQUOT:
    case EFBIG:
    case EMFILE:
    case ENFILE:
    case ENOMEM:
    case EAGAIN:
      return true;
    default:
      return false;
  }
}

std::string LogFailure::Text() const {
  if (step == LogStep::kNone) return "";
  return std::string("operation log: ") + StepText(step) + " " + SegmentName(index).data() +
         (error != 0 ? std::string(": ") + std::strerror(error) : std::string());
}

int WriteFully(LogSystem* system, int fd, ByteView bytes, uint64_t offset, size_t* done) {
  size_t written = 0;
  int error = 0;
  while (written < bytes.size()) {
    const iovec piece{const_cast<char*>(bytes.data()) + written, bytes.size() - written};
    const ssize_t n =
        Uninterrupted([&] { return system->WriteAt(fd, &piece, 1, offset + written); });
    if (n <= 0) {
      error = n < 0 ? errno : EIO;  // no progress and no reason is no disk to trust
      break;
    }
    written += static_cast<size_t>(n);
  }
  if (done != nullptr) *done = written;
  return error;
}

LogFailure WriteNewest(const LogPlace& place, uint64_t index, uint64_t next) {
  LogSystem* system = place.system;
  NewestBuffer text;
  const size_t bytes = EncodeNewest({place.store_id, index, next}, &text);
  const OwnedFd fd(Uninterrupted([&] {
    return system->OpenAt(place.directory, kNewestTemporaryName, O_WRONLY | O_CREAT | O_TRUNC);
  }));
  if (!fd) return {LogStep::kNewest, errno, index};
  if (const int error = WriteFully(system, fd.get(), {text.data(), bytes}, 0); error != 0) {
    return {LogStep::kNewest, error, index};
  }
  if (Uninterrupted([&] { return system->Sync(fd.get()); }) != 0) {
    return {LogStep::kSync, errno, index};
  }
  if (Uninterrupted([&] {
        return system->RenameAt(place.directory, kNewestTemporaryName, kNewestName);
      }) != 0) {
    return {LogStep::kNewest, errno, index};
  }
  if (Uninterrupted([&] { return system->Sync(place.directory); }) != 0) {
    return {LogStep::kSyncDirectory, errno, index};
  }
  return {};
}

LogFailure CreateSegment(const LogPlace& place, uint64_t index, uint64_t follows,
                         const OpeningMark* mark, OwnedFd* fd) {
  LogSystem* system = place.system;
  const auto name = SegmentName(index);
  const auto temporary = SegmentName(index, ".new");
  char content[kSegmentDataOffset + kMarkBytes] = {};
  size_t bytes = kSegmentDataOffset;
  SegmentHeader header;
  header.store_id = place.store_id;
  header.index = index;
  header.follows = follows;
  header.flags = mark == nullptr ? kSegmentPrepared : 0;
  EncodeSegmentHeader(header, content);
  if (mark != nullptr) {
    const auto flags = static_cast<uint16_t>(mark->flags | kMarkOpens);
    EncodeMark(mark->sequence, mark->durable, flags, SegmentSeed(place.store_id, index),
               content + bytes);
    bytes += kMarkBytes;
  }
  OwnedFd made(Uninterrupted([&] {
    return system->OpenAt(place.directory, temporary.data(), O_WRONLY | O_CREAT | O_TRUNC);
  }));
  if (!made) return {LogStep::kOpen, errno, index};
  if (const int error = WriteFully(system, made.get(), {content, bytes}, 0); error != 0) {
    return {LogStep::kWrite, error, index};
  }
  if (Uninterrupted([&] { return system->Sync(made.get()); }) != 0) {
    return {LogStep::kSync, errno, index};
  }
  if (Uninterrupted(
          [&] { return system->RenameAt(place.directory, temporary.data(), name.data()); }) != 0) {
    return {LogStep::kRename, errno, index};
  }
  if (Uninterrupted([&] { return system->Sync(place.directory); }) != 0) {
    return {LogStep::kSyncDirectory, errno, index};
  }
  if (const LogFailure failure = WriteNewest(place, index, index + 1)) return failure;
  *fd = std::move(made);
  return {};
}

}  // namespace verso::persistence
