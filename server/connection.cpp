#include "server/connection.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "server/command/arg_reader.h"
#include "server/command/page_needs.h"
#include "server/logging.h"
#include "server/server.h"
#include "server/session/transaction.h"
#include "storage/base/monotonic_time.h"

namespace verso::server {

using storage::Key;
using storage::ReadView;

namespace {

// Of the batches of one connection. Does not look at the clock for the first, mostly the only one.
class TimeLimit {
 public:
  explicit TimeLimit(uint64_t limit_us) : limit_us_(limit_us) {}
  bool Reached() {
    if (batches_++ == 0) return false;
    const uint64_t now_us = MonotonicUs();
    if (begin_us_ == 0) begin_us_ = now_us;
    return now_us - begin_us_ >= limit_us_;
  }

 private:
  const uint64_t limit_us_;
  uint64_t batches_ = 0;
  uint64_t begin_us_ = 0;
};

}  // namespace

Connection::Connection(Server* server, int fd, bool is_unix)
    : server_(server), fd_(fd), is_unix_(is_unix), out_(&server->buffers()), reply_(&out_) {
  progress_ms_ = server->state().now_ms;
}

Connection::~Connection() { ReleaseInput(); }

void Connection::OnReady(uint32_t events) {
  if (closed()) return;
  if ((events & EPOLLOUT) != 0) server_->WantFlush(this);
  if ((events & (EPOLLIN | EPOLLHUP | EPOLLERR)) == 0) return;
  if ((interest_ & EPOLLIN) == 0) {
    // Nothing is received now, but a peer that has gone must be noticed: the set is
    // level-triggered.
    if ((events & (EPOLLHUP | EPOLLERR)) != 0) CloseNow();
    return;
  }
  if (Receive()) ProcessInput();
}

// False: nothing came, or the connection has ended.
bool Connection::Receive() {
  if (!MakeRoom()) {
    LogWarning("client {} ended: no memory for its input of {} bytes", session_.id, end_ - begin_);
    CloseNow();
    return false;
  }
  const ssize_t got = recv(fd_, data_ + end_, capacity_ - end_, 0);
  if (got <= 0) {
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) {
      if (begin_ == end_) ReleaseInput();
      return false;
    }
    CloseNow();
    return false;
  }
  end_ += static_cast<size_t>(got);
  bytes_in_ += static_cast<uint64_t>(got);
  Metrics& metrics = server_->state().metrics;
  metrics.bytes_in += static_cast<uint64_t>(got);
  ++metrics.reads;
  session_.active_ms = server_->state().now_ms;
  if (end_ - begin_ > server_->state().settings.client_query_buffer_limit) {
    ++metrics.query_buffer_disconnections;
    LogWarning("client {} ended: its input of {} bytes is above client-query-buffer-limit",
               session_.id, end_ - begin_);
    CloseNow();
    return false;
  }
  return true;
}

bool Connection::MakeRoom() {
  if (data_ == nullptr) {
    data_ = server_->buffers().Take();
    capacity_ = BufferPool::kBlockBytes;
    return true;
  }
  if (end_ < capacity_ && begin_ + wanted_ <= capacity_) return true;
  if (begin_ > 0) {
    std::memmove(data_, data_ + begin_, end_ - begin_);
    end_ -= begin_;
    begin_ = 0;
    if (end_ < capacity_ && wanted_ <= capacity_) return true;
  }
  if (end_ < capacity_) return true;
  // As much again as has arrived, never more than the request needs (P1).
  size_t capacity = 2 * capacity_;
  if (wanted_ > end_) capacity = std::min(capacity, std::max(wanted_, end_ + 4096));
  if (!large_.Grow(capacity)) return false;
  if (!large_input_) {
    std::memcpy(large_.data(), data_, end_);
    server_->buffers().Give(data_);
    large_input_ = true;
  }
  data_ = large_.data();
  capacity_ = large_.capacity();
  return true;
}

