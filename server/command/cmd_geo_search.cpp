// Members inside a circle or a box: GEOSEARCH, GEOSEARCHSTORE, and the older GEORADIUS family.
#include <algorithm>
#include <string>
#include <vector>

#include "server/command/arg_reader.h"
#include "server/command/command_families.h"
#include "server/command/geo_words.h"
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

// ---- words: false, and the error is replied

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
  if (IsWrongType(zset, storage::ValueType::kZset)) {
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
size_t HitsReserve(const ReadView& view, const CommandContext& context, size_t source) {
  const std::optional<ValueView> zset =
      view.Find(context.KeyAt(view, source), storage::Access::kPeek);
  if (!zset || IsWrongType(zset, storage::ValueType::kZset)) return 0;
  return storage::ZsetEstimate(view.arena(), nullptr, storage::ZsetCount(view.arena(), *zset),
                               storage::ZsetMemberBytes(view.arena(), *zset));
}

size_t SearchstoreReserve(const ReadView& view, const CommandContext& context) {
  return HitsReserve(view, context, 2);
}

// GEORADIUS stores only if its words say so.
size_t RadiusReserve(const ReadView& view, const CommandContext& context) {
  for (size_t i = 5; i < context.size(); ++i) {
    if (EqualsIgnoreCase(context[i], "store") || EqualsIgnoreCase(context[i], "storedist")) {
      return HitsReserve(view, context, 1);
    }
  }
  return 0;
}

// ---- rows

constexpr ArgSpec kFromPlace[] = {{.name = "longitude", .type = ArgType::kDouble},
                                  {.name = "latitude", .type = ArgType::kDouble}};
constexpr ArgSpec kFrom[] = {
    {.name = "member", .token = "FROMMEMBER"},
    {.name = "fromlonlat", .type = ArgType::kBlock, .token = "FROMLONLAT", .args = kFromPlace},
};
constexpr ArgSpec kCircle[] = {{.name = "radius", .type = ArgType::kDouble, .token = "BYRADIUS"},
                               {.name = "unit", .type = ArgType::kOneOf, .args = kGeoUnits}};
constexpr ArgSpec kBox[] = {{.name = "width", .type = ArgType::kDouble, .token = "BYBOX"},
                            {.name = "height", .type = ArgType::kDouble},
                            {.name = "unit", .type = ArgType::kOneOf, .args = kGeoUnits}};
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
    {.name = "storekey", .type = ArgType::kKey, .token = "STORE", .key_spec = 1},
    {.name = "storedistkey", .type = ArgType::kKey, .token = "STOREDIST", .key_spec = 2},
};
constexpr ArgSpec kKeyArg = {.name = "key", .type = ArgType::kKey};
constexpr ArgSpec kLongitudeArg = {.name = "longitude", .type = ArgType::kDouble};
constexpr ArgSpec kLatitudeArg = {.name = "latitude", .type = ArgType::kDouble};
constexpr ArgSpec kMemberArg = {.name = "member"};
constexpr ArgSpec kRadiusArg = {.name = "radius", .type = ArgType::kDouble};
constexpr ArgSpec kUnitArg = {.name = "unit", .type = ArgType::kOneOf, .args = kGeoUnits};
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

constexpr Keys StoredBehind(std::string_view word, int search_from) {
  return Keys::Behind(word, search_from).Access(kKeyOw | kKeyUpdate);
}

constexpr CommandSpec kRows[] = {
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
     .reserve = &SearchstoreReserve},
    {.name = "georadius",
     .arity = -6,
     .flags = kWrite | kDenyOom | kMovableKeys,
     .group = Group::kGeo,
     .keys = {Keys::At(1).Access(kKeyRo | kKeyAccess), StoredBehind("store", 6),
              StoredBehind("storedist", 6)},
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
     .keys = {Keys::At(1).Access(kKeyRo | kKeyAccess), StoredBehind("store", 5),
              StoredBehind("storedist", 5)},
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

const CommandFamily kGeoSearchCommands = kRows;

}  // namespace verso::server
