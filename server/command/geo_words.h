// What the GEO commands share: places and units among arguments, places and distances in replies.
#pragma once

#include <optional>

#include "server/command/command_context.h"
#include "server/command/geohash.h"
#include "storage/types/zset.h"

namespace verso::server {

// Longitude and latitude from two arguments. False, as for ReadUnit: the error is replied.
bool ReadPlace(CommandContext& context, size_t at, GeoPlace* place);
// M, KM, FT, MI.
bool ReadUnit(CommandContext& context, ByteView text, double* metres);

void ReplyPlace(ReplyWriter& reply, const GeoPlace& place);
void ReplyDistance(ReplyWriter& reply, double distance);

// nullopt: no such sorted set or member, or its score is no place.
std::optional<GeoPlace> PlaceOf(const storage::ReadView& view,
                                const std::optional<storage::ValueView>& zset, ByteView member);

inline constexpr ArgSpec kGeoUnits[] = {
    {.name = "m", .type = ArgType::kPureToken, .token = "M"},
    {.name = "km", .type = ArgType::kPureToken, .token = "KM"},
    {.name = "ft", .type = ArgType::kPureToken, .token = "FT"},
    {.name = "mi", .type = ArgType::kPureToken, .token = "MI"},
};

}  // namespace verso::server