void Connection::ReleaseInput() {
  if (data_ == nullptr) return;
  const size_t left = end_ - begin_;
  if (left == 0 || closed()) {
    if (large_input_) {
      large_.Reset();
    } else {
      server_->buffers().Give(data_);
    }
    data_ = nullptr;
    begin_ = end_ = capacity_ = wanted_ = 0;
    large_input_ = false;
  } else if (large_input_ && left < BufferPool::kBlockBytes / 2 &&
             wanted_ <= BufferPool::kBlockBytes) {
    char* block = server_->buffers().Take();
    std::memcpy(block, data_ + begin_, left);
    large_.Reset();
    large_input_ = false;
    data_ = block;
    capacity_ = BufferPool::kBlockBytes;
    begin_ = 0;
    end_ = left;
  }
}

ParseLimits Connection::Limits() const {
  return {.bulk_bytes_max = server_->state().settings.proto_max_bulk_len,
          .authenticated = session_.authenticated};
}

void Connection::ProcessInput() {
  if (running_) return;
  running_ = true;
  turn_mark_ = out_.written();
  TimeLimit enough(Slice::kBudgetUs);
  while (!closed() && !closing_ && rest_ == nullptr && !blocked() && !missing_page_ &&
         begin_ < end_ && end_ - begin_ >= wanted_) {
    if (out_.bytes_pending() > server_->OutputAllowance() || server_->log().congested()) {
      reading_paused_ = true;
      break;
    }
    if (out_.written() - turn_mark_ > kOutputPerTurn || enough.Reached()) {
      server_->WantRun(this);  // others first
      break;
    }
    const size_t count = ParseBatch();
    if (count == 0 || !RunBatch(count)) break;
  }
  running_ = false;
  ReleaseInput();
  if (closed()) return;
  if (!out_.empty() || closing_ || reading_paused_) server_->WantFlush(this);
  UpdateInterest();
}

size_t Connection::ParseBatch() {
  TurnScratch& scratch = server_->scratch();
  scratch.arguments.clear();
  scratch.parsed.clear();
  ParseLimits limits = Limits();
  size_t at = begin_;
  wanted_ = 0;
  while (scratch.parsed.size() < kBatch) {
    const size_t first = scratch.arguments.size();
    const ParseStatus status = parser_.Next(data_ + at, end_ - at, limits, &scratch.arguments);
    if (status == ParseStatus::kError) {
      // What came before it is answered first; the error shows again then.
      if (scratch.parsed.empty()) ProtocolError(parser_.error());
      break;
    }
    if (status == ParseStatus::kIncomplete) {
      if (scratch.parsed.empty()) {
        begin_ = at + parser_.consumed();
        if (begin_ < end_) wanted_ = parser_.bytes_wanted();
      }
      break;
    }
    at += parser_.consumed();
    scratch.parsed.push_back({first, scratch.arguments.size() - first, at});
    // An inline request is unescaped in place and cannot be parsed twice, so nothing that could
    // stop may stand before it in its batch. Before AUTH each request may change the limits.
    limits.inline_allowed = false;
    if (parser_.was_inline() || !session_.authenticated) break;
  }
  return scratch.parsed.size();
}

