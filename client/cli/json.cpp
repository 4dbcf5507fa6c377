#include "client/cli/json.h"

#include <cmath>

namespace verso::cli {
namespace {

using Kind = Reply::Kind;

// The length of the well-formed UTF-8 sequence that text begins with; 0: there is none.
size_t Utf8SequenceBytes(std::string_view text) {
  const auto byte = [&](size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char first = byte(0);
  const size_t bytes = first < 0x80                     ? 1
                       : first >= 0xc2 && first <= 0xdf ? 2
                       : (first & 0xf0) == 0xe0         ? 3
                       : first >= 0xf0 && first <= 0xf4 ? 4
                                                        : 0;
  if (bytes == 0 || bytes > text.size()) return 0;
  for (size_t i = 1; i < bytes; ++i) {
    if ((byte(i) & 0xc0) != 0x80) return 0;
  }
  // Overlong forms, UTF-16 surrogates and code points above U+10FFFF.
  if (first == 0xe0 && byte(1) < 0xa0) return 0;
  if (first == 0xed && byte(1) > 0x9f) return 0;
  if (first == 0xf0 && byte(1) < 0x90) return 0;
  if (first == 0xf4 && byte(1) > 0x8f) return 0;
  return bytes;
}

std::string JsonNumber(const Reply& reply) {
  const std::string& text = reply.text();
  if (reply.kind() == Kind::kDouble && !std::isfinite(reply.number())) return JsonString(text);
  return text.starts_with('+') ? text.substr(1) : text;
}

std::string JsonKey(const Reply& key) {
  if (key.is_text()) return JsonString(key.text());
  return JsonString(JsonText(key));
}

std::string JsonObject(const Reply& map) {
  std::string text = "{";
  const std::vector<Reply>& elements = map.elements();
  for (size_t i = 0; i + 1 < elements.size(); i += 2) {
    if (i > 0) text += ',';
    text += JsonKey(elements[i]) + ':' + JsonText(elements[i + 1]);
  }
  return text + '}';
}

std::string JsonArray(const Reply& array) {
  std::string text = "[";
  for (const Reply& element : array.elements()) {
    if (text.size() > 1) text += ',';
    text += JsonText(element);
  }
  return text + ']';
}

}  // namespace

std::string JsonText(const Reply& reply) {
  switch (reply.kind()) {
    case Kind::kNull:
      return "null";
    case Kind::kBool:
      return reply.boolean() ? "true" : "false";
    case Kind::kInteger:
      return std::to_string(reply.integer());
    case Kind::kDouble:
    case Kind::kBigNumber:
      return JsonNumber(reply);
    case Kind::kError:
      return "{\"error\":" + JsonString(reply.text()) + '}';
    case Kind::kStatus:
    case Kind::kString:
    case Kind::kVerbatim:
      return JsonString(reply.text());
    case Kind::kMap:
      return JsonObject(reply);
    case Kind::kArray:
    case Kind::kSet:
    case Kind::kPush:
      return JsonArray(reply);
  }
  return {};
}

std::string JsonString(std::string_view text) {
  constexpr char kHexDigits[] = "0123456789abcdef";
  std::string quoted = "\"";
  while (!text.empty()) {
    const char c = text.front();
    const size_t bytes = Utf8SequenceBytes(text);
    const size_t taken = bytes == 0 ? 1 : bytes;
    if (c == '"' || c == '\\') {
      quoted.append(1, '\\').append(1, c);
    } else if (c == '\n') {
      quoted += "\\n";
    } else if (c == '\r') {
      quoted += "\\r";
    } else if (c == '\t') {
      quoted += "\\t";
    } else if (bytes == 0 || (c >= 0 && c < ' ') || c == 0x7f) {
      const auto byte = static_cast<unsigned char>(c);
      quoted.append("\\u00").append(1, kHexDigits[byte >> 4]).append(1, kHexDigits[byte & 15]);
    } else {
      quoted.append(text.substr(0, taken));
    }
    text.remove_prefix(taken);
  }
  return quoted + '"';
}

}  // namespace verso::cli
