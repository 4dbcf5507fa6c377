#include "client/cli/command_docs.h"

#include <catch2/catch.hpp>
#include <utility>

namespace verso::cli {
namespace {

using Kind = Reply::Kind;

Reply String(std::string text) { return Reply::Text(Kind::kString, std::move(text)); }
Reply Array(std::vector<Reply> elements) {
  return Reply::Aggregate(Kind::kArray, std::move(elements));
}

struct ArgumentSpec {
  std::string name;
  std::string type;
  std::string token;
  std::vector<std::string> flags;
  std::vector<Reply> members;
};

// An argument as the server describes it; token "-" stands for none.
Reply Argument(const ArgumentSpec& spec) {
  std::vector<Reply> fields = {String("name"), String(spec.name), String("type"),
                               String(spec.type)};
  if (spec.token != "-") {
    fields.push_back(String("token"));
    fields.push_back(String(spec.token));
  }
  if (!spec.flags.empty()) {
    std::vector<Reply> flags;
    for (const std::string& flag : spec.flags) flags.push_back(Reply::Text(Kind::kStatus, flag));
    fields.push_back(String("flags"));
    fields.push_back(Array(std::move(flags)));
  }
  if (!spec.members.empty()) {
    fields.push_back(String("arguments"));
    fields.push_back(Array(spec.members));
  }
  return Array(std::move(fields));
}

Reply Doc(std::vector<Reply> arguments) {
  return Array({String("summary"), String("Does it."), String("since"), String("1.0.0"),
                String("group"), String("string"), String("arguments"),
                Array(std::move(arguments))});
}

CommandDocs SampleDocs(Kind top_kind) {
  const Reply set = Doc({
      Argument({"key", "key", "-", {}, {}}),
      Argument({"value", "string", "-", {}, {}}),
      Argument({"condition",
                "oneof",
                "-",
                {"optional"},
                {Argument({"nx", "pure-token", "NX", {}, {}}),
                 Argument({"xx", "pure-token", "XX", {}, {}})}}),
      Argument({"seconds", "integer", "EX", {"optional"}, {}}),
  });
  const Reply del = Doc({Argument({"key", "key", "-", {"multiple"}, {}})});
  const Reply config =
      Array({String("summary"), String("A container."), String("subcommands"),
             Array({String("config|get"), Doc({Argument({"parameter", "string", "-", {}, {}})})})});
  return CommandDocs::FromDocs(Reply::Aggregate(
      top_kind, {String("set"), set, String("del"), del, String("config"), config}));
}

TEST_CASE("command docs: syntax of RESP2 and RESP3 replies") {
  for (Kind kind : {Kind::kArray, Kind::kMap}) {
    const CommandDocs docs = SampleDocs(kind);
    REQUIRE(docs.all().size() == 4);
    REQUIRE(docs.Find({"set"}) != nullptr);
    CHECK(docs.Find({"set"})->Syntax() == "SET key value [NX | XX] [EX seconds]");
    CHECK(docs.Find({"SET", "k"})->summary == "Does it.");
    CHECK(docs.Find({"del"})->Syntax() == "DEL key [key ...]");
    CHECK(docs.Find({"config", "GET", "x"})->Syntax() == "CONFIG GET parameter");
    CHECK(docs.Find({"config", "nosuch"})->name == "CONFIG");
    CHECK(docs.Find({"nosuch"}) == nullptr);
    CHECK(docs.Find({}) == nullptr);
  }
}

TEST_CASE("command docs: completion") {
  const CommandDocs docs = SampleDocs(Kind::kMap);
  CHECK(docs.Complete("") == std::vector<std::string>{"CONFIG", "DEL", "SET"});
  CHECK(docs.Complete("co") == std::vector<std::string>{"CONFIG"});
  CHECK(docs.Complete("config ") == std::vector<std::string>{"CONFIG GET"});
  CHECK(docs.Complete("x").empty());
}

TEST_CASE("command docs: the hint shortens as arguments are typed") {
  const CommandDocs docs = SampleDocs(Kind::kMap);
  CHECK(docs.Hint({"set"}) == "key value [NX | XX] [EX seconds]");
  CHECK(docs.Hint({"set", "k"}) == "value [NX | XX] [EX seconds]");
  CHECK(docs.Hint({"set", "k", "v", "NX"}) == "[NX | XX] [EX seconds]");
  CHECK(docs.Hint({"config", "get"}) == "parameter");
  CHECK(docs.Hint({"config", "get", "x"}) == "");
  CHECK(docs.Hint({"nosuch"}) == "");
}

TEST_CASE("command docs: names and arity from COMMAND alone") {
  const auto row = [](std::string name, int64_t arity, std::vector<Reply> subcommands) {
    std::vector<Reply> columns = {String(std::move(name)), Reply::Integer(arity)};
    columns.resize(9);
    columns.push_back(Array(std::move(subcommands)));
    return Array(std::move(columns));
  };
  const CommandDocs docs = CommandDocs::FromTable(
      Array({row("get", 2, {}), row("set", -3, {}), row("config", -2, {row("config|get", -3, {})}),
             Array({}), Reply::Integer(1)}));
  REQUIRE(docs.all().size() == 4);
  CHECK(docs.Find({"get"})->Syntax() == "GET arg");
  CHECK(docs.Find({"set"})->Syntax() == "SET arg arg [arg ...]");
  CHECK(docs.Find({"config", "get"})->Syntax() == "CONFIG GET arg [arg ...]");
}

}  // namespace
}  // namespace verso::cli
