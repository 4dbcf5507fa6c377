// GEO: numbers and figures that redis-server 7.0.15 gives; searches against looking at every place,
// also over the date line and at the poles.
#include <algorithm>
#include <catch2/catch.hpp>
#include <cmath>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "command_fixture.h"
#include "server/command/geohash.h"

using namespace verso::server;

namespace {

GeoPlace RandomPlace(std::mt19937_64& random) {
  const auto unit = [&random] { return std::uniform_real_distribution<double>(-1, 1)(random); };
  // Many at the ends of the axes.
  GeoPlace place{unit() * kLongitudeMax, unit() * kLatitudeMax};
  if (random() % 4 == 0) place.longitude = std::copysign(kLongitudeMax - std::abs(unit()), unit());
  if (random() % 4 == 0) place.latitude = std::copysign(kLatitudeMax - std::abs(unit()), unit());
  if (random() % 40 == 0) place.longitude = std::copysign(kLongitudeMax, unit());
  if (random() % 40 == 0) place.latitude = std::copysign(kLatitudeMax, unit());
  return place;
}

void AddSicily(CommandFixture& run) {
  CHECK(run("GEOADD", "Sicily", "13.361389", "38.115556", "Palermo", "15.087269", "37.502669",
            "Catania") == ":2\r\n");
}

}  // namespace

TEST_CASE("a place is found again within its cell", "[command]") {
  std::mt19937_64 random(1);
  for (int i = 0; i < 20'000; ++i) {
    const GeoPlace place = RandomPlace(random);
    const GeoPlace again = GeoDecode(GeoEncode(place));
    REQUIRE(again.valid());
    REQUIRE(std::abs(again.longitude - place.longitude) <= 360.0 / (1 << 26));
    REQUIRE(std::abs(again.latitude - place.latitude) <= 180.0 / (1 << 26));
  }
  CHECK(GeoEncode({13.361389, 38.115556}) == 3479099956230698);
  CHECK(GeoText(GeoDecode(3479099956230698)) == "sqc8b49rny0");
}

TEST_CASE("an answer in no order begins around the center", "[command]") {
  CommandFixture run;
  run("GEOADD", "k", "45", "65", "n1", "-135", "85.05", "n2");
  CHECK(run("GEORADIUSBYMEMBER", "k", "n1", "5009431", "m") == "*2\r\n$2\r\nn1\r\n$2\r\nn2\r\n");
  CHECK(run("GEORADIUSBYMEMBER", "k", "n2", "5009431", "m") == "*2\r\n$2\r\nn2\r\n$2\r\nn1\r\n");
}

TEST_CASE("the ranges of a search hold every place inside the shape", "[command]") {
  std::mt19937_64 random(2);
  std::vector<uint64_t> places;
  for (int i = 0; i < 4000; ++i) places.push_back(GeoEncode(RandomPlace(random)));
  for (int round = 0; round < 400; ++round) {
    GeoShape shape;
    shape.center = RandomPlace(random);
    if (round % 3 == 0) shape.center = GeoDecode(places[random() % places.size()]);
    const auto metres = [&random] {
      return std::pow(10, std::uniform_real_distribution<double>(0, 7.6)(random));
    };
    shape.box = round % 2 == 0;
    shape.radius = metres();
    shape.width = metres();
    shape.height = metres();
    const std::vector<GeoRange> ranges = GeoCover(shape);
    REQUIRE(ranges.size() <= 48);
    // It begins around the center; no range overlaps another.
    std::vector<GeoRange> sorted = ranges;
    std::sort(sorted.begin(), sorted.end(),
              [](const GeoRange& a, const GeoRange& b) { return a.first < b.first; });
    for (size_t i = 1; i < sorted.size(); ++i) REQUIRE(sorted[i - 1].last <= sorted[i].first);
    for (const uint64_t place : places) {
      if (!shape.DistanceInside(GeoDecode(place))) continue;
      const bool covered = std::any_of(
          ranges.begin(), ranges.end(),
          [place](const GeoRange& range) { return range.first <= place && place < range.last; });
      REQUIRE(covered);
    }
  }
}

