// CRC-32C (Castagnoli), as in RFC 3720: of every record and header of the operation log.
//
//   Crc32c(0, bytes)             the checksum of bytes
//   Crc32c(Crc32c(0, a), b)      the checksum of a and b behind each other
//
// The instruction of SSE 4.2 where the CPU has it (about 8 GB/s), else a table.
#pragma once

#include <cstdint>

#include "storage/base/bytes.h"

namespace verso::persistence {

uint32_t Crc32c(uint32_t before, ByteView bytes);

// The two behind it, for tests. Requires: HasCrc32cInstruction() for the second.
uint32_t Crc32cByTable(uint32_t before, ByteView bytes);
uint32_t Crc32cByInstruction(uint32_t before, ByteView bytes);
bool HasCrc32cInstruction();

}  // namespace verso::persistence
