#include "server/session/held_replies.h"

#include <catch2/catch.hpp>

namespace verso::server {
namespace {

TEST_CASE("held replies: bytes leave in order, as their sequence numbers come through") {
  HeldReplies held;
  CHECK(held.empty());
  CHECK(held.Limit(0) == ~uint64_t{0});
  held.Hold(100, 7);
  held.Hold(250, 9);
  CHECK(held.Limit(6) == 100);
  CHECK(held.Limit(7) == 250);
  held.Hold(250, 12);  // a later write behind the same position
  CHECK(held.Limit(9) == 250);
  CHECK(held.Limit(12) == ~uint64_t{0});
  CHECK(held.empty());
}

}  // namespace
}  // namespace verso::server
