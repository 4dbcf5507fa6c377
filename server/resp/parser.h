// RequestParser: bytes in, requests out, nothing copied: arguments are views into the caller's
// buffer. Pure, no sockets.
//
//   request ::= "*" count CRLF { "$" length CRLF bytes CRLF }      a RESP array of bulk strings
//             | words LF                                             an inline command, quotes and
//             escapes as in redis-cli
//
// Incremental: Next() answers kIncomplete when the buffer ends in mid-request. The caller receives
// more behind the same bytes (the buffer may have moved) and asks again; long requests go on where
// they stopped, so that a million arguments or a bulk string of 512 MB that arrive in small pieces
// cost linear time.
//
// P1 Nothing a client announces is allocated: memory follows what has arrived.
// P2 Texts of errors are Redis' own; after kError the connection can only be closed.
// P3 Inline words are unescaped in place, only once the whole line is there.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace verso::server {

struct ParseLimits {
  bool inline_allowed = true;  // false: an inline command ends the parsing (kIncomplete), untouched
  size_t arguments_max = 1024 * 1024;
  size_t bulk_bytes_max = size_t{512} << 20;
  bool authenticated =
      true;  // false: 10 arguments of 16 KiB each, so that strangers cannot take memory
};

enum class ParseStatus : uint8_t { kRequest, kIncomplete, kError };

class RequestParser {
 public:
  static constexpr size_t kInlineBytesMax = 64 * 1024;
  static constexpr size_t kStrangerArgumentsMax = 10;
  static constexpr size_t kStrangerBulkBytesMax = 16384;

  // Parses the request at data[0, size). kRequest: its arguments (at least one) are appended,
  // consumed() says how long it was. kIncomplete: nothing is appended; consumed() bytes of empty
  // requests may be skipped; bytes_wanted() says how many bytes from there on are needed at least.
  // kError: error() is the text. Requires: after kIncomplete the same bytes again, with more
  // behind.
  ParseStatus Next(char* data, size_t size, const ParseLimits& limits,
                   std::vector<std::string_view>* arguments);

  // Forgets a request that was begun: the caller will show bytes that lie before it.
  void Reset() {
    resume_at_ = 0;
    resume_arguments_.clear();
  }

  // The last request was an inline command: its bytes were changed (P3).
  bool was_inline() const { return was_inline_; }
  size_t consumed() const { return consumed_; }
  size_t bytes_wanted() const { return bytes_wanted_; }
  std::string_view error() const { return error_; }

 private:
  // A request of which more than this was parsed is resumed, a shorter one is parsed again.
  static constexpr size_t kResumeBytesMin = 1024;

  struct Saved {
    uint64_t offset;
    uint64_t bytes;
  };

  ParseStatus ParseArray(char* data, size_t start, size_t size, const ParseLimits& limits,
                         std::vector<std::string_view>* arguments);
  ParseStatus ParseInline(char* data, size_t start, size_t size,
                          std::vector<std::string_view>* arguments);
  ParseStatus Fail(std::string text) {
    error_ = std::move(text);
    return ParseStatus::kError;
  }
  ParseStatus Incomplete(size_t wanted) {
    bytes_wanted_ = wanted;
    return ParseStatus::kIncomplete;
  }

  bool was_inline_ = false;
  size_t consumed_ = 0;
  size_t bytes_wanted_ = 0;
  // A request being resumed: where its next "$" stands, what is missing, and the arguments found,
  // as offsets from its start.
  size_t resume_at_ = 0;
  int64_t resume_missing_ = 0;
  std::vector<Saved> resume_arguments_;
  std::string error_;
};

}  // namespace verso::server
