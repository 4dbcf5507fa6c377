// A named field of a map in a reply.
#pragma once

#include <concepts>
#include <string_view>

#include "server/resp/reply.h"
#include "storage/base/bytes.h"

namespace verso::server {

void Named(ReplyWriter& reply, std::string_view name, std::integral auto number) {
  reply.Bulk(name);
  reply.Integer(static_cast<int64_t>(number));
}

inline void Named(ReplyWriter& reply, std::string_view name, ByteView text) {
  reply.Bulk(name);
  reply.Bulk(text);
}

}  // namespace verso::server
