#include "client/connection.h"

#include <poll.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace verso::client {
namespace {

constexpr size_t kInputBytes = 64 << 10;

using Clock = std::chrono::steady_clock;

bool IsRetry(const asio::error_code& error) {
  return error == asio::error::would_block || error == asio::error::try_again ||
         error == asio::error::interrupted;
}

Error ClosedByPeer(const asio::error_code& error) {
  if (error == asio::error::eof) return {ErrorCode::kClosed, "Server closed the connection"};
  return {ErrorCode::kClosed, error.message()};
}

// Rounded up, so that a wait never ends before its deadline and spins.
int PollMilliseconds(Deadline deadline) {
  if (!deadline) return -1;
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(*deadline - Clock::now()).count();
  return static_cast<int>(std::clamp<int64_t>(left, 0, 1 << 30));
}

}  // namespace

Deadline DeadlineAfter(std::chrono::milliseconds timeout) {
  if (timeout.count() <= 0) return std::nullopt;
  return Clock::now() + timeout;
}

Connection::Connection(const std::atomic<bool>* interrupt)
    : interrupt_(interrupt), input_(kInputBytes) {}

Result<std::unique_ptr<Connection>> Connection::Open(const std::string& host, uint16_t port,
                                                     Deadline deadline,
                                                     const std::atomic<bool>* interrupt) try {
  std::unique_ptr<Connection> connection(new Connection(interrupt));
  asio::error_code error;
  asio::ip::tcp::resolver resolver(connection->io_);
  const auto endpoints = resolver.resolve(host, std::to_string(port), error);
  if (error) return Error{ErrorCode::kConnect, error.message()};

  bool is_done = false;
  asio::async_connect(connection->socket_, endpoints,
                      [&](const asio::error_code& result, const asio::ip::tcp::endpoint&) {
                        error = result;
                        is_done = true;
                      });
  if (deadline) {
    connection->io_.run_until(*deadline);
  } else {
    connection->io_.run();
  }
  if (!is_done) {
    asio::error_code ignored;
    connection->socket_.close(ignored);
    connection->io_.restart();
    connection->io_.run();  // the cancelled handler refers to this frame
    return Error{ErrorCode::kTimeout, "Connection timed out"};
  }
  if (error) return Error{ErrorCode::kConnect, error.message()};

  connection->socket_.non_blocking(true, error);
  if (error) return Error{ErrorCode::kConnect, error.message()};
  asio::error_code ignored;  // these only tune
  connection->socket_.set_option(asio::ip::tcp::no_delay(true), ignored);
  connection->socket_.set_option(asio::socket_base::keep_alive(true), ignored);
  return connection;
} catch (const std::exception& exception) {
  return Error{ErrorCode::kConnect, exception.what()};  // Asio's event queue could not be made
}

Result<void> Connection::Send(std::string_view bytes, Deadline deadline) {
  while (!bytes.empty()) {
    Result<size_t> written = WriteSome(bytes);
    if (!written) return CloseWith(std::move(written).error());
    bytes.remove_prefix(*written);
    if (bytes.empty()) break;
    short ready = 0;
    if (Result<void> wait = Wait(POLLIN | POLLOUT, &ready, deadline); !wait) return wait;
    if ((ready & POLLIN) != 0) {
      if (Result<void> read = ReadReplies(); !read) return read;
    }
  }
  return {};
}

Result<Reply> Connection::Receive(Deadline deadline) {
  while (replies_.empty()) {
    short ready = 0;
    if (Result<void> wait = Wait(POLLIN, &ready, deadline); !wait) return std::move(wait).error();
    if (Result<void> read = ReadReplies(); !read) return std::move(read).error();
  }
  Reply reply = std::move(replies_.front());
  replies_.pop_front();
  return reply;
}

void Connection::Close() {
  asio::error_code ignored;
  socket_.close(ignored);
}

bool Connection::HasPeerClosed() {
  if (!is_open()) return true;
  char byte = 0;
  asio::error_code error;
  socket_.receive(asio::buffer(&byte, 1), asio::socket_base::message_peek, error);
  return error && !IsRetry(error);
}

Result<size_t> Connection::ReadSome(char* to, size_t bytes_max) {
  if (!is_open()) return Error{ErrorCode::kClosed, "Not connected"};
  asio::error_code error;
  const size_t bytes = socket_.read_some(asio::buffer(to, bytes_max), error);
  if (error && !IsRetry(error)) return ClosedByPeer(error);
  return bytes;
}

Result<size_t> Connection::WriteSome(std::string_view bytes) {
  if (!is_open()) return Error{ErrorCode::kClosed, "Not connected"};
  asio::error_code error;
  const size_t written = socket_.write_some(asio::buffer(bytes.data(), bytes.size()), error);
  if (error && !IsRetry(error)) return ClosedByPeer(error);
  return written;
}

Result<void> Connection::Wait(short events, short* ready, Deadline deadline) {
  if (!is_open()) return Error{ErrorCode::kClosed, "Not connected"};
  while (true) {
    if (interrupt_ != nullptr && interrupt_->load(std::memory_order_relaxed)) {
      return CloseWith({ErrorCode::kInterrupted, "Interrupted"});
    }
    pollfd waited = {socket_.native_handle(), events, 0};
    const int count = ::poll(&waited, 1, PollMilliseconds(deadline));
    if (count > 0) {
      *ready = waited.revents;
      return {};
    }
    if (count == 0) return CloseWith({ErrorCode::kTimeout, "Timed out waiting for the server"});
    if (errno != EINTR) return CloseWith({ErrorCode::kClosed, std::strerror(errno)});
  }
}

Result<void> Connection::ReadReplies() {
  Result<size_t> bytes = ReadSome(input_.data(), input_.size());
  if (!bytes) return CloseWith(std::move(bytes).error());
  std::string_view arrived(input_.data(), *bytes);
  while (true) {
    Result<std::optional<Reply>> reply = decoder_.Decode(&arrived);
    if (!reply) return CloseWith(std::move(reply).error());
    if (!*reply) return {};
    replies_.push_back(std::move(**reply));
  }
}

Error Connection::CloseWith(Error error) {
  Close();  // C1
  return error;
}

}  // namespace verso::client
