// A reply as the type that a command promises; another type is an Error of code kType.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "client/include/verso/reply.h"
#include "client/include/verso/result.h"

namespace verso::client {

Error UnexpectedReply(std::string_view command);
Result<int64_t> ToInteger(std::string_view command, Result<Reply> reply);
Result<bool> ToFlag(std::string_view command, Result<Reply> reply);
Result<std::string> ToText(std::string_view command, Result<Reply> reply);
// Whatever the reply is, if it is none of an error.
Result<void> ToDone(Result<Reply> reply);

}  // namespace verso::client
