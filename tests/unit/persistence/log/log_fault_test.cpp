// Every system call of the log's writer fails once, in every way, under every policy: what
// written() and durable() said is there afterwards.
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <thread>

#include "persistence/log/log_writer.h"
#include "storage/base/monotonic_time.h"
#include "tests/support/log_faults.h"
#include "tests/support/log_fixture.h"

namespace verso::persistence {

namespace {

struct Outcome {
  bool opened = false;
  bool finished = false;  // all of it was durable in time
  LogHealth health = LogHealth::kGood;
  std::string error;
  uint64_t appended = 0, written = 0, durable = 0;
  uint64_t dropped = 0;
};

constexpr uint64_t kFirstLife = 5;
constexpr uint64_t kSecondLife = 60;

// The first life is undisturbed; the second appends, rotates, removes, with the fault.
Outcome Live(const std::string& directory, SyncPolicy policy, LogSystem* system) {
  {
    auto writer = OpenWriter(WriterOptions(directory, policy));
    for (uint64_t n = 1; n <= kFirstLife; ++n) Append(writer.get(), n);
  }
  Outcome outcome;
  auto options = WriterOptions(directory, policy, kFirstLife);
  options.system = system;
  options.retry_us = 1000;
  auto opened = LogWriter::Open(options);
  if (!opened) {
    outcome.error = opened.error().context;
    return outcome;
  }
  outcome.opened = true;
  auto writer = *std::move(opened);
  const auto settle = [&](int timeout_ms) {
    const uint64_t deadline = MonotonicUs() + static_cast<uint64_t>(timeout_ms) * 1000;
    while (!writer->WaitDurable(50)) {
      if (writer->health() == LogHealth::kFailed || MonotonicUs() > deadline) return false;
    }
    return true;
  };
  for (uint64_t n = kFirstLife + 1; n <= kSecondLife; ++n) {
    Append(writer.get(), n, n % 10 == 0 ? 3000 : 20);
    if (n % 3 == 0) writer->Submit();
    if (n % 10 == 0 && !settle(5000)) break;
    if (n % 20 == 0) {
      writer->Rotate();
      // As a save that has committed does.
      if (n == 40 && writer->durable() >= 40) {
        outcome.dropped = 40;
        writer->DropThrough(40);
        for (int i = 0; i < 200 && writer->segments() > 1; ++i) {
          if (writer->health() == LogHealth::kFailed) break;
          std::this_thread::sleep_for(std::chrono::milliseconds(1));
        }
      }
    }
  }
  outcome.finished = settle(5000);
  outcome.health = writer->health();
  outcome.error = writer->error();
  outcome.appended = writer->appended();
  if (outcome.health == LogHealth::kFailed) {
    // For ever: neither moves again.
    const uint64_t written = writer->written(), durable = writer->durable();
    Append(writer.get(), outcome.appended + 1);
    writer->Submit();
    std::this_thread::sleep_for(std::chrono::milliseconds(3));
    CHECK(writer->written() == written);
    CHECK(writer->durable() == durable);
    CHECK_FALSE(writer->WaitDurable(1));
    CHECK(writer->health() == LogHealth::kFailed);
  }
  outcome.written = writer->written();
  outcome.durable = writer->durable();
  writer.reset();
  return outcome;
}

void CheckThere(const std::string& directory, const Outcome& outcome) {
  const auto content = ReadLog(directory, outcome.dropped);
  if (content.error) FAIL(content.error->context);
  REQUIRE(content.last_sequence >= outcome.written);
  REQUIRE(content.last_sequence >= outcome.durable);
  if (!outcome.opened) REQUIRE(content.last_sequence == kFirstLife);
  for (const auto& unit : content.units) {
    const uint64_t n = unit.sequence;
    REQUIRE(unit.payload == UnitPayload(n, n % 10 == 0 && n > kFirstLife ? 3000 : 20));
  }
  REQUIRE(content.units.size() == content.last_sequence - outcome.dropped);
  if (content.torn_tail) REQUIRE(CutTornTail(*content.torn_tail));
  // And the next life goes on.
  const uint64_t last = content.last_sequence;
  {
    auto writer = OpenWriter(WriterOptions(directory, SyncPolicy::kAlways, last));
    Append(writer.get(), last + 1);
  }
  const auto on = ReadLog(directory, outcome.dropped);
  CheckGood(on);
  REQUIRE(on.last_sequence == last + 1);
}

}  // namespace

TEST_CASE("log: every call fails once, in every way, and nothing that was told is lost") {
  const auto policy = GENERATE(SyncPolicy::kAlways, SyncPolicy::kEverySecond, SyncPolicy::kNo);
  for (int call = 0; call < kLogCalls; ++call) {
    for (const int error : {EIO, ENOSPC, EINTR, 0}) {
      if (error == 0 && call != static_cast<int>(LogCall::kWrite)) continue;
      for (int n = 1;; ++n) {
        INFO("policy " << static_cast<int>(policy) << ", call " << call << " number " << n
                       << ", errno " << error);
        LogDirectoryForTest directory(kFastDirectory);
        FaultyLogSystem system(static_cast<LogCall>(call), n, error);
        const Outcome outcome = Live(directory.path(), policy, &system);
        if (!system.fired()) {
          REQUIRE(outcome.finished);
          // Without zeros ahead and without a full disk nothing is ever cut.
          REQUIRE((n > 1 || call == static_cast<int>(LogCall::kTruncate)));
          break;
        }
        CheckThere(directory.path(), outcome);
        const bool sync = call == static_cast<int>(LogCall::kDataSync) ||
                          call == static_cast<int>(LogCall::kSync);
        if (error == EINTR || error == 0) {
          REQUIRE(outcome.finished);
          REQUIRE(outcome.health == LogHealth::kGood);
        } else if (error == ENOSPC && !sync && call != static_cast<int>(LogCall::kTruncate)) {
          // It passes; only a start may give up.
          REQUIRE((outcome.finished || !outcome.opened));
        }
        if (outcome.health != LogHealth::kGood) REQUIRE_FALSE(outcome.error.empty());
      }
    }
  }
}

TEST_CASE("log: durable() does not move once a sync has failed") {
  const auto policy = GENERATE(SyncPolicy::kAlways, SyncPolicy::kEverySecond, SyncPolicy::kNo);
  LogDirectoryForTest directory;
  FaultyLogSystem system(LogCall::kDataSync, 2, EIO);
  auto options = WriterOptions(directory.path(), policy);
  options.system = &system;
  auto writer = OpenWriter(options);
  uint64_t n = 0;
  uint64_t durable = 0;
  while (true) {
    Append(writer.get(), ++n);
    if (!writer->WaitDurable(5000)) break;
    REQUIRE(writer->durable() >= durable);
    durable = writer->durable();
    REQUIRE(n < 10);
  }
  CHECK(system.fired());
  CHECK(writer->health() == LogHealth::kFailed);
  CHECK(writer->error().find("sync") != std::string::npos);
  CHECK(writer->error().find("Input/output error") != std::string::npos);
  CHECK(writer->durable() == durable);
}

TEST_CASE("log: a full disk is waited for, and nothing is lost or doubled") {
  const auto policy = GENERATE(SyncPolicy::kAlways, SyncPolicy::kEverySecond);
  LogDirectoryForTest directory;
  FaultyLogSystem system(LogCall::kWrite, 5, ENOSPC, 1 << 30);
  auto options = WriterOptions(directory.path(), policy);
  options.system = &system;
  options.retry_us = 20'000;
  options.segment_bytes_max = 20'000;
  {
    auto writer = OpenWriter(options);
    uint64_t n = 0;
    while (writer->health() == LogHealth::kGood && n < 100'000) {
      Append(writer.get(), ++n);
      writer->Submit();
    }
    REQUIRE(writer->health() == LogHealth::kNoSpace);
    CHECK(writer->error().find("No space left") != std::string::npos);
    const uint64_t written = writer->written();
    for (int i = 0; i < 1000; ++i) {
      Append(writer.get(), ++n);
      writer->Submit();
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
    CHECK(writer->written() == written);
    CHECK(writer->bytes_waiting() > 0);
    const auto content = ReadLog(directory.path());  // cut back to whole records all the while
    CHECK_FALSE(content.error.has_value());
    CHECK_FALSE(content.torn_tail.has_value());
    CheckUnits(content, 1, written);
    system.Mend();
    REQUIRE(writer->WaitDurable(10'000));
    CHECK(writer->health() == LogHealth::kGood);
    CHECK(writer->error().empty());
    CheckUnits(ReadLog(directory.path()), 1, n);
    Append(writer.get(), ++n);
  }
  CheckGood(ReadLog(directory.path()));
}

TEST_CASE("log: a file size limit is a full disk") {
  const auto policy = GENERATE(SyncPolicy::kAlways, SyncPolicy::kNo);
  LogDirectoryForTest directory;
  auto writer = OpenWriter(WriterOptions(directory.path(), policy));
  rlimit before;
  REQUIRE(getrlimit(RLIMIT_FSIZE, &before) == 0);
  rlimit small = before;
  small.rlim_cur = 100'000;
  // The flusher's threads block the signal; this one makes no large file meanwhile.
  REQUIRE(setrlimit(RLIMIT_FSIZE, &small) == 0);
  uint64_t n = 0;
  while (n < 10'000 && writer->health() == LogHealth::kGood) {
    Append(writer.get(), ++n, 1000);
    writer->WaitDurable(100);
  }
  const LogHealth health = writer->health();
  const std::string error = writer->error();
  REQUIRE(setrlimit(RLIMIT_FSIZE, &before) == 0);
  CHECK(health == LogHealth::kNoSpace);
  CHECK(error.find("File too large") != std::string::npos);
  CHECK(n > 50);
  REQUIRE(writer->WaitDurable(10'000));
  writer.reset();
  const auto content = ReadLog(directory.path());
  CheckGood(content);
  CheckUnits(content, 1, n, 1000);
}

TEST_CASE("log: what cannot be cut back is the end of it") {
  // No room for the fifth write, and then the cut fails.
  class TwoFaults final : public LogSystem {
   public:
    ssize_t WriteAt(int fd, const iovec* pieces, int count, uint64_t offset) override {
      if (++writes_ < 8) return LogSystem::WriteAt(fd, pieces, count, offset);
      iovec part = pieces[0];
      part.iov_len = 20;
      if (LogSystem::WriteAt(fd, &part, 1, offset) != 20) std::abort();
      errno = ENOSPC;
      return -1;
    }
    int Truncate(int, uint64_t) override {
      errno = EIO;
      return -1;
    }

   private:
    std::atomic<int> writes_{0};
  } system;
  LogDirectoryForTest directory;
  auto options = WriterOptions(directory.path(), SyncPolicy::kEverySecond);
  options.system = &system;
  auto writer = OpenWriter(options);
  uint64_t n = 0;
  while (n < 100 && writer->health() == LogHealth::kGood) {
    Append(writer.get(), ++n);
    writer->WaitDurable(100);
  }
  CHECK(writer->health() == LogHealth::kFailed);
  CHECK(writer->error().find("truncate") != std::string::npos);
  const uint64_t written = writer->written();
  writer.reset();
  const auto content = ReadLog(directory.path());
  CHECK_FALSE(content.error.has_value());
  CHECK(content.torn_tail.has_value());
  CheckUnits(content, 1, written);
}

TEST_CASE("log: the end does not wait for a disk that stays full") {
  LogDirectoryForTest directory;
  FaultyLogSystem system(LogCall::kWrite, 3, ENOSPC, 1 << 30);
  auto options = WriterOptions(directory.path(), SyncPolicy::kNo);
  options.system = &system;
  {
    auto writer = OpenWriter(options);
    for (uint64_t n = 1; n <= 10; ++n) {
      Append(writer.get(), n);
      CHECK_FALSE(writer->WaitDurable(1));
    }
  }
  CHECK_FALSE(ReadLog(directory.path()).error.has_value());
}

// Goal: what written() told is there after a kill -9, whatever the policy. Method: a child appends
// and tells through a pipe how far written() is; it is killed at any moment; the next life goes on.
TEST_CASE("log: killed again and again, nothing that was written is lost") {
  LogDirectoryForTest directory;
  uint64_t last = 0;
  for (int life = 0; life < 30; ++life) {
    INFO("life " << life);
    int pipe_fds[2];
    REQUIRE(pipe2(pipe_fds, O_CLOEXEC) == 0);
    const pid_t child = fork();
    REQUIRE(child >= 0);
    if (child == 0) {
      auto options = WriterOptions(directory.path(), static_cast<SyncPolicy>(life % 3), last);
      options.segment_bytes_max = 50'000;
      auto opened = LogWriter::Open(options);
      if (!opened) _exit(1);
      uint64_t told = last;
      for (uint64_t n = last + 1;; ++n) {
        Append(opened->get(), n);
        if (n % 5 == 0) (*opened)->Submit();
        if (n % 1000 == 0) (*opened)->Rotate();
        const uint64_t written = (*opened)->written();
        if (written == told) continue;
        told = written;
        if (write(pipe_fds[1], &told, sizeof(told)) != sizeof(told)) _exit(1);
      }
    }
    close(pipe_fds[1]);
    uint64_t told = last, next = 0;
    const uint64_t end = MonotonicUs() + 3000 + static_cast<uint64_t>(life) * 700;
    bool alive = true;
    while (read(pipe_fds[0], &next, sizeof(next)) == sizeof(next)) {
      told = next;
      if (alive && MonotonicUs() > end) {
        kill(child, SIGKILL);
        alive = false;
      }
    }
    close(pipe_fds[0]);
    int status = 0;
    REQUIRE(waitpid(child, &status, 0) == child);
    REQUIRE(WIFSIGNALED(status));
    const auto content = ReadLog(directory.path());
    if (content.error) FAIL(content.error->context);
    REQUIRE(content.last_sequence >= told);
    CheckUnits(content, 1, content.last_sequence);
    if (content.torn_tail) REQUIRE(CutTornTail(*content.torn_tail));
    last = content.last_sequence;
  }
  CHECK(last > 30);
}

}  // namespace verso::persistence
