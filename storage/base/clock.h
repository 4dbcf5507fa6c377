// Time is passed in, so that a whole server core can be run from a test.
#pragma once

#include <cstdint>

namespace verso {

class Clock {
 public:
  virtual ~Clock() = default;
  virtual uint64_t NowMs() const = 0;  // wall clock, Unix milliseconds
};

class SystemClock final : public Clock {
 public:
  uint64_t NowMs() const override;
};

class ManualClock final : public Clock {
 public:
  explicit ManualClock(uint64_t now_ms = 1'700'000'000'000) : now_ms_(now_ms) {}
  uint64_t NowMs() const override { return now_ms_; }
  void Advance(uint64_t ms) { now_ms_ += ms; }
  void Set(uint64_t now_ms) { now_ms_ = now_ms; }

 private:
  uint64_t now_ms_;
};

}  // namespace verso
