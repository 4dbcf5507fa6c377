// CRC-64 as RDB has it (Jones' polynomial, reflected, from 0). Eight bytes at a time: about a
// gigabyte a second, so that it costs little beside building what it covers.
#pragma once

#include <cstdint>

#include "storage/base/bytes.h"

namespace verso::persistence {

// Of what `crc` is of, followed by `bytes`.
uint64_t Crc64(uint64_t crc, ByteView bytes);

}  // namespace verso::persistence
