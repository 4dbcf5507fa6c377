// What stands in the snapshot store, byte by byte. Frozen: numbers here are never reused.
//
// The store is a RocksDB database with three column families beside the empty default one:
//
//   pages      key    birth (6 bytes) | cell (5 bytes), big-endian: a save appends at the end
//              value  the page's bytes | checksum (4 bytes)
//   space      key    group (4 bytes, big-endian): 2 MiB of arena, 32 slabs
//              value  format (1) | 32 x { size class (1), 0xff: unused; else occupied runs (1 bit
//              each) } | checksum (4)
//   snapshots  key    epoch (8 bytes, big-endian): the newest is the last
//              value  CatalogueEntry, below
//
// Checksums are XXH3 seeded by the key (F1), so bytes under the wrong key are found like damaged
// ones: swapped, stale and misdirected pages, not only flipped bits. Numbers are little-endian
// except in keys, where the order of bytes is the order of keys.
//
//   CatalogueEntry   0  u32 format version      4  u32 bytes of the entry
//                    8  store id (16)          24  save id (16)
//                   40  super-root, a Ref (16)
//                   56  u64 epoch              64  u64 epoch_next        72  u64 base
//                   80  u64 log position       88  u64 wall time, Unix ms
//                   96  u64 live pages        104  u64 live bytes       112  u64 sum of KeyHash
//                   over the live pages
//                  120  u64 pages written     128  u64 bytes written
//                  136  hash secret (192)
//                  328  u64 checksum
//
// F1 A value is trusted only after its checksum fits its key.
// F2 The pages in the store, less the deleted ones, are exactly the occupied runs of the space map:
// same count, same bytes, same sum of
//    KeyHash. So a lost, resurrected or doubled page is found, whatever RocksDB thinks of its
//    files.
#pragma once

#include <array>
#include <memory>
#include <string>

#include "storage/base/hash.h"
#include "storage/base/result.h"
#include "storage/memory/page.h"
#include "storage/memory/size_class.h"

namespace verso::persistence {

using storage::Cell;
using storage::Epoch;
using storage::Ref;

inline constexpr uint32_t kFormatVersion = 1;

inline constexpr char kFamilyPages[] = "pages";
inline constexpr char kFamilySpace[] = "space";
inline constexpr char kFamilySnapshots[] = "snapshots";

// A random 128-bit name: of a store, of an attempt to save.
struct Id {
  std::array<unsigned char, 16> bytes{};

  static Id Random();
  std::string Hex() const;
  bool operator==(const Id&) const = default;
};

// ---- pages
inline constexpr size_t kPageKeyBytes = 11;
inline constexpr size_t kChecksumBytes = 4;

struct PageKey {
  std::array<char, kPageKeyBytes> bytes;
  ByteView view() const { return {bytes.data(), bytes.size()}; }
};

PageKey EncodePageKey(Epoch birth, Cell cell);
struct PageAddress {
  Epoch birth;
  Cell cell;
};
// Requires: kPageKeyBytes bytes.
PageAddress DecodePageKey(const char* key);

uint32_t PageChecksum(Epoch birth, Cell cell, ByteView page);
uint64_t KeyHash(Epoch birth, Cell cell);

// ---- space map
inline constexpr size_t kGroupBytes = size_t{2} << 20;
inline constexpr size_t kGroupSlabs = kGroupBytes / storage::kSlabBytes;
inline constexpr uint8_t kSlabUnused = 0xff;
inline constexpr uint8_t kSpaceFormat = 1;

inline uint64_t SlabOf(Cell cell) { return cell / storage::kSlabCells; }

struct SlabSpace {
  uint8_t size_class = kSlabUnused;
  uint16_t occupied_runs = 0;
  std::unique_ptr<uint64_t[]> occupied;  // ClassRuns bits; null while unused
};

struct GroupSpace {
  std::array<SlabSpace, kGroupSlabs> slabs;
  bool empty() const;
};

inline size_t OccupiedWords(int size_class) { return (storage::ClassRuns(size_class) + 63) / 64; }

std::array<char, 4> EncodeGroupKey(uint32_t group);
Result<uint32_t> DecodeGroupKey(ByteView key);
std::string EncodeGroup(uint32_t group, const GroupSpace& space);
Result<GroupSpace> DecodeGroup(uint32_t group, ByteView value);

// ---- catalogue
struct CatalogueEntry {
  Id store_id;
  Id save_id;
  Ref super_root;
  Epoch epoch = 0;
  Epoch epoch_next = 0;  // 1 + the newest epoch of this entry and all before it
  Epoch base = 0;
  uint64_t log_position = 0;
  uint64_t time_ms = 0;
  uint64_t live_pages = 0;
  uint64_t live_bytes = 0;
  uint64_t key_sum = 0;
  uint64_t pages_written = 0;
  uint64_t bytes_written = 0;
  HashSecret secret;
};

inline constexpr size_t kCatalogueBytes = 336;

std::array<char, 8> EncodeCatalogueKey(Epoch epoch);
std::string EncodeCatalogue(const CatalogueEntry& entry);
// Fails: kIncompatible (a newer format, named by number) or kCorruption.
Result<CatalogueEntry> DecodeCatalogue(ByteView key, ByteView value);

}  // namespace verso::persistence
