// Replies as JSON that every JSON parser accepts.
//
// Text that is UTF-8 stays as it is; control characters and bytes that are not UTF-8 become \u00XX.
// A map becomes an object (keys as text), a set or push an array, an infinite double a string, an
// error reply {"error": "..."}: redis-cli prints error:"..." there, which is not JSON.
#pragma once

#include <string>
#include <string_view>

#include "client/include/verso/reply.h"

namespace verso::cli {

std::string JsonText(const Reply& reply);
std::string JsonString(std::string_view text);

}  // namespace verso::cli
