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

void Put(char c, char** to, const std::vector<std::string_view>* words) {
  if (words != nullptr) *(*to)++ = c;
}

// Null words: nothing is written, only the quotes are looked at.
bool Split(char* p, char* end, std::vector<std::string_view>* words) {
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
          Put(c, &to, words);
        }
      } else if (c == '\\' && quote == '"' && p + 1 < end) {
        ++p;
        Put(Unescape(&p, end), &to, words);
      } else if (c == '\\' && quote == '\'' && p + 1 < end && p[1] == '\'') {
        Put('\'', &to, words);
        p += 2;
      } else if (c == quote) {
        ++p;
        if (p < end && !IsSpace(*p)) return false;  // a closing quote ends the word
        quote = 0;
        break;
      } else {
        Put(c, &to, words);
        ++p;
      }
    }
    if (quote != 0) return false;
    if (words != nullptr) words->emplace_back(word, static_cast<size_t>(to - word));
  }
}

}  // namespace

bool SplitWords(char* p, char* end, std::vector<std::string_view>* words) {
  // A line that is refused stays as it is: it may be looked at again.
  return Split(p, end, nullptr) && Split(p, end, words);
}

}  // namespace verso::server
