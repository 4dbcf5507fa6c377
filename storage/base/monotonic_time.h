// Time that only goes forward, for measuring how long something takes.
#pragma once

#include <chrono>
#include <cstdint>

namespace verso {

inline uint64_t MonotonicUs() {
  const auto now = std::chrono::steady_clock::now().time_since_epoch();
  return static_cast<uint64_t>(std::chrono::duration_cast<std::chrono::microseconds>(now).count());
}

}  // namespace verso
