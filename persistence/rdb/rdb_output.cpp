#include "persistence/rdb/rdb_output.h"

#include <limits>

#include "persistence/rdb/rdb_format.h"

namespace verso::persistence {

void AppendRdbLength(std::string* out, uint64_t length) {
  if (length < 0x40) {
    out->push_back(static_cast<char>(length));
  } else if (length < 0x4000) {
    out->push_back(static_cast<char>(0x40 | length >> 8));
    out->push_back(static_cast<char>(length));
  } else if (length <= std::numeric_limits<uint32_t>::max()) {
    out->push_back(static_cast<char>(kRdbLength32));
    AppendLe(out, __builtin_bswap32(static_cast<uint32_t>(length)));
  } else {
    out->push_back(static_cast<char>(kRdbLength64));
    AppendLe(out, __builtin_bswap64(length));
  }
}

}  // namespace verso::persistence
