#include "server/process_info.h"

#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>

#include <stdlib.h>

#include "server/config.h"

namespace verso::server {
namespace {

// A folder that stands for "/", with the files of control groups in it.
class FakeRoot {
 public:
  FakeRoot() {
    std::string path = (std::filesystem::temp_directory_path() / "verso-test-XXXXXX").string();
    REQUIRE(mkdtemp(path.data()) != nullptr);
    path_ = path;
  }
  ~FakeRoot() { std::filesystem::remove_all(path_); }
  FakeRoot(const FakeRoot&) = delete;
  FakeRoot& operator=(const FakeRoot&) = delete;

  void Write(const std::string& file, const std::string& text) const {
    const std::filesystem::path path = path_ + file;
    std::filesystem::create_directories(path.parent_path());
    REQUIRE(std::ofstream(path) << text << "\n");
  }
  uint64_t Limit() const { return CgroupMemoryLimit(path_); }

 private:
  std::string path_;
};

TEST_CASE("memory limit: without control groups there is none") {
  const FakeRoot root;
  CHECK(root.Limit() == 0);
  root.Write("/proc/self/cgroup", "0::/\n");
  CHECK(root.Limit() == 0);
}

TEST_CASE("memory limit: control groups, version 2: the lowest on the way up") {
  const FakeRoot root;
  root.Write("/proc/self/cgroup", "0::/system.slice/verso.service\n");
  root.Write("/sys/fs/cgroup/system.slice/verso.service/memory.max", "max");
  CHECK(root.Limit() == 0);
  root.Write("/sys/fs/cgroup/memory.max", "300000000");  // as a container sees its own
  CHECK(root.Limit() == 300'000'000);
  root.Write("/sys/fs/cgroup/system.slice/memory.max", "200000000");
  CHECK(root.Limit() == 200'000'000);
  root.Write("/sys/fs/cgroup/system.slice/verso.service/memory.max", "100000000");
  CHECK(root.Limit() == 100'000'000);
  root.Write("/sys/fs/cgroup/system.slice/other.service/memory.max", "1000000");
  CHECK(root.Limit() == 100'000'000);
}

TEST_CASE("memory limit: control groups, version 1: the memory controller's") {
  const FakeRoot root;
  root.Write("/proc/self/cgroup", "5:cpu,cpuacct:/elsewhere\n4:memory:/docker/verso\n");
  root.Write("/sys/fs/cgroup/memory/elsewhere/memory.limit_in_bytes", "1000000");
  CHECK(root.Limit() == 0);
  // What version 1 says when there is none: more than any machine has.
  root.Write("/sys/fs/cgroup/memory/docker/verso/memory.limit_in_bytes", "9223372036854771712");
  CHECK(root.Limit() == 0);
  root.Write("/sys/fs/cgroup/memory/memory.limit_in_bytes", "200000000");
  CHECK(root.Limit() == 200'000'000);
  root.Write("/sys/fs/cgroup/memory/docker/verso/memory.limit_in_bytes", "100000000");
  CHECK(root.Limit() == 100'000'000);
}

TEST_CASE("memory limit: maxmemory is 70 % of it by default") {
  CHECK(DefaultSettings(0).maxmemory == 0);
  CHECK(DefaultSettings(100'000'000).maxmemory == 70'000'000);
  CHECK(LoadConfig({})->settings.maxmemory == DefaultSettings().maxmemory);
  CHECK(LoadConfig({"--maxmemory", "5mb"})->settings.maxmemory == 5 << 20);
}

}  // namespace
}  // namespace verso::server
