// One step of a linear congruential generator, for choices of which nothing depends (D. Knuth,
// MMIX). Of its bits the high ones are the better ones.
#pragma once

#include <cstdint>

namespace verso {

inline constexpr uint64_t NextRandom(uint64_t random) {
  return random * 6364136223846793005u + 1442695040888963407u;
}

}  // namespace verso
