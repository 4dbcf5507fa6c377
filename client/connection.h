// One TCP connection that speaks RESP: a non-blocking Asio socket, a decoder, a queue of replies.
//
// Everything is synchronous with a deadline. Writing is duplex: while the peer takes no bytes, the
// replies it sends are read and queued, so a pipeline of any length cannot deadlock with a server
// that stops reading until its replies are taken.
//
//     Send ──► socket ──► peer          Receive ◄── queue ◄── decoder ◄── socket ◄── peer
//        └─ while the socket is full: read what is there into the queue ─┘
//
// C1: after an error (timeout and interruption included) the connection is closed; replies would be
// out of step with commands. Not thread safe: one thread at a time.
#pragma once

#include <asio.hpp>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "client/include/verso/reply.h"
#include "client/include/verso/result.h"
#include "client/resp_codec.h"

namespace verso::client {

// A point in time after which a wait fails; nullopt waits for ever.
using Deadline = std::optional<std::chrono::steady_clock::time_point>;

// Zero means no deadline.
Deadline DeadlineAfter(std::chrono::milliseconds timeout);

class Connection {
 public:
  // Tries every address of the host in turn.
  // *interrupt, if given, outlives the connection; a signal handler raises it to end a wait.
  // Fails: kConnect, kTimeout.
  static Result<std::unique_ptr<Connection>> Open(const std::string& host, uint16_t port,
                                                  Deadline deadline,
                                                  const std::atomic<bool>* interrupt);

  // Writes all bytes. Replies that arrive meanwhile are queued for Receive.
  Result<void> Send(std::string_view bytes, Deadline deadline);

  // The next reply in the order of arrival, push messages included.
  Result<Reply> Receive(Deadline deadline);

  bool is_open() const { return socket_.is_open(); }
  void Close();
  // Whether the peer has hung up; seen without waiting.
  // Requires: no reply is due.
  bool HasPeerClosed();

  // For callers that run their own loop over the socket: non-blocking, kClosed at the end of the
  // stream, 0 when nothing can be moved now.
  Result<size_t> ReadSome(char* to, size_t bytes_max);
  Result<size_t> WriteSome(std::string_view bytes);
  int native_handle() { return socket_.native_handle(); }

 private:
  explicit Connection(const std::atomic<bool>* interrupt);

  Result<void> Wait(short events, short* ready, Deadline deadline);
  // Reads once and decodes all whole replies into the queue.
  Result<void> ReadReplies();
  Error CloseWith(Error error);

  asio::io_context io_;
  asio::ip::tcp::socket socket_{io_};
  const std::atomic<bool>* interrupt_;
  RespDecoder decoder_;
  std::deque<Reply> replies_;
  std::vector<char> input_;
};

}  // namespace verso::client
