#include "storage/types/content_hash.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

#include <cstdio>

namespace verso::storage {

struct ContentHash::State {
  XXH3_state_t xxh;
};

ContentHash::ContentHash() : state_(new State) { Reset(); }
ContentHash::~ContentHash() = default;

void ContentHash::Reset() { XXH3_128bits_reset(&state_->xxh); }

void ContentHash::Bytes(ByteView piece) {
  XXH3_128bits_update(&state_->xxh, piece.data(), piece.size());
}

void ContentHash::Number(uint64_t number) {
  XXH3_128bits_update(&state_->xxh, &number, sizeof(number));
}

Digest ContentHash::Finish() const {
  const XXH128_hash_t hash = XXH3_128bits_digest(&state_->xxh);
  return Digest{hash.low64, hash.high64};
}

std::string Digest::Hex() const {
  char text[41];
  std::snprintf(text, sizeof(text), "%08x%016llx%016llx", 0u, static_cast<unsigned long long>(high),
                static_cast<unsigned long long>(low));
  return text;
}

}  // namespace verso::storage