// False: stop for now.
bool Connection::RunBatch(size_t count) {
  TurnScratch& scratch = server_->scratch();
  ServerState& state = server_->state();
  const CommandTable& table = CommandTable::Get();
  scratch.requests.resize(count);
  size_t start = begin_;
  for (size_t i = 0; i < count; ++i) {
    const TurnScratch::Parsed& parsed = scratch.parsed[i];
    Request& request = scratch.requests[i];
    request.arguments = {scratch.arguments.data() + parsed.first, parsed.count};
    request.entry = table.Find(request.arguments[0]);
    request.bytes = parsed.end - start;
    request.hashed_index = 0;
    start = parsed.end;
  }
  const bool pages_pending = server_->store().arena().pending();
  const size_t ready = pages_pending ? ReadyOf(count) : count;
  if (count > 1 && !pages_pending) {
    const ReadView view = state.HeadOf(session_);
    Key keys[kBatch];
    size_t key_count = 0;
    for (size_t i = 0; i < count; ++i) {
      Request& request = scratch.requests[i];
      if (request.entry == nullptr) continue;
      const size_t index = request.entry->row->FirstKey();
      if (index == 0 || index >= request.arguments.size()) continue;
      keys[key_count] = view.MakeKey(request.arguments[index]);
      request.hashed_index = index;
      request.hash = keys[key_count].hash;
      ++key_count;
    }
    view.Prefetch(keys, key_count);
  }
  bool go_on = true;
  size_t done = 0;
  while (done < ready && go_on && out_.written() - turn_mark_ <= kOutputPerTurn) {
    go_on = RunRequest(scratch.requests[done]);
    begin_ = scratch.parsed[done++].end;
  }
  if (done == count) return go_on;
  // The rest is parsed again when it is its turn.
  parser_.Reset();
  wanted_ = 0;
  if (done == ready && go_on) {
    server_->WaitForPage(this);
    return false;
  }
  missing_page_ = {};  // of a later one, which is looked at again
  return go_on;
}

// How many requests of the batch can run before one that would hold up everybody: it needs a page
// that a restart has not brought yet. All of them ask for theirs.
size_t Connection::ReadyOf(size_t count) {
  // One in a line is unescaped in place, and cannot be parsed again.
  if (server_->state().loading || parser_.was_inline()) return count;
  const TurnScratch& scratch = server_->scratch();
  size_t ready = count;
  for (size_t i = 0; i < count; ++i) {
    const storage::Ref missing = MissingPage(server_->dispatcher(), session_, scratch.requests[i]);
    if (missing && ready == count) {
      missing_page_ = missing;
      ready = i;
    }
  }
  return ready;
}

namespace {

// Notes what the session's commands append to the operation log.
class LogNote {
 public:
  LogNote(const OperationLog& log, Session* session)
      : log_(log), session_(session), before_(log.appended()) {}
  ~LogNote() {
    if (log_.appended() != before_) session_->last_sequence = log_.appended();
  }
  LogNote(const LogNote&) = delete;
  LogNote& operator=(const LogNote&) = delete;

 private:
  const OperationLog& log_;
  Session* session_;
  const uint64_t before_;
};

}  // namespace

bool Connection::RunRequest(const Request& request) {
  if (request.entry == nullptr && GuardCrossProtocol(request)) return false;
  const LogNote note(server_->log(), &session_);
  const ReplyMode mode_before = session_.reply_mode;
  const uint64_t mark = out_.written();
  const Outcome outcome = server_->dispatcher().Run(request, session_, reply_, &rest_);
  if (mode_before != ReplyMode::kOn || session_.reply_mode != ReplyMode::kOn) {
    ApplyReplyMode(mark, mode_before);
  }
  if (outcome == Outcome::kYield) Pin();
  if (outcome == Outcome::kParked) server_->ArmBlockTimer();
  if (session_.close_after_reply && outcome == Outcome::kDone) CloseAfterReply();
  if (server_->state().blocked.ready()) server_->ServeBlocked();
  return outcome == Outcome::kDone && !closing_ && !closed();
}

void Connection::Pin() {
  storage::Store& store = server_->store();
  // Inside a TXN the view is the transaction's, which nobody changes while this client waits.
  if (session_.txn != nullptr) {
    session_.txn->busy = true;
  } else if (rest_->NeedsVersion()) {
    pin_ = store.PinForRead(server_->state().LineOf(session_), server_->state().now_ms);
  }
  rest_db_ = session_.db;
  progress_ms_ = server_->state().now_ms;
  server_->WantRun(this);
}

void Connection::RunParked() {
  const LogNote note(server_->log(), &session_);
  const uint64_t mark = out_.written();
  const Outcome outcome =
      server_->dispatcher().Run(session_.parked->request(), session_, reply_, &rest_);
  if (outcome == Outcome::kParked) return;
  session_.parked.reset();
  FinishParked(mark, outcome);
}

