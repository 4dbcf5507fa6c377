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

uint64_t CgroupMemoryLimit(const std::string& root) {
  uint64_t limit = 0;
  const auto read = [&limit](const std::string& path) {
    std::ifstream file(path);
    uint64_t bytes = 0;
    if (!(file >> bytes)) return;  // "max", or not there
    if (bytes < TotalSystemMemory() && (limit == 0 || bytes < limit)) limit = bytes;
  };
  // The groups above limit this one too; inside a container, where the path may be the host's, only
  // the topmost is to be seen.
  const auto read_upwards = [&read, &root](const std::string& mount, std::string group,
                                           const std::string& file) {
    while (true) {
      read(root + mount + group + file);
      const size_t slash = group.rfind('/');
      if (slash == std::string::npos) return;
      group.resize(slash);
    }
  };
  std::ifstream groups(root + "/proc/self/cgroup");
  std::string line;
  while (std::getline(groups, line)) {
    const std::string group = line.substr(line.rfind(':') + 1);
    if (line.rfind("0::", 0) == 0) {
      read_upwards("/sys/fs/cgroup", group, "/memory.max");
    } else if (line.find(":memory:") != std::string::npos) {
      read_upwards("/sys/fs/cgroup/memory", group, "/memory.limit_in_bytes");
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