TEST_CASE("GEO commands answer as Redis does", "[command]") {
  CommandFixture run;
  AddSicily(run);
  CHECK(run("GEODIST", "Sicily", "Palermo", "Catania") == "$11\r\n166274.1516\r\n");
  CHECK(run("GEODIST", "Sicily", "Palermo", "Catania", "KM") == "$8\r\n166.2742\r\n");
  CHECK(run("GEODIST", "Sicily", "Palermo", "x") == "$-1\r\n");
  CHECK(run("GEOHASH", "Sicily", "Palermo", "x", "Catania") ==
        "*3\r\n$11\r\nsqc8b49rny0\r\n$-1\r\n$11\r\nsqdtr74hyu0\r\n");
  CHECK(run("GEOPOS", "Sicily", "Palermo", "x") ==
        "*2\r\n*2\r\n$20\r\n13.36138933897018433\r\n$20\r\n38.11555639549629859\r\n*-1\r\n");
  CHECK(run("GEORADIUS", "Sicily", "15", "37", "200", "km", "WITHDIST", "WITHHASH", "ASC") ==
        "*2\r\n*3\r\n$7\r\nCatania\r\n$7\r\n56.4413\r\n:3479447370796909\r\n"
        "*3\r\n$7\r\nPalermo\r\n$8\r\n190.4424\r\n:3479099956230698\r\n");
  CHECK(run("GEOSEARCH", "Sicily", "FROMLONLAT", "15", "37", "BYBOX", "400", "400", "km", "DESC",
            "COUNT", "1") == "*1\r\n$7\r\nPalermo\r\n");
  CHECK(run("GEOSEARCH", "Sicily", "FROMMEMBER", "Palermo", "BYRADIUS", "1", "m", "WITHCOORD") ==
        "*1\r\n*2\r\n$7\r\nPalermo\r\n*2\r\n$20\r\n13.36138933897018433\r\n"
        "$20\r\n38.11555639549629859\r\n");
  CHECK(run("GEORADIUSBYMEMBER_RO", "Sicily", "Catania", "10", "km") == "*1\r\n$7\r\nCatania\r\n");
  CHECK(run("GEORADIUS_RO", "missing", "1", "1", "1", "km") == "*0\r\n");
}

TEST_CASE("GEOSEARCHSTORE and GEORADIUS STORE keep places or distances", "[command]") {
  CommandFixture run;
  AddSicily(run);
  CHECK(run("GEOSEARCHSTORE", "to", "Sicily", "FROMLONLAT", "15", "37", "BYRADIUS", "100", "km") ==
        ":1\r\n");
  CHECK(run("GEOPOS", "to", "Catania") == run("GEOPOS", "Sicily", "Catania"));
  CHECK(run("GEOSEARCHSTORE", "to", "Sicily", "FROMLONLAT", "15", "37", "BYRADIUS", "200", "km",
            "STOREDIST") == ":2\r\n");
  CHECK(run("ZRANGE", "to", "0", "-1").starts_with("*2\r\n$7\r\nCatania\r\n"));
  CHECK(run("GEORADIUS", "Sicily", "15", "37", "100", "km", "STORE", "other") == ":1\r\n");
  CHECK(run("ZCARD", "other") == ":1\r\n");
  CHECK(run("GEORADIUSBYMEMBER", "Sicily", "Palermo", "1", "km", "STOREDIST", "other") == ":1\r\n");
  CHECK(run("ZSCORE", "other", "Palermo") == "$1\r\n0\r\n");
  CHECK(run("GEORADIUS", "Sicily", "0", "0", "1", "km", "STORE", "other") == ":0\r\n");
  CHECK(run("EXISTS", "other") == ":0\r\n");
}

