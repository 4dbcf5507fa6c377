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
