// Turns replies into the text that verso-cli prints.
//
//     kTty   for people:   (integer) 3, 1) "a", 1# "field" => "value"
//     kRaw   for programs: bytes as they are, one element a line
//     kCsv   one line of comma-separated values
//     kJson  one JSON value (json.h)
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "client/include/verso/reply.h"

namespace verso::cli {

enum class Format : uint8_t { kTty, kRaw, kCsv, kJson };

// The text of one reply with the line end that separates it from the next.
std::string FormatReply(const Reply& reply, Format format);

// Double-quoted, control characters and bytes outside ASCII escaped: what SplitArgs reads back.
std::string QuoteText(std::string_view text);

}  // namespace verso::cli
