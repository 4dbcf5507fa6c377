#include "server/command/geo_finder.h"

#include <algorithm>

namespace verso::server {

using storage::ItemView;
using storage::ReadView;
using storage::ValueView;
using storage::ZsetRange;

void GeoFinder::Begin(const ReadView& view, const ValueView& zset) {
  begun_ = true;
  for (const GeoRange& cells : GeoCover(query_.shape)) {
    const storage::ScoreRange scores{static_cast<double>(cells.first),
                                     static_cast<double>(cells.last), false, true};
    left_.push_back(storage::ZsetRangeByScore(view.arena(), zset, scores));
  }
  std::reverse(left_.begin(), left_.end());
}

bool GeoFinder::Step(const ReadView& view, const ValueView& zset) {
  if (!begun_) Begin(view, zset);
  while (!left_.empty() && left_.back().count == 0) left_.pop_back();
  if (left_.empty() || Enough()) {
    order_.Close(view.arena());
    return true;
  }
  constexpr uint64_t kStep = 64;
  ZsetRange& range = left_.back();
  const uint64_t count = std::min(kStep, range.count);
  storage::ZsetForEach(view, zset, {range.from, count}, false,
                       [&](const ItemView& member, double score) {
                         if (Enough()) return;
                         const GeoPlace place = GeoDecode(static_cast<uint64_t>(score));
                         const auto distance = query_.shape.DistanceInside(place);
                         if (!distance) return;
                         ++found_;
                         order_.Add(view.arena(), member.value(), *distance / query_.unit);
                       });
  range.from += count;
  range.count -= count;
  return false;
}

std::optional<GeoFinder::Hit> GeoFinder::Next(const ReadView& view) {
  if (order_.empty() || taken_ == count()) return std::nullopt;
  ++taken_;
  const Hit hit{order_.First(), order_.first_score()};
  order_.DropFirst(view.arena());
  return hit;
}

}  // namespace verso::server
