// Timeouts as blocking commands spell them.
#include "server/command/blocking_args.h"

#include <catch2/catch.hpp>
#include <string>

#include "server/command/command_table.h"

namespace verso::server {
namespace {

// What the reader makes of a text: the milliseconds, or the error.
std::string Read(bool (*read)(CommandContext&, ByteView, uint64_t*), const std::string& text) {
  BufferPool pool;
  OutputChain out(&pool);
  ReplyWriter reply(&out);
  CommandContext context(nullptr, {}, &reply, nullptr, nullptr, nullptr);
  uint64_t timeout_ms = 0;
  if (read(context, text, &timeout_ms)) return std::to_string(timeout_ms);
  iovec piece;
  out.Gather(&piece, 1);
  return std::string(static_cast<const char*>(piece.iov_base), piece.iov_len);
}

TEST_CASE("blocking: seconds") {
  for (const auto& [text, expected] : std::initializer_list<std::pair<const char*, const char*>>{
           {"0", "0"},
           {"1", "1000"},
           {"0.5", "500"},
           {"0.0001", "1"},
           {"1.0000001", "1001"},
           {"1e3", "1000000"},
           {"9000000000000000", "9000000000000000000"},
           {"-0", "0"},
           {"-1", "-ERR timeout is negative\r\n"},
           {"-inf", "-ERR timeout is negative\r\n"},
           {"inf", "-ERR timeout is out of range\r\n"},
           {"1e30", "-ERR timeout is out of range\r\n"},
           {"9223372036854776", "-ERR timeout is out of range\r\n"},
           {"x", "-ERR timeout is not a float or out of range\r\n"},
           {"", "-ERR timeout is not a float or out of range\r\n"},
           {" 1", "-ERR timeout is not a float or out of range\r\n"},
           {"nan", "-ERR timeout is not a float or out of range\r\n"},
       }) {
    CHECK(Read(&ReadBlockSeconds, text) == expected);
  }
}

TEST_CASE("blocking: milliseconds") {
  for (const auto& [text, expected] : std::initializer_list<std::pair<const char*, const char*>>{
           {"0", "0"},
           {"1500", "1500"},
           {"-1", "-ERR timeout is negative\r\n"},
           {"1.5", "-ERR timeout is not an integer or out of range\r\n"},
           {"9223372036854775807", "-ERR timeout is out of range\r\n"},
           {"9223372036854775808", "-ERR timeout is not an integer or out of range\r\n"},
       }) {
    CHECK(Read(&ReadBlockMilliseconds, text) == expected);
  }
}

}  // namespace
}  // namespace verso::server
