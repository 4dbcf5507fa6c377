#include "client/cli/pipe_mode.h"

#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <random>
#include <vector>

namespace verso::cli {
namespace {

using client::Connection;
using client::Result;

constexpr size_t kBufferBytes = 256 << 10;
constexpr size_t kMarkBytes = 20;

std::string RandomMark() {
  constexpr char kLetters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-";
  static_assert(sizeof(kLetters) == 64 + 1);
  std::random_device random;
  std::string mark(kMarkBytes, '\0');
  for (char& c : mark) c = kLetters[random() % 64];
  return mark;
}

// The state of one transfer; Run moves it from start to end.
class Transfer {
 public:
  Transfer(Connection& connection, double timeout_seconds)
      : connection_(connection),
        timeout_seconds_(timeout_seconds),
        output_(kBufferBytes),
        input_(kBufferBytes) {}

  int Run() {
    while (!is_done_ && failure_.empty()) {
      pollfd waited[2] = {{connection_.native_handle(), POLLIN, 0}, {STDIN_FILENO, POLLIN, 0}};
      if (output_begin_ < output_end_) waited[0].events |= POLLOUT;
      if (input_ended_ || output_begin_ < output_end_) waited[1].fd = -1;  // no room: do not read
      const int ready = ::poll(waited, 2, PollMilliseconds());
      if (ready < 0 && errno != EINTR) Fail(std::strerror(errno));
      if (ready == 0 && IsTimedOut()) Fail("No replies for " + Seconds() + " seconds");
      if (ready <= 0) continue;
      if (waited[0].revents != 0) TakeReplies();
      if (waited[1].revents != 0) TakeInput();
      GiveOutput();
    }
    if (!failure_.empty()) std::fprintf(stderr, "Error: %s\n", failure_.c_str());
    std::printf("errors: %lld, replies: %lld\n", errors_, replies_);
    std::fflush(stdout);
    return errors_ == 0 && failure_.empty() ? 0 : 1;
  }

 private:
  void TakeInput() {
    const ssize_t bytes = ::read(STDIN_FILENO, output_.data(), output_.size());
    if (bytes < 0 && (errno == EINTR || errno == EAGAIN)) return;
    if (bytes < 0) return Fail(std::string("stdin: ") + std::strerror(errno));
    output_begin_ = 0;
    output_end_ = static_cast<size_t>(bytes);
    if (bytes == 0) EndInput();
  }

  // Behind the stream: a line end, in case its last inline command lacks one, and the mark.
  void EndInput() {
    input_ended_ = true;
    const std::string ending = "\r\n*2\r\n$4\r\nECHO\r\n$20\r\n" + mark_ + "\r\n";
    std::memcpy(output_.data(), ending.data(), ending.size());
    output_end_ = ending.size();
    std::puts("All data transferred. Waiting for the last reply...");
    std::fflush(stdout);
    last_progress_ = std::chrono::steady_clock::now();
  }

  void GiveOutput() {
    if (output_begin_ == output_end_) return;
    Result<size_t> bytes =
        connection_.WriteSome({output_.data() + output_begin_, output_end_ - output_begin_});
    if (!bytes) {
      TakeReplies();  // the server may have said why before it hung up
      return Fail(bytes.error().message);
    }
    output_begin_ += *bytes;
  }

  void TakeReplies() {
    Result<size_t> bytes = connection_.ReadSome(input_.data(), input_.size());
    if (!bytes) return Fail(bytes.error().message);
    last_progress_ = std::chrono::steady_clock::now();
    std::string_view arrived(input_.data(), *bytes);
    while (true) {
      Result<std::optional<Reply>> reply = decoder_.Decode(&arrived);
      if (!reply) return Fail(reply.error().message);
      if (!*reply) return;
      Count(**reply);
    }
  }

  void Count(const Reply& reply) {
    if (reply.kind() == Reply::Kind::kPush) return;
    if (input_ended_ && reply.kind() == Reply::Kind::kString && reply.text() == mark_) {
      std::puts("Last reply received from server.");
      is_done_ = true;
      return;
    }
    ++replies_;
    if (!reply.is_error()) return;
    ++errors_;
    std::fprintf(stderr, "%s\n", reply.text().c_str());
  }

  void Fail(std::string reason) {
    if (failure_.empty()) failure_ = std::move(reason);
  }

  // Replies are due only when everything has been sent; before, stdin may take its time.
  bool HasDeadline() const {
    return input_ended_ && output_begin_ == output_end_ && timeout_seconds_ > 0;
  }
  double IdleSeconds() const {
    const auto idle = std::chrono::steady_clock::now() - last_progress_;
    return std::chrono::duration<double>(idle).count();
  }
  bool IsTimedOut() const { return HasDeadline() && IdleSeconds() >= timeout_seconds_; }
  int PollMilliseconds() const {
    if (!HasDeadline()) return -1;
    return static_cast<int>(std::max(0.0, timeout_seconds_ - IdleSeconds()) * 1000) + 1;
  }
  std::string Seconds() const {
    char text[32];
    std::snprintf(text, sizeof(text), "%g", timeout_seconds_);
    return text;
  }

  Connection& connection_;
  const double timeout_seconds_;
  const std::string mark_ = RandomMark();
  client::RespDecoder decoder_;
  std::vector<char> output_;
  size_t output_begin_ = 0;
  size_t output_end_ = 0;
  std::vector<char> input_;
  bool input_ended_ = false;
  bool is_done_ = false;
  long long errors_ = 0;
  long long replies_ = 0;
  std::string failure_;
  std::chrono::steady_clock::time_point last_progress_;
};

}  // namespace

int RunPipe(Connection& connection, const Options& options) {
  return Transfer(connection, options.pipe_timeout_seconds).Run();
}

}  // namespace verso::cli
