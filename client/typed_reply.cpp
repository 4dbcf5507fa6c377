#include "client/typed_reply.h"

#include <utility>

namespace verso::client {

Error UnexpectedReply(std::string_view command) {
  return {ErrorCode::kType, "Unexpected type of reply to " + std::string(command)};
}

Result<int64_t> ToInteger(std::string_view command, Result<Reply> reply) {
  if (!reply) return std::move(reply).error();
  if (reply->kind() != Reply::Kind::kInteger) return UnexpectedReply(command);
  return reply->integer();
}

Result<bool> ToFlag(std::string_view command, Result<Reply> reply) {
  Result<int64_t> value = ToInteger(command, std::move(reply));
  if (!value) return std::move(value).error();
  return *value != 0;
}

Result<std::string> ToText(std::string_view command, Result<Reply> reply) {
  if (!reply) return std::move(reply).error();
  if (!reply->is_text()) return UnexpectedReply(command);
  return reply->TakeText();
}

Result<void> ToDone(Result<Reply> reply) {
  if (!reply) return std::move(reply).error();
  return {};
}

}  // namespace verso::client
