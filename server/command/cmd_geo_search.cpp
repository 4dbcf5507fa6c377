// Members inside a circle or a box: GEOSEARCH, GEOSEARCHSTORE, and the older GEORADIUS family.
#include <algorithm>
#include <string>
#include <vector>

#include "server/command/arg_reader.h"
#include "server/command/command_families.h"
#include "server/command/element_reply.h"
#include "server/command/geo_finder.h"
#include "server/command/geo_words.h"
#include "server/command/string_reply.h"
#include "server/command/zset_elements.h"

namespace verso::server {
namespace {

using storage::Access;
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

struct Search : GeoQuery {
  bool with_distance = false;
  bool with_hash = false;
  bool with_place = false;
  size_t store_key = 0;  // index of the argument; 0: none
  bool store_distance = false;
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
      search->order = GeoOrder::kAscending;
    } else if (EqualsIgnoreCase(word, "desc")) {
      search->order = GeoOrder::kDescending;
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
  if (search->count != 0 && search->order == GeoOrder::kNone && !search->any) {
    search->order = GeoOrder::kAscending;
  }
  return true;
}

// The score of a member of the result: its place.
double ScoreOf(const ReadView& view, const ValueView& zset, const ValueView& member) {
  const std::optional<ByteView> whole = storage::StringContiguous(view.arena(), member);
  const std::string copy = whole ? std::string() : storage::StringCopy(view.arena(), member);
  return storage::ZsetScore(view, zset, whole ? *whole : ByteView(copy)).value_or(0);
}

// ---- replying

class SearchContinuation final : public Continuation {
 public:
  SearchContinuation(const Key& key, const Search& search)
      : key_(key.bytes), search_(search), finder_(search) {}

  bool Run(const ReadView& view, Slice& slice) override {
    const std::optional<ValueView> zset = view.Find(view.MakeKey(key_), Access::kPeek);
    if (!zset) {  // it expired between the command and the pin
      slice.reply().Array(0);
      return true;
    }
    while (!complete_) {
      if (slice.SpentNow()) return false;
      complete_ = finder_.Step(view, *zset);
      if (complete_) slice.reply().Array(finder_.count());
    }
    while (!slice.Spent()) {
      const std::optional<GeoFinder::Hit> hit = finder_.Next(view);
      if (!hit) return true;
      Reply(view, *zset, *hit, slice.reply());
    }
    return false;
  }

 private:
  void Reply(const ReadView& view, const ValueView& zset, const GeoFinder::Hit& hit,
             ReplyWriter& reply) const {
    const size_t width = 1 + search_.with_distance + search_.with_hash + search_.with_place;
    if (width > 1) reply.Array(width);
    ReplyString(reply, view.arena(), hit.member);
    if (search_.with_distance) ReplyDistance(reply, hit.distance);
    if (!search_.with_hash && !search_.with_place) return;
    const auto score = static_cast<uint64_t>(ScoreOf(view, zset, hit.member));
    if (search_.with_hash) reply.Integer(static_cast<int64_t>(score));
    if (search_.with_place) ReplyPlace(reply, GeoDecode(score));
  }

  std::string key_;
  Search search_;
  GeoFinder finder_;
  bool complete_ = false;
};

// Is it too much to be done at once? Tries it.
bool IsLong(const ReadView& view, const ValueView& zset, const Search& search) {
  if (storage::ZsetCount(view.arena(), zset) <= kElementsAtOnce) return false;
  GeoFinder finder(search);
  constexpr int kStepsAtOnce = 16;
  for (int i = 0; i < kStepsAtOnce; ++i) {
    if (finder.Step(view, zset)) return false;
  }
  return true;
}

Outcome ReplyFound(const ReadView& view, CommandContext& context, const Key& source,
                   const std::optional<ValueView>& zset, const Search& search) {
  if (!zset) {
    context.reply().Array(0);
    return Outcome::kDone;
  }
  auto work = std::make_unique<SearchContinuation>(source, search);
  if (IsLong(view, *zset, search)) return context.Yield(std::move(work));
  return RunAtOnce(view, context, *work);
}

// ---- storing

// What is made of a sorted set that is not small is made aside, few members as it may be.
bool IsLarge(const ReadView& view, const ValueView& zset) {
  return storage::ZsetCount(view.arena(), zset) > kElementsAtOnce;
}

KeyEvent StoreEvent(SearchForm form, uint64_t count) {
  return ZsetEvent(form == SearchForm::kSearchStore ? "geosearchstore" : "georadiusstore", count);
}

double ScoreToStore(const ReadView& view, const ValueView& zset, const Search& search,
                    const GeoFinder::Hit& hit) {
  return search.store_distance ? hit.distance : ScoreOf(view, zset, hit.member);
}

class StoreBuild final : public AsideStore {
 public:
  StoreBuild(const Key& source, const Search& search, SearchForm form, const ReadView& view,
             CommandContext& context)
      : AsideStore(context[search.store_key], view, StoreEvent(form, 0),
                   context.environment().limits),
        source_(source.bytes),
        search_(search),
        finder_(search) {}

