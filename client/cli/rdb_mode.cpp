#include "client/cli/rdb_mode.h"

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstdio>
#include <cstring>
#include <string_view>
#include <vector>

#include "client/connection.h"

namespace verso::cli {
namespace {

constexpr size_t kBufferBytes = 256 << 10;

class Download {
 public:
  Download(client::Connection& connection, const std::string& path)
      : connection_(connection),
        path_(path),
        temporary_(path + ".tmp"),
        to_stdout_(path == "-"),
        buffer_(kBufferBytes) {}

  ~Download() {
    if (to_stdout_ || file_ < 0) return;
    ::close(file_);
    ::unlink(temporary_.c_str());  // not complete
  }
  Download(const Download&) = delete;
  Download& operator=(const Download&) = delete;

  int Run() {
    const bool done = Ask() && Open() && Copy() && Finish();
    if (!done) std::fprintf(stderr, "Error: %s\n", failure_.c_str());
    return done ? 0 : 1;
  }

 private:
  bool Ask() {
    if (auto sent = connection_.Send("SYNC\r\n", std::nullopt); !sent) {
      return Fail(sent.error().message);
    }
    std::string line;
    while (true) {
      if (begin_ == end_ && !Read()) return false;
      const char c = buffer_[begin_++];
      if (c != '\n') line += c;
      if (c == '\n' && !line.empty()) break;  // an empty one only says that something is going on
      if (line.size() > kLineBytesMax) return Fail("the server sent no dump");
    }
    if (line.ends_with('\r')) line.pop_back();
    if (line.starts_with('-')) return Fail(line.substr(1));
    const char* const end = line.data() + line.size();
    const auto number = std::from_chars(line.data() + 1, end, left_);
    if (!line.starts_with('$') || number.ptr != end)
      return Fail("the server sent no dump: " + line);
    total_ = left_;
    return true;
  }

  bool Open() {
    file_ = to_stdout_ ? STDOUT_FILENO
                       : ::open(temporary_.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    return file_ >= 0 || FailOs(temporary_);
  }

  bool Copy() {
    while (true) {
      const size_t bytes = static_cast<size_t>(std::min<uint64_t>(left_, end_ - begin_));
      if (!Write({buffer_.data() + begin_, bytes})) return false;
      begin_ += bytes;
      left_ -= bytes;
      if (left_ == 0) return true;
      if (!Read()) return false;
    }
  }

  bool Finish() {
    std::fprintf(stderr, "%llu bytes of dump received\n", static_cast<unsigned long long>(total_));
    if (to_stdout_) return true;
    if (::fsync(file_) != 0 || ::rename(temporary_.c_str(), path_.c_str()) != 0) {
      return FailOs(path_);
    }
    ::close(file_);
    file_ = -1;
    return true;
  }

  // Whatever has come, at least a byte.
  bool Read() {
    begin_ = end_ = 0;
    while (end_ == 0) {
      pollfd waited = {connection_.native_handle(), POLLIN, 0};
      if (::poll(&waited, 1, -1) < 0 && errno != EINTR) return FailOs("poll");
      client::Result<size_t> bytes = connection_.ReadSome(buffer_.data(), buffer_.size());
      if (!bytes) return Fail(bytes.error().message);
      end_ = *bytes;
    }
    return true;
  }

  bool Write(std::string_view bytes) {
    while (!bytes.empty()) {
      const ssize_t written = ::write(file_, bytes.data(), bytes.size());
      if (written < 0 && errno == EINTR) continue;
      if (written < 0) return FailOs(to_stdout_ ? "stdout" : temporary_);
      bytes.remove_prefix(static_cast<size_t>(written));
    }
    return true;
  }

  bool Fail(std::string why) {
    failure_ = std::move(why);
    return false;
  }
  bool FailOs(const std::string& what) { return Fail(what + ": " + std::strerror(errno)); }

  static constexpr size_t kLineBytesMax = 4096;

  client::Connection& connection_;
  const std::string path_;
  const std::string temporary_;
  const bool to_stdout_;
  std::vector<char> buffer_;
  size_t begin_ = 0;
  size_t end_ = 0;
  uint64_t left_ = 0;
  uint64_t total_ = 0;
  int file_ = -1;
  std::string failure_;
};

}  // namespace

int RunRdb(Session* session, const std::string& path) {
  if (auto asked = session->Call({"REPLCONF", "rdb-only", "1"}); !asked) {
    std::fprintf(stderr, "Error: %s\n", asked.error().message.c_str());
    return 1;
  }
  return Download(session->client().connection(), path).Run();
}

}  // namespace verso::cli
