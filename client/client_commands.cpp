// The typed helpers of verso::Client: each is one command and a check of its reply's type.
#include "client/include/verso/client.h"
#include "client/typed_reply.h"

namespace verso {

using client::Result;
using client::ToDone;
using client::ToFlag;
using client::ToInteger;
using client::ToText;
using client::UnexpectedReply;
using Kind = Reply::Kind;

Result<std::optional<std::string>> Client::Get(std::string_view key) {
  Result<Reply> reply = Command("GET", key);
  if (!reply) return std::move(reply).error();
  if (reply->is_null()) return std::optional<std::string>();
  if (reply->kind() != Kind::kString) return UnexpectedReply("GET");
  return std::optional<std::string>(reply->TakeText());
}

Result<bool> Client::Set(std::string_view key, std::string_view value) {
  return Set(key, value, SetOptions{});
}

Result<bool> Client::Set(std::string_view key, std::string_view value, const SetOptions& options) {
  std::vector<std::string_view> args = {"SET", key, value};
  std::string ttl_ms;
  if (options.ttl) {
    ttl_ms = std::to_string(options.ttl->count());
    args.insert(args.end(), {"PX", ttl_ms});
  }
  if (options.keep_ttl) args.push_back("KEEPTTL");
  if (options.if_absent) args.push_back("NX");
  if (options.if_present) args.push_back("XX");
  Result<Reply> reply = CommandArgs(args);
  if (!reply) return std::move(reply).error();
  return !reply->is_null();
}

Result<int64_t> Client::Incr(std::string_view key, int64_t by) {
  return ToInteger("INCRBY", Command("INCRBY", key, by));
}

Result<std::vector<std::optional<std::string>>> Client::MGet(
    std::span<const std::string_view> keys) {
  std::vector<std::string_view> args = {"MGET"};
  args.insert(args.end(), keys.begin(), keys.end());
  Result<Reply> reply = CommandArgs(args);
  if (!reply) return std::move(reply).error();
  if (reply->kind() != Kind::kArray) return UnexpectedReply("MGET");
  std::vector<std::optional<std::string>> values;
  values.reserve(keys.size());
  for (Reply& element : reply->TakeElements()) {
    if (element.is_null()) {
      values.emplace_back();
    } else {
      values.emplace_back(element.TakeText());
    }
  }
  return values;
}

Result<void> Client::MSet(std::span<const std::pair<std::string_view, std::string_view>> pairs) {
  std::vector<std::string_view> args = {"MSET"};
  for (const auto& [key, value] : pairs) args.insert(args.end(), {key, value});
  return ToDone(CommandArgs(args));
}

Result<int64_t> Client::Del(std::span<const std::string_view> keys) {
  std::vector<std::string_view> args = {"DEL"};
  args.insert(args.end(), keys.begin(), keys.end());
  return ToInteger("DEL", CommandArgs(args));
}

Result<bool> Client::Del(std::string_view key) { return ToFlag("DEL", Command("DEL", key)); }

Result<bool> Client::Exists(std::string_view key) {
  return ToFlag("EXISTS", Command("EXISTS", key));
}

Result<bool> Client::Expire(std::string_view key, std::chrono::milliseconds ttl) {
  return ToFlag("PEXPIRE", Command("PEXPIRE", key, ttl.count()));
}

Result<Client::TimeToLive> Client::TTL(std::string_view key) {
  constexpr int64_t kNoKey = -2;
  constexpr int64_t kNoDeadline = -1;
  Result<int64_t> left_ms = ToInteger("PTTL", Command("PTTL", key));
  if (!left_ms) return std::move(left_ms).error();
  if (*left_ms == kNoKey) return TimeToLive{};
  if (*left_ms == kNoDeadline) return TimeToLive{true, std::nullopt};
  return TimeToLive{true, std::chrono::milliseconds(*left_ms)};
}

Result<std::string> Client::Type(std::string_view key) {
  return ToText("TYPE", Command("TYPE", key));
}

Result<void> Client::Ping() { return ToDone(Command("PING")); }

Result<void> Client::Select(int db) {
  Result<void> done = ToDone(Command("SELECT", db));
  if (done) options_.db = db;  // a Reconnect comes back to it
  return done;
}

Result<int64_t> Client::DbSize() { return ToInteger("DBSIZE", Command("DBSIZE")); }

Result<std::string> Client::Info(std::string_view section) {
  return ToText("INFO", section.empty() ? Command("INFO") : Command("INFO", section));
}

Result<void> Client::BgSave() { return ToDone(Command("BGSAVE")); }

}  // namespace verso