void Connection::RunHeld() {
  if (!blocked() || !session_.parked->held()) return;
  const LogNote note(server_->log(), &session_);
  // Out of the way: it may be one that waits for a key now.
  const auto command = std::move(session_.parked);
  const uint64_t mark = out_.written();
  const Outcome outcome = server_->dispatcher().Run(command->request(), session_, reply_, &rest_);
  if (outcome == Outcome::kParked) {
    server_->ArmBlockTimer();
    return;
  }
  FinishParked(mark, outcome);
  if (session_.close_after_reply && outcome == Outcome::kDone) CloseAfterReply();
  if (server_->state().blocked.ready()) server_->ServeBlocked();
}

void Connection::FinishParked(uint64_t mark, Outcome outcome) {
  if (outcome == Outcome::kYield) {
    Pin();
  } else {
    MuteReply(mark, true);
  }
  server_->WantFlush(this);
  server_->WantRun(this);
}

void Connection::EndParked(const std::function<void(ReplyWriter&)>& write) {
  session_.parked.reset();
  const uint64_t mark = out_.written();
  const uint64_t errors_before = reply_.errors();
  if (write != nullptr) {
    write(reply_);
  } else {
    reply_.NullArray();
  }
  server_->dispatcher().CountWaited(session_, reply_, errors_before);
  MuteReply(mark, true);
  server_->WantFlush(this);
  server_->WantRun(this);
}

// CLIENT REPLY and a reply, or a piece of one, that was not written in the turn of its request.
void Connection::MuteReply(uint64_t mark, bool last) {
  ReplyMode& mode = session_.reply_mode;
  if (mode == ReplyMode::kOff || mode == ReplyMode::kSkip) out_.TruncateTo(mark);
  if (mode == ReplyMode::kSkip && last) mode = ReplyMode::kOn;
}

bool Connection::RunSlice(uint64_t budget_us) {
  if (closed() || rest_ == nullptr) return false;
  if (out_.bytes_pending() >= kReplyBytesAtOnce * 4) {
    server_->WantFlush(this);  // Flush() calls us again when there is room
    return false;
  }
  ++server_->state().metrics.slices;
  const LogNote note(server_->log(), &session_);
  const uint64_t mark = out_.written();
  // Each step may have to wait for a page.
  const bool slow_steps = server_->store().arena().pending();
  Slice slice(&reply_, kReplyBytesAtOnce * 4, budget_us, slow_steps);
  const ReadView view = session_.txn != nullptr ? session_.txn->View(rest_db_)
                        : rest_->NeedsVersion()
                            ? ReadView(server_->store(), pin_.root(), rest_db_, pin_.moment_ms())
                            : server_->state().HeadOf(session_);
  const bool finished = rest_->Run(view, slice);
  if (slice.failed()) server_->dispatcher().CountError(reply_);
  // What works, though it has nothing to say yet, is not stuck.
  if (out_.written() != mark || out_.empty()) progress_ms_ = server_->state().now_ms;
  MuteReply(mark, finished);
  if (finished) {
    rest_.reset();
    pin_.Release();
    if (session_.txn != nullptr) session_.txn->Rest(server_->state().now_ms);
    if (session_.close_after_reply) CloseAfterReply();
    // It may have written what others wait for.
    if (server_->state().blocked.ready()) server_->ServeBlocked();
  }
  server_->WantFlush(this);
  return true;
}

void Connection::ApplyReplyMode(uint64_t mark, ReplyMode before) {
  ReplyMode& mode = session_.reply_mode;
  const bool mute = mode == ReplyMode::kOff || before == ReplyMode::kSkip;
  const bool later = rest_ != nullptr || blocked();
  if (mute && !later) out_.TruncateTo(mark);
  if (before == ReplyMode::kSkip && mode == ReplyMode::kSkip && !later) {
    mode = ReplyMode::kOn;
  } else if (mode == ReplyMode::kSkipNext) {
    mode = ReplyMode::kSkip;
  }
}