  AsideStep Build(const ReadView& view, WriteView& aside, Slice& slice) override {
    const std::optional<ValueView> zset = view.Find(view.MakeKey(source_), Access::kPeek);
    if (!zset) return AsideStep::kDone;  // it expires at the moment of the pin
    while (!complete_) {
      if (slice.SpentNow()) return AsideStep::kMore;
      complete_ = finder_.Step(view, *zset);
    }
    std::vector<Scored> members;
    for (bool more = true; more;) {
      if (slice.SpentNow()) return AsideStep::kMore;
      members.clear();
      constexpr size_t kStep = 16;
      while (more && members.size() < kStep) {
        const std::optional<GeoFinder::Hit> hit = finder_.Next(view);
        more = hit.has_value();
        if (!more) break;
        members.push_back({storage::StringCopy(view.arena(), hit->member),
                           ScoreToStore(view, *zset, search_, *hit)});
      }
      if (!PutScored(aside, members)) return AsideStep::kNoRoom;
    }
    CountChanges();
    return AsideStep::kDone;
  }

 private:
  std::string source_;
  Search search_;
  GeoFinder finder_;
  bool complete_ = false;
};

Outcome StoreFound(WriteView& view, CommandContext& context, const Key& source,
                   const std::optional<ValueView>& zset, const Search& search, SearchForm form) {
  if (zset && IsLarge(view, *zset) && !context.in_unit()) {
    return context.BuildAside(std::make_unique<StoreBuild>(source, search, form, view, context));
  }
  const Key target = context.KeyAt(view, search.store_key);
  GeoFinder finder(search);
  while (zset && !finder.Step(view, *zset)) {
  }
  const uint64_t count = zset ? finder.count() : 0;
  context.reply().Integer(static_cast<int64_t>(count));
  if (count == 0) {
    view.Erase(target, kDelEvent);
    return Outcome::kDone;
  }
  ZsetWriter writer(view, target, std::nullopt, context.environment().limits);
  while (const std::optional<GeoFinder::Hit> hit = finder.Next(view)) {
    writer.Set(storage::StringCopy(view.arena(), hit->member),
               ScoreToStore(view, *zset, search, *hit));
  }
  writer.FinishAsNew(StoreEvent(form, count));
  return Outcome::kDone;
}

// ---- commands

struct Found {
  Key source;
  std::optional<ValueView> zset;
};

// Everything but looking. nullopt: the error is replied.
std::optional<Found> ReadSearchWords(const ReadView& view, CommandContext& context, SearchForm form,
                                     bool may_store, Search* search) {
  const size_t source = form == SearchForm::kSearchStore ? 2 : 1;
  if (form == SearchForm::kSearchStore) search->store_key = 1;
  Found found{context.KeyAt(view, source), std::nullopt};
  found.zset = context.Lookup(view, found.source);
  const std::optional<ValueView>& zset = found.zset;
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
  return found;
}

template <SearchForm kForm>
Outcome ReadSearch(const ReadView& view, CommandContext& context) {
  Search search;
  const std::optional<Found> found = ReadSearchWords(view, context, kForm, false, &search);
  if (!found) return Outcome::kDone;
  return ReplyFound(view, context, found->source, found->zset, search);
}

template <SearchForm kForm>
Outcome WriteSearch(WriteView& view, CommandContext& context) {
  Search search;
  const std::optional<Found> found = ReadSearchWords(view, context, kForm, true, &search);
  if (!found) return Outcome::kDone;
  if (search.store_key == 0) {
    return ReplyFound(view, context, found->source, found->zset, search);
  }
  return StoreFound(view, context, found->source, found->zset, search, kForm);
}

// The target has at most what the source has.
size_t HitsReserve(const ReadView& view, const CommandContext& context, size_t source) {
  const std::optional<ValueView> zset =
      view.Find(context.KeyAt(view, source), storage::Access::kPeek);
  if (!zset || IsWrongType(zset, storage::ValueType::kZset)) return 0;
  if (IsLarge(view, *zset) && !context.in_unit()) return 0;  // B4
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
    "O(N+log(M)) with N members in the cells around the shape and M in the sorted set, in slices "
    "that "
    "stall nobody";

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
