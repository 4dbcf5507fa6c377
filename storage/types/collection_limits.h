// How long a collection stays packed, and what OBJECT ENCODING calls it then: Redis' thresholds, by
// the names of their directives. A pack above kPackBytesMax becomes large whatever they say.
#pragma once

#include <cstdint>

namespace verso::storage {

struct CollectionLimits {
  int64_t hash_entries = 512;
  uint64_t hash_value_bytes = 64;  // of a field or a value
  int64_t set_integers = 512;      // members of a set that has nothing but integers
  int64_t set_entries = 128;
  uint64_t set_value_bytes = 64;
  int64_t zset_entries = 128;
  uint64_t zset_value_bytes = 64;
  int64_t list_size = -2;  // list-max-listpack-size: entries, or -1 to -5 for 4 to 64 KiB
  uint64_t stream_node_bytes = 4096;
  int64_t stream_node_entries = 100;
};

}  // namespace verso::storage
