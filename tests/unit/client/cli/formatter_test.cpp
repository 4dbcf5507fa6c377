// The expected texts were taken from redis-cli 7.0.15 against the same replies, big numbers apart,
// which it cannot print.
#include "client/cli/formatter.h"

#include <catch2/catch.hpp>

#include "client/resp_codec.h"

namespace verso::cli {
namespace {

Reply Decode(std::string_view bytes) {
  client::RespDecoder decoder;
  auto reply = decoder.Decode(&bytes);
  REQUIRE(reply);
  REQUIRE(reply->has_value());
  return **reply;
}

struct Row {
  const char* reply;
  const char* tty;
  const char* raw;
  const char* csv;
};

TEST_CASE("formatter: every type in every format") {
  const Row rows[] = {
      {"+OK\r\n", "OK\n", "OK\n", "\"OK\"\n"},
      {"-ERR no\r\n", "(error) ERR no\n", "ERR no\n\n", "ERROR,\"ERR no\"\n"},
      {":12\r\n", "(integer) 12\n", "12\n", "12\n"},
      {"$11\r\nHello World\r\n", "\"Hello World\"\n", "Hello World\n", "\"Hello World\"\n"},
      {"$-1\r\n", "(nil)\n", "\n", "NULL\n"},
      {",3.141\r\n", "(double) 3.141\n", "3.141\n", "3.141\n"},
      {"#t\r\n", "(true)\n", "(true)\n", "true\n"},
      {"#f\r\n", "(false)\n", "(false)\n", "false\n"},
      {"(12345678901234567890\r\n", "(big number) 12345678901234567890\n", "12345678901234567890\n",
       "12345678901234567890\n"},
      {"=7\r\ntxt:a\nb\r\n", "a\nb\n", "a\nb\n", "\"a\\nb\"\n"},
      {"*0\r\n", "(empty array)\n", "\n", "\n"},
      {"%0\r\n", "(empty hash)\n", "\n", "\n"},
      {"~0\r\n", "(empty set)\n", "\n", "\n"},
      {"~2\r\n:1\r\n:2\r\n", "1~ (integer) 1\n2~ (integer) 2\n", "1\n2\n", "1,2\n"},
      {">2\r\n+m\r\n:42\r\n", "1) m\n2) (integer) 42\n", "m\n42\n", "\"m\",42\n"},
      {"%2\r\n:0\r\n#f\r\n:1\r\n#t\r\n", "1# (integer) 0 => (false)\n2# (integer) 1 => (true)\n",
       "0 (false)\n1 (true)\n", "0,false,1,true\n"},
  };
  for (const Row& row : rows) {
    INFO(row.reply);
    const Reply reply = Decode(row.reply);
    CHECK(FormatReply(reply, Format::kTty) == row.tty);
    CHECK(FormatReply(reply, Format::kRaw) == row.raw);
    CHECK(FormatReply(reply, Format::kCsv) == row.csv);
  }
}

TEST_CASE("formatter: nested arrays are indented by the width of their numbers") {
  const Reply reply = Decode("*3\r\n:1\r\n*3\r\n:2\r\n*2\r\n:3\r\n:4\r\n*0\r\n$1\r\nx\r\n");
  CHECK(FormatReply(reply, Format::kTty) ==
        "1) (integer) 1\n"
        "2) 1) (integer) 2\n"
        "   2) 1) (integer) 3\n"
        "      2) (integer) 4\n"
        "   3) (empty array)\n"
        "3) \"x\"\n");
  CHECK(FormatReply(reply, Format::kRaw) == "1\n2\n3\n4\n\nx\n");
  CHECK(FormatReply(reply, Format::kCsv) == "1,2,3,4,,\"x\"\n");
}

TEST_CASE("formatter: ten rows align their numbers") {
  std::string bytes = "*10\r\n";
  for (int i = 0; i < 10; ++i) bytes += ":7\r\n";
  const std::string text = FormatReply(Decode(bytes), Format::kTty);
  CHECK(text.starts_with(" 1) (integer) 7\n 2) (integer) 7\n"));
  CHECK(text.ends_with(" 9) (integer) 7\n10) (integer) 7\n"));
}

TEST_CASE("formatter: a map's value of several rows begins a line") {
  CHECK(FormatReply(Decode("%1\r\n$1\r\na\r\n~2\r\n+y\r\n+x\r\n"), Format::kTty) ==
        "1# \"a\" => \n"
        "   1~ y\n"
        "   2~ x\n");
  CHECK(FormatReply(Decode("%1\r\n$1\r\na\r\n*1\r\n:1\r\n"), Format::kTty) ==
        "1# \"a\" => 1) (integer) 1\n");
  CHECK(FormatReply(Decode("*1\r\n%1\r\n$1\r\na\r\n*1\r\n*2\r\n:1\r\n:2\r\n"), Format::kTty) ==
        "1) 1# \"a\" => \n"
        "      1) 1) (integer) 1\n"
        "         2) (integer) 2\n");
  CHECK(FormatReply(Decode("%1\r\n$1\r\na\r\n*2\r\n:1\r\n:2\r\n"), Format::kRaw) == "a 1\n2\n");
}

TEST_CASE("formatter: quoting of any byte") {
  CHECK(QuoteText(std::string_view("a\x01\xff\xc3\xa9\"\\\n\t\r\a\b\0z", 14)) ==
        "\"a\\x01\\xff\\xc3\\xa9\\\"\\\\\\n\\t\\r\\a\\b\\x00z\"");
  CHECK(QuoteText("") == "\"\"");
  CHECK(FormatReply(Decode("$3\r\n\"\n\xff\r\n"), Format::kRaw) == "\"\n\xff\n");
}

}  // namespace
}  // namespace verso::cli
