// What the kernel tells about this process, for INFO.
#pragma once

#include <cstdint>
#include <string>

namespace verso::server {

struct ProcessMemory {
  uint64_t resident = 0;
  uint64_t anonymous = 0;  // private: what a fork must copy page tables for
  uint64_t shared = 0;     // arena, client buffers
};

ProcessMemory ReadProcessMemory();
uint64_t TotalSystemMemory();
// The lowest memory limit of this process' control group (v2 or v1) and those above it; 0: none
// below what the machine has. `root` stands before /proc and /sys, for tests.
uint64_t CgroupMemoryLimit(const std::string& root = "");
std::string ExecutablePath();
std::string OperatingSystem();
// Ticks of the processor's counter per microsecond.
double CyclesPerMicrosecond();

}  // namespace verso::server
