// Connection: one client socket, its input, its output, its session.
//
//   recv → input buffer → RequestParser → batch of up to 16 requests → prefetch → Dispatcher, one
//   by one → output chain → writev
//
// Life:   open ──error, QUIT, KILL, limits──> closing ──output flushed (or not wanted)──> closed
// ──end of turn──> destroyed
//
// A blocked client (session.parked) goes on receiving, up to client-query-buffer-limit: only so its
// end is noticed. But nothing is parsed until it has its reply.
//
// C1 Idle costs no buffer: input and output go back to the pool as soon as they are empty.
// C2 Requests are parsed where they were received; the input does not move while requests of it are
// running. C3 While a continuation runs, or replies that the client does not read exceed its
// allowance, or a request waits for a page that a restart has not brought yet, nothing more is
// parsed or received. C4 One send per turn: EndTurn calls Flush() for
// every connection that has something to say.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "server/buffer_pool.h"
#include "server/command/continuation.h"
#include "server/command/dispatcher.h"
#include "server/event_loop.h"
#include "server/resp/output_chain.h"
#include "server/resp/parser.h"
#include "server/resp/reply.h"
#include "server/session/held_replies.h"
#include "server/session/session.h"
#include "storage/memory/store.h"

namespace verso::server {

class Server;

class Connection final : public PollTarget {
 public:
  Connection(Server* server, int fd, bool is_unix);
  ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  void OnReady(uint32_t events) override;

  // Parses and runs what has arrived. Called again by the server when something that held it back
  // is over.
  void ProcessInput();
  // Sends what may leave. Called once per turn.
  void Flush();
  // A blocked client's command, again: one of its keys has something.
  void RunParked();
  // The command that CLIENT PAUSE held, if it held one.
  void RunHeld();
  // The blocked client waits no more: it gets this reply, or the one for when its time is up.
  void EndParked(const std::function<void(ReplyWriter&)>& write = nullptr);
  // Runs the next slice of a continuation. False: the client has to read first.
  bool RunSlice(uint64_t budget_us);
  // No more requests; ends when the replies have left.
  void CloseAfterReply();
  void CloseNow();
  // Cron: idle and stuck clients. True: the connection was ended.
  bool CheckTimeouts(uint64_t now_ms);

  Session& session() { return session_; }
  const Session& session() const { return session_; }
  ReplyWriter& reply() { return reply_; }
  const OutputChain& out() const { return out_; }
  int fd() const { return fd_; }
  bool closed() const { return fd_ < 0; }
  bool is_unix() const { return is_unix_; }
  bool continuing() const { return rest_ != nullptr; }
  // The page of a restart's image that the next request waits for; null: none.
  const storage::Ref& missing_page() const { return missing_page_; }
  void PageCame() { missing_page_ = {}; }
  bool blocked() const { return session_.parked != nullptr; }
  size_t input_bytes() const { return end_ - begin_; }
  size_t input_capacity() const { return capacity_; }
  size_t memory_bytes() const;
  std::string peer_address() const;
  std::string local_address() const;
  uint64_t bytes_in() const { return bytes_in_; }
  uint64_t bytes_out() const { return out_.consumed(); }

  // Lists of the server; each connection is in each at most once.
  bool in_flush_list = false;
  bool in_ready_list = false;
  bool in_log_list = false;  // waits for the operation log

 private:
  static constexpr size_t kBatch = storage::ReadView::kPrefetchBatch;
  static constexpr size_t kPiecesMax = 64;
  static constexpr size_t kOutputPerTurn = 1 << 20;
  static constexpr uint64_t kStuckMs = 60'000;

  bool Receive();
  bool MakeRoom();
  void ReleaseInput();
  size_t ParseBatch();
  bool RunBatch(size_t count);
  size_t ReadyOf(size_t count);
  bool RunRequest(const Request& request);
  void Pin();  // for a continuation that begins
  void FinishParked(uint64_t mark, Outcome outcome);
  void MuteReply(uint64_t mark, bool last);
  void ApplyReplyMode(uint64_t mark, ReplyMode before);
  void HoldReplies();
  void ProtocolError(std::string_view text);
  bool GuardCrossProtocol(const Request& request);
  void CheckOutputLimits();
  void UpdateInterest();
  ParseLimits Limits() const;

  Server* server_;
  int fd_;
  bool is_unix_;
  bool closing_ = false;  // after the output has left
  bool writable_wanted_ = false;
  bool reading_paused_ = false;
  bool large_input_ = false;
  bool running_ = false;  // inside ProcessInput
  uint32_t interest_ = EPOLLIN;

  char* data_ = nullptr;
  size_t begin_ = 0;
  size_t end_ = 0;
  size_t capacity_ = 0;
  size_t wanted_ = 0;  // no use parsing before so many bytes are there
  LargeBuffer large_;
  RequestParser parser_;

  OutputChain out_;
  ReplyWriter reply_;
  HeldReplies held_;
  uint64_t judged_ = 0;        // up to there it is known what the replies wait for
  uint64_t turn_mark_ = 0;     // what was written when this turn's requests began
  size_t output_counted_ = 0;  // of bytes_pending(), told to the server
  uint64_t progress_ms_ = 0;   // the output last moved
  uint64_t soft_limit_since_ms_ = 0;
  uint64_t bytes_in_ = 0;
  Session session_;

  storage::Ref missing_page_;
  std::unique_ptr<Continuation> rest_;
  storage::PinHandle pin_;
  int rest_db_ = 0;
};

}  // namespace verso::server
