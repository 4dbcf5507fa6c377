#include "server/command/geohash.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace verso::server {
namespace {

constexpr unsigned kAxisBits = 26;
constexpr double kAxisCells = 1 << kAxisBits;
constexpr double kEarthRadius = 6372797.560856;  // metres, as in Redis
constexpr double kRadians = std::numbers::pi / 180;

// Spreads 32 bits over the even places of 64, and back.
uint64_t Spread(uint64_t x) {
  x = (x | x << 16) & 0x0000ffff0000ffff;
  x = (x | x << 8) & 0x00ff00ff00ff00ff;
  x = (x | x << 4) & 0x0f0f0f0f0f0f0f0f;
  x = (x | x << 2) & 0x3333333333333333;
  return (x | x << 1) & 0x5555555555555555;
}

uint32_t Gather(uint64_t x) {
  x &= 0x5555555555555555;
  x = (x | x >> 1) & 0x3333333333333333;
  x = (x | x >> 2) & 0x0f0f0f0f0f0f0f0f;
  x = (x | x >> 4) & 0x00ff00ff00ff00ff;
  x = (x | x >> 8) & 0x0000ffff0000ffff;
  return static_cast<uint32_t>(x | x >> 16);
}

// The cell of an axis that runs from -max to max, cut into 2^26.
uint32_t CellOf(double at, double max) {
  const double cell = (at + max) / (2 * max) * kAxisCells;
  return static_cast<uint32_t>(cell);
}

uint64_t Interleave(uint32_t longitude_cell, uint32_t latitude_cell) {
  return Spread(latitude_cell) | Spread(longitude_cell) << 1;
}

double MiddleOf(uint32_t cell, double max) {
  const double low = -max + cell / kAxisCells * (2 * max);
  const double high = -max + (cell + 1.0) / kAxisCells * (2 * max);
  return std::clamp((low + high) / 2, -max, max);
}

double LatitudeDistance(double a, double b) { return kEarthRadius * std::abs(b - a) * kRadians; }

// Half the difference in longitude, in degrees, at which a haversine of this latitude is as long as
// `metres`; 180: never.
double LongitudeReach(double metres, double latitude) {
  const double cosine = std::cos(latitude * kRadians);
  const double sine = std::sin(std::min(metres / (2 * kEarthRadius), std::numbers::pi / 2));
  if (cosine <= 0 || sine >= cosine) return kLongitudeMax;
  return 2 * std::asin(sine / cosine) / kRadians;
}

// First and last cell, both included.
struct CellSpan {
  uint32_t first;
  uint32_t last;
};

CellSpan SpanOf(double low, double high, double max) {
  return {CellOf(std::clamp(low, -max, max), max), CellOf(std::clamp(high, -max, max), max)};
}

// The order in which Redis looks into the blocks around a center, which it takes about as large as
// the shape: the center's own, those north, south, east and west of it, those at its corners.
class BlockOrder {
 public:
  BlockOrder(const GeoShape& shape, unsigned drop) {
    constexpr double kHalfEquator = 20037726.37;
    double reach = shape.box ? std::hypot(shape.width, shape.height) / 2 : shape.radius;
    int halves = -1;  // of the earth, and how often it is cut for a block
    for (; reach < kHalfEquator && halves <= static_cast<int>(kAxisBits); reach *= 2) ++halves;
    const double latitude = std::abs(shape.center.latitude);
    if (latitude > 66) --halves;
    if (latitude > 80) --halves;
    bits_ = kAxisBits - static_cast<unsigned>(std::clamp(halves, 1, static_cast<int>(kAxisBits)));
    bits_ = std::max(bits_, drop);
    x_ = BlockX(GeoEncode(shape.center));
    y_ = BlockY(GeoEncode(shape.center));
  }

  // 0 to 8, 9 for all that is farther.
  int RankOf(const GeoRange& range) const {
    const uint32_t across = kAxisBits == bits_ ? 1 : uint32_t{1} << (kAxisBits - bits_);
    const uint32_t east = (BlockX(range.first) - x_) % across;  // around the earth
    const uint32_t north = BlockY(range.first) - y_;
    const int column = east == 0 ? 0 : east == 1 ? 1 : east == across - 1 ? 2 : 3;
    const int row = north == 0 ? 0 : north == 1 ? 1 : north == ~uint32_t{0} ? 2 : 3;
    constexpr int kRanks[4][4] = {{0, 3, 4, 9}, {1, 5, 6, 9}, {2, 7, 8, 9}, {9, 9, 9, 9}};
    return kRanks[row][column];
  }

 private:
  uint32_t BlockX(uint64_t cell) const { return Gather(cell >> 1) >> bits_; }
  uint32_t BlockY(uint64_t cell) const { return Gather(cell) >> bits_; }

  unsigned bits_ = 0;  // of a cell's place on an axis, within its block
  uint32_t x_ = 0;
  uint32_t y_ = 0;
};

// Adds the ranges of the blocks of 2^drop by 2^drop cells that a rectangle touches.
void AddBlocks(const CellSpan& longitude, const CellSpan& latitude, unsigned drop,
               std::vector<GeoRange>* ranges) {
  for (uint64_t x = longitude.first >> drop; x <= longitude.last >> drop; ++x) {
    for (uint64_t y = latitude.first >> drop; y <= latitude.last >> drop; ++y) {
      const uint64_t block = Interleave(static_cast<uint32_t>(x), static_cast<uint32_t>(y));
      ranges->push_back({block << 2 * drop, (block + 1) << 2 * drop});
    }
  }
}

}  // namespace

