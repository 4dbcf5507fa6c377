#include "storage/base/hash.h"

#define XXH_INLINE_ALL
#include <sys/random.h>
#include <xxhash.h>

#include "storage/base/check.h"

namespace verso {

static_assert(HashSecret::kBytes >= XXH3_SECRET_SIZE_MIN);

HashSecret HashSecret::Random() {
  HashSecret secret;
  VERSO_CHECK(getrandom(secret.bytes.data(), secret.bytes.size(), 0) == ssize_t{kBytes});
  return secret;
}

HashSecret HashSecret::FromSeed(uint64_t seed) {
  HashSecret secret;
  for (size_t i = 0; i < kBytes; i += 8) {
    StoreLe<uint64_t>(&secret.bytes[i], XXH3_64bits_withSeed(&i, sizeof(i), seed + 1));
  }
  return secret;
}

uint64_t Hash64(ByteView key, const HashSecret& secret) {
  return XXH3_64bits_withSecret(key.data(), key.size(), secret.bytes.data(), secret.bytes.size());
}

uint64_t Checksum64(ByteView bytes, uint64_t seed) {
  return XXH3_64bits_withSeed(bytes.data(), bytes.size(), seed);
}

}  // namespace verso