void Connection::ProtocolError(std::string_view text) {
  LogVerbose("client {}: {}", session_.id, text);
  reply_.Error("ERR " + std::string(text));
  CloseAfterReply();
}

// A browser tricked into talking to us sends a POST or a Host line (cross-protocol scripting).
// True: the connection was ended.
bool Connection::GuardCrossProtocol(const Request& request) {
  const ByteView name = request.arguments[0];
  if (!EqualsIgnoreCase(name, "post") && !EqualsIgnoreCase(name, "host:")) return false;
  LogWarning("possible attack: client {} at {} sends HTTP; connection ended", session_.id,
             peer_address());
  CloseNow();
  return true;
}

// What has been written since the last time waits for what the log has got by now (OperationLog
// O1). While the log takes nothing, only a client's own writes count: others go on reading (O3).
void Connection::HoldReplies() {
  const OperationLog& log = server_->log();
  if (!log.on() || out_.written() == judged_) return;
  const uint64_t sequence = log.healthy() ? log.appended() : session_.last_sequence;
  if (sequence > log.released()) held_.Hold(judged_, sequence);
  judged_ = out_.written();
}

void Connection::Flush() {
  in_flush_list = false;
  if (closed()) return;
  ServerState& state = server_->state();
  HoldReplies();
  const uint64_t limit = held_.empty() ? ~uint64_t{0} : held_.Limit(server_->released_sequence());
  bool stuck = false;
  while (!stuck && !out_.empty() && out_.consumed() < limit) {
    struct iovec pieces[kPiecesMax];
    const size_t count = out_.Gather(pieces, kPiecesMax, limit - out_.consumed());
    size_t offered = 0;
    for (size_t i = 0; i < count; ++i) offered += pieces[i].iov_len;
    ssize_t sent;
    if (count == 1) {
      sent = send(fd_, pieces[0].iov_base, offered, MSG_NOSIGNAL);
    } else {
      struct msghdr message {};
      message.msg_iov = pieces;
      message.msg_iovlen = count;
      sent = sendmsg(fd_, &message, MSG_NOSIGNAL);
    }
    ++state.metrics.writes;
    if (sent < 0) {
      if (errno == EINTR) continue;
      if (errno != EAGAIN) {
        CloseNow();
        return;
      }
      sent = 0;
    }
    if (sent > 0) progress_ms_ = state.now_ms;
    out_.Consume(static_cast<size_t>(sent));
    state.metrics.bytes_out += static_cast<uint64_t>(sent);
    stuck = static_cast<size_t>(sent) < offered;
  }
  server_->OutputChanged(static_cast<int64_t>(out_.bytes_pending()) -
                         static_cast<int64_t>(output_counted_));
  output_counted_ = out_.bytes_pending();
  writable_wanted_ = stuck;
  if (closing_ && out_.empty()) {
    CloseNow();
    return;
  }
  if (stuck) CheckOutputLimits();
  if (closed()) return;
  if (rest_ != nullptr && out_.bytes_pending() < kReplyBytesAtOnce) server_->WantRun(this);
  const bool congested = server_->log().congested();
  if (reading_paused_ && out_.bytes_pending() <= server_->OutputAllowance() / 2 && !congested) {
    reading_paused_ = false;
    server_->WantRun(this);
  }
  if (!held_.empty() || (reading_paused_ && congested)) server_->WaitForLog(this);
  UpdateInterest();
}

void Connection::CheckOutputLimits() {
  const OutputLimit& limit = server_->state().settings.output_limit_normal;
  const uint64_t pending = out_.bytes_pending();
  const uint64_t now_ms = server_->state().now_ms;
  bool over = limit.hard_bytes != 0 && pending >= limit.hard_bytes;
  if (limit.soft_bytes != 0 && pending >= limit.soft_bytes) {
    if (soft_limit_since_ms_ == 0) soft_limit_since_ms_ = now_ms;
    over |= now_ms - soft_limit_since_ms_ > static_cast<uint64_t>(limit.soft_seconds) * 1000;
  } else {
    soft_limit_since_ms_ = 0;
  }
  if (!over) return;
  ++server_->state().metrics.output_buffer_disconnections;
  LogWarning("client {} ended: {} bytes of replies are above client-output-buffer-limit",
             session_.id, pending);
  CloseNow();
}

