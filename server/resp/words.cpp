#include "server/resp/words.h"

namespace verso::server {
namespace {

int HexDigit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

bool IsSpace(char c) {
  return c == ' ' || c == '\t' || c == '\r' || c == '\n' || c == '\v' || c == '\f' || c == '\0';
}

// One backslash sequence inside double quotes; `*from` stands behind the backslash.
char Unescape(char** from, const char* end) {
  char* p = *from;
  if (*p == 'x' && p + 2 < end && HexDigit(p[1]) >= 0 && HexDigit(p[2]) >= 0) {
    *from = p + 3;
    return static_cast<char>(HexDigit(p[1]) * 16 + HexDigit(p[2]));
  }
  *from = p + 1;
  switch (*p) {
    case 'n':
      return '\n';
    case 'r':
      return '\r';
    case 't':
      return '\t';
    case 'b':
      return '\b';
    case 'a':
      return '\a';
    default:
      return *p;
  }
}

}  // namespace

bool SplitWords(char* p, char* end, std::vector<std::string_view>* words) {
  while (true) {
    while (p < end && IsSpace(*p)) ++p;
    if (p == end) return true;
    char* const word = p;
    char* to = p;
    char quote = 0;
    while (p < end) {
      const char c = *p;
      if (quote == 0) {
        if (IsSpace(c)) break;
        ++p;
        if (c == '"' || c == '\'') {
          quote = c;
        } else {
          *to++ = c;
        }
      } else if (c == '\\' && quote == '"' && p + 1 < end) {
        ++p;
        *to++ = Unescape(&p, end);
      } else if (c == '\\' && quote == '\'' && p + 1 < end && p[1] == '\'') {
        *to++ = '\'';
        p += 2;
      } else if (c == quote) {
        ++p;
        if (p < end && !IsSpace(*p)) return false;  // a closing quote ends the word
        quote = 0;
        break;
      } else {
        *to++ = c;
        ++p;
      }
    }
    if (quote != 0) return false;
    words->emplace_back(word, static_cast<size_t>(to - word));
  }
}

}  // namespace verso::server
