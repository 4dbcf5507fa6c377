// Counters behind INFO. Plain numbers, one thread.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <string>

namespace verso::server {

struct CommandMetrics {
  uint64_t calls = 0;
  uint64_t cycles = 0;
  uint64_t rejected = 0;
  uint64_t failed = 0;
};

struct Metrics {
  uint64_t connections_received = 0;
  uint64_t connections_rejected = 0;
  uint64_t commands_processed = 0;
  uint64_t bytes_in = 0;
  uint64_t bytes_out = 0;
  uint64_t reads = 0;
  uint64_t writes = 0;
  uint64_t error_replies = 0;
  uint64_t unexpected_error_replies = 0;
  uint64_t query_buffer_disconnections = 0;
  uint64_t output_buffer_disconnections = 0;
  uint64_t slices = 0;  // of continuations
  uint64_t turns = 0;
  uint64_t turn_us_max = 0;  // since the last CONFIG RESETSTAT
  std::map<std::string, uint64_t, std::less<>> errors_by_code;

  // Instantaneous rates: a ring of samples taken by the cron.
  static constexpr size_t kSamples = 16;
  struct Rate {
    uint64_t last_value = 0;
    std::array<double, kSamples> samples{};
    size_t next = 0;
    void Sample(uint64_t value, uint64_t elapsed_ms) {
      if (elapsed_ms == 0) return;
      samples[next] =
          static_cast<double>(value - last_value) * 1000.0 / static_cast<double>(elapsed_ms);
      next = (next + 1) % kSamples;
      last_value = value;
    }
    double PerSecond() const {
      double sum = 0;
      for (const double sample : samples) sum += sample;
      return sum / static_cast<double>(kSamples);
    }
  };
  Rate commands_rate;
  Rate bytes_in_rate;
  Rate bytes_out_rate;
};

}  // namespace verso::server
