// What stands in the operation log, byte by byte. Frozen: numbers here are never reused.
//
//   <dir>/log/0000000000000001.seg    segments, 16 decimal digits; an index is never given twice
//   <dir>/log/newest                  which segments must be there
//   <dir>/log/*.seg.new, newest.new   half made; removed at the next start
//   <dir>/log/*.lost                  what RecoverTo and SetUnbasedAside have set aside
//
// A segment, all numbers little-endian:
//
//      0  magic "VersoLog" (8)         8  u32 format version     12  u32 flags (kSegmentPrepared)
//     16  store id (16)               32  u64 index
//     40  u64 index of the segment it follows, 0: of none
//     48  zeros (12)                  60  u32 CRC32C of bytes 0..59: there in every version
//     64  zeros: records never share a disk block with the header
//   4096  records, behind each other, without padding
//
// A record:
//
//      0  u32 bytes of the payload     4  u8 kind     5  u8 database     6  u16 flags
//      8  u64 sequence                16  u64 time, Unix ms              24  u32 line
//     28  u32 CRC32C of the payload, then of bytes 0..27, begun with SegmentSeed(store id, index)
//     32  payload
//
//   kUnit  payload: part of a unit, which is its commands as RESP arrays of bulk strings. Takes a
//          sequence of its own, one more than the record before. kRecordMore: the unit goes on in
//          the next record (split anywhere).
//   kMark  payload: u64, the highest sequence known to be durable when it was written. First in
//          each batch; its own sequence is that of the record before it.
//
//      segment k                                                     segment k + 1
//   +--------+--------+------+------+--------+------+--------------+--------+-----------+------
//   | header | mark   | unit | unit | mark   | unit | mark, unit … | header | mark      | unit …
//   |        | opens, | 41   | 42   | seq 42 | 43   |              |        | opens,    |
//   |        | seq 40 |      |      | dur 42 |      |              |        | seq 90    |
//   +--------+--------+------+------+--------+------+--------------+--------+-----------+------
//
// L1 Nothing in a record or header is trusted before its CRC, and a length is bounded before it.
// L2 Sequences have no gaps, except before a segment that a fresh start opened.
// L3 A header is on disk, under its final name, before `newest` names the segment, and that before
//    its first record is written. So a missing segment and a damaged header are damage.
// L4 The first record of a segment is a mark with kMarkOpens: it says which sequence the segment
//    continues. Older segments are removed only when it is durable.
// L5 What a mark calls durable was fdatasynced before the mark was written: damage at or below is
//    damage, never a torn tail. A record in segment k + 2 says the same of all of segment k.
// L6 A unit is never spread over two segments, and no mark stands within it.
//
// Tried or rejected: `continues` in the header (it is not known yet when the segment is prepared; a
// header that is rewritten can be torn); CRCs without a seed (blocks of a removed segment, or of
// another store, that come back behind a power loss would be valid).
#pragma once

#include <array>
#include <optional>
#include <string>

#include "persistence/store_format.h"

namespace verso::persistence {

inline constexpr uint32_t kLogFormatVersion = 1;
inline constexpr char kLogFolder[] = "log";
inline constexpr char kNewestName[] = "newest";
inline constexpr char kNewestTemporaryName[] = "newest.new";

// ---- segments
inline constexpr size_t kSegmentHeaderBytes = 64;
inline constexpr size_t kSegmentDataOffset = 4096;
// Made ahead of need, without its opening mark; the others are born with it.
inline constexpr uint32_t kSegmentPrepared = 1;

struct SegmentHeader {
  uint32_t flags = 0;
  Id store_id;
  uint64_t index = 0;
  uint64_t follows = 0;
};

void EncodeSegmentHeader(const SegmentHeader& header, char* to);  // kSegmentHeaderBytes
// Fails: kCorruption; kIncompatible (a newer format, by number).
Result<SegmentHeader> DecodeSegmentHeader(ByteView bytes);
uint32_t SegmentSeed(const Id& store_id, uint64_t index);

using SegmentNameBuffer = std::array<char, 40>;
// "<index>.seg" and what is added, for names that must not allocate.
SegmentNameBuffer SegmentName(uint64_t index, const char* added = "");
std::optional<uint64_t> ParseSegmentName(std::string_view name);

// ---- records
inline constexpr size_t kRecordHeaderBytes = 32;
inline constexpr size_t kRecordCrcOffset = 28;
inline constexpr uint32_t kRecordBytesMax = uint32_t{64} << 20;

enum class RecordKind : uint8_t { kUnit = 1, kMark = 2 };

// Flags of units.
inline constexpr uint16_t kRecordMore = 1;
// Flags of marks.
inline constexpr uint16_t kMarkOpens = 2;
// The log was switched on here: the records behind it build on a save that was begun at that
// moment, with this mark's sequence as its log position.
inline constexpr uint16_t kMarkFreshStart = 4;
// Zeros may stand behind the last record of this segment: blocks written ahead.
inline constexpr uint16_t kMarkZerosAhead = 8;

struct RecordHeader {
  uint32_t bytes = 0;
  RecordKind kind = RecordKind::kUnit;
  uint8_t db = 0;
  uint16_t flags = 0;
  uint64_t sequence = 0;
  uint64_t time_ms = 0;
  uint32_t line = 0;
  uint32_t crc = 0;
};

// payload_crc: Crc32c(SegmentSeed(...), payload).
void EncodeRecordHeader(const RecordHeader& header, uint32_t payload_crc, char* to);
// Only the layout; nothing is checked. Requires: kRecordHeaderBytes bytes.
RecordHeader DecodeRecordHeader(const char* from);
// Whether the bytes can be a header at all, before the CRC can be computed (L1).
bool PlausibleRecord(const RecordHeader& header);
// Requires: kRecordHeaderBytes bytes at `header`.
bool RecordCrcFits(const char* header, ByteView payload, uint32_t seed);

inline constexpr size_t kMarkPayloadBytes = 8;
inline constexpr size_t kMarkBytes = kRecordHeaderBytes + kMarkPayloadBytes;
// How every mark begins: its length, its kind, database 0.
inline constexpr char kMarkPattern[] = {8, 0, 0, 0, 2, 0};
static_assert(static_cast<uint8_t>(RecordKind::kMark) == 2 && kMarkPayloadBytes == 8);

void EncodeMark(uint64_t sequence, uint64_t durable, uint16_t flags, uint32_t seed, char* to);

// ---- newest
//   verso-log 1                        format version
//   id     <32 hex digits>             store id
//   newest <decimal>                   the newest segment that must be there (L3)
//   next   <decimal>                   the index to give next, at least; more than newest
//   check  <8 hex digits>              CRC32C of all lines before
struct NewestFile {
  Id store_id;
  uint64_t index = 0;
  uint64_t next = 1;
};
inline constexpr size_t kNewestBytesMax = 256;
using NewestBuffer = std::array<char, kNewestBytesMax>;

// Returns how many bytes; allocates nothing.
size_t EncodeNewest(const NewestFile& newest, NewestBuffer* to);
// Fails: kCorruption, kIncompatible (a newer version, by number).
Result<NewestFile> DecodeNewest(ByteView text);

}  // namespace verso::persistence
