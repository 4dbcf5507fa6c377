// AccessRule: what the two bytes of an access clock say (page_arena.h), and how a use changes them.
//
//   idle time   seconds, modulo 2^16: when the key was last used. They reach back for 18 hours.
//   frequency   high byte   decay periods, modulo 2^8: when it was last looked at
//               low byte    a logarithmic counter of uses, 0 to 255
//
// The counter is that of Redis: a use raises it with probability 1 / ((counter - 5) * factor + 1),
// so that 255 stands for about a million uses at factor 10 (R. Morris, "Counting large numbers of
// events in small registers", 1978); each period in which nobody used the key takes one away. A
// clock that nobody looks at for 256 periods seems younger than it is; eviction looks, and writes
// down what it saw.
//
// Which of the two the clocks mean changes with the policy. Those from before then say something
// arbitrary until the key is used again, as in Redis.
#pragma once

#include <algorithm>
#include <cstdint>

namespace verso::storage {

class AccessRule {
 public:
  static constexpr uint64_t kIdleSecondsMax = 0xffff;
  static constexpr uint8_t kFrequencyOfNew = 5;  // else what is new would be the first to go

  AccessRule() = default;  // idle time
  // decay_minutes: the length of a period; 0: counters do not decay.
  static AccessRule ByFrequency(uint64_t log_factor, uint64_t decay_minutes) {
    AccessRule rule;
    rule.frequency_ = true;
    rule.log_factor_ = log_factor;
    rule.decay_ms_ = decay_minutes * 60'000;
    return rule;
  }

  bool by_frequency() const { return frequency_; }

  uint16_t OfNew(uint64_t now_ms) const {
    return frequency_ ? OfFrequency(kFrequencyOfNew, now_ms) : Seconds(now_ms);
  }
  // Of a key that is used now.
  uint16_t Used(uint16_t clock, uint64_t now_ms) const {
    return frequency_ ? Count(clock, now_ms) : Seconds(now_ms);
  }
  uint16_t OfIdle(uint64_t seconds, uint64_t now_ms) const {
    return static_cast<uint16_t>(Seconds(now_ms) - std::min(seconds, kIdleSecondsMax));
  }
  uint16_t OfFrequency(uint8_t counter, uint64_t now_ms) const {
    return static_cast<uint16_t>(Period(now_ms) << 8 | counter);
  }

  uint64_t IdleSeconds(uint16_t clock, uint64_t now_ms) const {
    return static_cast<uint16_t>(Seconds(now_ms) - clock);
  }
  uint8_t Frequency(uint16_t clock, uint64_t now_ms) const {
    const auto counter = static_cast<uint8_t>(clock);
    if (decay_ms_ == 0) return counter;
    const auto periods = static_cast<uint8_t>(Period(now_ms) - (clock >> 8));
    return static_cast<uint8_t>(counter - std::min(counter, periods));
  }
  // What goes first has the largest.
  uint16_t Coldness(uint16_t clock, uint64_t now_ms) const {
    return static_cast<uint16_t>(frequency_ ? 255 - Frequency(clock, now_ms)
                                            : IdleSeconds(clock, now_ms));
  }

 private:
  static uint16_t Seconds(uint64_t now_ms) { return static_cast<uint16_t>(now_ms / 1000); }
  uint8_t Period(uint64_t now_ms) const {
    return static_cast<uint8_t>(decay_ms_ == 0 ? 0 : now_ms / decay_ms_);
  }
  uint16_t Count(uint16_t clock, uint64_t now_ms) const;

  bool frequency_ = false;
  uint64_t log_factor_ = 10;
  uint64_t decay_ms_ = 60'000;
};

}  // namespace verso::storage
