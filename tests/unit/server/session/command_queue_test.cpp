// A queue keeps what the requests said, whatever becomes of the bytes they came in.
#include "server/session/command_queue.h"

#include <catch2/catch.hpp>
#include <string>

namespace verso::server {
namespace {

TEST_CASE("queue: copies, in order, and all given back at once") {
  CommandQueue queue;
  for (int i = 0; i < 1000; ++i) {
    std::string key = "key:" + std::to_string(i);
    std::string value(static_cast<size_t>(i % 50) * 100, 'v');
    const ByteView words[] = {"set", key, value};
    Request request;
    request.arguments = words;
    request.bytes = key.size() + value.size();
    request.hashed_index = 1;
    request.hash = static_cast<uint64_t>(i);
    queue.Add(request);
    key.assign(key.size(), 'x');
    value.assign(value.size(), 'x');
  }
  REQUIRE(queue.size() == 1000);
  int i = 0;
  for (const Request& request : queue) {
    REQUIRE(request.arguments.size() == 3);
    CHECK(request.arguments[0] == "set");
    CHECK(request.arguments[1] == "key:" + std::to_string(i));
    CHECK(request.arguments[2] == std::string(static_cast<size_t>(i % 50) * 100, 'v'));
    CHECK(request.hash == static_cast<uint64_t>(i));
    ++i;
  }
  CHECK(queue.memory_bytes() > 1000 * 2450);
  queue.Clear();
  CHECK(queue.empty());
  CHECK(queue.memory_bytes() == 0);
}

TEST_CASE("queue: a request without bytes, and one rewritten") {
  CommandQueue queue;
  const ByteView words[] = {"", "b", ""};
  Request request;
  request.arguments = words;
  queue.Add(request);
  queue.Add(request);
  queue.Rewrite(0, 1, "longer than before");
  CHECK(queue[0].arguments[0].empty());
  CHECK(queue[0].arguments[1] == "longer than before");
  CHECK(queue[1].arguments[1] == "b");
}

}  // namespace
}  // namespace verso::server
