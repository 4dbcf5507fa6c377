// The parser against arbitrary bytes in arbitrary pieces: whole and in pieces it must say the same,
// and never read outside its buffer. The first byte chooses the size of the pieces and whether the
// client is a stranger.
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>

#include "server/resp/parser.h"

namespace {

using verso::server::ParseLimits;
using verso::server::ParseStatus;
using verso::server::RequestParser;

// Everything that was parsed, as one text.
std::string Run(const uint8_t* data, size_t size, size_t piece, const ParseLimits& limits) {
  RequestParser parser;
  std::string seen;
  std::string pending;
  std::vector<std::string_view> arguments;
  size_t at = 0;
  while (at < size) {
    const size_t take = std::min(piece, size - at);
    pending.append(reinterpret_cast<const char*>(data) + at, take);
    at += take;
    while (true) {
      // A buffer of exactly this size, so that the sanitizer sees a step outside.
      const std::unique_ptr<char[]> buffer(new char[pending.size()]);
      std::memcpy(buffer.get(), pending.data(), pending.size());
      arguments.clear();
      const ParseStatus status = parser.Next(buffer.get(), pending.size(), limits, &arguments);
      if (status == ParseStatus::kError) return seen + "!" + std::string(parser.error());
      if (parser.consumed() > pending.size()) std::abort();
      if (status == ParseStatus::kIncomplete) {
        if (!arguments.empty()) std::abort();
        pending.erase(0, parser.consumed());
        break;
      }
      for (const std::string_view argument : arguments) {
        seen += std::to_string(argument.size()) + ":" + std::string(argument) + " ";
      }
      seen += "\n";
      pending.erase(0, parser.consumed());
    }
  }
  return seen;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 2 || size > 200000) return 0;
  ParseLimits limits;
  limits.authenticated = (data[0] & 1) != 0;
  limits.bulk_bytes_max = 1 << 20;
  const size_t piece = size_t{1} << (data[0] >> 1 & 15);
  if (Run(data + 1, size - 1, size, limits) != Run(data + 1, size - 1, piece, limits)) std::abort();
  return 0;
}
