// The parser against every way its input may be cut: whatever the pieces, the same requests and the
// same errors come out.
#include "server/resp/parser.h"

#include <catch2/catch.hpp>
#include <cstring>
#include <string>

namespace verso::server {
namespace {

using Requests = std::vector<std::vector<std::string>>;

struct Parsed {
  Requests requests;
  std::string error;
  bool operator==(const Parsed&) const = default;
};

// Feeds the bytes in pieces; each time the buffer lies somewhere else, as a connection's may.
Parsed ParsePieces(const std::vector<std::string>& pieces, const ParseLimits& limits = {}) {
  RequestParser parser;
  Parsed parsed;
  std::string buffer;
  std::vector<std::string_view> arguments;
  for (const std::string& piece : pieces) {
    std::string moved = buffer + piece;
    buffer.swap(moved);
    while (true) {
      arguments.clear();
      const ParseStatus status = parser.Next(buffer.data(), buffer.size(), limits, &arguments);
      if (status == ParseStatus::kError) {
        parsed.error = parser.error();
        return parsed;
      }
      if (status == ParseStatus::kIncomplete) {
        REQUIRE(arguments.empty());
        buffer.erase(0, parser.consumed());
        break;
      }
      parsed.requests.emplace_back(arguments.begin(), arguments.end());
      buffer.erase(0, parser.consumed());
    }
  }
  return parsed;
}

Parsed ParseWhole(const std::string& bytes, const ParseLimits& limits = {}) {
  return ParsePieces({bytes}, limits);
}

std::string Encode(const std::vector<std::string>& arguments) {
  std::string bytes = "*" + std::to_string(arguments.size()) + "\r\n";
  for (const std::string& argument : arguments) {
    bytes += "$" + std::to_string(argument.size()) + "\r\n" + argument + "\r\n";
  }
  return bytes;
}

TEST_CASE("parser: arrays, empty requests and inline commands in one stream") {
  const std::string bytes = Encode({"SET", "k", std::string("a\r\n\0b", 5)}) + "*0\r\n\r\n*-1\r\n" +
                            "PING  hello\r\n" + Encode({"", ""}) + "get k\n";
  const Requests expected = {
      {"SET", "k", std::string("a\r\n\0b", 5)}, {"PING", "hello"}, {"", ""}, {"get", "k"}};
  CHECK(ParseWhole(bytes) == Parsed{expected, ""});
}

TEST_CASE("parser: every split gives the same requests") {
  std::string bytes = "*0\r\n" + Encode({"MSET", "a", "1", "b", std::string(40, 'x')}) +
                      "set \"q \\x41\\n\" 'it\\'s'\r\n" + Encode({"PING"});
  // Long enough that the parser keeps its place instead of starting again.
  bytes += Encode({"SET", std::string(1500, 'k'), "v", std::string(300, 'y'), "z"});
  const Parsed whole = ParseWhole(bytes);
  REQUIRE(whole.requests.size() == 4);
  CHECK(whole.requests[1] == std::vector<std::string>{"set", "q A\n", "it's"});
  for (size_t cut = 1; cut < bytes.size(); ++cut) {
    INFO("cut at " << cut);
    REQUIRE(ParsePieces({bytes.substr(0, cut), bytes.substr(cut)}) == whole);
  }
  std::vector<std::string> single;
  for (const char c : bytes) single.emplace_back(1, c);
  CHECK(ParsePieces(single) == whole);
}

TEST_CASE("parser: errors in Redis' words, however they arrive") {
  const std::pair<std::string, std::string> cases[] = {
      {"*a\r\n", "Protocol error: invalid multibulk length"},
      {"*1048577\r\n", "Protocol error: invalid multibulk length"},
      {"*01\r\n", "Protocol error: invalid multibulk length"},
      {"*99999999999999999999\r\n", "Protocol error: invalid multibulk length"},
      {"*1\r\n!3\r\n", "Protocol error: expected '$', got '!'"},
      {"*1\r\n$-1\r\n", "Protocol error: invalid bulk length"},
      {"*1\r\n$536870913\r\n", "Protocol error: invalid bulk length"},
      {"*1\r\n$1x\r\n", "Protocol error: invalid bulk length"},
      {"set \"a\r\n", "Protocol error: unbalanced quotes in request"},
      {"set \"a\"b\r\n", "Protocol error: unbalanced quotes in request"},
      {std::string(70000, 'x'), "Protocol error: too big inline request"},
      {"*" + std::string(70000, '1'), "Protocol error: too big mbulk count string"},
      {"*1\r\n$" + std::string(70000, '1'), "Protocol error: too big bulk count string"},
  };
  for (const auto& [bytes, text] : cases) {
    INFO(bytes.substr(0, 40));
    CHECK(ParseWhole(bytes) == Parsed{{}, text});
    CHECK(ParseWhole(Encode({"PING"}) + bytes) == Parsed{{{"PING"}}, text});
    if (bytes.size() > 100) continue;
    for (size_t cut = 1; cut < bytes.size(); ++cut) {
      CHECK(ParsePieces({bytes.substr(0, cut), bytes.substr(cut)}) == Parsed{{}, text});
    }
  }
}

TEST_CASE("parser: strangers get small limits") {
  ParseLimits limits;
  limits.authenticated = false;
  CHECK(ParseWhole(Encode({"AUTH", std::string(16384, 'p')}), limits).error.empty());
  CHECK(ParseWhole(Encode({"AUTH", std::string(16385, 'p')}), limits).error ==
        "Protocol error: unauthenticated bulk length");
  CHECK(ParseWhole("*10\r\n", limits).error.empty());
  CHECK(ParseWhole("*11\r\n", limits).error == "Protocol error: unauthenticated multibulk length");
}

TEST_CASE("parser: says how much a big argument still needs") {
  RequestParser parser;
  std::vector<std::string_view> arguments;
  std::string bytes = "*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$1000000\r\nabc";
  REQUIRE(parser.Next(bytes.data(), bytes.size(), {}, &arguments) == ParseStatus::kIncomplete);
  CHECK(parser.bytes_wanted() == bytes.size() - 3 + 1000000 + 2);
  bytes.resize(parser.bytes_wanted(), 'y');
  REQUIRE(parser.Next(bytes.data(), bytes.size(), {}, &arguments) == ParseStatus::kRequest);
  CHECK(arguments[2].size() == 1000000);
}

TEST_CASE("parser: Reset forgets a request that was begun") {
  RequestParser parser;
  std::vector<std::string_view> arguments;
  std::string begun = Encode({"SET", std::string(2000, 'k'), "v"});
  begun.resize(begun.size() - 3);
  REQUIRE(parser.Next(begun.data(), begun.size(), {}, &arguments) == ParseStatus::kIncomplete);
  parser.Reset();
  std::string other = Encode({"PING"});
  REQUIRE(parser.Next(other.data(), other.size(), {}, &arguments) == ParseStatus::kRequest);
  CHECK(arguments == std::vector<std::string_view>{"PING"});
}

TEST_CASE("parser: a refused inline command stays as it is") {
  RequestParser parser;
  std::vector<std::string_view> arguments;
  std::string bytes = "set \"a\\x41 'b";
  bytes += '\n';
  const std::string before = bytes;
  for (int i = 0; i < 2; ++i) {
    CHECK(parser.Next(bytes.data(), bytes.size(), {}, &arguments) == ParseStatus::kError);
    CHECK(bytes == before);
  }
  ParseLimits limits;
  limits.inline_allowed = false;
  bytes = "*0\r\nset \"a\"\n";
  CHECK(parser.Next(bytes.data(), bytes.size(), limits, &arguments) == ParseStatus::kIncomplete);
  CHECK(parser.consumed() == 4);
}

TEST_CASE("parser: a million arguments in small pieces cost linear time") {
  RequestParser parser;
  std::vector<std::string_view> arguments;
  std::string all = "*1048576\r\n";
  for (int i = 0; i < 1048576; ++i) all += "$1\r\nx\r\n";
  size_t calls = 0;
  for (size_t have = 4096;; have += 4096, ++calls) {
    have = std::min(have, all.size());
    const ParseStatus status = parser.Next(all.data(), have, {}, &arguments);
    if (have < all.size()) {
      REQUIRE(status == ParseStatus::kIncomplete);
      REQUIRE(arguments.empty());
    } else {
      REQUIRE(status == ParseStatus::kRequest);
      break;
    }
  }
  CHECK(arguments.size() == 1048576);
  CHECK(calls > 1000);
}

}  // namespace
}  // namespace verso::server
