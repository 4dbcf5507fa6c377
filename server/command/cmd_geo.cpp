// GEO commands on single members: places are the scores of a sorted set (geohash.h). Searching is
// in cmd_geo_search.cpp.
#include <vector>

#include "server/command/arg_reader.h"
#include "server/command/command_families.h"
#include "server/command/geo_words.h"
#include "server/command/string_reply.h"
#include "server/command/zset_elements.h"

namespace verso::server {
namespace {

using storage::Key;
using storage::ReadView;
using storage::ValueView;
using storage::WriteView;
using storage::ZsetWriter;

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
  if (IsWrongType(zset, storage::ValueType::kZset)) return context.Fail(error::kWrongType);
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
  const bool there = zset && !IsWrongType(zset, storage::ValueType::kZset);
  return storage::ZsetEstimate(view.arena(), there ? &*zset : nullptr, context.size() / 3, bytes);
}

Outcome Geopos(const ReadView& view, CommandContext& context) {
  const std::optional<ValueView> zset = context.Lookup(view, context.KeyAt(view, 1));
  if (IsWrongType(zset, storage::ValueType::kZset)) return context.Fail(error::kWrongType);
  context.reply().Array(context.size() - 2);
  for (size_t i = 2; i < context.size(); ++i) {
    const std::optional<GeoPlace> place = PlaceOf(view, zset, context[i]);
    place ? ReplyPlace(context.reply(), *place) : context.reply().NullArray();
  }
  return Outcome::kDone;
}

Outcome Geohash(const ReadView& view, CommandContext& context) {
  const std::optional<ValueView> zset = context.Lookup(view, context.KeyAt(view, 1));
  if (IsWrongType(zset, storage::ValueType::kZset)) return context.Fail(error::kWrongType);
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
  if (IsWrongType(zset, storage::ValueType::kZset)) return context.Fail(error::kWrongType);
  const std::optional<GeoPlace> a = PlaceOf(view, zset, context[2]);
  const std::optional<GeoPlace> b = PlaceOf(view, zset, context[3]);
  if (a && b) {
    ReplyDistance(context.reply(), GeoDistance(*a, *b) / unit);
  } else {
    context.reply().Null();
  }
  return Outcome::kDone;
}

// ---- rows

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
    {.name = "unit", .type = ArgType::kOneOf, .flags = kOptional, .args = kGeoUnits},
};

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
};
static_assert(CommandRowsProblem(kRows) == nullptr);

}  // namespace

const CommandFamily kGeoCommands = kRows;

}  // namespace verso::server
