#include "client/include/verso/client.h"

#include <algorithm>

#include "client/connection.h"
#include "client/resp_codec.h"

namespace verso {

using client::Connection;
using client::Deadline;
using client::DeadlineAfter;
using client::Error;
using client::ErrorCode;
using client::Result;

Pipeline& Pipeline::AddArgs(std::span<const std::string_view> args) {
  if (args.empty()) return *this;  // "*0" has no reply: counting it would wait for ever
  client::AppendCommand(&bytes_, args);
  ++command_count_;
  return *this;
}

void Pipeline::Clear() {
  bytes_.clear();
  command_count_ = 0;
}

Client::Client(Options options) : options_(std::move(options)) {}
Client::Client(Client&&) noexcept = default;
Client& Client::operator=(Client&&) noexcept = default;
Client::~Client() = default;

Result<Client> Client::Connect(Options options) {
  if (options.resp_version != 2 && options.resp_version != 3) {
    return Error{ErrorCode::kArgument, "RESP version must be 2 or 3"};
  }
  Client made(std::move(options));
  if (Result<void> connected = made.Reconnect(); !connected) return std::move(connected).error();
  return made;
}

bool Client::is_connected() const { return connection_ != nullptr && connection_->is_open(); }

void Client::Close() {
  if (connection_ != nullptr) connection_->Close();
}

Result<void> Client::Reconnect() {
  auto opened = Connection::Open(options_.host, options_.port,
                                 DeadlineAfter(options_.connect_timeout), options_.interrupt);
  if (!opened) return std::move(opened).error();
  connection_ = std::move(*opened);
  Result<void> ready = SetUp();
  if (!ready) Close();
  return ready;
}

Result<void> Client::SetUp() {
  Pipeline hello;
  if (options_.resp_version == 3) {
    if (options_.password.empty()) {
      hello.Add("HELLO", 3);
    } else {
      hello.Add("HELLO", 3, "AUTH", options_.user.empty() ? "default" : options_.user,
                options_.password);
    }
  } else if (!options_.password.empty()) {
    if (options_.user.empty()) {
      hello.Add("AUTH", options_.password);
    } else {
      hello.Add("AUTH", options_.user, options_.password);
    }
  }
  if (options_.db != 0) hello.Add("SELECT", options_.db);
  if (hello.size() == 0) return {};
  auto replies = Run(hello);
  if (!replies) return std::move(replies).error();
  for (Result<Reply>& reply : *replies) {
    if (!reply) return std::move(reply).error();
  }
  return {};
}

Result<std::vector<Result<Reply>>> Client::Run(const Pipeline& pipeline) {
  const Deadline deadline = DeadlineAfter(options_.command_timeout);
  if (connection_ == nullptr) return Error{ErrorCode::kClosed, "Not connected"};
  if (Result<void> sent = connection_->Send(pipeline.bytes_, deadline); !sent) {
    return std::move(sent).error();
  }
  std::vector<Result<Reply>> replies;
  replies.reserve(pipeline.size());
  while (replies.size() < pipeline.size()) {
    Result<Reply> reply = connection_->Receive(deadline);
    if (!reply) return std::move(reply).error();
    if (reply->kind() == Reply::Kind::kPush) {
      if (push_handler_) push_handler_(*reply);
    } else if (reply->is_error()) {
      replies.emplace_back(Error{ErrorCode::kServer, reply->TakeText()});  // L2
    } else {
      replies.push_back(std::move(reply));
    }
  }
  return replies;
}

Result<Reply> Client::RunOne(const Pipeline& command) {
  auto replies = Run(command);
  if (!replies) return std::move(replies).error();
  if (replies->empty()) return Error{ErrorCode::kArgument, "Empty command"};
  return std::move(replies->front());
}

Result<Reply> Client::CommandArgs(std::span<const std::string_view> args) {
  return RunOne(Pipeline().AddArgs(args));
}

Result<void> Client::Send(const Pipeline& pipeline) {
  if (connection_ == nullptr) return Error{ErrorCode::kClosed, "Not connected"};
  return connection_->Send(pipeline.bytes_, DeadlineAfter(options_.command_timeout));
}

Result<Reply> Client::Receive(std::chrono::milliseconds timeout) {
  if (connection_ == nullptr) return Error{ErrorCode::kClosed, "Not connected"};
  return connection_->Receive(DeadlineAfter(timeout));
}

}  // namespace verso
