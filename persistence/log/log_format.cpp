#include "persistence/log/log_format.h"

#include <charconv>
#include <cinttypes>
#include <cstdio>

#include "persistence/log/crc32c.h"

namespace verso::persistence {

namespace {

constexpr char kMagic[8] = {'V', 'e', 'r', 's', 'o', 'L', 'o', 'g'};
constexpr size_t kHeaderCrcOffset = 60;
constexpr size_t kIndexDigits = 16;
constexpr char kSegmentSuffix[] = ".seg";

// Reads "<name> <value>\n" from the front of *rest.
std::optional<std::string_view> TakeLine(std::string_view* rest, std::string_view name) {
  const size_t end = rest->find('\n');
  if (end == std::string_view::npos) return std::nullopt;
  const std::string_view line = rest->substr(0, end);
  rest->remove_prefix(end + 1);
  if (line.size() <= name.size() || !line.starts_with(name) || line[name.size()] != ' ') {
    return std::nullopt;
  }
  return line.substr(name.size() + 1);
}

template <typename Number>
bool ParseNumber(std::optional<std::string_view> text, Number* value, int base = 10) {
  if (!text) return false;
  const auto [end, error] =
      std::from_chars(text->data(), text->data() + text->size(), *value, base);
  return error == std::errc() && end == text->data() + text->size();
}

bool ParseId(std::optional<std::string_view> text, Id* id) {
  if (!text || text->size() != 2 * id->bytes.size()) return false;
  for (size_t i = 0; i < id->bytes.size(); ++i) {
    if (!ParseNumber(text->substr(2 * i, 2), &id->bytes[i], 16)) return false;
  }
  return true;
}

constexpr size_t kCheckLineBytes = 15;
std::array<char, kCheckLineBytes + 1> CheckLine(ByteView body) {
  std::array<char, kCheckLineBytes + 1> line{};
  std::snprintf(line.data(), line.size(), "check %08x\n", Crc32c(0, body));
  return line;
}

Error NewerFormat(uint64_t version) {
  return Error{ErrorCode::kIncompatible, "format version " + std::to_string(version) +
                                             "; this program reads version " +
                                             std::to_string(kLogFormatVersion)};
}

}  // namespace

void EncodeSegmentHeader(const SegmentHeader& header, char* to) {
  std::memset(to, 0, kSegmentHeaderBytes);
  std::memcpy(to, kMagic, sizeof(kMagic));
  StoreLe<uint32_t>(to + 8, kLogFormatVersion);
  StoreLe<uint32_t>(to + 12, header.flags);
  std::memcpy(to + 16, header.store_id.bytes.data(), header.store_id.bytes.size());
  StoreLe<uint64_t>(to + 32, header.index);
  StoreLe<uint64_t>(to + 40, header.follows);
  StoreLe<uint32_t>(to + kHeaderCrcOffset, Crc32c(0, {to, kHeaderCrcOffset}));
}

Result<SegmentHeader> DecodeSegmentHeader(ByteView bytes) {
  if (bytes.size() < kSegmentHeaderBytes) {
    return Error{ErrorCode::kCorruption, "the header is cut"};
  }
  const char* from = bytes.data();
  if (std::memcmp(from, kMagic, sizeof(kMagic)) != 0 ||
      LoadLe<uint32_t>(from + kHeaderCrcOffset) != Crc32c(0, {from, kHeaderCrcOffset})) {
    return Error{ErrorCode::kCorruption, "the header is damaged"};
  }
  const auto version = LoadLe<uint32_t>(from + 8);
  if (version != kLogFormatVersion) return NewerFormat(version);
  SegmentHeader header;
  header.flags = LoadLe<uint32_t>(from + 12);
  std::memcpy(header.store_id.bytes.data(), from + 16, header.store_id.bytes.size());
  header.index = LoadLe<uint64_t>(from + 32);
  header.follows = LoadLe<uint64_t>(from + 40);
  return header;
}

uint32_t SegmentSeed(const Id& store_id, uint64_t index) {
  char bytes[24];
  std::memcpy(bytes, store_id.bytes.data(), store_id.bytes.size());
  StoreLe<uint64_t>(bytes + 16, index);
  return Crc32c(0, {bytes, sizeof(bytes)});
}

SegmentNameBuffer SegmentName(uint64_t index, const char* added) {
  SegmentNameBuffer name{};
  std::snprintf(name.data(), name.size(), "%016" PRIu64 "%s%s", index, kSegmentSuffix, added);
  return name;
}

std::optional<uint64_t> ParseSegmentName(std::string_view name) {
  if (name.size() != kIndexDigits + sizeof(kSegmentSuffix) - 1 || !name.ends_with(kSegmentSuffix)) {
    return std::nullopt;
  }
  uint64_t index = 0;
  if (!ParseNumber(name.substr(0, kIndexDigits), &index)) return std::nullopt;
  return index;
}

void EncodeRecordHeader(const RecordHeader& header, uint32_t payload_crc, char* to) {
  StoreLe<uint32_t>(to, header.bytes);
  to[4] = static_cast<char>(header.kind);
  to[5] = static_cast<char>(header.db);
  StoreLe<uint16_t>(to + 6, header.flags);
  StoreLe<uint64_t>(to + 8, header.sequence);
  StoreLe<uint64_t>(to + 16, header.time_ms);
  StoreLe<uint32_t>(to + 24, header.line);
  StoreLe<uint32_t>(to + kRecordCrcOffset, Crc32c(payload_crc, {to, kRecordCrcOffset}));
}

RecordHeader DecodeRecordHeader(const char* from) {
  RecordHeader header;
  header.bytes = LoadLe<uint32_t>(from);
  header.kind = static_cast<RecordKind>(from[4]);
  header.db = static_cast<uint8_t>(from[5]);
  header.flags = LoadLe<uint16_t>(from + 6);
  header.sequence = LoadLe<uint64_t>(from + 8);
  header.time_ms = LoadLe<uint64_t>(from + 16);
  header.line = LoadLe<uint32_t>(from + 24);
  header.crc = LoadLe<uint32_t>(from + kRecordCrcOffset);
  return header;
}

bool PlausibleRecord(const RecordHeader& header) {
  if (header.kind == RecordKind::kMark) return header.bytes == kMarkPayloadBytes;
  return header.kind == RecordKind::kUnit && header.bytes > 0 && header.bytes <= kRecordBytesMax;
}

bool RecordCrcFits(const char* header, ByteView payload, uint32_t seed) {
  return LoadLe<uint32_t>(header + kRecordCrcOffset) ==
         Crc32c(Crc32c(seed, payload), {header, kRecordCrcOffset});
}

void EncodeMark(uint64_t sequence, uint64_t durable, uint16_t flags, uint32_t seed, char* to) {
  StoreLe<uint64_t>(to + kRecordHeaderBytes, durable);
  RecordHeader header;
  header.bytes = kMarkPayloadBytes;
  header.kind = RecordKind::kMark;
  header.flags = flags;
  header.sequence = sequence;
  EncodeRecordHeader(header, Crc32c(seed, {to + kRecordHeaderBytes, kMarkPayloadBytes}), to);
}

size_t EncodeNewest(const NewestFile& newest, NewestBuffer* to) {
  constexpr char kDigits[] = "0123456789abcdef";
  char id[33] = {};
  for (size_t i = 0; i < newest.store_id.bytes.size(); ++i) {
    id[2 * i] = kDigits[newest.store_id.bytes[i] >> 4];
    id[2 * i + 1] = kDigits[newest.store_id.bytes[i] & 15];
  }
  const int body = std::snprintf(to->data(), to->size(),
                                 "verso-log %u\nid %s\nnewest %" PRIu64 "\nnext %" PRIu64 "\n",
                                 kLogFormatVersion, id, newest.index, newest.next);
  const auto check = CheckLine({to->data(), static_cast<size_t>(body)});
  std::memcpy(to->data() + body, check.data(), kCheckLineBytes);
  return static_cast<size_t>(body) + kCheckLineBytes;
}

Result<NewestFile> DecodeNewest(ByteView text) {
  const Error damaged{ErrorCode::kCorruption, "is damaged"};
  // The check line ends every version of this file, so a newer version is told from a damaged file.
  const size_t check_at = text.rfind("check ");
  if (check_at == ByteView::npos) return damaged;
  if (text.substr(check_at) != CheckLine(text.substr(0, check_at)).data()) return damaged;
  ByteView rest = text.substr(0, check_at);
  uint64_t version = 0;
  if (!ParseNumber(TakeLine(&rest, "verso-log"), &version)) return damaged;
  if (version != kLogFormatVersion) return NewerFormat(version);
  NewestFile newest;
  if (!ParseId(TakeLine(&rest, "id"), &newest.store_id) ||
      !ParseNumber(TakeLine(&rest, "newest"), &newest.index) ||
      !ParseNumber(TakeLine(&rest, "next"), &newest.next) || !rest.empty()) {
    return damaged;
  }
  return newest;
}

}  // namespace verso::persistence
