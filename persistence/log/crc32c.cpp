#include "persistence/log/crc32c.h"

#include <array>

#if defined(__x86_64__)
#include <nmmintrin.h>
#endif

namespace verso::persistence {

namespace {

constexpr std::array<uint32_t, 256> MakeTable() {
  std::array<uint32_t, 256> table{};
  for (uint32_t i = 0; i < 256; ++i) {
    uint32_t value = i;
    for (int bit = 0; bit < 8; ++bit) value = (value & 1) ? (value >> 1) ^ 0x82f63b78 : value >> 1;
    table[i] = value;
  }
  return table;
}
constexpr std::array<uint32_t, 256> kTable = MakeTable();

}  // namespace

uint32_t Crc32cByTable(uint32_t before, ByteView bytes) {
  uint32_t crc = ~before;
  for (const char c : bytes)
    crc = (crc >> 8) ^ kTable[(crc ^ static_cast<unsigned char>(c)) & 0xff];
  return ~crc;
}

#if defined(__x86_64__)

bool HasCrc32cInstruction() { return __builtin_cpu_supports("sse4.2"); }

__attribute__((target("sse4.2"))) uint32_t Crc32cByInstruction(uint32_t before, ByteView bytes) {
  uint64_t crc = ~before;
  const char* at = bytes.data();
  size_t left = bytes.size();
  for (; left >= 8; at += 8, left -= 8) crc = _mm_crc32_u64(crc, LoadLe<uint64_t>(at));
  auto narrow = static_cast<uint32_t>(crc);
  for (; left > 0; ++at, --left) narrow = _mm_crc32_u8(narrow, static_cast<unsigned char>(*at));
  return ~narrow;
}

uint32_t Crc32c(uint32_t before, ByteView bytes) {
  static const bool has_instruction = HasCrc32cInstruction();
  return has_instruction ? Crc32cByInstruction(before, bytes) : Crc32cByTable(before, bytes);
}

#else

bool HasCrc32cInstruction() { return false; }
uint32_t Crc32cByInstruction(uint32_t before, ByteView bytes) {
  return Crc32cByTable(before, bytes);
}
uint32_t Crc32c(uint32_t before, ByteView bytes) { return Crc32cByTable(before, bytes); }

#endif

}  // namespace verso::persistence
