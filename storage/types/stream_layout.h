// Where the numbers of a stream, a group and a consumer stand in their pages (stream_value.h). For
// the files of the stream only.
#pragma once

#include <cstddef>
#include <cstdint>

namespace verso::storage {

enum StreamScalar : size_t {
  kLastMs,
  kLastSeq,
  kDeletedMs,
  kDeletedSeq,
  kEntriesAdded,
  kNodesFrom
};
enum GroupScalar : size_t { kGroupLastMs, kGroupLastSeq, kGroupEntriesRead };
enum ConsumerScalar : size_t { kConsumerSeen, kConsumerActive };

// References of a stream's page and of a group's page; a consumer has the first only.
inline constexpr size_t kStreamItemsRef = 0;
inline constexpr size_t kStreamTrieRef = 1;

// Of a pending entry: delivered at, deliveries; then the consumer's name.
inline constexpr size_t kPendingHeaderBytes = 2 * sizeof(uint64_t);

}  // namespace verso::storage
