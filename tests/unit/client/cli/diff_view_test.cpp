#include "client/cli/diff_view.h"

#include <catch2/catch.hpp>

namespace verso::cli {
namespace {

Reply Text(std::string value) { return Reply::Text(Reply::Kind::kString, std::move(value)); }
Reply Row(const std::string& kind, const std::string& type) {
  return Reply::Aggregate(Reply::Kind::kArray, {Text(kind), Text("a \"key\""), Text(type)});
}

TEST_CASE("Differences are shown a line each") {
  CHECK(DiffLine(Row("add", "hash"), {}, {}, false) == "+ \"a \\\"key\\\"\"  hash\n");
  CHECK(DiffLine(Row("add", "string"), {}, Text("new"), false) ==
        "+ \"a \\\"key\\\"\"  string  \"new\"\n");
  CHECK(DiffLine(Row("del", "string"), Text(""), {}, false) ==
        "- \"a \\\"key\\\"\"  string  \"\"\n");
  CHECK(DiffLine(Row("mod", "string"), Text("old"), Text("a\nb"), false) ==
        "~ \"a \\\"key\\\"\"  string  \"old\" -> \"a\\nb\"\n");
  CHECK(DiffLine(Row("mod", "string"), {}, Text(std::string(61, 'x')), false) ==
        "~ \"a \\\"key\\\"\"  string  \"" + std::string(60, 'x') + "\"...\n");
  CHECK(DiffLine(Row("del", "set"), {}, {}, true) == "\x1b[31m- \"a \\\"key\\\"\"  set\x1b[0m\n");
  CHECK(DiffLine(Reply(), {}, {}, true) == "");
}

}  // namespace
}  // namespace verso::cli
