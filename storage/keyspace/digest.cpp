#include "storage/keyspace/keyspace.h"
#include "storage/types/type_ops.h"

namespace verso::storage {
namespace {

Digest KeyDigest(ContentHash* hash, int db, ByteView key, const PageArena& arena,
                 const ValueView& value) {
  hash->Reset();
  hash->Number(static_cast<uint64_t>(db));
  hash->Number(static_cast<uint64_t>(value.type));
  hash->Number(value.deadline_ms);
  hash->Item(key);
  TypeOpsOf(value.type).digest(arena, value, hash);
  return hash->Finish();
}

}  // namespace

Digest DigestOf(const ReadView& view, int db) {
  Digest sum;
  ContentHash hash;
  for (int i = db < 0 ? 0 : db; i < (db < 0 ? kDatabases : db + 1); ++i) {
    const ReadView one = view.InDatabase(i);
    uint64_t cursor = 0;
    do {
      cursor = one.Scan(cursor, 4096, [&](ByteView key, const ValueView& value) {
        sum.Add(KeyDigest(&hash, i, key, one.arena(), value));
      });
    } while (cursor != 0);
  }
  return sum;
}

Digest DigestOfKey(const ReadView& view, const Key& key) {
  const auto value = view.Find(key, Access::kPeek);
  ContentHash hash;
  return value ? KeyDigest(&hash, 0, key.bytes, view.arena(), *value) : Digest{};
}

}  // namespace verso::storage
