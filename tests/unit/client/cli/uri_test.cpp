#include "client/cli/uri.h"

#include <catch2/catch.hpp>

namespace verso::cli {
namespace {

TEST_CASE("uri: all parts") {
  const auto uri = ParseUri("redis://ada:p%40ss%3a@example.org:7000/3");
  REQUIRE(uri);
  CHECK(uri->user == "ada");
  CHECK(uri->password == "p@ss:");
  CHECK(uri->host == "example.org");
  CHECK(uri->port == 7000);
  CHECK(uri->db == 3);
}

TEST_CASE("uri: parts may be missing") {
  CHECK(ParseUri("redis://host")->host == "host");
  CHECK(!ParseUri("redis://host")->port);
  CHECK(!ParseUri("redis://host/")->db);
  CHECK(ParseUri("redis:///5")->host == "");
  CHECK(ParseUri("redis:///5")->db == 5);
  CHECK(ParseUri("redis://secret@host")->password == "secret");
  CHECK(!ParseUri("redis://secret@host")->user);
  CHECK(ParseUri("redis://:secret@host")->password == "secret");
  CHECK(!ParseUri("redis://:secret@host")->user);
  CHECK(ParseUri("redis://u:a@b@host")->password == "a@b");
  CHECK(ParseUri("redis://host/2?x=y")->db == 2);
  CHECK(ParseUri("redis://[::1]:7000/1")->host == "::1");
  CHECK(ParseUri("redis://[::1]:7000/1")->port == 7000);
}

TEST_CASE("uri: what is refused") {
  for (const char* text :
       {"", "host", "http://host", "rediss://host", "redis://host:port", "redis://host:70000",
        "redis://host:", "redis://host/x", "redis://host/-1", "redis://[::1", "redis://[::1]x",
        "redis://u:%4@host", "redis://u:%zz@host"}) {
    INFO(text);
    CHECK(!ParseUri(text));
  }
}

}  // namespace
}  // namespace verso::cli
