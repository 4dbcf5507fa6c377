#include "persistence/store_format.h"

#include <sys/random.h>

#include <bit>

#include "storage/base/check.h"

namespace verso::persistence {

namespace {

constexpr uint64_t kOddMultiplier = 0x9e3779b97f4a7c15;

template <size_t kBytes>
void StoreBe(char* to, uint64_t value) {
  for (size_t i = 0; i < kBytes; ++i) to[i] = static_cast<char>(value >> 8 * (kBytes - 1 - i));
}

template <size_t kBytes>
uint64_t LoadBe(const char* from) {
  uint64_t value = 0;
  for (size_t i = 0; i < kBytes; ++i) value = value << 8 | static_cast<unsigned char>(from[i]);
  return value;
}

uint64_t PageSeed(Epoch birth, Cell cell) { return birth * kOddMultiplier ^ cell; }

uint32_t GroupChecksum(uint32_t group, ByteView bytes) {
  return static_cast<uint32_t>(Checksum64(bytes, kOddMultiplier + group));
}

size_t OccupiedBytes(int size_class) { return (storage::ClassRuns(size_class) + 7) / 8; }

}  // namespace

Id Id::Random() {
  Id id;
  VERSO_CHECK(getrandom(id.bytes.data(), id.bytes.size(), 0) == ssize_t{16});
  return id;
}

std::string Id::Hex() const {
  constexpr char kDigits[] = "0123456789abcdef";
  std::string text;
  for (const unsigned char byte : bytes) {
    text += kDigits[byte >> 4];
    text += kDigits[byte & 15];
  }
  return text;
}

// ---- pages

PageKey EncodePageKey(Epoch birth, Cell cell) {
  PageKey key;
  StoreBe<6>(key.bytes.data(), birth);
  StoreBe<5>(key.bytes.data() + 6, cell);
  return key;
}

PageAddress DecodePageKey(const char* key) { return {LoadBe<6>(key), LoadBe<5>(key + 6)}; }

uint32_t PageChecksum(Epoch birth, Cell cell, ByteView page) {
  return static_cast<uint32_t>(Checksum64(page, PageSeed(birth, cell)));
}

// A sum of these over a set of keys is as good as the set: each addend is a mix of all 88 bits.
uint64_t KeyHash(Epoch birth, Cell cell) {
  uint64_t hash = PageSeed(birth, cell) * 0xff51afd7ed558ccd;
  hash ^= hash >> 32;
  hash *= 0xc4ceb9fe1a85ec53;
  hash ^= hash >> 29;
  return hash + birth;
}

// ---- space map

bool GroupSpace::empty() const {
  for (const SlabSpace& slab : slabs) {
    if (slab.size_class != kSlabUnused) return false;
  }
  return true;
}

std::array<char, 4> EncodeGroupKey(uint32_t group) {
  std::array<char, 4> key;
  StoreBe<4>(key.data(), group);
  return key;
}

Result<uint32_t> DecodeGroupKey(ByteView key) {
  if (key.size() != 4) return Error{ErrorCode::kCorruption, "space map: key of wrong length"};
  return static_cast<uint32_t>(LoadBe<4>(key.data()));
}

std::string EncodeGroup(uint32_t group, const GroupSpace& space) {
  std::string value(1, static_cast<char>(kSpaceFormat));
  for (const SlabSpace& slab : space.slabs) {
    value += static_cast<char>(slab.size_class);
    if (slab.size_class == kSlabUnused) continue;
    value.append(reinterpret_cast<const char*>(slab.occupied.get()),
                 OccupiedBytes(slab.size_class));
  }
  const uint32_t checksum = GroupChecksum(group, value);
  value.append(reinterpret_cast<const char*>(&checksum), kChecksumBytes);
  return value;
}

Result<GroupSpace> DecodeGroup(uint32_t group, ByteView value) {
  const auto bad = [group](const char* what) {
    return Error{ErrorCode::kCorruption, "space map, group " + std::to_string(group) + ": " + what};
  };
  if (value.size() < 1 + kChecksumBytes) return bad("too short");
  const ByteView body = value.substr(0, value.size() - kChecksumBytes);
  if (LoadLe<uint32_t>(body.data() + body.size()) != GroupChecksum(group, body))
    return bad("checksum");
  if (static_cast<uint8_t>(body[0]) != kSpaceFormat) return bad("unknown format");

  GroupSpace space;
  size_t at = 1;
  for (SlabSpace& slab : space.slabs) {
    if (at >= body.size()) return bad("too short");
    const auto size_class = static_cast<uint8_t>(body[at++]);
    if (size_class == kSlabUnused) continue;
    if (size_class >= storage::kSizeClasses) return bad("unknown size class");
    const size_t bytes = OccupiedBytes(size_class);
    if (body.size() - at < bytes) return bad("too short");
    const size_t words = OccupiedWords(size_class);
    slab.size_class = size_class;
    slab.occupied = std::make_unique<uint64_t[]>(words);
    std::memcpy(slab.occupied.get(), body.data() + at, bytes);
    at += bytes;
    const size_t tail = storage::ClassRuns(size_class) % 64;
    if (tail != 0 && slab.occupied[words - 1] >> tail != 0) return bad("bits beyond the last run");
    size_t runs = 0;
    for (size_t i = 0; i < words; ++i) runs += static_cast<size_t>(std::popcount(slab.occupied[i]));
    if (runs == 0) return bad("a used slab without pages");
    slab.occupied_runs = static_cast<uint16_t>(runs);
  }
  if (at != body.size()) return bad("too long");
  return space;
}

// ---- catalogue

std::array<char, 8> EncodeCatalogueKey(Epoch epoch) {
  std::array<char, 8> key;
  StoreBe<8>(key.data(), epoch);
  return key;
}

std::string EncodeCatalogue(const CatalogueEntry& entry) {
  std::string value(kCatalogueBytes, '\0');
  char* p = value.data();
  StoreLe<uint32_t>(p, kFormatVersion);
  StoreLe<uint32_t>(p + 4, kCatalogueBytes);
  std::memcpy(p + 8, entry.store_id.bytes.data(), 16);
  std::memcpy(p + 24, entry.save_id.bytes.data(), 16);
  StoreLe(p + 40, entry.super_root);
  const uint64_t numbers[] = {
      entry.epoch,      entry.epoch_next, entry.base,    entry.log_position,  entry.time_ms,
      entry.live_pages, entry.live_bytes, entry.key_sum, entry.pages_written, entry.bytes_written};
  static_assert(56 + sizeof(numbers) == 136);
  std::memcpy(p + 56, numbers, sizeof(numbers));
  std::memcpy(p + 136, entry.secret.bytes.data(), HashSecret::kBytes);
  static_assert(136 + HashSecret::kBytes + 8 == kCatalogueBytes);
  StoreLe<uint64_t>(p + 328, Checksum64(ByteView(p, 328), entry.epoch));
  return value;
}

Result<CatalogueEntry> DecodeCatalogue(ByteView key, ByteView value) {
  const auto bad = [](const char* what) {
    return Error{ErrorCode::kCorruption, std::string("catalogue entry: ") + what};
  };
  if (key.size() != 8) return bad("key of wrong length");
  const Epoch epoch = LoadBe<8>(key.data());
  if (value.size() < 16) return bad("too short");
  // The version stands first in every format, and the checksum last: a newer entry is told from a
  // damaged one.
  const ByteView body = value.substr(0, value.size() - 8);
  if (LoadLe<uint64_t>(body.data() + body.size()) != Checksum64(body, epoch))
    return bad("checksum");
  const auto version = LoadLe<uint32_t>(value.data());
  if (version != kFormatVersion) {
    return Error{ErrorCode::kIncompatible, "format version " + std::to_string(version) +
                                               "; this program reads version " +
                                               std::to_string(kFormatVersion)};
  }
  if (value.size() != kCatalogueBytes) return bad("wrong length");
  const char* p = value.data();
  CatalogueEntry entry;
  std::memcpy(entry.store_id.bytes.data(), p + 8, 16);
  std::memcpy(entry.save_id.bytes.data(), p + 24, 16);
  entry.super_root = LoadLe<Ref>(p + 40);
  uint64_t* const numbers[] = {&entry.epoch,        &entry.epoch_next, &entry.base,
                               &entry.log_position, &entry.time_ms,    &entry.live_pages,
                               &entry.live_bytes,   &entry.key_sum,    &entry.pages_written,
                               &entry.bytes_written};
  for (size_t i = 0; i < std::size(numbers); ++i) *numbers[i] = LoadLe<uint64_t>(p + 56 + 8 * i);
  std::memcpy(entry.secret.bytes.data(), p + 136, HashSecret::kBytes);
  if (entry.epoch != epoch) return bad("its epoch is not its key");
  if (entry.epoch_next <= entry.epoch || entry.epoch_next > storage::kEpochMax) return bad("epoch");
  return entry;
}

}  // namespace verso::persistence
