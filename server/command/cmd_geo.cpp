// GEO commands: places as the scores of a sorted set (geohash.h). GEOADD GEOPOS GEODIST GEOHASH
// GEOSEARCH GEOSEARCHSTORE, and the older GEORADIUS family.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <string>
#include <vector>

#include "server/command/arg_reader.h"
#include "server/command/command_families.h"
#include "server/command/geohash.h"
#include "server/command/string_reply.h"
#include "server/command/zset_elements.h"

namespace verso::server {
namespace {

using storage::Key;
using storage::KeyEvent;
using storage::ReadView;
using storage::ValueView;
using storage::WriteView;
using storage::ZsetWriter;

constexpr KeyEvent kDelEvent{"del", 'g'};

// ---- words

// False: the error is replied, as for all that read words here.
bool ReadPlace(CommandContext& context, size_t at, GeoPlace* place) {
  if (!ParseDouble(context[at], &place->longitude) ||
      !ParseDouble(context[at + 1], &place->latitude)) {
    context.reply().Error(error::kNotFloat);
    return false;
  }
  if (place->valid()) return true;
  char text[160];
  std::snprintf(text, sizeof(text), "ERR invalid longitude,latitude pair %f,%f", place->longitude,
                place->latitude);
  context.reply().Error(text);
  return false;
}

bool ReadUnit(CommandContext& context, ByteView text, double* metres) {
  if (EqualsIgnoreCase(text, "m")) {
    *metres = 1;
  } else if (EqualsIgnoreCase(text, "km")) {
    *metres = 1000;
  } else if (EqualsIgnoreCase(text, "ft")) {
    *metres = 0.3048;
  } else if (EqualsIgnoreCase(text, "mi")) {
    *metres = 1609.34;
  } else {
    context.reply().Error("ERR unsupported unit provided. please use M, KM, FT, MI");
    return false;
  }
  return true;
}

bool ReadRadius(CommandContext& context, size_t at, GeoShape* shape, double* unit) {
  double radius = 0;
  if (!ParseDouble(context[at], &radius)) {
    context.reply().Error("ERR need numeric radius");
    return false;
  }
  if (radius < 0) {
    context.reply().Error("ERR radius cannot be negative");
    return false;
  }
  if (!ReadUnit(context, context[at + 1], unit)) return false;
  shape->radius = radius * *unit;
  return true;
}

bool ReadBox(CommandContext& context, size_t at, GeoShape* shape, double* unit) {
  double width = 0;
  double height = 0;
  if (!ParseDouble(context[at], &width)) {
    context.reply().Error("ERR need numeric width");
    return false;
  }
  if (!ParseDouble(context[at + 1], &height)) {
    context.reply().Error("ERR need numeric height");
    return false;
  }
  if (width < 0 || height < 0) {
    context.reply().Error("ERR height or width cannot be negative");
    return false;
  }
  if (!ReadUnit(context, context[at + 2], unit)) return false;
  shape->box = true;
  shape->width = width * *unit;
  shape->height = height * *unit;
  return true;
}

// ---- replies

// Coordinates are long decimal texts, in RESP2 and RESP3.
void ReplyCoordinate(ReplyWriter& reply, double coordinate) {
  char text[5200];
  const std::string_view decimal(text, FormatLongDouble(coordinate, text));
  if (!reply.resp3()) {
    reply.Bulk(decimal);
    return;
  }
  reply.Raw(",");
  reply.Raw(decimal);
  reply.Raw("\r\n");
}

void ReplyPlace(ReplyWriter& reply, const GeoPlace& place) {
  reply.Array(2);
  ReplyCoordinate(reply, place.longitude);
  ReplyCoordinate(reply, place.latitude);
}

void ReplyDistance(ReplyWriter& reply, double distance) {
  char text[64];
  const int length = std::snprintf(text, sizeof(text), "%.4f", distance);
  reply.Bulk({text, static_cast<size_t>(length)});
}

std::optional<GeoPlace> PlaceOf(const ReadView& view, const std::optional<ValueView>& zset,
                                ByteView member) {
  if (!zset) return std::nullopt;
  const std::optional<double> score = storage::ZsetScore(view, *zset, member);
  if (!score || !(*score >= 0) || *score >= 0x1p63) return std::nullopt;
  return GeoDecode(static_cast<uint64_t>(*score));
}

// ---- single members

Outcome Geoadd(WriteView& view, CommandContext& context) {
  bool nx = false;
  bool xx = false;
  bool ch = false;
  size_t first = 2;
  for (; first < context.size(); ++first) {
    if (EqualsIgnoreCase(context[first], "nx")) {
      nx = true;
    } else if (EqualsIgnoreCase(context[first], "xx")) {
      xx = true;
    } else if (EqualsIgnoreCase(context[first], "ch")) {
      ch = true;
    } else {
      break;
    }
  }
  if ((context.size() - first) % 3 != 0 || (nx && xx)) return context.Fail(error::kSyntax);
  std::vector<double> scores;
  for (size_t i = first; i < context.size(); i += 3) {
    GeoPlace place;
    if (!ReadPlace(context, i, &place)) return Outcome::kDone;
    scores.push_back(static_cast<double>(GeoEncode(place)));
  }
  // The words are those of a ZADD from here on, and so are its errors.
  if (scores.empty()) return context.Fail(error::kSyntax);
  const Key key = context.KeyAt(view, 1);
  const std::optional<ValueView> zset = view.FindForWrite(key);
  if (IsNoZset(zset)) return context.Fail(error::kWrongType);
  uint64_t added = 0;
  uint64_t changed = 0;
  if (zset || !xx) {
    ZsetWriter writer(view, key, zset, context.environment().limits);
    for (size_t i = 0; i < scores.size(); ++i) {
      writer.Change(context[first + 3 * i + 2],
                    [&](const std::optional<double>& old) -> std::optional<double> {
                      if (old ? nx : xx) return std::nullopt;
                      (old ? changed : added) += !old || *old != scores[i];
                      return scores[i];
                    });
    }
    if (added + changed > 0) writer.Finish(ZsetEvent("zadd", added + changed));
  }
  context.reply().Integer(static_cast<int64_t>(ch ? added + changed : added));
  return Outcome::kDone;
}

size_t GeoaddReserve(const ReadView& view, const CommandContext& context) {
  const std::optional<ValueView> zset = view.Find(context.KeyAt(view, 1), storage::Access::kPeek);
  size_t bytes = 0;
  for (size_t i = 2; i < context.size(); ++i) bytes += context[i].size();
  const bool there = zset && !IsNoZset(zset);
  return storage::ZsetEstimate(view.arena(), there ? &*zset : nullptr, context.size() / 3, bytes);
}

Outcome Geopos(const ReadView& view, CommandContext& context) {
  const std::optional<ValueView> zset = context.Lookup(view, context.KeyAt(view, 1));
  if (IsNoZset(zset)) return context.Fail(error::kWrongType);
  context.reply().Array(context.size() - 2);
  for (size_t i = 2; i < context.size(); ++i) {
    const std::optional<GeoPlace> place = PlaceOf(view, zset, context[i]);
    place ? ReplyPlace(context.reply(), *place) : context.reply().NullArray();
  }
  return Outcome::kDone;
}

Outcome Geohash(const ReadView& view, CommandContext& context) {
  const std::optional<ValueView> zset = context.Lookup(view, context.KeyAt(view, 1));
  if (IsNoZset(zset)) return context.Fail(error::kWrongType);
  context.reply().Array(context.size() - 2);
  for (size_t i = 2; i < context.size(); ++i) {
    const std::optional<GeoPlace> place = PlaceOf(view, zset, context[i]);
    place ? context.reply().Bulk(GeoText(*place)) : context.reply().Null();
  }
  return Outcome::kDone;
}

Outcome Geodist(const ReadView& view, CommandContext& context) {
  double unit = 1;
  if (context.size() > 5) return context.Fail(error::kSyntax);
  if (context.size() == 5 && !ReadUnit(context, context[4], &unit)) return Outcome::kDone;
  const std::optional<ValueView> zset = context.Lookup(view, context.KeyAt(view, 1));
  if (IsNoZset(zset)) return context.Fail(error::kWrongType);
  const std::optional<GeoPlace> a = PlaceOf(view, zset, context[2]);
  const std::optional<GeoPlace> b = PlaceOf(view, zset, context[3]);
  if (a && b) {
    ReplyDistance(context.reply(), GeoDistance(*a, *b) / unit);
  } else {
    context.reply().Null();
  }
  return Outcome::kDone;
}

// ---- searching

enum class SearchForm : uint8_t { kRadius, kRadiusByMember, kSearch, kSearchStore };
enum class Order : uint8_t { kNone, kAscending, kDescending };

struct Search {
  GeoShape shape;
  double unit = 1;
  bool with_distance = false;
  bool with_hash = false;
  bool with_place = false;
  bool any = false;
  Order order = Order::kNone;
  uint64_t count = 0;    // 0: all
  size_t store_key = 0;  // index of the argument; 0: none
  bool store_distance = false;
};

struct Hit {
  std::string member;
  double distance;  // in the search's unit
  double score;
  GeoPlace place;
};

bool CenterAtMember(const ReadView& view, CommandContext& context,
                    const std::optional<ValueView>& zset, ByteView member, Search* search) {
  if (!zset) return true;  // the rest of the words is read, the answer is empty
  const std::optional<GeoPlace> place = PlaceOf(view, zset, member);
  if (!place) {
    context.reply().Error("ERR could not decode requested zset member");
    return false;
  }
  search->shape.center = *place;
  return true;
}

// The options behind the center and radius of GEORADIUS, and all words of GEOSEARCH.
bool ReadOptions(const ReadView& view, CommandContext& context, SearchForm form, bool may_store,
                 size_t first, const std::optional<ValueView>& zset, Search* search) {
  const bool geosearch = form == SearchForm::kSearch || form == SearchForm::kSearchStore;
  bool from_member = false;
  bool from_place = false;
  bool by_radius = false;
  bool by_box = false;
  ReplyWriter& reply = context.reply();
  const auto fail = [&reply](std::string_view text) {
    reply.Error(text);
    return false;
  };
  for (size_t i = first; i < context.size(); ++i) {
    const ByteView word = context[i];
    const size_t left = context.size() - i - 1;
    if (EqualsIgnoreCase(word, "withdist")) {
      search->with_distance = true;
    } else if (EqualsIgnoreCase(word, "withhash")) {
      search->with_hash = true;
    } else if (EqualsIgnoreCase(word, "withcoord")) {
      search->with_place = true;
    } else if (EqualsIgnoreCase(word, "any")) {
      search->any = true;
    } else if (EqualsIgnoreCase(word, "asc")) {
      search->order = Order::kAscending;
    } else if (EqualsIgnoreCase(word, "desc")) {
      search->order = Order::kDescending;
    } else if (EqualsIgnoreCase(word, "count") && left >= 1) {
      int64_t count = 0;
      if (!ParseInteger(context[++i], &count)) return fail(error::kNotInteger);
      if (count <= 0) return fail("ERR COUNT must be > 0");
      search->count = static_cast<uint64_t>(count);
    } else if (!geosearch && may_store && left >= 1 &&
               (EqualsIgnoreCase(word, "store") || EqualsIgnoreCase(word, "storedist"))) {
      search->store_distance = EqualsIgnoreCase(word, "storedist");
      search->store_key = ++i;
    } else if (geosearch && !from_place && left >= 1 && EqualsIgnoreCase(word, "frommember")) {
      if (!CenterAtMember(view, context, zset, context[++i], search)) return false;
      from_member = true;
    } else if (geosearch && !from_member && left >= 2 && EqualsIgnoreCase(word, "fromlonlat")) {
      if (!ReadPlace(context, i + 1, &search->shape.center)) return false;
      i += 2;
      from_place = true;
    } else if (geosearch && !by_box && left >= 2 && EqualsIgnoreCase(word, "byradius")) {
      if (!ReadRadius(context, i + 1, &search->shape, &search->unit)) return false;
      i += 2;
      by_radius = true;
    } else if (geosearch && !by_radius && left >= 3 && EqualsIgnoreCase(word, "bybox")) {
      if (!ReadBox(context, i + 1, &search->shape, &search->unit)) return false;
      i += 3;
      by_box = true;
    } else if (form == SearchForm::kSearchStore && EqualsIgnoreCase(word, "storedist")) {
      search->store_distance = true;
    } else {
      return fail(error::kSyntax);
    }
  }
  if (search->store_key != 0 &&
      (search->with_distance || search->with_hash || search->with_place)) {
    return fail(geosearch ? "ERR GEOSEARCHSTORE is not compatible with WITHDIST, WITHHASH and "
                            "WITHCOORD options"
                          : "ERR STORE option in GEORADIUS is not compatible with WITHDIST, "
                            "WITHHASH and WITHCOORD options");
  }
  const std::string name(context[0]);
  if (geosearch && !from_member && !from_place) {
    return fail("ERR exactly one of FROMMEMBER or FROMLONLAT can be specified for " + name);
  }
  if (geosearch && !by_radius && !by_box) {
    return fail("ERR exactly one of BYRADIUS and BYBOX can be specified for " + name);
  }
  if (search->any && search->count == 0) {
    return fail("ERR the ANY argument requires COUNT argument");
  }
  // With COUNT the nearest ones are meant, unless any will do.
  if (search->count != 0 && search->order == Order::kNone && !search->any) {
    search->order = Order::kAscending;
  }
  return true;
}

std::vector<Hit> Find(const ReadView& view, const ValueView& zset, const Search& search) {
  std::vector<Hit> hits;
  const storage::PageArena& arena = view.arena();
  for (const GeoRange& cells : GeoCover(search.shape)) {
    const storage::ScoreRange scores{static_cast<double>(cells.first),
                                     static_cast<double>(cells.last), false, true};
    storage::ZsetRange range = storage::ZsetRangeByScore(arena, zset, scores);
    // In portions, so that ANY stops soon.
    constexpr uint64_t kPortion = 256;
    while (range.count > 0) {
      if (search.any && hits.size() >= search.count) break;
      const uint64_t count = search.any ? std::min(kPortion, range.count) : range.count;
      storage::ZsetForEach(view, zset, {range.from, count}, false,
                           [&](const storage::ItemView& member, double score) {
                             if (search.any && hits.size() >= search.count) return;
                             const GeoPlace place = GeoDecode(static_cast<uint64_t>(score));
                             const std::optional<double> distance =
                                 search.shape.DistanceInside(place);
                             if (!distance) return;
                             hits.push_back({storage::StringCopy(arena, member.value()),
                                             *distance / search.unit, score, place});
                           });
      range.from += count;
      range.count -= count;
    }
  }
  const auto nearer = [](const Hit& a, const Hit& b) { return a.distance < b.distance; };
  const auto farther = [](const Hit& a, const Hit& b) { return a.distance > b.distance; };
  if (search.order == Order::kAscending) std::stable_sort(hits.begin(), hits.end(), nearer);
  if (search.order == Order::kDescending) std::stable_sort(hits.begin(), hits.end(), farther);
  if (search.count != 0 && hits.size() > search.count) hits.resize(search.count);
  return hits;
}

void ReplyHits(ReplyWriter& reply, const Search& search, const std::vector<Hit>& hits) {
  const size_t width = 1 + search.with_distance + search.with_hash + search.with_place;
  reply.Array(hits.size());
  for (const Hit& hit : hits) {
    if (width > 1) reply.Array(width);
    reply.Bulk(hit.member);
    if (search.with_distance) ReplyDistance(reply, hit.distance);
    if (search.with_hash) reply.Integer(static_cast<int64_t>(hit.score));
    if (search.with_place) ReplyPlace(reply, hit.place);
  }
}

void StoreHits(WriteView& view, CommandContext& context, const Search& search, SearchForm form,
               const std::vector<Hit>& hits) {
  const Key target = context.KeyAt(view, search.store_key);
  context.reply().Integer(static_cast<int64_t>(hits.size()));
  if (hits.empty()) {
    view.Erase(target, kDelEvent);
    return;
  }
  ZsetWriter writer(view, target, std::nullopt, context.environment().limits);
  for (const Hit& hit : hits) {
    writer.Set(hit.member, search.store_distance ? hit.distance : hit.score);
  }
  writer.FinishAsNew(ZsetEvent(
      form == SearchForm::kSearchStore ? "geosearchstore" : "georadiusstore", hits.size()));
}

// Everything but storing. nullopt: the reply is written.
std::optional<std::vector<Hit>> RunSearch(const ReadView& view, CommandContext& context,
                                          SearchForm form, bool may_store, Search* search) {
  const size_t source = form == SearchForm::kSearchStore ? 2 : 1;
  if (form == SearchForm::kSearchStore) search->store_key = 1;
  const std::optional<ValueView> zset = context.Lookup(view, context.KeyAt(view, source));
  if (IsNoZset(zset)) {
    context.reply().Error(error::kWrongType);
    return std::nullopt;
  }
  size_t first = source + 1;
  if (form == SearchForm::kRadius) {
    if (!ReadPlace(context, 2, &search->shape.center) ||
        !ReadRadius(context, 4, &search->shape, &search->unit)) {
      return std::nullopt;
    }
    first = 6;
  } else if (form == SearchForm::kRadiusByMember) {
    if (!CenterAtMember(view, context, zset, context[2], search) ||
        !ReadRadius(context, 3, &search->shape, &search->unit)) {
      return std::nullopt;
    }
    first = 5;
  }
  if (!ReadOptions(view, context, form, may_store, first, zset, search)) return std::nullopt;
  if (!zset) return std::vector<Hit>();
  return Find(view, *zset, *search);
}

template <SearchForm kForm>
Outcome ReadSearch(const ReadView& view, CommandContext& context) {
  Search search;
  const auto hits = RunSearch(view, context, kForm, false, &search);
  if (hits) ReplyHits(context.reply(), search, *hits);
  return Outcome::kDone;
}

template <SearchForm kForm>
Outcome WriteSearch(WriteView& view, CommandContext& context) {
  Search search;
  const auto hits = RunSearch(view, context, kForm, true, &search);
  if (!hits) return Outcome::kDone;
  if (search.store_key != 0) {
    StoreHits(view, context, search, kForm, *hits);
  } else {
    ReplyHits(context.reply(), search, *hits);
  }
  return Outcome::kDone;
}

// The target has at most what the source has.
template <size_t kSource>
size_t SearchReserve(const ReadView& view, const CommandContext& context) {
  const std::optional<ValueView> zset =
      view.Find(context.KeyAt(view, kSource), storage::Access::kPeek);
  if (!zset || IsNoZset(zset)) return 0;
  return storage::ZsetEstimate(view.arena(), nullptr, storage::ZsetCount(view.arena(), *zset),
                               storage::ZsetMemberBytes(view.arena(), *zset));
}

// GEORADIUS stores only if its words say so.
size_t RadiusReserve(const ReadView& view, const CommandContext& context) {
  for (size_t i = 5; i < context.size(); ++i) {
    if (EqualsIgnoreCase(context[i], "store") || EqualsIgnoreCase(context[i], "storedist")) {
      return SearchReserve<1>(view, context);
    }
  }
  return 0;
}

// ---- rows

constexpr ArgSpec kUnits[] = {
    {.name = "m", .type = ArgType::kPureToken, .token = "M"},
    {.name = "km", .type = ArgType::kPureToken, .token = "KM"},
    {.name = "ft", .type = ArgType::kPureToken, .token = "FT"},
    {.name = "mi", .type = ArgType::kPureToken, .token = "MI"},
};
constexpr ArgSpec kConditions[] = {
    {.name = "nx", .type = ArgType::kPureToken, .token = "NX"},
    {.name = "xx", .type = ArgType::kPureToken, .token = "XX"},
};
constexpr ArgSpec kMembersWithPlaces[] = {{.name = "longitude", .type = ArgType::kDouble},
                                          {.name = "latitude", .type = ArgType::kDouble},
                                          {.name = "member"}};
constexpr ArgSpec kGeoaddArgs[] = {
    {.name = "key", .type = ArgType::kKey},
    {.name = "condition", .type = ArgType::kOneOf, .flags = kOptional, .args = kConditions},
    {.name = "change", .type = ArgType::kPureToken, .token = "CH", .flags = kOptional},
    {.name = "data", .type = ArgType::kBlock, .flags = kMultiple, .args = kMembersWithPlaces},
};
constexpr ArgSpec kMembersArgs[] = {{.name = "key", .type = ArgType::kKey},
                                    {.name = "member", .flags = kOptional | kMultiple}};
constexpr ArgSpec kGeodistArgs[] = {
    {.name = "key", .type = ArgType::kKey},
    {.name = "member1"},
    {.name = "member2"},
    {.name = "unit", .type = ArgType::kOneOf, .flags = kOptional, .args = kUnits},
};
constexpr ArgSpec kFromPlace[] = {{.name = "longitude", .type = ArgType::kDouble},
                                  {.name = "latitude", .type = ArgType::kDouble}};
constexpr ArgSpec kFrom[] = {
    {.name = "member", .token = "FROMMEMBER"},
    {.name = "fromlonlat", .type = ArgType::kBlock, .token = "FROMLONLAT", .args = kFromPlace},
};
constexpr ArgSpec kCircle[] = {{.name = "radius", .type = ArgType::kDouble, .token = "BYRADIUS"},
                               {.name = "unit", .type = ArgType::kOneOf, .args = kUnits}};
constexpr ArgSpec kBox[] = {{.name = "width", .type = ArgType::kDouble, .token = "BYBOX"},
                            {.name = "height", .type = ArgType::kDouble},
                            {.name = "unit", .type = ArgType::kOneOf, .args = kUnits}};
constexpr ArgSpec kBy[] = {
    {.name = "circle", .type = ArgType::kBlock, .args = kCircle},
    {.name = "box", .type = ArgType::kBlock, .args = kBox},
};
constexpr ArgSpec kOrder[] = {
    {.name = "asc", .type = ArgType::kPureToken, .token = "ASC"},
    {.name = "desc", .type = ArgType::kPureToken, .token = "DESC"},
};
constexpr ArgSpec kCountBlock[] = {
    {.name = "count", .type = ArgType::kInteger, .token = "COUNT"},
    {.name = "any", .type = ArgType::kPureToken, .token = "ANY", .flags = kOptional},
};
constexpr ArgSpec kStore[] = {
    {.name = "storekey", .type = ArgType::kKey, .token = "STORE"},
    {.name = "storedistkey", .type = ArgType::kKey, .token = "STOREDIST"},
};
constexpr ArgSpec kKeyArg = {.name = "key", .type = ArgType::kKey};
constexpr ArgSpec kLongitudeArg = {.name = "longitude", .type = ArgType::kDouble};
constexpr ArgSpec kLatitudeArg = {.name = "latitude", .type = ArgType::kDouble};
constexpr ArgSpec kMemberArg = {.name = "member"};
constexpr ArgSpec kRadiusArg = {.name = "radius", .type = ArgType::kDouble};
constexpr ArgSpec kUnitArg = {.name = "unit", .type = ArgType::kOneOf, .args = kUnits};
constexpr ArgSpec kWithPlaceArg = {
    .name = "withcoord", .type = ArgType::kPureToken, .token = "WITHCOORD", .flags = kOptional};
constexpr ArgSpec kWithDistanceArg = {
    .name = "withdist", .type = ArgType::kPureToken, .token = "WITHDIST", .flags = kOptional};
constexpr ArgSpec kWithHashArg = {
    .name = "withhash", .type = ArgType::kPureToken, .token = "WITHHASH", .flags = kOptional};
constexpr ArgSpec kCountArg = {
    .name = "count-block", .type = ArgType::kBlock, .flags = kOptional, .args = kCountBlock};
constexpr ArgSpec kOrderArg = {
    .name = "order", .type = ArgType::kOneOf, .flags = kOptional, .args = kOrder};
constexpr ArgSpec kStoreArg = {
    .name = "store", .type = ArgType::kOneOf, .flags = kOptional, .args = kStore};
constexpr ArgSpec kFromArg = {.name = "from", .type = ArgType::kOneOf, .args = kFrom};
constexpr ArgSpec kByArg = {.name = "by", .type = ArgType::kOneOf, .args = kBy};

constexpr ArgSpec kGeoradiusArgs[] = {kKeyArg,   kLongitudeArg, kLatitudeArg,     kRadiusArg,
                                      kUnitArg,  kWithPlaceArg, kWithDistanceArg, kWithHashArg,
                                      kCountArg, kOrderArg,     kStoreArg};
constexpr ArgSpec kGeoradiusRoArgs[] = {kKeyArg,   kLongitudeArg, kLatitudeArg,     kRadiusArg,
                                        kUnitArg,  kWithPlaceArg, kWithDistanceArg, kWithHashArg,
                                        kCountArg, kOrderArg};
constexpr ArgSpec kByMemberArgs[] = {kKeyArg,       kMemberArg,       kRadiusArg,   kUnitArg,
                                     kWithPlaceArg, kWithDistanceArg, kWithHashArg, kCountArg,
                                     kOrderArg,     kStoreArg};
constexpr ArgSpec kByMemberRoArgs[] = {kKeyArg,      kMemberArg,    kRadiusArg,
                                       kUnitArg,     kWithPlaceArg, kWithDistanceArg,
                                       kWithHashArg, kCountArg,     kOrderArg};
constexpr ArgSpec kGeosearchArgs[] = {kKeyArg,   kFromArg,      kByArg,           kOrderArg,
                                      kCountArg, kWithPlaceArg, kWithDistanceArg, kWithHashArg};
constexpr ArgSpec kGeosearchstoreArgs[] = {
    {.name = "destination", .type = ArgType::kKey},
    {.name = "source", .type = ArgType::kKey, .key_spec = 1},
    kFromArg,
    kByArg,
    kOrderArg,
    kCountArg,
    {.name = "storedist", .type = ArgType::kPureToken, .token = "STOREDIST", .flags = kOptional}};

constexpr std::string_view kSearchComplexity =
    "O(N+log(M)) with N members in the cells around the shape and M in the sorted set";

constexpr CommandSpec kRows[] = {
    {.name = "geoadd",
     .arity = -5,
     .flags = kWrite | kDenyOom,
     .group = Group::kGeo,
     .keys = {Keys::At(1).Access(kKeyRw | kKeyUpdate)},
     .args = kGeoaddArgs,
     .since = "0.1.0",
     .complexity = "O(log(M)) per member with M in the sorted set",
     .summary = "Adds members with their places to a sorted set, or moves them.",
     .run = &Geoadd,
     .reserve = &GeoaddReserve},
    {.name = "geopos",
     .arity = -2,
     .flags = kReadonly,
     .group = Group::kGeo,
     .keys = {Keys::At(1).Access(kKeyRo | kKeyAccess)},
     .args = kMembersArgs,
     .since = "0.1.0",
     .complexity = "O(1) per member",
     .summary = "Returns the longitude and latitude of members.",
     .run = &Geopos},
    {.name = "geohash",
     .arity = -2,
     .flags = kReadonly,
     .group = Group::kGeo,
     .keys = {Keys::At(1).Access(kKeyRo | kKeyAccess)},
     .args = kMembersArgs,
     .since = "0.1.0",
     .complexity = "O(1) per member",
     .summary = "Returns the places of members as geohash.org writes them.",
     .run = &Geohash},
    {.name = "geodist",
     .arity = -4,
     .flags = kReadonly,
     .group = Group::kGeo,
     .keys = {Keys::At(1).Access(kKeyRo | kKeyAccess)},
     .args = kGeodistArgs,
     .since = "0.1.0",
     .complexity = "O(1)",
     .summary = "Returns the distance between two members.",
     .run = &Geodist},
    {.name = "geosearch",
     .arity = -7,
     .flags = kReadonly,
     .group = Group::kGeo,
     .keys = {Keys::At(1).Access(kKeyRo | kKeyAccess)},
     .args = kGeosearchArgs,
     .since = "0.1.0",
     .complexity = kSearchComplexity,
     .summary = "Returns the members inside a circle or a box.",
     .run = &ReadSearch<SearchForm::kSearch>},
    {.name = "geosearchstore",
     .arity = -8,
     .flags = kWrite | kDenyOom,
     .group = Group::kGeo,
     .keys = {Keys::At(1).Access(kKeyOw | kKeyUpdate), Keys::At(2).Access(kKeyRo | kKeyAccess)},
     .args = kGeosearchstoreArgs,
     .since = "0.1.0",
     .complexity = kSearchComplexity,
     .summary = "Stores the members inside a circle or a box in a sorted set.",
     .run = &WriteSearch<SearchForm::kSearchStore>,
     .reserve = &SearchReserve<2>},
    {.name = "georadius",
     .arity = -6,
     .flags = kWrite | kDenyOom | kMovableKeys,
     .group = Group::kGeo,
     .keys = {Keys::At(1).Access(kKeyRo | kKeyAccess)},
     .args = kGeoradiusArgs,
     .since = "0.1.0",
     .complexity = kSearchComplexity,
     .summary = "Returns, or stores, the members around a place.",
     .run = &WriteSearch<SearchForm::kRadius>,
     .reserve = &RadiusReserve,
     .deprecated_since = "0.1.0",
     .replaced_by = "`GEOSEARCH` and `GEOSEARCHSTORE` with the `BYRADIUS` argument"},
    {.name = "georadius_ro",
     .arity = -6,
     .flags = kReadonly,
     .group = Group::kGeo,
     .keys = {Keys::At(1).Access(kKeyRo | kKeyAccess)},
     .args = kGeoradiusRoArgs,
     .since = "0.1.0",
     .complexity = kSearchComplexity,
     .summary = "Returns the members around a place.",
     .run = &ReadSearch<SearchForm::kRadius>,
     .deprecated_since = "0.1.0",
     .replaced_by = "`GEOSEARCH` with the `BYRADIUS` argument"},
    {.name = "georadiusbymember",
     .arity = -5,
     .flags = kWrite | kDenyOom | kMovableKeys,
     .group = Group::kGeo,
     .keys = {Keys::At(1).Access(kKeyRo | kKeyAccess)},
     .args = kByMemberArgs,
     .since = "0.1.0",
     .complexity = kSearchComplexity,
     .summary = "Returns, or stores, the members around a member.",
     .run = &WriteSearch<SearchForm::kRadiusByMember>,
     .reserve = &RadiusReserve,
     .deprecated_since = "0.1.0",
     .replaced_by =
         "`GEOSEARCH` and `GEOSEARCHSTORE` with the `BYRADIUS` and `FROMMEMBER` arguments"},
    {.name = "georadiusbymember_ro",
     .arity = -5,
     .flags = kReadonly,
     .group = Group::kGeo,
     .keys = {Keys::At(1).Access(kKeyRo | kKeyAccess)},
     .args = kByMemberRoArgs,
     .since = "0.1.0",
     .complexity = kSearchComplexity,
     .summary = "Returns the members around a member.",
     .run = &ReadSearch<SearchForm::kRadiusByMember>,
     .deprecated_since = "0.1.0",
     .replaced_by = "`GEOSEARCH` with the `BYRADIUS` and `FROMMEMBER` arguments"},
};
static_assert(CommandRowsProblem(kRows) == nullptr);

}  // namespace

const CommandFamily kGeoCommands = kRows;

}  // namespace verso::server
