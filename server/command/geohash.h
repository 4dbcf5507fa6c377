// Places on the earth as 52-bit numbers: 26 bits each of longitude and latitude, interleaved, so
// that places of a cell have adjacent numbers. The numbers, and hence all figures, are those of
// Redis.
//
// Sources: G. Morton, "A computer oriented geodetic data base" (1966), the interleaving; G.
// Niemeyer, geohash.org (2008), the text form; R. Sinnott, "Virtues of the haversine" (1984),
// distances.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace verso::server {

inline constexpr double kLongitudeMax = 180;
inline constexpr double kLatitudeMax = 85.05112878;  // of the Web Mercator projection, as in Redis

struct GeoPlace {
  double longitude = 0;
  double latitude = 0;

  bool valid() const {
    return longitude >= -kLongitudeMax && longitude <= kLongitudeMax && latitude >= -kLatitudeMax &&
           latitude <= kLatitudeMax;
  }
};

// Requires: valid().
uint64_t GeoEncode(const GeoPlace& place);
// The middle of the place's cell, about 0.6 m wide.
GeoPlace GeoDecode(uint64_t bits);
// The 11 characters of geohash.org.
std::string GeoText(const GeoPlace& place);

// In metres, on a sphere.
double GeoDistance(const GeoPlace& a, const GeoPlace& b);

// A circle or a box around a place.
struct GeoShape {
  GeoPlace center;
  bool box = false;
  double radius = 0;  // metres, as all of these
  double width = 0;
  double height = 0;

  // The distance from the center; nullopt: outside.
  std::optional<double> DistanceInside(const GeoPlace& place) const;
};

// [first, last) of the numbers of places.
struct GeoRange {
  uint64_t first = 0;
  uint64_t last = 0;
};
// Few ranges, ascending and apart, that together hold every place inside the shape (and others).
std::vector<GeoRange> GeoCover(const GeoShape& shape);

}  // namespace verso::server
