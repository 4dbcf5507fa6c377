#include "client/resp_codec.h"

#include <algorithm>
#include <charconv>

namespace verso::client {
namespace {

using Kind = Reply::Kind;

// Announced sizes are believed up to here when memory is set aside ahead of the bytes (R5).
constexpr int64_t kReserveBytes = 1 << 20;
constexpr int64_t kReserveElements = 256;

bool ParseInteger(std::string_view text, int64_t* value) {
  if (text.starts_with('+')) text.remove_prefix(1);
  const char* end = text.data() + text.size();
  auto [at, error] = std::from_chars(text.data(), end, *value);
  return error == std::errc() && at == end && !text.empty();
}

bool IsDouble(std::string_view text) {
  if (text.starts_with('+')) text.remove_prefix(1);
  double value = 0;
  const char* end = text.data() + text.size();
  auto [at, error] = std::from_chars(text.data(), end, value);
  return (error == std::errc() || error == std::errc::result_out_of_range) && at == end &&
         !text.empty();
}

bool IsBigNumber(std::string_view text) {
  if (text.starts_with('+') || text.starts_with('-')) text.remove_prefix(1);
  return !text.empty() &&
         std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

std::string Quoted(std::string_view text) {
  std::string shown = "'";
  for (char c : text.substr(0, 32)) shown += (c >= ' ' && c <= '~') ? c : '?';
  return shown + (text.size() > 32 ? "...'" : "'");
}

}  // namespace

Result<std::optional<Reply>> RespDecoder::Decode(std::string_view* input) {
  while (!failure_ && !input->empty()) {
    const bool step_ok = body_type_ != 0 ? ReadBody(input) : ReadLine(input);
    if (!step_ok) break;
    if (has_value_ && Collect()) return std::optional<Reply>(std::exchange(value_, {}));
  }
  if (failure_) return *failure_;
  return std::optional<Reply>();
}

bool RespDecoder::ReadLine(std::string_view* input) {
  const size_t newline = input->find('\n');
  const size_t taken = newline == std::string_view::npos ? input->size() : newline + 1;
  if (line_.size() + taken > kLineBytesMax) return Fail("header line too long");  // R4
  std::string_view line = input->substr(0, taken);
  input->remove_prefix(taken);
  if (newline == std::string_view::npos) {
    line_.append(line);
    return true;
  }
  if (line_.empty()) {  // the usual case: the line is parsed where it lies
    if (line.size() < 3 || line[line.size() - 2] != '\r') return Fail("bad line end");
    return ParseHeader(line.substr(0, line.size() - 2));
  }
  line_.append(line);
  const std::string whole = std::exchange(line_, {});
  if (whole.size() < 3 || whole[whole.size() - 2] != '\r') return Fail("bad line end");
  return ParseHeader(std::string_view(whole).substr(0, whole.size() - 2));
}

bool RespDecoder::ParseHeader(std::string_view line) {
  const char type = line.front();
  const std::string_view rest = line.substr(1);
  int64_t integer = 0;
  switch (type) {
    case '+':
      Complete(Reply::Text(Kind::kStatus, std::string(rest)));
      return true;
    case '-':
      Complete(Reply::Text(Kind::kError, std::string(rest)));
      return true;
    case ':':
      if (!ParseInteger(rest, &integer)) return Fail("bad integer " + Quoted(rest));
      Complete(Reply::Integer(integer));
      return true;
    case ',':
      if (!IsDouble(rest)) return Fail("bad double " + Quoted(rest));
      Complete(Reply::Text(Kind::kDouble, std::string(rest)));
      return true;
    case '(':
      if (!IsBigNumber(rest)) return Fail("bad big number " + Quoted(rest));
      Complete(Reply::Text(Kind::kBigNumber, std::string(rest)));
      return true;
    case '#':
      if (rest != "t" && rest != "f") return Fail("bad boolean " + Quoted(rest));
      Complete(Reply::Bool(rest == "t"));
      return true;
    case '_':
      if (!rest.empty()) return Fail("bad null " + Quoted(rest));
      Complete(Reply());
      return true;
    case '$':
    case '!':
    case '=':
      return BeginBody(type, rest);
    case '*':
    case '~':
    case '>':
    case '%':
    case '|':
      return BeginAggregate(type, rest);
    default:
      return Fail("unknown reply type " + Quoted(line.substr(0, 1)));
  }
}

bool RespDecoder::BeginBody(char type, std::string_view length) {
  int64_t bytes = 0;
  if (!ParseInteger(length, &bytes)) return Fail("bad length " + Quoted(length));
  if (bytes == -1 && type == '$') {
    Complete(Reply());
    return true;
  }
  if (bytes < 0 || bytes > kBulkBytesMax) return Fail("bad length " + Quoted(length));  // R2
  body_type_ = type;
  body_remaining_ = bytes;
  body_tail_seen_ = 0;
  body_.reserve(static_cast<size_t>(std::min(bytes, kReserveBytes)));  // R5
  return true;
}

bool RespDecoder::BeginAggregate(char type, std::string_view count) {
  int64_t announced = 0;
  if (!ParseInteger(count, &announced)) return Fail("bad count " + Quoted(count));
  if (announced == -1 && type == '*') {
    Complete(Reply());
    return true;
  }
  if (announced < 0 || announced > kElementsMax) return Fail("bad count " + Quoted(count));  // R3
  const bool is_attribute = type == '|';
  const bool is_map = type == '%' || is_attribute;
  const Kind kind = is_map        ? Kind::kMap
                    : type == '~' ? Kind::kSet
                    : type == '>' ? Kind::kPush
                                  : Kind::kArray;
  const int64_t elements = is_map ? announced * 2 : announced;
  if (elements == 0) {
    if (!is_attribute) Complete(Reply::Aggregate(kind, {}));
    return true;
  }
  if (stack_.size() >= kDepthMax) return Fail("replies nested too deep");  // R1
  stack_.push_back({kind, is_attribute, elements, {}});
  stack_.back().elements.reserve(static_cast<size_t>(std::min(elements, kReserveElements)));
  return true;
}

bool RespDecoder::ReadBody(std::string_view* input) {
  const size_t taken = std::min(input->size(), static_cast<size_t>(body_remaining_));
  body_.append(input->substr(0, taken));
  body_remaining_ -= static_cast<int64_t>(taken);
  input->remove_prefix(taken);
  while (body_remaining_ == 0 && body_tail_seen_ < 2 && !input->empty()) {
    if (input->front() != "\r\n"[body_tail_seen_]) return Fail("bad end of bulk");
    ++body_tail_seen_;
    input->remove_prefix(1);
  }
  return body_tail_seen_ < 2 || FinishBody();
}

bool RespDecoder::FinishBody() {
  const char type = std::exchange(body_type_, 0);
  std::string body = std::exchange(body_, {});
  if (type == '=') {
    if (body.size() < 4 || body[3] != ':') return Fail("bad verbatim string");
    const std::array<char, 3> format = {body[0], body[1], body[2]};
    body.erase(0, 4);
    Complete(Reply::Verbatim(format, std::move(body)));
  } else {
    Complete(Reply::Text(type == '!' ? Kind::kError : Kind::kString, std::move(body)));
  }
  return true;
}

bool RespDecoder::Collect() {
  has_value_ = false;
  while (!stack_.empty()) {
    Frame& top = stack_.back();
    if (!top.is_attribute) top.elements.push_back(std::move(value_));
    if (--top.remaining > 0) return false;
    const bool was_attribute = top.is_attribute;
    value_ = Reply::Aggregate(top.kind, std::move(top.elements));
    stack_.pop_back();
    if (was_attribute) {  // read past: the value it describes comes next
      value_ = Reply();
      return false;
    }
  }
  return true;
}

void RespDecoder::Complete(Reply value) {
  value_ = std::move(value);
  has_value_ = true;
}

bool RespDecoder::Fail(const std::string& message) {
  failure_ = Error{ErrorCode::kProtocol, "protocol error: " + message};
  return false;
}

void AppendCommand(std::string* out, std::span<const std::string_view> args) {
  char digits[24];
  const auto append_header = [&](char type, size_t count) {
    auto [end, error] = std::to_chars(digits, digits + sizeof(digits), count);
    *out += type;
    out->append(digits, end);
    out->append("\r\n");
  };
  append_header('*', args.size());
  for (std::string_view arg : args) {
    append_header('$', arg.size());
    out->append(arg);
    out->append("\r\n");
  }
}

}  // namespace verso::client
