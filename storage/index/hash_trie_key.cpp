// Keys above kTrieInlineBytesMax: a kValue run, or a rope above the size of a chunk. Their hash
// stands in the entry.

#include <cstring>

#include "storage/index/hash_trie_path.h"
#include "storage/index/rope.h"

namespace verso::storage {

Ref TrieBuildKey(Line& line, ByteView key) {
  if (key.size() > kRopeChunkBytes) return RopeBuild(line, key);
  const Ref ref = line.NewPage(PageKind::kValue, key.size());
  std::memcpy(line.arena().ResolveMutable(ref), key.data(), key.size());
  return ref;
}

bool TrieExternalKeyEquals(const PageArena& arena, const char* key, const TrieKey& wanted) {
  if (LoadLe<uint64_t>(key) != wanted.hash) return false;
  const Ref ref = LoadLe<Ref>(key + sizeof(uint64_t));
  if (ref.kind() == PageKind::kRope) return RopeEquals(arena, ref, wanted.bytes);
  return ref.size() == wanted.bytes.size() &&
         std::memcmp(arena.Resolve(ref), wanted.bytes.data(), ref.size()) == 0;
}

uint64_t TrieEntryHash(const char* entry, const HashSecret& secret) {
  const TrieEntryHeader& header = TrieEntryAt(entry);
  const char* key = entry + header.key_offset();
  if (header.key_external()) return LoadLe<uint64_t>(key);
  return Hash64(ByteView(key, header.key_bytes), secret);
}

uint64_t TrieEntry::KeyLength(const PageArena& arena) const {
  if (!key_external) return key_inline.size();
  return key_ref.kind() == PageKind::kRope ? RopeLength(arena, key_ref) : key_ref.size();
}

std::optional<ByteView> TrieEntry::KeyContiguous(const PageArena& arena) const {
  if (!key_external) return key_inline;
  if (key_ref.kind() == PageKind::kRope) return std::nullopt;
  return ByteView(arena.Resolve(key_ref), key_ref.size());
}

std::string TrieEntry::KeyCopy(const PageArena& arena) const {
  if (const auto whole = KeyContiguous(arena)) return std::string(*whole);
  std::string key;
  const uint64_t length = RopeLength(arena, key_ref);
  key.reserve(length);
  RopeForEachPiece(arena, key_ref, 0, length, [&](ByteView piece) { key.append(piece); });
  return key;
}

uint64_t TrieEntry::KeyHash(const HashSecret& secret) const {
  return key_external ? key_hash : Hash64(key_inline, secret);
}

}  // namespace verso::storage
