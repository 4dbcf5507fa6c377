// ElementWalk: the elements of a list, set or sorted set, a few at a time, shown as strings that
// stand where they are for as long as the version does and the walk lives.
#pragma once

#include <deque>
#include <functional>
#include <memory_resource>
#include <string>

#include "server/buffer_pool.h"
#include "storage/keyspace/keyspace.h"

namespace verso::server {

// Requires: a list, a set or a sorted set.
uint64_t ElementCount(const storage::ReadView& view, const storage::ValueView& value);

class ElementWalk {
 public:
  // `count` elements from the one at `from` on, in the order that a list or a sorted set has, from
  // its low end up or from its high end down. Of a set, which has none: the first `count`, whatever
  // they are. Requires: they are there; of a set: from == 0.
  void Begin(uint64_t from, uint64_t count, bool down);
  void BeginAll(const storage::ReadView& view, const storage::ValueView& value) {
    Begin(0, ElementCount(view, value), false);
  }
  bool done() const { return shown_ >= count_; }

  // The next few. A list's elements, and a set's, have a score of 1. Requires: begun, not done;
  // always the same value of the same version.
  using Visitor = std::function<void(const storage::ValueView& element, double score)>;
  void Step(const storage::ReadView& view, const storage::ValueView& value, const Visitor& visit);
  // What was shown is not needed any more.
  void Forget() { texts_.clear(); }

 private:
  void StepSet(const storage::ReadView& view, const storage::ValueView& value,
               const Visitor& visit);

  uint64_t from_ = 0;
  uint64_t count_ = 0;
  uint64_t shown_ = 0;
  uint64_t cursor_ = 0;  // in a large set
  bool down_ = false;
  std::pmr::deque<std::pmr::string> texts_{ClientMemory()};  // of integers, which stand nowhere
};

}  // namespace verso::server
