// GeoFinder: the members of a sorted set that stand inside a shape, found a few at a time, then
// shown in the order that was asked for (string_order.h).
//
// G1 All steps see the same version, which does not change while the finder lives.
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>
#include <vector>

#include "server/command/geohash.h"
#include "server/command/string_order.h"
#include "storage/types/zset.h"

namespace verso::server {

enum class GeoOrder : uint8_t { kNone, kAscending, kDescending };

// What a command looks for.
struct GeoQuery {
  GeoShape shape;
  double unit = 1;  // metres; distances are shown in it
  GeoOrder order = GeoOrder::kNone;
  uint64_t count = 0;  // 0: all
  bool any = false;    // the first `count` that are found
};

class GeoFinder {
 public:
  explicit GeoFinder(const GeoQuery& query)
      : query_(query),
        order_(query.order == GeoOrder::kNone ? StringOrder::By::kArrival
                                              : StringOrder::By::kScoreOnly,
               query.order == GeoOrder::kDescending) {}

  // One step. True: all are found, and the result can be taken. Requires: always the same sorted
  // set.
  bool Step(const storage::ReadView& view, const storage::ValueView& zset);
  // Members of the result. Requires: all are found.
  uint64_t count() const { return query_.count != 0 ? std::min(query_.count, found_) : found_; }

  struct Hit {
    storage::ValueView member;
    double distance = 0;  // in the query's unit
  };
  // The next one of the result; nullopt: that was the last one. Requires: all are found.
  std::optional<Hit> Next(const storage::ReadView& view);

 private:
  void Begin(const storage::ReadView& view, const storage::ValueView& zset);
  bool Enough() const { return query_.any && found_ >= query_.count; }

  const GeoQuery query_;
  bool begun_ = false;
  std::vector<storage::ZsetRange> left_;  // where they may stand, the last range first
  StringOrder order_;
  uint64_t found_ = 0;
  uint64_t taken_ = 0;
};

}  // namespace verso::server
