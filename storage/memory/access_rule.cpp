#include "storage/memory/access_rule.h"

#include <random>

namespace verso::storage {

uint16_t AccessRule::Count(uint16_t clock, uint64_t now_ms) const {
  // One loop uses keys; a child has its own copy.
  static std::minstd_rand random;
  uint8_t counter = Frequency(clock, now_ms);
  if (counter < 255) {
    const uint64_t above = counter > kFrequencyOfNew ? counter - kFrequencyOfNew : 0;
    const uint64_t one_in = above * log_factor_ + 1;
    if (one_in == 1 || random() % one_in == 0) ++counter;
  }
  return OfFrequency(counter, now_ms);
}

}  // namespace verso::storage
