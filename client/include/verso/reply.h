// A reply: one tagged value that covers every type of RESP2 and RESP3.
//
//     kind          RESP byte   carries
//     kNull         _ $-1 *-1   nothing
//     kBool         #           boolean()
//     kInteger      :           integer()
//     kDouble       ,           number(), and text() as the server wrote it
//     kBigNumber    (           text(): decimal digits of any length
//     kStatus       +           text()
//     kError        - !         text()
//     kString       $           text(), binary safe
//     kVerbatim     =           text() without its prefix, format() is the prefix ("txt", "mkd")
//     kArray kSet kPush         elements()
//     kMap                      elements(): key, value, key, value, ...
//
// Attributes (|) are metadata that no caller of ours needs: the decoder reads past them.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace verso {

class Reply {
 public:
  enum class Kind : uint8_t {
    kNull,
    kBool,
    kInteger,
    kDouble,
    kBigNumber,
    kStatus,
    kError,
    kString,
    kVerbatim,
    kArray,
    kMap,
    kSet,
    kPush,
  };

  Reply() = default;  // kNull

  static Reply Bool(bool value) { return Reply(Kind::kBool, static_cast<int64_t>(value)); }
  static Reply Integer(int64_t value) { return Reply(Kind::kInteger, value); }
  // Requires: kind is one that carries text; a kDouble's text is a number.
  static Reply Text(Kind kind, std::string text) { return Reply(kind, std::move(text)); }
  static Reply Verbatim(std::array<char, 3> format, std::string text);
  // Requires: kind is kArray, kMap, kSet or kPush; the elements of a map are even in number.
  static Reply Aggregate(Kind kind, std::vector<Reply> elements) {
    return Reply(kind, std::move(elements));
  }

  Kind kind() const { return kind_; }
  bool is_null() const { return kind_ == Kind::kNull; }
  bool is_error() const { return kind_ == Kind::kError; }
  bool is_text() const { return std::holds_alternative<std::string>(value_); }
  bool is_aggregate() const { return std::holds_alternative<std::vector<Reply>>(value_); }

  // The accessors are total: asked for what the kind does not carry they return zero or empty.
  bool boolean() const { return integer() != 0; }
  int64_t integer() const;
  double number() const;
  const std::string& text() const;
  std::string_view format() const { return {format_.data(), format_.size()}; }
  const std::vector<Reply>& elements() const;

  // Moves the contents out and leaves them empty.
  std::string TakeText();
  std::vector<Reply> TakeElements();

  // The value of a map's key, or nullptr. Also reads RESP2's flat arrays of key, value, ...
  const Reply* Find(std::string_view key) const;

  bool operator==(const Reply&) const = default;

 private:
  using Value = std::variant<std::monostate, int64_t, std::string, std::vector<Reply>>;

  Reply(Kind kind, Value value) : kind_(kind), value_(std::move(value)) {}

  Kind kind_ = Kind::kNull;
  std::array<char, 3> format_{};  // kVerbatim only
  Value value_;
};

}  // namespace verso
