// The numbers of Redis' RDB format: what a dump file and DUMP's payload are made of. Frozen, by
// others.
//
//   DUMP's payload   type u8 | value | version u16 | CRC-64 u64      little-endian; the CRC covers
//                                                                    everything before it
//
//   a dump file      "REDIS" | version, 4 digits | records | kEof | CRC-64 u64 (from version 5 on;
//                                                                     zero: not computed)
//   record           kAux string string | kSelectDb length | kResizeDb length length |
//                    kFunction string | kSlotInfo length length length | [kExpireMs u64 |
//                    kExpireSeconds u32] [kIdle length] [kFrequency u8] type u8, key string, value
//
//   length  00nnnnnn                       6 bits
//           01nnnnnn nnnnnnnn              14 bits, high bits first
//           10000000 + 4 bytes             32 bits, big-endian
//           10000001 + 8 bytes             64 bits, big-endian
//           11tttttt                       no length: a string in a special form (RdbStringForm)
//   string  length, bytes; or a special form
//
//   type                     value
//   kString                  string
//   kList, kSet              length, strings
//   kZset                    length, (string, score as text) each
//   kZset2                   length, (string, double) each
//   kHash                    length, (string, string) each
//   k...Ziplist, ...Listpack, ...Zipmap, kSetIntset
//                            one string that holds all of it in a packed form (rdb_packed.h)
//   kListQuicklist           length, one string with a ziplist each
//   kListQuicklist2          length, (length: plain or packed; string) each
//   kStreamListpacks...      rdb_stream_reader.cpp
#pragma once

#include <cstddef>
#include <cstdint>

namespace verso::persistence {

enum class RdbType : uint8_t {
  kString = 0,
  kList = 1,
  kSet = 2,
  kZset = 3,
  kHash = 4,
  kZset2 = 5,
  kHashZipmap = 9,
  kListZiplist = 10,
  kSetIntset = 11,
  kZsetZiplist = 12,
  kHashZiplist = 13,
  kListQuicklist = 14,
  kStreamListpacks = 15,
  kHashListpack = 16,
  kZsetListpack = 17,
  kListQuicklist2 = 18,
  kStreamListpacks2 = 19,
  kSetListpack = 20,
  kStreamListpacks3 = 21,
};

// In a dump file, where a type may stand.
enum class RdbOpcode : uint8_t {
  kSlotInfo = 244,
  kFunction = 245,
  kFunctionPreview = 246,  // of candidates of Redis 7.0: another form
  kModuleAux = 247,
  kIdle = 248,
  kFrequency = 249,
  kAux = 250,
  kResizeDb = 251,
  kExpireMs = 252,
  kExpireSeconds = 253,
  kSelectDb = 254,
  kEof = 255,
};

inline constexpr char kRdbMagic[] = "REDIS";
inline constexpr size_t kRdbMagicBytes = 5;
inline constexpr size_t kRdbHeaderBytes = 9;
inline constexpr int kRdbVersionWithCrc = 5;

// What is written can be read by everything from Redis 5 on; what is read was written by anything
// up to Redis 7.4.
inline constexpr uint16_t kRdbVersionWritten = 9;
inline constexpr uint16_t kRdbVersionRead = 12;

enum class RdbStringForm : uint8_t { kInt8 = 0, kInt16 = 1, kInt32 = 2, kLzf = 3 };

inline constexpr uint8_t kRdbLength32 = 0x80;
inline constexpr uint8_t kRdbLength64 = 0x81;
inline constexpr uint8_t kRdbSpecial = 0xC0;  // the upper two bits

// The first byte of a score as text says how long it is, or:
inline constexpr uint8_t kRdbScoreNan = 253;
inline constexpr uint8_t kRdbScoreInfinity = 254;
inline constexpr uint8_t kRdbScoreMinusInfinity = 255;

inline constexpr uint64_t kQuicklistPlain = 1;
inline constexpr uint64_t kQuicklistPacked = 2;

inline constexpr size_t kStreamIdBytes = 16;  // both halves big-endian
// Of an entry in a listpack of a stream.
inline constexpr int64_t kStreamEntryDeleted = 1;
inline constexpr int64_t kStreamEntrySameFields = 2;

inline constexpr size_t kDumpFooterBytes = sizeof(uint16_t) + sizeof(uint64_t);

}  // namespace verso::persistence
