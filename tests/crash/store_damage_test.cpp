// Damaged stores: bits flipped, files cut, missing, swapped, older ones put back. A start either
// refuses with a reason that names the directory, or it brings back exactly what was saved. Never a
// crash, never an empty start, never anything else.
//
// VERSO_CRASH_ROUNDS=<n> makes the random test longer than the continuous integration wants it.
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <catch2/catch.hpp>
#include <cstdlib>
#include <fstream>

#include "tests/support/persistence_fixture.h"

namespace verso::persistence {

namespace {

namespace fs = std::filesystem;

int Rounds(int usual) {
  const char* wanted = std::getenv("VERSO_CRASH_ROUNDS");
  return wanted != nullptr ? std::atoi(wanted) : usual;
}

std::vector<std::string> FilesOf(const std::string& directory) {
  std::vector<std::string> files;
  for (const auto& file : fs::recursive_directory_iterator(directory)) {
    if (file.is_regular_file()) files.push_back(file.path().string());
  }
  std::sort(files.begin(), files.end());
  return files;
}

std::string ReadAll(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

void WriteAll(const std::string& path, const std::string& bytes) {
  std::ofstream(path, std::ios::binary | std::ios::trunc) << bytes;
}

// A store with several saves in it, and copies of what it was one save earlier.
struct SavedStore {
  TemporaryDirectory directory;
  std::string data = directory.path() + "/data";
  std::string earlier = directory.path() + "/earlier";
  std::string digest;

  SavedStore() {
    std::mt19937_64 random(99);
    for (int round = 0; round < 2; ++round) {
      Life life(data);
      REQUIRE(life.ok());
      if (round == 1) fs::copy(data, earlier, fs::copy_options::recursive);
      for (int save = 0; save < 2; ++save) {
        WriteRandomly(&life, &random, 400);
        REQUIRE(life.Save());
      }
      digest = life.Digest();
    }
  }
};

// True: refused.
bool RefusedOrRight(const SavedStore& store, const std::string& data, const std::string& what) {
  INFO(what);
  Life life(data);
  if (!life.ok()) {
    INFO(life.error);
    CHECK(life.error.find(data) != std::string::npos);
    return true;
  }
  REQUIRE(life.persistence->load_status().state == LoadState::kLoaded);
  CHECK(life.Digest() == store.digest);
  CHECK(life.store->Audit() == "");
  return false;
}

}  // namespace

TEST_CASE("random damage is refused or harmless") {
  const SavedStore store;
  const uint64_t seed = std::random_device()();
  CAPTURE(seed);
  std::mt19937_64 random(seed);
  int refused = 0;
  for (int round = 0; round < Rounds(30); ++round) {
    const std::string data = store.directory.path() + "/damaged";
    fs::remove_all(data);
    fs::copy(store.data, data, fs::copy_options::recursive);
    const std::vector<std::string> files = FilesOf(data);
    const std::string& path = files[random() % files.size()];
    std::string bytes = ReadAll(path);
    std::string what = path;
    const uint64_t kind = bytes.empty() ? 9 : random() % 10;
    if (kind < 6) {
      const size_t at = random() % bytes.size();
      bytes[at] = static_cast<char>(bytes[at] ^ 1 << random() % 8);
      WriteAll(path, bytes);
      what += ": flipped at " + std::to_string(at);
    } else if (kind < 8) {
      const size_t length = random() % bytes.size();
      WriteAll(path, bytes.substr(0, length));
      what += ": cut to " + std::to_string(length);
    } else if (kind == 8) {
      const std::string& other = files[random() % files.size()];
      fs::rename(path, path + ".swap");
      if (other != path) {
        fs::rename(other, path);
        fs::rename(path + ".swap", other);
      } else {
        fs::rename(path + ".swap", path);
      }
      what += ": swapped with " + other;
    } else {
      fs::remove(path);
      what += ": removed";
    }
    refused += RefusedOrRight(store, data, what) ? 1 : 0;
  }
  CHECK(refused > 0);
}

constexpr char kReader[] = "a reader on demand";

// In a process of its own, not forked only: memory that no child shares is absent there.
TEST_CASE(kReader, "[.][reader]") {
  const char* data = std::getenv("VERSO_TEST_DIRECTORY");
  const char* digest = std::getenv("VERSO_TEST_DIGEST");
  if (data == nullptr || digest == nullptr) return;
  Life life(data, FaultPoint::kHoldLoad);
  _exit(!life.ok() ? 2 : life.Digest() == digest ? 0 : 3);
}

// Reads everything while the stream is held back. 0: right, 1: ended by a page that could not be
// had, 2: refused before, 3: a wrong value.
int ReadOnDemand(const std::string& data, const std::string& digest) {
  const pid_t reader = fork();
  if (reader == 0) {
    setenv("VERSO_TEST_DIRECTORY", data.c_str(), 1);
    setenv("VERSO_TEST_DIGEST", digest.c_str(), 1);
    execl("/proc/self/exe", "reader", kReader, nullptr);
    _exit(9);
  }
  int status = 0;
  REQUIRE(waitpid(reader, &status, 0) == reader);
  REQUIRE(WIFEXITED(status));  // no crash of another kind
  return WEXITSTATUS(status);
}

TEST_CASE("a damaged page that is read before the stream has come to it ends the process") {
  const SavedStore store;
  std::mt19937_64 random(17);
  int ended = 0;
  for (int round = 0; round < Rounds(30); ++round) {
    const std::string data = store.directory.path() + "/damaged";
    fs::remove_all(data);
    fs::remove(data + ".fatal");
    fs::copy(store.data, data, fs::copy_options::recursive);
    std::string largest;
    for (const std::string& path : FilesOf(data)) {
      const bool table = path.find(".sst") != std::string::npos;
      if (table && (largest.empty() || fs::file_size(path) > fs::file_size(largest))) {
        largest = path;
      }
    }
    std::string bytes = ReadAll(largest);
    const size_t at = random() % (bytes.size() * 9 / 10);  // behind that are the index and so on
    bytes[at] = static_cast<char>(bytes[at] ^ 1 << random() % 8);
    WriteAll(largest, bytes);
    const int code = ReadOnDemand(data, store.digest);
    CAPTURE(at, code);
    CHECK(code <= 2);  // right, ended by the damaged page, or refused: never a wrong value
    if (code != 1) continue;
    ++ended;
    CHECK(ReadAll(data + ".fatal").find(data + "/store") != std::string::npos);
  }
  CHECK(ended > 10);
}

TEST_CASE("every file missing in turn is refused or harmless") {
  const SavedStore store;
  int refused = 0;
  for (const std::string& path : FilesOf(store.data)) {
    const std::string data = store.directory.path() + "/damaged";
    fs::remove_all(data);
    fs::copy(store.data, data, fs::copy_options::recursive);
    fs::remove(data + path.substr(store.data.size()));
    const bool is_refused = RefusedOrRight(store, data, path + ": removed");
    refused += is_refused ? 1 : 0;
    const std::string name = fs::path(path).filename().string();
    if (name == "CURRENT" || name == "store.id" || name.find(".sst") != std::string::npos ||
        name.find("MANIFEST") == 0) {
      CHECK(is_refused);
    }
  }
  CHECK(refused >= 6);
}

TEST_CASE("a manifest cut at any record is not taken for an older store") {
  const SavedStore store;
  std::string manifest;
  for (const std::string& path : FilesOf(store.data)) {
    if (path.find("MANIFEST") != std::string::npos) manifest = path;
  }
  REQUIRE_FALSE(manifest.empty());
  const std::string bytes = ReadAll(manifest);
  for (size_t length = 0; length < bytes.size(); length += 1 + bytes.size() / 40) {
    const std::string data = store.directory.path() + "/damaged";
    fs::remove_all(data);
    fs::copy(store.data, data, fs::copy_options::recursive);
    WriteAll(data + manifest.substr(store.data.size()), bytes.substr(0, length));
    CHECK(RefusedOrRight(store, data, "cut to " + std::to_string(length)));
  }
}

TEST_CASE("an older store under a newer identity is refused, and another server's store too") {
  const SavedStore store;
  const std::string data = store.directory.path() + "/damaged";
  fs::copy(store.data, data, fs::copy_options::recursive);
  fs::remove_all(data + "/store");
  fs::copy(store.earlier + "/store", data + "/store", fs::copy_options::recursive);
  {
    Life life(data);
    CHECK(life.error.find("older") != std::string::npos);
  }
  const SavedStore other;
  fs::remove_all(data + "/store");
  fs::copy(other.data + "/store", data + "/store", fs::copy_options::recursive);
  Life life(data);
  CHECK(life.error.find("another store") != std::string::npos);
}

TEST_CASE("the whole directory of an earlier time is a good backup") {
  const SavedStore store;
  Life life(store.earlier);
  INFO(life.error);
  REQUIRE(life.ok());
  CHECK(life.store->Audit() == "");
  CHECK(life.Digest() != store.digest);
}

TEST_CASE("no store where one was saved is refused") {
  const SavedStore store;
  fs::remove_all(store.data + "/store");
  Life life(store.data);
  CHECK(life.error.find("is missing") != std::string::npos);
  CHECK(life.error.find(store.data + "/store") != std::string::npos);
}

TEST_CASE("leftovers of dead children are removed") {
  const SavedStore store;
  fs::create_directory(store.data + "/ingest");
  WriteAll(store.data + "/ingest/pages-0.sst", "half a file");
  fs::create_directory(store.data + "/store.new");
  WriteAll(store.data + "/store.new/CURRENT", "MANIFEST-000001\n");
  Life life(store.data);
  REQUIRE(life.ok());
  CHECK_FALSE(fs::exists(store.data + "/ingest"));
  CHECK_FALSE(fs::exists(store.data + "/store.new"));
  CHECK(life.Digest() == store.digest);
}

TEST_CASE("a file where the directory should be, and a directory that may not be written") {
  TemporaryDirectory directory;
  WriteAll(directory.path() + "/file", "x");
  CHECK(Life(directory.path() + "/file").error.find("is not a directory") != std::string::npos);
  CHECK(Life(directory.path() + "/none/data").error.find("No such file") != std::string::npos);
  CHECK(Life("/proc").error.find("/proc") != std::string::npos);
}

}  // namespace verso::persistence
