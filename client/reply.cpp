#include "client/include/verso/reply.h"

#include <charconv>

namespace verso {

Reply Reply::Verbatim(std::array<char, 3> format, std::string text) {
  Reply reply(Kind::kVerbatim, std::move(text));
  reply.format_ = format;
  return reply;
}

int64_t Reply::integer() const {
  const auto* value = std::get_if<int64_t>(&value_);
  return value != nullptr ? *value : 0;
}

double Reply::number() const {
  if (const auto* value = std::get_if<int64_t>(&value_)) return static_cast<double>(*value);
  const std::string& digits = text();
  double value = 0;
  std::from_chars(digits.data(), digits.data() + digits.size(), value);
  return value;
}

const std::string& Reply::text() const {
  static const std::string kEmpty;
  const auto* value = std::get_if<std::string>(&value_);
  return value != nullptr ? *value : kEmpty;
}

const std::vector<Reply>& Reply::elements() const {
  static const std::vector<Reply> kEmpty;
  const auto* value = std::get_if<std::vector<Reply>>(&value_);
  return value != nullptr ? *value : kEmpty;
}

std::string Reply::TakeText() {
  auto* value = std::get_if<std::string>(&value_);
  return value != nullptr ? std::exchange(*value, {}) : std::string();
}

std::vector<Reply> Reply::TakeElements() {
  auto* value = std::get_if<std::vector<Reply>>(&value_);
  return value != nullptr ? std::exchange(*value, {}) : std::vector<Reply>();
}

const Reply* Reply::Find(std::string_view key) const {
  const std::vector<Reply>& pairs = elements();
  for (size_t i = 0; i + 1 < pairs.size(); i += 2) {
    if (pairs[i].is_text() && pairs[i].text() == key) return &pairs[i + 1];
  }
  return nullptr;
}

}  // namespace verso
