// What the model programs share: seeds and steps from the command line, and a failure that names
// both, so that it can be repeated.
//
//   verso_model_<name> [SEEDS [STEPS [FIRST SEED [MORE]]]]
#pragma once

#include <unistd.h>

#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>

namespace verso::model {

inline uint64_t g_seed = 0;
inline uint64_t g_step = 0;

[[noreturn]] inline void Fail(const std::string& what) {
  std::printf("seed %llu step %llu FAILED: %s\n", static_cast<unsigned long long>(g_seed),
              static_cast<unsigned long long>(g_step), what.c_str());
  std::fflush(stdout);
  std::_Exit(1);
}

// Of a check in what is tested.
inline void OnAbort(int) {
  char text[96];
  const int length = std::snprintf(text, sizeof(text), "seed %llu step %llu FAILED: check\n",
                                   static_cast<unsigned long long>(g_seed),
                                   static_cast<unsigned long long>(g_step));
  if (write(1, text, static_cast<size_t>(length)) < 0) std::_Exit(2);
  std::_Exit(1);
}

// The number at that place of the command line.
inline uint64_t NumberAt(int count, char** arguments, int index, uint64_t otherwise) {
  return count > index ? std::strtoull(arguments[index], nullptr, 10) : otherwise;
}

// run(steps) once for each seed. The exit status.
template <typename Run>
int RunSeeds(int count, char** arguments, uint64_t seeds, uint64_t steps, Run&& run) {
  seeds = NumberAt(count, arguments, 1, seeds);
  steps = NumberAt(count, arguments, 2, steps);
  const uint64_t first = NumberAt(count, arguments, 3, 1);
  std::signal(SIGABRT, OnAbort);
  std::printf("seeds %llu to %llu, %llu steps each\n", static_cast<unsigned long long>(first),
              static_cast<unsigned long long>(first + seeds - 1),
              static_cast<unsigned long long>(steps));
  for (uint64_t i = 0; i < seeds; ++i) {
    g_seed = first + i;
    run(steps);
    std::fflush(stdout);
  }
  std::printf("%llu passed, 0 failed\n", static_cast<unsigned long long>(seeds));
  return 0;
}

}  // namespace verso::model
