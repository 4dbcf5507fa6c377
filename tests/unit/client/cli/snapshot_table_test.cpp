#include "client/cli/snapshot_table.h"

#include <catch2/catch.hpp>

#include "client/cli/human_text.h"

namespace verso::cli {
namespace {

Reply Row(const std::string& name, int64_t created_ms, int64_t bytes, int64_t ttl_ms,
          int64_t saved) {
  const auto text = [](std::string value) {
    return Reply::Text(Reply::Kind::kString, std::move(value));
  };
  return Reply::Aggregate(
      Reply::Kind::kArray,
      {text("name"), text(name), text("branch"), text("main"), text("version"), Reply::Integer(7),
       text("created-ms"), Reply::Integer(created_ms), text("keys"), Reply::Integer(1234),
       text("unique-bytes"), Reply::Integer(bytes), text("ttl-ms"), Reply::Integer(ttl_ms),
       text("saved"), Reply::Integer(saved)});
}

TEST_CASE("Spans of time and sizes are told in words") {
  CHECK(SpanText(0) == "0 s");
  CHECK(SpanText(999) == "0 s");
  CHECK(SpanText(59'999) == "59 s");
  CHECK(SpanText(60'000) == "1 min");
  CHECK(SpanText(200'000) == "3 min 20 s");
  CHECK(SpanText(3'600'000) == "1 h");
  CHECK(SpanText(3'605'000) == "1 h");
  CHECK(SpanText(187'200'000) == "2 d 4 h");
  CHECK(BytesText(0) == "0 B");
  CHECK(BytesText(1023) == "1023 B");
  CHECK(BytesText(1'572'864) == "1.5 MB");
}

TEST_CASE("Snapshots are shown as a table") {
  const Reply list = Reply::Aggregate(
      Reply::Kind::kArray, {Row("before", 1'000, 2048, -1, 1), Row("x", 60'000, 0, 90'000, 0)});
  CHECK(SnapshotTable(list, 61'000) ==
        "NAME    BRANCH  VERSION    AGE  KEYS     OWN     GOES IN  SAVED\n"
        "before  main          7  1 min  1234  2.0 KB           -  yes\n"
        "x       main          7    1 s  1234     0 B  1 min 30 s  no\n");
  const Reply none = Reply::Aggregate(Reply::Kind::kArray, {});
  CHECK(SnapshotTable(none, 0) == "NAME  BRANCH  VERSION  AGE  KEYS  OWN  GOES IN  SAVED\n");
}

}  // namespace
}  // namespace verso::cli
