// HeldReplies: which reply bytes may not leave yet. A reply to a write waits until the log has that
// write (DESIGN 8); everything behind it in the same stream waits with it. Without a log nothing is
// ever held.
#pragma once

#include <cstdint>
#include <memory_resource>
#include <vector>

#include "server/buffer_pool.h"

namespace verso::server {

class HeldReplies {
 public:
  // Bytes from stream position `from` on wait for `sequence`. Requires: neither goes backwards.
  void Hold(uint64_t from, uint64_t sequence) {
    if (!holds_.empty() && holds_.back().from == from) {
      holds_.back().sequence = sequence;
    } else {
      holds_.push_back({from, sequence});
    }
  }

  // The stream position up to which bytes may leave when `released` is the highest sequence that is
  // through.
  uint64_t Limit(uint64_t released) {
    size_t gone = 0;
    while (gone < holds_.size() && holds_[gone].sequence <= released) ++gone;
    holds_.erase(holds_.begin(), holds_.begin() + static_cast<std::ptrdiff_t>(gone));
    return holds_.empty() ? ~uint64_t{0} : holds_.front().from;
  }

  bool empty() const { return holds_.empty(); }

 private:
  struct Held {
    uint64_t from;
    uint64_t sequence;
  };
  std::pmr::vector<Held> holds_{ClientMemory()};
};

}  // namespace verso::server
