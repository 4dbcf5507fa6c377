// Glob patterns: each element, the odd corners that Redis has, and the time of a hostile pattern.
#include "server/command/glob.h"

#include <catch2/catch.hpp>
#include <chrono>
#include <string>

using verso::server::GlobMatch;

TEST_CASE("glob: literals and question marks", "[glob]") {
  CHECK(GlobMatch("", ""));
  CHECK_FALSE(GlobMatch("", "a"));
  CHECK_FALSE(GlobMatch("a", ""));
  CHECK(GlobMatch("abc", "abc"));
  CHECK_FALSE(GlobMatch("abc", "abcd"));
  CHECK_FALSE(GlobMatch("abcd", "abc"));
  CHECK_FALSE(GlobMatch("abc", "ABC"));
  CHECK(GlobMatch("h?llo", "hello"));
  CHECK_FALSE(GlobMatch("h?llo", "hllo"));
  CHECK(GlobMatch(std::string("a\0b", 3), std::string("a\0b", 3)));
  CHECK_FALSE(GlobMatch(std::string("a\0b", 3), "a"));
}

TEST_CASE("glob: stars", "[glob]") {
  CHECK(GlobMatch("*", ""));
  CHECK(GlobMatch("**", ""));
  CHECK(GlobMatch("*", "anything"));
  CHECK(GlobMatch("a*", "a"));
  CHECK(GlobMatch("*a*b*c*", "xaybzc"));
  CHECK_FALSE(GlobMatch("*a*b*c", "xaybzcd"));
  CHECK(GlobMatch("*ab", "aab"));  // the star must be tried again
  CHECK(GlobMatch("*abc", "ababcabc"));
  CHECK_FALSE(GlobMatch("a*b", "acbd"));
}

TEST_CASE("glob: classes", "[glob]") {
  CHECK(GlobMatch("h[ae]llo", "hallo"));
  CHECK_FALSE(GlobMatch("h[ae]llo", "hillo"));
  CHECK(GlobMatch("[a-c]", "b"));
  CHECK(GlobMatch("[c-a]", "b"));
  CHECK_FALSE(GlobMatch("[a-c]", "d"));
  CHECK(GlobMatch("[^a-c]", "d"));
  CHECK_FALSE(GlobMatch("[^a-c]", "a"));
  CHECK(GlobMatch("[\\]]", "]"));
  CHECK(GlobMatch("[\\-a]", "-"));
  CHECK(GlobMatch("[a-]x", "_"));  // the range goes up to the bracket, and so the class is open
  CHECK_FALSE(GlobMatch("[]", "a"));
  CHECK_FALSE(GlobMatch("[]", "]"));
  CHECK(GlobMatch("[^]", "a"));
  CHECK(GlobMatch("[a-\xff]", "*"));  // from -1 up to 'a'
  CHECK_FALSE(GlobMatch("[a-\xff]", "b"));
}

TEST_CASE("glob: a class that is not closed ends with the pattern", "[glob]") {
  CHECK(GlobMatch("[ab", "b"));
  CHECK_FALSE(GlobMatch("[ab", "c"));
  CHECK_FALSE(GlobMatch("[", "["));
  CHECK(GlobMatch("[^", "x"));
  CHECK(GlobMatch("s:[0-", "s:-"));
  CHECK(GlobMatch("s:[0\\", "s:\\"));
}

TEST_CASE("glob: escapes", "[glob]") {
  CHECK(GlobMatch("a\\*b", "a*b"));
  CHECK_FALSE(GlobMatch("a\\*b", "axb"));
  CHECK(GlobMatch("\\\\", "\\"));
  CHECK(GlobMatch("\\", "\\"));  // nothing to escape: itself
  CHECK_FALSE(GlobMatch("\\", "x"));
}

TEST_CASE("glob: a hostile pattern costs text times pattern, not more", "[glob]") {
  std::string pattern;
  for (int i = 0; i < 200; ++i) pattern += "*a";
  const std::string text = std::string(1999, 'a') + "b";
  const auto start = std::chrono::steady_clock::now();
  CHECK_FALSE(GlobMatch(pattern, text));
  const auto spent = std::chrono::steady_clock::now() - start;
  CHECK(std::chrono::duration_cast<std::chrono::milliseconds>(spent).count() < 50);
}
