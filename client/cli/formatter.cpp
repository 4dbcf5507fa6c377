#include "client/cli/formatter.h"

#include <algorithm>

#include "client/cli/json.h"

namespace verso::cli {
namespace {

using Kind = Reply::Kind;

std::string EmptyAggregateText(Kind kind) {
  if (kind == Kind::kMap) return "(empty hash)\n";
  if (kind == Kind::kSet) return "(empty set)\n";
  return kind == Kind::kPush ? "(empty push)\n" : "(empty array)\n";
}

// How many numbered rows an aggregate has: a key and its value share one.
size_t RowCount(const Reply& reply) {
  const size_t count = reply.elements().size();
  return reply.kind() == Kind::kMap ? count / 2 : count;
}

std::string TtyText(const Reply& reply, const std::string& indent);

bool HasSeveralRows(const Reply& reply) {
  const std::vector<Reply>& elements = reply.elements();
  return RowCount(reply) > 1 || std::any_of(elements.begin(), elements.end(), HasSeveralRows);
}

// A map's value that takes several rows begins on a line of its own.
std::string TtyMapValue(const Reply& value, const std::string& indent) {
  if (!HasSeveralRows(value)) return TtyText(value, indent);
  return "\n" + indent + TtyText(value, indent);
}

// The first row stands behind what the caller has printed already; the others begin with indent.
std::string TtyAggregate(const Reply& reply, const std::string& indent) {
  const size_t rows = RowCount(reply);
  if (rows == 0) return EmptyAggregateText(reply.kind());
  const bool is_map = reply.kind() == Kind::kMap;
  const char mark = is_map ? '#' : reply.kind() == Kind::kSet ? '~' : ')';
  const size_t width = std::to_string(rows).size();
  const std::string inner_indent = indent + std::string(width + 2, ' ');
  std::string text;
  for (size_t row = 0; row < rows; ++row) {
    const std::string number = std::to_string(row + 1);
    if (row > 0) text += indent;
    text.append(width - number.size(), ' ').append(number).append(1, mark).append(1, ' ');
    if (!is_map) {
      text += TtyText(reply.elements()[row], inner_indent);
      continue;
    }
    text += TtyText(reply.elements()[row * 2], inner_indent);
    text.pop_back();  // the line end behind the key
    text += " => " + TtyMapValue(reply.elements()[row * 2 + 1], inner_indent);
  }
  return text;
}

std::string TtyText(const Reply& reply, const std::string& indent) {
  switch (reply.kind()) {
    case Kind::kNull:
      return "(nil)\n";
    case Kind::kBool:
      return reply.boolean() ? "(true)\n" : "(false)\n";
    case Kind::kInteger:
      return "(integer) " + std::to_string(reply.integer()) + "\n";
    case Kind::kDouble:
      return "(double) " + reply.text() + "\n";
    case Kind::kBigNumber:
      return "(big number) " + reply.text() + "\n";
    case Kind::kError:
      return "(error) " + reply.text() + "\n";
    case Kind::kStatus:
    case Kind::kVerbatim:
      return reply.text() + "\n";
    case Kind::kString:
      return QuoteText(reply.text()) + "\n";
    case Kind::kArray:
    case Kind::kMap:
    case Kind::kSet:
    case Kind::kPush:
      return TtyAggregate(reply, indent);
  }
  return {};
}

std::string RawText(const Reply& reply) {
  if (reply.kind() == Kind::kBool) return reply.boolean() ? "(true)" : "(false)";
  if (reply.kind() == Kind::kInteger) return std::to_string(reply.integer());
  if (reply.is_error()) return reply.text() + "\n";
  if (!reply.is_aggregate()) return reply.text();
  std::string text;
  const std::vector<Reply>& elements = reply.elements();
  for (size_t i = 0; i < elements.size(); ++i) {
    const bool is_map_value = reply.kind() == Kind::kMap && i % 2 == 1;
    if (i > 0) text += is_map_value ? ' ' : '\n';
    text += RawText(elements[i]);
  }
  return text;
}

std::string CsvText(const Reply& reply) {
  switch (reply.kind()) {
    case Kind::kNull:
      return "NULL";
    case Kind::kBool:
      return reply.boolean() ? "true" : "false";
    case Kind::kInteger:
      return std::to_string(reply.integer());
    case Kind::kDouble:
    case Kind::kBigNumber:
      return reply.text();
    case Kind::kError:
      return "ERROR," + QuoteText(reply.text());
    case Kind::kStatus:
    case Kind::kString:
    case Kind::kVerbatim:
      return QuoteText(reply.text());
    case Kind::kArray:
    case Kind::kMap:
    case Kind::kSet:
    case Kind::kPush:
      break;
  }
  std::string text;
  for (const Reply& element : reply.elements()) {
    if (&element != &reply.elements().front()) text += ',';
    text += CsvText(element);
  }
  return text;
}

}  // namespace

std::string FormatReply(const Reply& reply, Format format) {
  switch (format) {
    case Format::kTty:
      return TtyText(reply, "");
    case Format::kRaw:
      return RawText(reply) + "\n";
    case Format::kCsv:
      return CsvText(reply) + "\n";
    case Format::kJson:
      return JsonText(reply) + "\n";
  }
  return {};
}

std::string QuoteText(std::string_view text) {
  constexpr char kHexDigits[] = "0123456789abcdef";
  std::string quoted = "\"";
  for (char c : text) {
    switch (c) {
      case '"':
      case '\\':
        quoted.append(1, '\\').append(1, c);
        break;
      case '\n':
        quoted += "\\n";
        break;
      case '\r':
        quoted += "\\r";
        break;
      case '\t':
        quoted += "\\t";
        break;
      case '\a':
        quoted += "\\a";
        break;
      case '\b':
        quoted += "\\b";
        break;
      default:
        if (c >= ' ' && c <= '~') {
          quoted += c;
        } else {
          const auto byte = static_cast<unsigned char>(c);
          quoted.append("\\x").append(1, kHexDigits[byte >> 4]).append(1, kHexDigits[byte & 15]);
        }
    }
  }
  return quoted + '"';
}

}  // namespace verso::cli
