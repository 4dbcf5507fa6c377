// Reads a server address of the form redis://[user[:password]@]host[:port][/db].
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "client/include/verso/result.h"

namespace verso::cli {

struct Uri {
  std::optional<std::string> user;
  std::optional<std::string> password;  // "redis://secret@host" is a password without a user
  std::string host;                     // empty: not given
  std::optional<uint16_t> port;
  std::optional<int> db;
};

// User and password may be percent-encoded; an IPv6 address stands in brackets.
// Fails: kArgument.
client::Result<Uri> ParseUri(std::string_view text);

}  // namespace verso::cli
