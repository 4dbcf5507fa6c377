// What the tests of the hash trie share: a store with the trie in its first database, and keys with
// chosen hashes.
#pragma once

#include <catch2/catch.hpp>
#include <cstring>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "storage/index/counted_btree.h"
#include "storage/index/hash_trie.h"
#include "storage/memory/line_root.h"
#include "storage/memory/size_class.h"
#include "storage/memory/store.h"

namespace verso::storage {

// Undoes the last step of XXH3 for keys of 9 to 16 bytes, so that a key can be made for any hash.
inline uint64_t UnmixHash(uint64_t hash) {
  constexpr uint64_t kPrime = 0x165667919E3779F9;
  uint64_t inverse = kPrime;  // Newton's iteration doubles the right bits each time
  for (int i = 0; i < 6; ++i) inverse *= 2 - kPrime * inverse;
  hash ^= hash >> 32;
  hash *= inverse;
  return hash ^ hash >> 37;
}

// Under an all-zero secret the first half of a 16-byte key, when zero, takes the second half out of
// all products.
inline std::string KeyWithHash(uint64_t hash) {
  std::string key(16, '\0');
  StoreLe<uint64_t>(&key[8], UnmixHash(hash) - key.size());
  return key;
}

// Under an all-zero secret all of these have the same hash: each product of XXH3 has a factor zero.
inline std::string CollidingKey(uint64_t number, size_t bytes = 32) {
  std::string key(bytes, '\0');
  StoreLe<uint64_t>(&key[8], number);
  return key;
}

class TrieFixture {
 public:
  explicit TrieFixture(const HashSecret& secret = HashSecret::FromSeed(1)) {
    StoreOptions options;
    options.arena.bytes_max = size_t{8} << 30;
    options.clock = &clock_;
    options.secret = secret;
    auto created = Store::Create(options);
    REQUIRE(created);
    store_ = std::move(*created);
    secret_ = secret;
    *line().mutable_head() = line().NewPage(PageKind::kLineRoot, sizeof(LineRoot));
    std::memset(arena().ResolveMutable(line().head()), 0, sizeof(LineRoot));
  }
  // Hashes can be chosen: for tests of collisions only.
  static TrieFixture WithoutSecret() { return TrieFixture(HashSecret{}); }

  Store& store() { return *store_; }
  Line& line() { return store_->main(); }
  PageArena& arena() { return store_->arena(); }
  // The trie of the head, and of a version that was pinned.
  const Ref& root() { return RootOf(line().head()); }
  const Ref& RootOf(const Ref& version) {
    return reinterpret_cast<const LineRoot*>(arena().Resolve(version))->databases[0].keys;
  }
  const HashSecret& secret() const { return secret_; }
  TrieReader reader() { return TrieReader(arena(), root()); }
  TrieWriter writer() { return TrieWriter(line(), &WritableDatabase()->keys, secret_); }
  TrieKey Key(ByteView bytes) const { return TrieKey{bytes, Hash64(bytes, secret_)}; }

  void Reserve(size_t payload = 0) {
    REQUIRE(arena().Reserve(kTrieWriteBytesMax + payload + payload / 4));
  }
  static ValueView Inline(ByteView bytes, uint64_t deadline_ms = kNoDeadline) {
    ValueView value;
    value.bytes = bytes;
    value.deadline_ms = deadline_ms;
    return value;
  }
  // A value as the key space stores it: inline, or a run of its own.
  ValueView Value(ByteView bytes, uint64_t deadline_ms = kNoDeadline) {
    ValueView value = Inline(bytes, deadline_ms);
    if (bytes.size() <= kTrieInlineBytesMax) return value;
    value.external = true;
    value.ref = line().NewPage(PageKind::kValue, bytes.size());
    std::memcpy(arena().ResolveMutable(value.ref), bytes.data(), bytes.size());
    return value;
  }
  TriePutResult Put(ByteView key, ByteView bytes, uint64_t deadline_ms = kNoDeadline,
                    uint16_t clock = 0) {
    Reserve(key.size() + bytes.size());
    const TriePutResult result = writer().Put(Key(key), Value(bytes, deadline_ms), clock);
    line().Retire(result.previous.value);
    return result;
  }
  bool Erase(ByteView key) {
    Reserve();
    const auto previous = writer().Erase(Key(key));
    if (previous) line().Retire(previous->value);
    return previous.has_value();
  }
  std::string Bytes(const ValueView& value) {
    return value.external ? std::string(arena().Resolve(value.ref), value.ref.size())
                          : std::string(value.bytes);
  }
  std::optional<std::string> Get(ByteView key) {
    const auto found = reader().Find(Key(key));
    if (!found) return std::nullopt;
    return Bytes(found->value);
  }
  // The trie and the whole store. The store's audit wants a count and a deadline index that fit.
  std::string Audit() {
    TrieStats stats;
    const std::string error = reader().Validate(secret_, &stats);
    if (!error.empty()) return error;
    DatabaseRoot* database = WritableDatabase();
    database->count = stats.entries;
    line().Retire(database->deadlines);
    database->deadlines = kNullRef;
    reader().ForEach([&](const TrieEntry& entry) {
      if (entry.value.deadline_ms == kNoDeadline) return;
      REQUIRE(arena().Reserve(TreeEstimate(database->deadlines)));
      TreeInsert(line(), &database->deadlines,
                 TreeItem{entry.value.deadline_ms, entry.KeyHash(secret_)});
    });
    store_->DrainBackground();
    return store_->Audit();
  }
  TrieStats Stats() {
    TrieStats stats;
    REQUIRE(reader().Validate(secret_, &stats) == "");
    return stats;
  }

 private:
  DatabaseRoot* WritableDatabase() {
    REQUIRE(arena().Reserve(sizeof(LineRoot)));
    char* page = line().Writable(line().mutable_head());
    return reinterpret_cast<LineRoot*>(page)->databases;
  }

  ManualClock clock_;
  HashSecret secret_;
  std::unique_ptr<Store> store_;
};

}  // namespace verso::storage
