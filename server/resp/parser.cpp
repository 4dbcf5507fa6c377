#include "server/resp/parser.h"

#include <algorithm>
#include <cstring>

#include "server/resp/words.h"

namespace verso::server {
namespace {

enum class LineStatus : uint8_t { kNumber, kNotNumber, kNoLine, kTooLong };

// Reads "<integer>\r\n" at `at`. kNumber: *value is set and *at stands behind the line. The longest
// valid one has 20 characters.
LineStatus ReadNumberLine(const char* data, size_t size, size_t* at, int64_t* value) {
  size_t i = *at;
  if (i >= size) return LineStatus::kNoLine;
  // The common case: a few digits, CR, LF.
  uint64_t number = 0;
  const size_t digits_at = i;
  while (i < size && static_cast<unsigned char>(data[i] - '0') < 10 && i - digits_at < 18) {
    number = number * 10 + static_cast<uint64_t>(data[i] - '0');
    ++i;
  }
  const bool canonical = i > digits_at && (data[digits_at] != '0' || i == digits_at + 1);
  if (canonical && i + 1 < size && data[i] == '\r') {
    *value = static_cast<int64_t>(number);
    *at = i + 2;
    return LineStatus::kNumber;
  }
  // Looked for within the limit only: the same bytes are judged alike in whatever pieces they come.
  const size_t searched = std::min(size - *at, RequestParser::kInlineBytesMax);
  const auto* end = static_cast<const char*>(std::memchr(data + *at, '\r', searched));
  if (end == nullptr && searched == RequestParser::kInlineBytesMax) return LineStatus::kTooLong;
  if (end == nullptr || end + 1 >= data + size) return LineStatus::kNoLine;
  const char* begin = data + *at;
  *at = static_cast<size_t>(end - data) + 2;
  const bool negative = begin < end && *begin == '-';
  if (negative) ++begin;
  if (begin == end || end - begin > 18 || (*begin == '0' && (negative || end - begin > 1))) {
    return LineStatus::kNotNumber;
  }
  number = 0;
  for (const char* p = begin; p < end; ++p) {
    if (*p < '0' || *p > '9') return LineStatus::kNotNumber;
    number = number * 10 + static_cast<uint64_t>(*p - '0');
  }
  *value = negative ? -static_cast<int64_t>(number) : static_cast<int64_t>(number);
  return LineStatus::kNumber;
}

}  // namespace

ParseStatus RequestParser::Next(char* data, size_t size, const ParseLimits& limits,
                                std::vector<std::string_view>* arguments) {
  size_t start = 0;
  while (true) {
    consumed_ = start;
    if (start == size) return Incomplete(1);
    const size_t arguments_before = arguments->size();
    was_inline_ = data[start] != '*';
    if (was_inline_ && !limits.inline_allowed) return Incomplete(1);
    const ParseStatus status = !was_inline_ ? ParseArray(data, start, size, limits, arguments)
                                            : ParseInline(data, start, size, arguments);
    if (status != ParseStatus::kRequest) {
      arguments->resize(arguments_before);
      return status;
    }
    if (arguments->size() > arguments_before) return status;
    start = consumed_;  // an empty request has no reply
  }
}

ParseStatus RequestParser::ParseArray(char* data, size_t start, size_t size,
                                      const ParseLimits& limits,
                                      std::vector<std::string_view>* arguments) {
  const size_t arguments_before = arguments->size();
  const bool resumed = resume_at_ != 0;
  size_t at = start + (resumed ? resume_at_ : 1);
  int64_t missing = resume_missing_;
  if (!resumed) {
    const LineStatus line = ReadNumberLine(data, size, &at, &missing);
    if (line == LineStatus::kNoLine) return Incomplete(size - start + 1);
    if (line == LineStatus::kTooLong) return Fail("Protocol error: too big mbulk count string");
    if (line == LineStatus::kNotNumber || missing > static_cast<int64_t>(limits.arguments_max)) {
      return Fail("Protocol error: invalid multibulk length");
    }
    if (!limits.authenticated && missing > static_cast<int64_t>(kStrangerArgumentsMax)) {
      return Fail("Protocol error: unauthenticated multibulk length");
    }
  }

  while (missing > 0) {
    const size_t item_at = at;
    int64_t bytes = -1;
    size_t wanted = size - start + 1;
    if (at < size) {
      if (data[at] != '$') {
        return Fail(std::string("Protocol error: expected '$', got '") + data[at] + "'");
      }
      ++at;
      const LineStatus line = ReadNumberLine(data, size, &at, &bytes);
      if (line == LineStatus::kTooLong) {
        return Fail("Protocol error: too big bulk count string");
      }
      if (line != LineStatus::kNoLine) {
        if (line == LineStatus::kNotNumber || bytes < 0 ||
            bytes > static_cast<int64_t>(limits.bulk_bytes_max)) {
          return Fail("Protocol error: invalid bulk length");
        }
        if (!limits.authenticated && bytes > static_cast<int64_t>(kStrangerBulkBytesMax)) {
          return Fail("Protocol error: unauthenticated bulk length");
        }
        const size_t end = at + static_cast<size_t>(bytes) + 2;
        if (end <= size) {
          if (resumed) {
            resume_arguments_.push_back({at - start, static_cast<uint64_t>(bytes)});
          } else {
            arguments->emplace_back(data + at, static_cast<size_t>(bytes));
          }
          at = end;
          --missing;
          continue;
        }
        wanted = end - start;
      }
    }
    if (resumed || item_at - start >= kResumeBytesMin) {
      if (!resumed) {
        for (size_t i = arguments_before; i < arguments->size(); ++i) {
          const std::string_view argument = (*arguments)[i];
          const auto offset = static_cast<uint64_t>(argument.data() - data) - start;
          resume_arguments_.push_back({offset, argument.size()});
        }
      }
      resume_at_ = item_at - start;
      resume_missing_ = missing;
    }
    return Incomplete(wanted);
  }

  if (resumed) {
    for (const Saved& saved : resume_arguments_) {
      arguments->emplace_back(data + start + saved.offset, saved.bytes);
    }
    resume_at_ = 0;
    std::vector<Saved>().swap(resume_arguments_);
  }
  consumed_ = at;
  return ParseStatus::kRequest;
}

ParseStatus RequestParser::ParseInline(char* data, size_t start, size_t size,
                                       std::vector<std::string_view>* arguments) {
  const size_t searched = std::min(size - start, kInlineBytesMax + 1);
  auto* end = static_cast<char*>(std::memchr(data + start, '\n', searched));
  if (end == nullptr) {
    if (searched > kInlineBytesMax) return Fail("Protocol error: too big inline request");
    return Incomplete(size - start + 1);
  }
  consumed_ = static_cast<size_t>(end - data) + 1;
  if (end > data + start && end[-1] == '\r') --end;
  if (!SplitWords(data + start, end, arguments)) {
    return Fail("Protocol error: unbalanced quotes in request");
  }
  return ParseStatus::kRequest;
}

}  // namespace verso::server
