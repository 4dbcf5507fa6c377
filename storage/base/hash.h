// The keyed hash of the key space. XXH3 (Yann Collet, xxHash library) under a secret of random
// bytes: the secret is kept with the store, never leaves it, and decides every intermediate
// product, so that colliding keys cannot be prepared by a client (hash flooding). Directories use
// the top bits, leaf fingerprints the lowest eight.
#pragma once

#include <array>
#include <cstdint>

#include "storage/base/bytes.h"

namespace verso {

struct HashSecret {
  static constexpr size_t kBytes = 192;
  std::array<unsigned char, kBytes> bytes{};

  static HashSecret Random();                 // from getrandom(2)
  static HashSecret FromSeed(uint64_t seed);  // for tests: the same seed, the same secret
};

uint64_t Hash64(ByteView key, const HashSecret& secret);

// Unkeyed, for digests and checks of our own bytes.
uint64_t Checksum64(ByteView bytes, uint64_t seed = 0);

}  // namespace verso