TEST_CASE("a search of many places goes on in slices, with the same reply", "[command]") {
  CommandFixture run;
  for (int at = 0; at < 6000; at += 500) {
    std::vector<std::string> words = {"GEOADD", "k"};
    for (int i = at; i < at + 500; ++i) {
      words.push_back(std::to_string(i % 83));
      words.push_back(std::to_string(i * 7 % 79));
      words.push_back("place:" + std::to_string(i));
    }
    run.Run({words.begin(), words.end()});
  }
  const std::vector<std::vector<std::string>> searches = {
      {"GEOSEARCH", "k", "FROMLONLAT", "40", "40", "BYRADIUS", "4000", "km"},
      {"GEOSEARCH", "k", "FROMLONLAT", "40", "40", "BYRADIUS", "4000", "km", "ASC", "WITHDIST",
       "WITHCOORD", "WITHHASH"},
      {"GEOSEARCH", "k", "FROMMEMBER", "place:5", "BYBOX", "9000", "9000", "km", "DESC", "COUNT",
       "2000"},
      {"GEORADIUS", "k", "40", "40", "5000", "km", "COUNT", "1500", "ANY"},
  };
  for (const auto& words : searches) {
    INFO(words[0] << " " << words.back());
    run("MULTI");
    run.Run({words.begin(), words.end()});
    const std::string at_once = run("EXEC");
    int between = 0;
    run.between_slices = [&between] { return ++between > 0; };
    const std::string reply = run.Run({words.begin(), words.end()});
    run.between_slices = nullptr;
    CHECK(between > 0);
    CHECK("*1\r\n" + reply == at_once);
    CHECK(reply.size() > 10'000);
  }
}

TEST_CASE("GEOADD takes the options of ZADD", "[command]") {
  CommandFixture run;
  CHECK(run("GEOADD", "k", "XX", "1", "1", "a") == ":0\r\n");
  CHECK(run("EXISTS", "k") == ":0\r\n");
  CHECK(run("GEOADD", "k", "NX", "1", "1", "a") == ":1\r\n");
  CHECK(run("GEOADD", "k", "NX", "CH", "2", "2", "a", "3", "3", "b") == ":1\r\n");
  CHECK(run("GEOADD", "k", "CH", "2", "2", "a", "3", "3", "b") == ":1\r\n");
  CHECK(run("GEOADD", "k", "XX", "CH", "5", "5", "a", "6", "6", "c") == ":1\r\n");
  CHECK(run("ZCARD", "k") == ":2\r\n");
}

TEST_CASE("bad words of GEO commands are refused", "[command]") {
  CommandFixture run;
  AddSicily(run);
  run("SET", "s", "x");
  CHECK(run("GEOADD", "k", "181", "1", "a") ==
        "-ERR invalid longitude,latitude pair 181.000000,1.000000\r\n");
  CHECK(run("GEOADD", "k", "1", "86", "a").starts_with("-ERR invalid longitude,latitude pair"));
  CHECK(run("GEOADD", "k", "x", "1", "a") == "-ERR value is not a valid float\r\n");
  CHECK(run("GEOADD", "k", "1", "1", "a", "1") == "-ERR syntax error\r\n");
  CHECK(run("GEOADD", "k", "NX", "XX", "1", "1", "a") == "-ERR syntax error\r\n");
  CHECK(run("EXISTS", "k") == ":0\r\n");
  CHECK(run("GEOPOS", "s", "a").starts_with("-WRONGTYPE"));
  CHECK(run("GEODIST", "Sicily", "Palermo", "Catania", "x") ==
        "-ERR unsupported unit provided. please use M, KM, FT, MI\r\n");
  CHECK(run("GEORADIUS", "Sicily", "15", "37", "x", "km") == "-ERR need numeric radius\r\n");
  CHECK(run("GEORADIUS", "Sicily", "15", "37", "-1", "km") == "-ERR radius cannot be negative\r\n");
  CHECK(run("GEORADIUS", "Sicily", "15", "37", "1", "km", "COUNT", "0") ==
        "-ERR COUNT must be > 0\r\n");
  CHECK(run("GEORADIUS", "Sicily", "15", "37", "1", "km", "ANY") ==
        "-ERR the ANY argument requires COUNT argument\r\n");
  CHECK(run("GEORADIUS", "Sicily", "15", "37", "1", "km", "WITHDIST", "STORE", "x")
            .starts_with("-ERR STORE option in GEORADIUS is not compatible"));
  CHECK(run("GEORADIUS_RO", "Sicily", "15", "37", "1", "km", "STORE", "x") ==
        "-ERR syntax error\r\n");
  CHECK(run("GEORADIUSBYMEMBER", "Sicily", "x", "1", "km") ==
        "-ERR could not decode requested zset member\r\n");
  CHECK(run("GEOSEARCH", "Sicily", "FROMLONLAT", "15", "37", "ASC", "WITHDIST") ==
        "-ERR exactly one of BYRADIUS and BYBOX can be specified for GEOSEARCH\r\n");
  CHECK(run("GEOSEARCH", "Sicily", "BYRADIUS", "1", "km", "ASC", "WITHDIST") ==
        "-ERR exactly one of FROMMEMBER or FROMLONLAT can be specified for GEOSEARCH\r\n");
  CHECK(run("GEOSEARCHSTORE", "to", "Sicily", "FROMLONLAT", "15", "37", "BYRADIUS", "1", "km",
            "WITHDIST")
            .starts_with("-ERR GEOSEARCHSTORE is not compatible"));
  // Scores that no GEOADD made.
  run("ZADD", "z", "-1", "negative", "inf", "infinite", "1e300", "huge", "0.5", "half");
  CHECK(run("GEOPOS", "z", "negative", "infinite", "huge").starts_with("*3\r\n*-1\r\n*-1\r\n*-1"));
  CHECK(run("GEOSEARCH", "z", "FROMLONLAT", "0", "0", "BYRADIUS", "30000", "km").starts_with("*1"));
}
