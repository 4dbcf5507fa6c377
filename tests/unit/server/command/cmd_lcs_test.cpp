// LCS against the plain recurrence, in one step and in slices; the replies that redis-server 7.0.15
// gives.
#include <algorithm>
#include <catch2/catch.hpp>
#include <random>
#include <string>
#include <vector>

#include "command_fixture.h"
#include "server/command/longest_common.h"

using namespace verso::server;

namespace {

size_t PlainLength(const std::string& a, const std::string& b) {
  std::vector<std::vector<size_t>> best(a.size() + 1, std::vector<size_t>(b.size() + 1));
  for (size_t i = 1; i <= a.size(); ++i) {
    for (size_t j = 1; j <= b.size(); ++j) {
      best[i][j] =
          a[i - 1] == b[j - 1] ? best[i - 1][j - 1] + 1 : std::max(best[i - 1][j], best[i][j - 1]);
    }
  }
  return best[a.size()][b.size()];
}

bool IsSubsequence(const std::string& part, const std::string& whole) {
  size_t at = 0;
  for (const char c : whole) at += at < part.size() && part[at] == c ? 1 : 0;
  return at == part.size();
}

}  // namespace

TEST_CASE("the longest common subsequence, in steps of any size", "[command]") {
  std::mt19937 random(1);
  for (int round = 0; round < 300; ++round) {
    const auto text = [&random](size_t length_max) {
      std::string made(random() % (length_max + 1), ' ');
      for (char& c : made) c = static_cast<char>('a' + random() % 3);
      return made;
    };
    const std::string a = text(80);
    const std::string b = text(80);
    LongestCommon common(a, b);
    const uint64_t step = 1 + random() % 50;
    while (!common.Step(step)) {
    }
    const std::string found = common.Text();
    REQUIRE(found.size() == PlainLength(a, b));
    REQUIRE(common.length() == found.size());
    REQUIRE(IsSubsequence(found, a));
    REQUIRE(IsSubsequence(found, b));
    std::string joined;
    auto matches = common.Matches();
    std::reverse(matches.begin(), matches.end());
    for (const LongestCommon::Match& match : matches) {
      REQUIRE(a.substr(match.a_first, match.length()) == b.substr(match.b_first, match.length()));
      REQUIRE(match.b_last - match.b_first + 1 == match.length());
      joined += a.substr(match.a_first, match.length());
    }
    REQUIRE(joined == found);
  }
}

TEST_CASE("LCS answers as Redis does", "[command]") {
  CommandFixture run;
  run("SET", "a", "ohmytext");
  run("SET", "b", "mynewtext");
  CHECK(run("LCS", "a", "b") == "$6\r\nmytext\r\n");
  CHECK(run("LCS", "a", "b", "LEN") == ":6\r\n");
  CHECK(run("LCS", "a", "b", "IDX") ==
        "*4\r\n$7\r\nmatches\r\n*2\r\n*2\r\n*2\r\n:4\r\n:7\r\n*2\r\n:5\r\n:8\r\n"
        "*2\r\n*2\r\n:2\r\n:3\r\n*2\r\n:0\r\n:1\r\n$3\r\nlen\r\n:6\r\n");
  CHECK(run("LCS", "a", "b", "IDX", "MINMATCHLEN", "4", "WITHMATCHLEN") ==
        "*4\r\n$7\r\nmatches\r\n*1\r\n*3\r\n*2\r\n:4\r\n:7\r\n*2\r\n:5\r\n:8\r\n:4\r\n"
        "$3\r\nlen\r\n:6\r\n");
  CHECK(run("LCS", "a", "missing") == "$0\r\n\r\n");
  CHECK(run("LCS", "a", "missing", "LEN") == ":0\r\n");
  CHECK(run("LCS", "a", "missing", "IDX") == "*4\r\n$7\r\nmatches\r\n*0\r\n$3\r\nlen\r\n:0\r\n");
  CHECK(run("LCS", "a", "b", "IDX", "LEN") ==
        "-ERR If you want both the length and indexes, please just use IDX.\r\n");
  CHECK(run("LCS", "a", "b", "what") == "-ERR syntax error\r\n");
  CHECK(run("LCS", "a", "b", "MINMATCHLEN") == "-ERR syntax error\r\n");
  run("RPUSH", "list", "x");
  CHECK(run("LCS", "a", "list") == "-ERR The specified keys must contain string values\r\n");
}

TEST_CASE("LCS of long strings goes on in slices, and has a limit", "[command]") {
  CommandFixture run(false);
  std::mt19937 random(2);
  std::string a(3000, ' ');
  std::string b(3000, ' ');
  for (char& c : a) c = static_cast<char>('a' + random() % 4);
  for (char& c : b) c = static_cast<char>('a' + random() % 4);
  run("SET", "a", a);
  run("SET", "b", b);
  const uint64_t slices = run.slices();
  CHECK(run("LCS", "a", "b", "LEN") == ":" + std::to_string(PlainLength(a, b)) + "\r\n");
  CHECK(run.slices() > slices);
  run("SETRANGE", "x", "99999", "x");
  run("SETRANGE", "y", "99999", "y");
  CHECK(run("LCS", "x", "y").starts_with("-ERR Insufficient memory"));
}
