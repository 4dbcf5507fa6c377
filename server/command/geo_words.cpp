#include "server/command/geo_words.h"

#include <cstdio>

#include "server/command/arg_reader.h"

namespace verso::server {
namespace {

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

}  // namespace

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

std::optional<GeoPlace> PlaceOf(const storage::ReadView& view,
                                const std::optional<storage::ValueView>& zset, ByteView member) {
  if (!zset) return std::nullopt;
  const std::optional<double> score = storage::ZsetScore(view, *zset, member);
  if (!score || !(*score >= 0) || *score >= 0x1p63) return std::nullopt;
  return GeoDecode(static_cast<uint64_t>(*score));
}

}  // namespace verso::server
