// The decoder is fed every reply whole, split in two at every byte, and one byte at a time; all
// three must give the same values. Malformed input must give an error and never a value.
#include "client/resp_codec.h"

#include <catch2/catch.hpp>
#include <cmath>
#include <string>
#include <vector>

namespace verso::client {
namespace {

using Kind = Reply::Kind;

Reply String(std::string text) { return Reply::Text(Kind::kString, std::move(text)); }
Reply Status(std::string text) { return Reply::Text(Kind::kStatus, std::move(text)); }
Reply Array(std::vector<Reply> elements) {
  return Reply::Aggregate(Kind::kArray, std::move(elements));
}

// Feeds the pieces in order; the decoder must not fail.
std::vector<Reply> DecodePieces(const std::vector<std::string_view>& pieces) {
  RespDecoder decoder;
  std::vector<Reply> replies;
  for (std::string_view piece : pieces) {
    while (true) {
      auto reply = decoder.Decode(&piece);
      REQUIRE(reply.has_value());
      if (!reply->has_value()) break;
      replies.push_back(std::move(**reply));
    }
    REQUIRE(piece.empty());
  }
  return replies;
}

void CheckDecodes(std::string_view bytes, const std::vector<Reply>& expected) {
  INFO(bytes);
  CHECK(DecodePieces({bytes}) == expected);
  for (size_t split = 0; split <= bytes.size(); ++split) {
    CHECK(DecodePieces({bytes.substr(0, split), bytes.substr(split)}) == expected);
  }
  std::vector<std::string_view> single;
  for (size_t i = 0; i < bytes.size(); ++i) single.push_back(bytes.substr(i, 1));
  CHECK(DecodePieces(single) == expected);
}

std::string FailureOf(std::string_view bytes) {
  RespDecoder decoder;
  while (!bytes.empty()) {
    auto reply = decoder.Decode(&bytes);
    if (!reply) {
      CHECK(reply.error().code == ErrorCode::kProtocol);
      return reply.error().message;
    }
    if (!reply->has_value()) break;
  }
  return "";
}

TEST_CASE("resp decoder: RESP2 types at every split") {
  CheckDecodes("+OK\r\n", {Status("OK")});
  CheckDecodes("+\r\n", {Status("")});
  CheckDecodes("-ERR no\r\n", {Reply::Text(Kind::kError, "ERR no")});
  CheckDecodes(":-42\r\n", {Reply::Integer(-42)});
  CheckDecodes(":9223372036854775807\r\n", {Reply::Integer(INT64_MAX)});
  CheckDecodes("$5\r\na\r\nbc\r\n", {String("a\r\nbc")});
  CheckDecodes("$0\r\n\r\n", {String("")});
  CheckDecodes("$-1\r\n", {Reply()});
  CheckDecodes("*-1\r\n", {Reply()});
  CheckDecodes("*0\r\n", {Array({})});
  CheckDecodes("*3\r\n$1\r\na\r\n*1\r\n:1\r\n$-1\r\n",
               {Array({String("a"), Array({Reply::Integer(1)}), Reply()})});
  CheckDecodes("+a\r\n:1\r\n$1\r\nb\r\n", {Status("a"), Reply::Integer(1), String("b")});
}

TEST_CASE("resp decoder: RESP3 types at every split") {
  CheckDecodes("_\r\n", {Reply()});
  CheckDecodes("#t\r\n#f\r\n", {Reply::Bool(true), Reply::Bool(false)});
  CheckDecodes(",3.25\r\n", {Reply::Text(Kind::kDouble, "3.25")});
  CheckDecodes(",-inf\r\n", {Reply::Text(Kind::kDouble, "-inf")});
  CheckDecodes("(-123456789012345678901234567890\r\n",
               {Reply::Text(Kind::kBigNumber, "-123456789012345678901234567890")});
  CheckDecodes("!5\r\nERR x\r\n", {Reply::Text(Kind::kError, "ERR x")});
  CheckDecodes("=6\r\ntxt:hi\r\n", {Reply::Verbatim({'t', 'x', 't'}, "hi")});
  CheckDecodes(
      "%1\r\n+k\r\n~2\r\n:1\r\n:2\r\n",
      {Reply::Aggregate(
          Kind::kMap,
          {Status("k"), Reply::Aggregate(Kind::kSet, {Reply::Integer(1), Reply::Integer(2)})})});
  CheckDecodes(">2\r\n+message\r\n+hi\r\n",
               {Reply::Aggregate(Kind::kPush, {Status("message"), Status("hi")})});
}

TEST_CASE("resp decoder: attributes are read past, outside and inside of aggregates") {
  CheckDecodes("|1\r\n+ttl\r\n*2\r\n:1\r\n:2\r\n+OK\r\n", {Status("OK")});
  CheckDecodes("|0\r\n+OK\r\n", {Status("OK")});
  CheckDecodes("*2\r\n|1\r\n+a\r\n+b\r\n:1\r\n:2\r\n",
               {Array({Reply::Integer(1), Reply::Integer(2)})});
}

TEST_CASE("resp decoder: values read as numbers") {
  CHECK(DecodePieces({",2.5\r\n"})[0].number() == 2.5);
  CHECK(std::isinf(DecodePieces({",inf\r\n"})[0].number()));
  CHECK(std::isnan(DecodePieces({",nan\r\n"})[0].number()));
  CHECK(DecodePieces({":7\r\n"})[0].number() == 7);
}

TEST_CASE("resp decoder: malformed input is an error") {
  for (const char* bytes : {"?\r\n",          "hello\r\n",       "\r\n",
                            ":\r\n",          ":1x\r\n",         ":99999999999999999999\r\n",
                            "+OK\n",          "$x\r\n",          "$-2\r\n",
                            "$3\r\nabcd\r\n", "$1\r\nab\n",      "*x\r\n",
                            "*-2\r\n",        "%-1\r\n",         "~-1\r\n",
                            "#x\r\n",         "_x\r\n",          ",\r\n",
                            ",1.5x\r\n",      "(12a\r\n",        "(\r\n",
                            "=3\r\ntxt\r\n",  "=5\r\ntxt-x\r\n", "!-1\r\n",
                            "$?\r\n",         "*?\r\n",          "*1\r\n?\r\n"}) {
    INFO(bytes);
    CHECK(FailureOf(bytes) != "");
  }
}

TEST_CASE("resp decoder: stays failed") {
  RespDecoder decoder;
  std::string_view bad = "?\r\n";
  CHECK(!decoder.Decode(&bad));
  std::string_view good = "+OK\r\n";
  CHECK(!decoder.Decode(&good));
}

TEST_CASE("resp decoder: limits, on both sides") {
  const auto nested = [](size_t depth) {
    std::string bytes;
    for (size_t i = 0; i < depth; ++i) bytes += "*1\r\n";
    return bytes + ":1\r\n";
  };
  CHECK(FailureOf(nested(kDepthMax)) == "");
  CHECK(FailureOf(nested(kDepthMax + 1)) != "");
  CHECK(FailureOf("$" + std::to_string(kBulkBytesMax) + "\r\n") == "");
  CHECK(FailureOf("$" + std::to_string(kBulkBytesMax + 1) + "\r\n") != "");
  CHECK(FailureOf("*" + std::to_string(kElementsMax) + "\r\n") == "");
  CHECK(FailureOf("*" + std::to_string(kElementsMax + 1) + "\r\n") != "");
  CHECK(FailureOf("+" + std::string(kLineBytesMax - 3, 'x') + "\r\n") == "");
  CHECK(FailureOf("+" + std::string(kLineBytesMax - 2, 'x') + "\r\n") != "");
  CHECK(FailureOf(std::string(kLineBytesMax + 1, '+')) != "");
}

TEST_CASE("resp decoder: a large body in pieces arrives whole") {
  std::string body(3 << 20, '\0');
  for (size_t i = 0; i < body.size(); ++i) body[i] = static_cast<char>(i * 31);
  const std::string bytes = "$" + std::to_string(body.size()) + "\r\n" + body + "\r\n";
  std::vector<std::string_view> pieces;
  for (size_t at = 0; at < bytes.size(); at += 65537) {
    pieces.push_back(std::string_view(bytes).substr(at, 65537));
  }
  const std::vector<Reply> replies = DecodePieces(pieces);
  REQUIRE(replies.size() == 1);
  CHECK(replies[0].text() == body);
}

TEST_CASE("resp encoder: lengths first, any bytes") {
  std::string out = "before";
  const std::string_view args[] = {"SET", std::string_view("\0\r\n", 3), ""};
  AppendCommand(&out, args);
  CHECK(out == std::string("before*3\r\n$3\r\nSET\r\n$3\r\n\0\r\n\r\n$0\r\n\r\n", 34));
  CHECK(DecodePieces({std::string_view(out).substr(6)}) ==
        std::vector<Reply>{Array({String("SET"), String(std::string("\0\r\n", 3)), String("")})});
}

}  // namespace
}  // namespace verso::client
