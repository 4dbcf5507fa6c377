// Order-free digest: the 128-bit sum, over all live keys, of a hash of what each key is. Unkeyed,
// so that stores with different secrets compare.
#define XXH_INLINE_ALL
#include <xxhash.h>

#include <cstdio>
#include <memory>

#include "storage/index/rope.h"
#include "storage/keyspace/keyspace.h"
#include "storage/memory/store.h"

namespace verso::storage {
namespace {

class Hasher {
 public:
  Hasher() : state_(XXH3_createState()) {}
  ~Hasher() { XXH3_freeState(state_); }
  Hasher(const Hasher&) = delete;
  Hasher& operator=(const Hasher&) = delete;

  Digest Key(int db, ByteView key, const PageArena& arena, const ValueView& value) {
    XXH3_128bits_reset(state_);
    const uint64_t head[4] = {static_cast<uint64_t>(db), static_cast<uint64_t>(value.type),
                              value.deadline_ms, key.size()};
    XXH3_128bits_update(state_, head, sizeof(head));
    XXH3_128bits_update(state_, key.data(), key.size());
    StringForEachPiece(arena, value, 0, kStringBytesMax, [this](ByteView piece) {
      XXH3_128bits_update(state_, piece.data(), piece.size());
    });
    const XXH128_hash_t hash = XXH3_128bits_digest(state_);
    return Digest{hash.low64, hash.high64};
  }

 private:
  XXH3_state_t* state_;
};

void Add(Digest* sum, const Digest& term) {
  sum->low += term.low;
  sum->high += term.high;
}

}  // namespace

std::string Digest::Hex() const {
  char text[41];
  std::snprintf(text, sizeof(text), "%08x%016llx%016llx", 0u, static_cast<unsigned long long>(high),
                static_cast<unsigned long long>(low));
  return text;
}

Digest DigestOf(const ReadView& view, int db) {
  Digest sum;
  Hasher hasher;
  for (int i = db < 0 ? 0 : db; i < (db < 0 ? kDatabases : db + 1); ++i) {
    const ReadView one = view.InDatabase(i);
    uint64_t cursor = 0;
    do {
      cursor = one.Scan(cursor, 4096, [&](ByteView key, const ValueView& value) {
        Add(&sum, hasher.Key(i, key, one.arena(), value));
      });
    } while (cursor != 0);
  }
  return sum;
}

Digest DigestOfKey(const ReadView& view, const Key& key) {
  const auto value = view.Find(key, Access::kPeek);
  return value ? Hasher().Key(0, key.bytes, view.arena(), *value) : Digest{};
}

}  // namespace verso::storage
