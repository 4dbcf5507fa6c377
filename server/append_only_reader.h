// AppendOnlyReader: the commands of an append-only file of Redis, one after the other. It changes
// nothing in the file.
//
//   file     { annotation | command }       behind an RDB dump, if the file begins with one
//   command  as clients send it: "*" count CRLF { "$" length CRLF bytes CRLF }
//   annotation  "#" text LF                 "#TS:1668000000"
//
// A1 The format has no checksums. What can be seen of damage is seen: no byte between the arguments
//    may be another one than Redis writes.
// A2 A file that ends within a command was cut there: a write that a crash interrupted. But where
//    behind the beginning of that command others begin, it is its length that is damaged, and what
//    would be cut are whole commands: that is an error, too.
// A3 Memory: a buffer for the longest command, never more than the file has.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "persistence/file_io.h"
#include "server/resp/parser.h"
#include "storage/base/bytes.h"
#include "storage/base/result.h"

namespace verso::server {

class AppendOnlyReader {
 public:
  enum class Found : uint8_t { kCommand, kEnd, kTorn };

  // Fails: it cannot be opened, or is no file.
  Status Open(const std::string& path);
  // Goes on from there. Whatever was read into memory is given back.
  void Seek(uint64_t offset);

  // kTorn: the file ends in the middle of what begins at begin(). Fails: A1, A2, or the disk.
  Result<Found> Next();
  std::span<const ByteView> command() const { return arguments_; }  // until the next call
  uint64_t begin() const { return begin_; }  // of the last command, as an offset in the file
  uint64_t end() const { return base_ + at_; }
  // "<path>, offset <begin()>: <what>"
  Error Fault(const std::string& what) const;

  const std::string& path() const { return path_; }
  uint64_t bytes() const { return bytes_; }
  Result<bool> BeginsWithDump();

 private:
  size_t left() const { return filled_ - at_; }
  Status Fill(size_t wanted);
  Result<bool> SkipAnnotation();
  bool IsExact() const;
  Result<Found> Torn();

  std::string path_;
  persistence::OwnedFd fd_;
  uint64_t bytes_ = 0;
  uint64_t begin_ = 0;

  std::unique_ptr<char[]> buffer_;
  size_t capacity_ = 0;
  size_t filled_ = 0;
  size_t at_ = 0;      // in the buffer
  uint64_t base_ = 0;  // of the buffer, in the file
  RequestParser parser_;
  std::vector<ByteView> arguments_;
};

}  // namespace verso::server
