// ReplyWriter: values out, RESP bytes into a chain. Pure: no sockets, no sessions, so it can be
// fuzzed and tested.
//
// Handlers write each reply once, in the richer protocol's terms (Map, Set, Double, Null ...); the
// writer turns them into what the client's protocol has: in RESP2 a map of n is an array of 2n, a
// double is a bulk string, null is $-1.
//
//   reply.Array(2); reply.Bulk("a"); reply.Integer(1);
//
// A collection is announced by its length and then its elements are written. What is announced must
// be written: the unit tests of a handler check it, the writer does not count. Error() takes "CODE
// text" without the dash; CR and LF inside become spaces (reply injection).
#pragma once

#include <charconv>
#include <cstdint>
#include <string_view>

#include "server/resp/output_chain.h"

namespace verso::server {

class ReplyWriter {
 public:
  explicit ReplyWriter(OutputChain* out, int protocol = 2) : out_(out), protocol_(protocol) {}

  int protocol() const { return protocol_; }
  void set_protocol(int protocol) { protocol_ = protocol; }
  bool resp3() const { return protocol_ == 3; }

  void Ok() { Raw("+OK\r\n"); }
  void SimpleString(std::string_view text);  // text of ours only: no CR, no LF
  void Error(std::string_view code_and_text);
  void Integer(int64_t value) { Header(':', value); }
  void Bulk(std::string_view bytes) {
    char* p = out_->Room(kHeaderMax);
    char* q = p;
    *q++ = '$';
    q = WriteNumber(q, static_cast<int64_t>(bytes.size()));
    if (bytes.size() <= kInlineMax) {
      if (!bytes.empty()) std::memcpy(q, bytes.data(), bytes.size());
      q += bytes.size();
      *q++ = '\r';
      *q++ = '\n';
      out_->Advance(static_cast<size_t>(q - p));
      return;
    }
    out_->Advance(static_cast<size_t>(q - p));
    out_->Append(bytes);
    Raw("\r\n");
  }
  // A bulk string in pieces (ropes): BulkBegin(total), Append(piece)..., BulkEnd().
  void BulkBegin(size_t bytes) { Header('$', static_cast<int64_t>(bytes)); }
  void Append(std::string_view piece) { out_->Append(piece); }
  void BulkEnd() { Raw("\r\n"); }
  void BulkInteger(int64_t value);

  void Null() { Raw(resp3() ? std::string_view("_\r\n") : std::string_view("$-1\r\n")); }
  void NullArray() { Raw(resp3() ? std::string_view("_\r\n") : std::string_view("*-1\r\n")); }
  void Array(size_t count) { Header('*', static_cast<int64_t>(count)); }
  void Map(size_t pairs) {
    resp3() ? Header('%', static_cast<int64_t>(pairs))
            : Header('*', static_cast<int64_t>(2 * pairs));
  }
  void Set(size_t count) { Header(resp3() ? '~' : '*', static_cast<int64_t>(count)); }
  void Push(size_t count) { Header(resp3() ? '>' : '*', static_cast<int64_t>(count)); }
  void Bool(bool value);
  // Shortest text that reads back as the same number, as Redis 7.2 prints it ("inf", "-inf",
  // "nan").
  void Double(double value);
  // A text for people (INFO, LOLWUT): verbatim in RESP3, a bulk string in RESP2. Requires: format
  // has 3 letters.
  void Verbatim(std::string_view text, std::string_view format = "txt");
  // Bytes that are RESP already.
  void Raw(std::string_view bytes) { out_->Append(bytes); }

  OutputChain& out() { return *out_; }
  // How many errors were written, and the code of the last one ("ERR", "WRONGTYPE"): for INFO
  // errorstats.
  uint64_t errors() const { return errors_; }
  std::string_view last_error_code() const { return {last_error_code_, last_error_code_bytes_}; }

 private:
  // Bulk strings up to this length are written with their header in one go.
  static constexpr size_t kInlineMax = 1024;
  static constexpr size_t kHeaderMax = kInlineMax + 32;

  // digits and CR LF; at most 22 bytes
  static char* WriteNumber(char* to, int64_t value) {
    if (value >= 0 && value < 10) {
      *to++ = static_cast<char>('0' + value);
    } else {
      to = std::to_chars(to, to + 20, value).ptr;
    }
    *to++ = '\r';
    *to++ = '\n';
    return to;
  }
  void Header(char kind, int64_t value) {
    char* p = out_->Room(32);
    *p = kind;
    out_->Advance(static_cast<size_t>(WriteNumber(p + 1, value) - p));
  }

  OutputChain* out_;
  int protocol_;
  uint8_t last_error_code_bytes_ = 0;
  char last_error_code_[24] = {};
  uint64_t errors_ = 0;
};

// The shortest text of a double as 7.2 prints it; `to` has room for 32. Returns its length.
size_t FormatDouble(double value, char* to);

}  // namespace verso::server
