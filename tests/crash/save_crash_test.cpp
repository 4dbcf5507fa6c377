// The child of a save dies at every point where it matters, and at random ones. Whatever happens:
// the server's data stays, its memory is given back, the outcome it reports is what the store
// holds, the next save works, and a restart brings back exactly the newest committed save.
//
// VERSO_CRASH_ROUNDS=<n> makes the random tests longer than the continuous integration wants them.
#include <signal.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <chrono>
#include <cstdlib>
#include <fstream>
#include <thread>

#include "tests/support/persistence_fixture.h"

namespace verso::persistence {

namespace {

int Rounds(int usual) {
  const char* wanted = std::getenv("VERSO_CRASH_ROUNDS");
  return wanted != nullptr ? std::atoi(wanted) : usual;
}

constexpr char kDoomedServer[] = "[.doomed]";

}  // namespace

TEST_CASE("a save killed at any point is decided rightly, and the next one works") {
  const auto fault = static_cast<FaultPoint>(GENERATE(
      range(static_cast<int>(FaultPoint::kBeforeOpen), static_cast<int>(FaultPoint::kMidLoad))));
  const bool first_save = GENERATE(true, false);
  CAPTURE(static_cast<int>(fault), first_save);
  const bool commits = fault >= FaultPoint::kAfterIngest;
  TemporaryDirectory directory;
  std::mt19937_64 random(static_cast<uint64_t>(fault));
  std::string expected;
  std::string empty;
  {
    Life life(directory.path());
    empty = life.Digest();
    expected = empty;
    WriteRandomly(&life, &random, 1000);
    if (!first_save) {
      REQUIRE(life.Save());
      expected = life.Digest();
    }
  }
  {
    Life life(directory.path(), fault);
    REQUIRE(life.ok());
    REQUIRE(life.Digest() == expected);
    WriteRandomly(&life, &random, 1000);
    CHECK(life.Save() == commits);
    if (commits) expected = life.Digest();
    if (!commits)
      CHECK(life.persistence->save_status().last_error.find("signal 9") != std::string::npos);
    CHECK(life.store->Audit() == "");
    // The same process goes on: what it believes about the store decides what the next save writes.
    WriteRandomly(&life, &random, 1000);
    CHECK(life.Save() == commits);
    if (commits) expected = life.Digest();
  }
  std::string last;
  {
    Life life(directory.path());
    INFO(life.error);
    REQUIRE(life.ok());
    CHECK(life.Digest() == expected);
    CHECK(life.store->Audit() == "");
    WriteRandomly(&life, &random, 1000);
    REQUIRE(life.Save());
    last = life.Digest();
  }
  Life life(directory.path());
  REQUIRE(life.ok());
  CHECK(life.Digest() == last);
}

// The other half of the test below, in a process of its own: saves, and dies as soon as the child
// of the save has died.
TEST_CASE("a server that saves and dies", "[.doomed]") {
  const char* directory = std::getenv("VERSO_TEST_DIRECTORY");
  const char* fault = std::getenv("VERSO_TEST_FAULT");
  REQUIRE((directory != nullptr && fault != nullptr));
  std::mt19937_64 random(78);
  Life life(directory, static_cast<FaultPoint>(std::atoi(fault)));
  WriteRandomly(&life, &random, 1000);
  std::ofstream(std::string(directory) + ".digest") << life.Digest() << "\n";
  REQUIRE(life.persistence->StartSave(life.store.get()).has_value());
  siginfo_t info;
  waitid(P_PID, static_cast<id_t>(life.persistence->child_pid()), &info, WEXITED | WNOWAIT);
  kill(getpid(), SIGKILL);
}

TEST_CASE("a server that dies with its child leaves the old save or the new one") {
  const auto fault = static_cast<FaultPoint>(GENERATE(
      range(static_cast<int>(FaultPoint::kBeforeOpen), static_cast<int>(FaultPoint::kMidLoad))));
  CAPTURE(static_cast<int>(fault));
  TemporaryDirectory directory;
  std::string before;
  {
    std::mt19937_64 random(77);
    Life life(directory.path());
    WriteRandomly(&life, &random, 1000);
    REQUIRE(life.Save());
    before = life.Digest();
  }
  const std::string digest_file = directory.path() + ".digest";
  const pid_t server = fork();
  if (server == 0) {
    setenv("VERSO_TEST_DIRECTORY", directory.path().c_str(), 1);
    setenv("VERSO_TEST_FAULT", std::to_string(static_cast<int>(fault)).c_str(), 1);
    execl("/proc/self/exe", "server", kDoomedServer, nullptr);
    _exit(1);
  }
  int status = 0;
  REQUIRE(waitpid(server, &status, 0) == server);
  REQUIRE(WIFSIGNALED(status));

  std::string after;
  REQUIRE(std::getline(std::ifstream(digest_file), after));
  REQUIRE(unlink(digest_file.c_str()) == 0);
  Life life(directory.path());
  INFO(life.error);
  REQUIRE(life.ok());
  const bool committed = fault >= FaultPoint::kAfterIngest;
  CHECK(life.Digest() == (committed ? after : before));
  CHECK(life.store->Audit() == "");
  CHECK(life.Save());
}

TEST_CASE("saves killed at random moments: the newest committed one comes back") {
  TemporaryDirectory directory;
  const uint64_t seed = std::random_device()();
  CAPTURE(seed);
  std::mt19937_64 random(seed);
  std::string expected;
  int killed = 0;
  for (int round = 0; round < Rounds(20); ++round) {
    CAPTURE(round);
    Life life(directory.path());
    INFO(life.error);
    REQUIRE(life.ok());
    if (!expected.empty()) CHECK(life.Digest() == expected);
    CHECK(life.store->Audit() == "");
    for (int save = 0; save < 3; ++save) {
      WriteRandomly(&life, &random, 300);
      const std::string digest = life.Digest();
      REQUIRE(life.persistence->StartSave(life.store.get()).has_value());
      const auto moment =
          std::chrono::steady_clock::now() + std::chrono::microseconds(random() % 80'000);
      while (life.persistence->child_running() && std::chrono::steady_clock::now() < moment) {
        WriteRandomly(&life, &random, 1);
        life.store->Background(50);
        life.persistence->Poll();
      }
      if (life.persistence->child_running()) {
        kill(life.persistence->child_pid(), SIGKILL);  // a writer, or the resolver of one
        ++killed;
      }
      REQUIRE(life.persistence->WaitIdle(60'000));
      life.store->DrainBackground();
      CHECK(life.store->Audit() == "");
      if (life.persistence->save_status().last == LastSave::kOk) expected = digest;
      if (expected.empty()) expected = Life(directory.path() + ".none").Digest();
    }
  }
  std::filesystem::remove_all(directory.path() + ".none");
  CHECK(killed > 0);
}

TEST_CASE("a loader killed in the middle of the stream is replaced, and the next start works") {
  TemporaryDirectory directory;
  std::mt19937_64 random(5);
  std::string digest;
  {
    Life life(directory.path());
    WriteRandomly(&life, &random, 3000);
    REQUIRE(life.Save());
    digest = life.Digest();
  }
  {
    Life life(directory.path(), FaultPoint::kMidLoad);
    REQUIRE(life.ok());  // another one has done it
    CHECK(life.log.find("signal 9") != std::string::npos);
    CHECK(life.Digest() == digest);
    CHECK(life.store->Audit() == "");
  }
  Life life(directory.path());
  CHECK(life.Digest() == digest);
}

TEST_CASE("a resolver killed again and again finds out in the end") {
  TemporaryDirectory directory;
  std::mt19937_64 random(6);
  constexpr int kDeaths = 3;
  std::string digest;
  {
    Life life(directory.path(), FaultPoint::kAfterIngest, kDeaths);
    WriteRandomly(&life, &random, 500);
    digest = life.Digest();
    REQUIRE(life.persistence->StartSave(life.store.get()).has_value());
    // Nothing is released before certainty.
    while (!life.persistence->WaitSave(1)) REQUIRE(life.store->saving());
    CHECK_FALSE(life.store->saving());
    CHECK(life.persistence->save_status().last == LastSave::kOk);
    int deaths = 0;
    for (size_t at = 0; (at = life.log.find("still not known", at)) != std::string::npos; ++at)
      ++deaths;
    CHECK(deaths == kDeaths);
    life.store->DrainBackground();
    CHECK(life.store->Audit() == "");
  }
  Life life(directory.path());
  REQUIRE(life.ok());
  CHECK(life.Digest() == digest);
}

// ---- the disk says no

namespace {

// Saves fail, the data and the save before stay, and once `repair` has run the next save is right.
template <typename Break, typename Repair>
void FailAndRecover(const std::string& path, Break&& break_it, Repair&& repair,
                    const std::string& reason) {
  std::mt19937_64 random(12);
  std::string saved;
  {
    Life life(path);
    INFO(life.error);
    REQUIRE(life.ok());
    WriteRandomly(&life, &random, 500);
    REQUIRE(life.Save());
    break_it();
    for (int i = 0; i < 2; ++i) {
      for (int j = 0; j < 4000; ++j)
        life.Set(1, "big:" + std::to_string(j), RandomBytes(&random, 1000));
      CHECK_FALSE(life.Save());
      INFO(life.persistence->save_status().last_error);
      CHECK(life.persistence->save_status().last_error.find(reason) != std::string::npos);
      CHECK(life.store->Audit() == "");
    }
    repair();
    REQUIRE(life.Save());
    saved = life.Digest();
  }
  Life life(path);
  INFO(life.error);
  REQUIRE(life.ok());
  CHECK(life.Digest() == saved);
}

}  // namespace

TEST_CASE("files that may not grow: a save fails with the reason") {
  TemporaryDirectory directory;
  rlimit before;
  REQUIRE(getrlimit(RLIMIT_FSIZE, &before) == 0);
  FailAndRecover(
      directory.path(),
      [&] {
        const rlimit small = {1 << 20, before.rlim_max};
        REQUIRE(setrlimit(RLIMIT_FSIZE, &small) == 0);
      },
      [&] { REQUIRE(setrlimit(RLIMIT_FSIZE, &before) == 0); }, "File too large");
}

TEST_CASE("a full disk: a save fails with the reason") {
  if (geteuid() != 0) return;  // mounting is for root; the test above needs no rights
  TemporaryDirectory directory;
  const std::string mount_point = directory.path() + "/disk";
  REQUIRE(std::filesystem::create_directory(mount_point));
  if (mount("none", mount_point.c_str(), "tmpfs", 0, "size=24m") != 0)
    return;  // a container without the right
  const std::string filler = mount_point + "/filler";
  FailAndRecover(
      mount_point + "/data",
      [&] {
        std::ofstream file(filler);
        const std::string piece(1 << 16, 'x');
        while (file.write(piece.data(), static_cast<std::streamsize>(piece.size())).flush()) {
        }
      },
      [&] { REQUIRE(unlink(filler.c_str()) == 0); }, "No space");
  CHECK(umount2(mount_point.c_str(), MNT_DETACH) == 0);
}

TEST_CASE("a store that vanished under the server: saves fail, the data stays") {
  TemporaryDirectory directory;
  std::mt19937_64 random(13);
  Life life(directory.path());
  WriteRandomly(&life, &random, 500);
  REQUIRE(life.Save());
  const std::string digest = life.Digest();
  std::filesystem::rename(directory.path() + "/store", directory.path() + "/elsewhere");
  WriteRandomly(&life, &random, 1);
  CHECK_FALSE(life.Save());
  CHECK(life.persistence->save_status().last_error.find("the store is gone") != std::string::npos);
  std::filesystem::rename(directory.path() + "/elsewhere", directory.path() + "/store");
  CHECK(life.Save());
}

}  // namespace verso::persistence