void Connection::UpdateInterest() {
  if (closed()) return;
  const bool read = !reading_paused_ && !closing_ && rest_ == nullptr && !missing_page_;
  const uint32_t interest =
      (read ? uint32_t{EPOLLIN} : 0) | (writable_wanted_ ? uint32_t{EPOLLOUT} : 0);
  if (interest == interest_) return;
  interest_ = interest;
  server_->loop().Change(fd_, interest, this);
}

void Connection::CloseAfterReply() {
  closing_ = true;
  server_->WantFlush(this);
}

void Connection::CloseNow() {
  if (closed()) return;
  server_->loop().Remove(fd_);
  // Shut down first: while a forked child holds a copy, closing alone would leave the peer waiting.
  shutdown(fd_, SHUT_RDWR);
  close(fd_);
  fd_ = -1;
  session_.parked.reset();
  rest_.reset();
  pin_.Release();
  session_.txn.reset();
  out_.Clear();
  server_->OutputChanged(-static_cast<int64_t>(output_counted_));
  output_counted_ = 0;
  if (!running_) ReleaseInput();  // else a request may still look at its arguments
  server_->Bury(this);
}

bool Connection::CheckTimeouts(uint64_t now_ms) {
  if (closed()) return true;
  const auto timeout_ms = static_cast<uint64_t>(server_->state().settings.timeout) * 1000;
  if (timeout_ms != 0 && rest_ == nullptr && !blocked() &&
      now_ms > session_.active_ms + timeout_ms) {
    LogVerbose("client {} ended: idle", session_.id);
    CloseNow();
    return true;
  }
  // Replies of a slow reader hold memory, a half-made long reply also holds a pin.
  if ((rest_ != nullptr || reading_paused_ || closing_) && !in_log_list &&
      now_ms > progress_ms_ + kStuckMs) {
    LogWarning("client {} ended: it has not read its replies for {} s", session_.id,
               kStuckMs / 1000);
    CloseNow();
    return true;
  }
  if (!out_.empty()) CheckOutputLimits();
  return closed();
}

size_t Connection::memory_bytes() const {
  const size_t queued =
      (session_.transaction == nullptr ? 0 : session_.transaction->queue.memory_bytes()) +
      (blocked() ? session_.parked->command.memory_bytes() : 0);
  return sizeof(*this) + capacity_ + out_.blocks() * BufferPool::kBlockBytes + queued;
}

namespace {

std::string AddressText(const sockaddr_storage& address, const std::string& unix_path) {
  char text[INET6_ADDRSTRLEN] = "?";
  if (address.ss_family == AF_INET) {
    const auto* in = reinterpret_cast<const sockaddr_in*>(&address);
    inet_ntop(AF_INET, &in->sin_addr, text, sizeof(text));
    return std::string(text) + ":" + std::to_string(ntohs(in->sin_port));
  }
  if (address.ss_family == AF_INET6) {
    const auto* in = reinterpret_cast<const sockaddr_in6*>(&address);
    inet_ntop(AF_INET6, &in->sin6_addr, text, sizeof(text));
    return "[" + std::string(text) + "]:" + std::to_string(ntohs(in->sin6_port));
  }
  return unix_path + ":0";
}

}  // namespace

std::string Connection::peer_address() const {
  sockaddr_storage address{};
  socklen_t bytes = sizeof(address);
  getpeername(fd_, reinterpret_cast<sockaddr*>(&address), &bytes);
  return AddressText(address, server_->state().settings.unixsocket);
}

std::string Connection::local_address() const {
  sockaddr_storage address{};
  socklen_t bytes = sizeof(address);
  getsockname(fd_, reinterpret_cast<sockaddr*>(&address), &bytes);
  return AddressText(address, server_->state().settings.unixsocket);
}

}  // namespace verso::server
