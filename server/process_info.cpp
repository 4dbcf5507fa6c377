#include "server/process_info.h"

#include <sys/utsname.h>
#include <unistd.h>

#include <chrono>
#include <fstream>

namespace verso::server {

ProcessMemory ReadProcessMemory() {
  ProcessMemory memory;
  std::ifstream status("/proc/self/status");
  std::string word;
  while (status >> word) {
    uint64_t* field = nullptr;
    if (word == "VmRSS:") field = &memory.resident;
    if (word == "RssAnon:") field = &memory.anonymous;
    if (word == "RssShmem:") field = &memory.shared;
    if (field != nullptr && status >> *field) *field *= 1024;
  }
  return memory;
}

uint64_t TotalSystemMemory() {
  return static_cast<uint64_t>(sysconf(_SC_PHYS_PAGES)) *
         static_cast<uint64_t>(sysconf(_SC_PAGESIZE));
}

uint64_t CgroupMemoryLimit() {
  uint64_t limit = 0;
  const auto read = [&limit](const std::string& path) {
    std::ifstream file(path);
    uint64_t bytes = 0;
    if (!(file >> bytes)) return;  // "max", or not there
    if (bytes < TotalSystemMemory() && (limit == 0 || bytes < limit)) limit = bytes;
  };
  std::ifstream groups("/proc/self/cgroup");
  std::string line;
  while (std::getline(groups, line)) {
    const std::string path = line.substr(line.rfind(':') + 1);
    if (line.rfind("0::", 0) == 0) {
      read("/sys/fs/cgroup" + path + "/memory.max");
      read("/sys/fs/cgroup/memory.max");  // inside a container the path may be the host's
    } else if (line.find(":memory:") != std::string::npos) {
      read("/sys/fs/cgroup/memory" + path + "/memory.limit_in_bytes");
      read("/sys/fs/cgroup/memory/memory.limit_in_bytes");
    }
  }
  return limit;
}

std::string ExecutablePath() {
  char path[4096];
  const ssize_t bytes = readlink("/proc/self/exe", path, sizeof(path));
  return bytes < 0 ? std::string() : std::string(path, static_cast<size_t>(bytes));
}

std::string OperatingSystem() {
  utsname name{};
  uname(&name);
  return std::string(name.sysname) + " " + name.release + " " + name.machine;
}

double CyclesPerMicrosecond() {
  // Compared over the life of the process, at least a millisecond: the two clocks run evenly.
  using Steady = std::chrono::steady_clock;
  static const uint64_t cycles_at_start = __builtin_ia32_rdtsc();
  static const Steady::time_point start = Steady::now();
  double us = 0;
  uint64_t cycles = 0;
  do {
    us = std::chrono::duration<double, std::micro>(Steady::now() - start).count();
    cycles = __builtin_ia32_rdtsc() - cycles_at_start;
  } while (us < 1000);
  return static_cast<double>(cycles) / us;
}

}  // namespace verso::server
