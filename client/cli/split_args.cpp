#include "client/cli/split_args.h"

namespace verso::cli {
namespace {

bool IsSpace(char c) {
  return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\v' || c == '\f';
}

// The value of a hexadecimal digit, or -1.
int HexDigit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

char Unescape(char c) {
  switch (c) {
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
      return c;
  }
}

// Reads a double-quoted part; *rest starts behind the opening quote and ends behind the closing
// one.
bool ReadDoubleQuoted(std::string_view* rest, std::string* arg) {
  while (!rest->empty()) {
    const char c = rest->front();
    if (c == '"') {
      rest->remove_prefix(1);
      return true;
    }
    if (c == '\\' && rest->size() >= 4 && (*rest)[1] == 'x' && HexDigit((*rest)[2]) >= 0 &&
        HexDigit((*rest)[3]) >= 0) {
      *arg += static_cast<char>(HexDigit((*rest)[2]) * 16 + HexDigit((*rest)[3]));
      rest->remove_prefix(4);
    } else if (c == '\\' && rest->size() >= 2) {
      *arg += Unescape((*rest)[1]);
      rest->remove_prefix(2);
    } else {
      *arg += c;
      rest->remove_prefix(1);
    }
  }
  return false;
}

bool ReadSingleQuoted(std::string_view* rest, std::string* arg) {
  while (!rest->empty()) {
    if (rest->front() == '\'') {
      rest->remove_prefix(1);
      return true;
    }
    if (rest->starts_with("\\'")) rest->remove_prefix(1);
    *arg += rest->front();
    rest->remove_prefix(1);
  }
  return false;
}

}  // namespace

std::optional<std::vector<std::string>> SplitArgs(std::string_view line) {
  std::vector<std::string> args;
  while (true) {
    while (!line.empty() && IsSpace(line.front())) line.remove_prefix(1);
    if (line.empty()) return args;
    std::string& arg = args.emplace_back();
    while (!line.empty() && !IsSpace(line.front())) {
      const char c = line.front();
      line.remove_prefix(1);
      if (c != '"' && c != '\'') {
        arg += c;
        continue;
      }
      const bool closed = c == '"' ? ReadDoubleQuoted(&line, &arg) : ReadSingleQuoted(&line, &arg);
      if (!closed || (!line.empty() && !IsSpace(line.front()))) return std::nullopt;
    }
  }
}

}  // namespace verso::cli
