#include "server/command/glob.h"

#include <utility>

namespace verso::server {
namespace {

// Does the class whose first byte after "[" is pattern[*at] contain c? Moves *at behind the class.
bool MatchClass(ByteView pattern, size_t* at, unsigned char c) {
  size_t p = *at;
  const bool negated = p < pattern.size() && pattern[p] == '^';
  if (negated) ++p;
  bool found = false;
  for (; p < pattern.size() && pattern[p] != ']'; ++p) {
    if (pattern[p] == '\\' && p + 1 < pattern.size()) {
      ++p;
    } else if (p + 2 < pattern.size() && pattern[p + 1] == '-') {
      // Signed, as Redis compares them on most machines: bytes above 127 come before all others.
      auto low = static_cast<signed char>(pattern[p]);
      auto high = static_cast<signed char>(pattern[p + 2]);
      if (low > high) std::swap(low, high);
      found |= low <= static_cast<signed char>(c) && static_cast<signed char>(c) <= high;
      p += 2;
      continue;
    }
    found |= static_cast<unsigned char>(pattern[p]) == c;
  }
  if (p < pattern.size()) ++p;  // the closing bracket
  *at = p;
  return found != negated;
}

// Does the element at pattern[*at], which is no star, take c? Moves *at behind it.
bool MatchOne(ByteView pattern, size_t* at, unsigned char c) {
  const char element = pattern[(*at)++];
  if (element == '?') return true;
  if (element == '[') return MatchClass(pattern, at, c);
  if (element == '\\' && *at < pattern.size()) {
    return static_cast<unsigned char>(pattern[(*at)++]) == c;
  }
  return static_cast<unsigned char>(element) == c;
}

}  // namespace

bool GlobMatch(ByteView pattern, ByteView text) {
  constexpr size_t kNone = ~size_t{0};
  size_t p = 0;
  size_t t = 0;
  size_t after_star = kNone;  // of the last star met: where the pattern goes on,
  size_t star_end = 0;        // and how much text is behind it so far
  while (t < text.size()) {
    if (p < pattern.size() && pattern[p] == '*') {
      while (p < pattern.size() && pattern[p] == '*') ++p;
      if (p == pattern.size()) return true;
      after_star = p;
      star_end = t;
      continue;
    }
    if (p < pattern.size() && MatchOne(pattern, &p, static_cast<unsigned char>(text[t]))) {
      ++t;
      continue;
    }
    if (after_star == kNone) return false;
    p = after_star;
    t = ++star_end;
  }
  while (p < pattern.size() && pattern[p] == '*') ++p;
  return p == pattern.size();
}

}  // namespace verso::server
