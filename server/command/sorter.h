// Sorter: what SORT does, a step at a time: collects the elements of a list, set or sorted set with
// what they are ordered by, and shows them in order (string_order.h). BY nosort keeps nothing but a
// few elements at a time.
//
// R1 All steps see the same version, which does not change while the sorter lives.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "server/command/element_walk.h"
#include "server/command/string_order.h"

namespace verso::server {

// A BY or GET pattern: "weight_*", "object_*->field", "#".
class SortPattern {
 public:
  explicit SortPattern(ByteView text);

  // Has a '*'. Without one a BY asks for no order at all, and nothing is there to GET but "#".
  bool varies() const { return varies_; }
  // The string it leads to from an element; nullopt: none. Requires: the element is a string.
  std::optional<storage::ValueView> Lookup(const storage::ReadView& view,
                                           const storage::ValueView& element) const;

 private:
  bool itself_ = false;  // "#"
  bool varies_ = false;
  std::string prefix_;
  std::string suffix_;
  std::string field_;  // empty: the key holds the string itself
};

struct SortQuery {
  std::optional<SortPattern> by;
  std::vector<SortPattern> gets;  // empty: the elements themselves
  bool unsorted = false;
  bool descending = false;
  bool alpha = false;
  int64_t offset = 0;
  int64_t count = -1;  // negative: all

  uint64_t parts() const { return gets.empty() ? 1 : gets.size(); }
  // Does it read keys besides the one that is sorted?
  bool reads_other_keys() const { return (by && !unsorted) || !gets.empty(); }
  // Of `size` elements, where the result begins and how many it has.
  uint64_t Begin(uint64_t size) const;
  uint64_t Count(uint64_t size) const;
};

class Sorter {
 public:
  explicit Sorter(SortQuery query);

  const SortQuery& query() const { return query_; }
  // One step. True: the result can be taken, or there is none (failed). Requires: `value` is a
  // list, set or sorted set, always the same.
  bool Prepare(const storage::ReadView& view, const storage::ValueView& value);
  // A weight is no number.
  bool failed() const { return failed_; }
  // Elements of the result. Requires: prepared.
  uint64_t count() const { return count_; }
  // The next element of the result. False: that was the last one. Requires: prepared, not failed.
  bool Next(const storage::ReadView& view, const storage::ValueView& value,
            storage::ValueView* element);

 private:
  void Begin(const storage::ReadView& view, const storage::ValueView& value);
  void Walk(const storage::ReadView& view, const storage::ValueView& value);
  void Add(const storage::ReadView& view, const storage::ValueView& element);

  SortQuery query_;
  bool begun_ = false;
  bool failed_ = false;
  bool collected_ = false;
  uint64_t skip_ = 0;   // elements before the result
  uint64_t count_ = 0;  // of the result
  uint64_t taken_ = 0;
  ElementWalk walk_;
  StringOrder order_;
  std::vector<storage::ValueView> window_;  // unsorted: the next few
  size_t window_next_ = 0;
};

}  // namespace verso::server