uint64_t GeoEncode(const GeoPlace& place) {
  // The very end of an axis lies in a cell of its own, beyond the 26 bits: so it does in Redis.
  return Interleave(CellOf(place.longitude, kLongitudeMax), CellOf(place.latitude, kLatitudeMax));
}

GeoPlace GeoDecode(uint64_t bits) {
  return {MiddleOf(Gather(bits >> 1), kLongitudeMax), MiddleOf(Gather(bits), kLatitudeMax)};
}

std::string GeoText(const GeoPlace& place) {
  constexpr char kAlphabet[] = "0123456789bcdefghjkmnpqrstuvwxyz";
  constexpr double kPole = 90;  // geohash.org counts to the poles
  const uint64_t bits =
      Interleave(CellOf(place.longitude, kLongitudeMax), CellOf(place.latitude, kPole));
  std::string text(11, '0');  // 52 bits make ten characters; the last one is always 0
  for (unsigned i = 0; i < 10; ++i) text[i] = kAlphabet[bits >> (52 - (i + 1) * 5) & 31];
  return text;
}

double GeoDistance(const GeoPlace& a, const GeoPlace& b) {
  const double latitude_a = a.latitude * kRadians;
  const double latitude_b = b.latitude * kRadians;
  const double v = std::sin((b.longitude * kRadians - a.longitude * kRadians) / 2);
  if (v == 0) return LatitudeDistance(a.latitude, b.latitude);
  const double u = std::sin((latitude_b - latitude_a) / 2);
  const double sum = u * u + std::cos(latitude_a) * std::cos(latitude_b) * v * v;
  return 2 * kEarthRadius * std::asin(std::sqrt(sum));
}

std::optional<double> GeoShape::DistanceInside(const GeoPlace& place) const {
  if (!box) {
    const double distance = GeoDistance(center, place);
    return distance > radius ? std::nullopt : std::optional(distance);
  }
  if (LatitudeDistance(place.latitude, center.latitude) > height / 2) return std::nullopt;
  const GeoPlace beside{center.longitude, place.latitude};
  if (GeoDistance(place, beside) > width / 2) return std::nullopt;
  return GeoDistance(center, place);
}

std::vector<GeoRange> GeoCover(const GeoShape& shape) {
  // A little more than the shape: rounding must not lose a place at its edge.
  constexpr double kMargin = 1e-9;
  const double up = (shape.box ? shape.height / 2 : shape.radius) / kEarthRadius / kRadians;
  const double south = shape.center.latitude - up - kMargin;
  const double north = shape.center.latitude + up + kMargin;
  // Meridians are closest at the latitude farthest from the equator: there most degrees fit.
  const double farthest = std::min(std::max(std::abs(south), std::abs(north)), 90.0);
  const double metres = shape.box ? shape.width / 2 : shape.radius;
  const double side = std::min(LongitudeReach(metres, farthest) + kMargin, kLongitudeMax);
  const double west = shape.center.longitude - side;
  const double east = shape.center.longitude + side;

  // Across the date line it goes on at the other end.
  const CellSpan latitude = SpanOf(south, north, kLatitudeMax);
  std::vector<CellSpan> longitudes;
  if (side >= kLongitudeMax) {
    longitudes.push_back(SpanOf(-kLongitudeMax, kLongitudeMax, kLongitudeMax));
  } else {
    longitudes.push_back(SpanOf(west, east, kLongitudeMax));
    if (west < -kLongitudeMax) {
      longitudes.push_back(SpanOf(west + 360, kLongitudeMax, kLongitudeMax));
    }
    if (east > kLongitudeMax) {
      longitudes.push_back(SpanOf(-kLongitudeMax, east - 360, kLongitudeMax));
    }
  }
  // Blocks so large that few cover each axis.
  constexpr uint32_t kBlocksAcross = 3;
  uint32_t most = latitude.last - latitude.first;
  for (const CellSpan& span : longitudes) most = std::max(most, span.last - span.first);
  unsigned drop = 0;
  while (drop < kAxisBits && (most >> drop) >= kBlocksAcross) ++drop;

  std::vector<GeoRange> blocks;
  for (const CellSpan& span : longitudes) AddBlocks(span, latitude, drop, &blocks);
  // An answer in no order, and one to ANY, begins where that of Redis does.
  const BlockOrder order(shape, drop);
  std::sort(blocks.begin(), blocks.end(), [&order](const GeoRange& a, const GeoRange& b) {
    return std::pair(order.RankOf(a), a.first) < std::pair(order.RankOf(b), b.first);
  });
  std::vector<GeoRange> ranges;
  for (const GeoRange& block : blocks) {
    if (!ranges.empty() && order.RankOf(ranges.back()) == order.RankOf(block) &&
        block.first <= ranges.back().last) {
      ranges.back().last = std::max(ranges.back().last, block.last);
    } else {
      ranges.push_back(block);
    }
  }
  return ranges;
}

}  // namespace verso::server
