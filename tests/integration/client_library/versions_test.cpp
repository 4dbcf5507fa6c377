// The C++ client's snapshots, branches and transactions against a real server, which
// tests/integration/test_client_library.py starts; its port is in VERSO_PORT.
#include "client/include/verso/versions.h"

#include <catch2/catch.hpp>
#include <cstdlib>
#include <optional>
#include <string>

namespace verso {
namespace {

using client::Result;

Client Connected() {
  Client::Options options;
  options.port = static_cast<uint16_t>(std::atoi(std::getenv("VERSO_PORT")));
  options.command_timeout = std::chrono::seconds(60);
  auto client = Client::Connect(options);
  REQUIRE(client);
  return *std::move(client);
}

std::string Text(const Result<std::optional<std::string>>& value) {
  REQUIRE(value);
  return value->value_or("(none)");
}

size_t CountOf(Client& client, std::string_view family) {
  auto list = client.Command(family, "LIST");
  REQUIRE(list);
  return list->elements().size();
}

TEST_CASE("a snapshot goes with its object, unless it is kept") {
  Client client = Connected();
  REQUIRE(client.Set("k", "then"));
  {
    auto snapshot = Snapshot::Create(client, "mine");
    REQUIRE(snapshot);
    CHECK(snapshot->version() > 0);
    REQUIRE(client.Set("k", "now"));
    auto then = snapshot->Read("GET", "k");
    REQUIRE(then);
    CHECK(then->text() == "then");
    CHECK(!snapshot->Read("SET", "k", "x"));
    Snapshot moved = *std::move(snapshot);
    CHECK(CountOf(client, "SNAPSHOT") == 1);
  }
  CHECK(CountOf(client, "SNAPSHOT") == 0);
  {
    Snapshot::Options options;
    options.from = "main";
    options.ttl = std::chrono::seconds(1000);
    auto kept = Snapshot::Create(client, "kept", options);
    REQUIRE(kept);
    auto taken = Snapshot::Create(client, "kept", options);
    REQUIRE(!taken);
    CHECK(taken.error().message.starts_with("BUSYNAME"));
    options.replace = true;
    auto replaced = Snapshot::Create(client, "kept", options);
    REQUIRE(replaced);
    replaced->Keep();
    kept->Keep();
  }
  CHECK(CountOf(client, "SNAPSHOT") == 1);
  REQUIRE(client.Command("SNAPSHOT", "DROP", "kept"));
}

TEST_CASE("a branch is visited and left again") {
  Client client = Connected();
  REQUIRE(client.Set("k", "main"));
  {
    auto branch = Branch::Create(client, "side");
    REQUIRE(branch);
    {
      auto visit = branch->Enter();
      REQUIRE(visit);
      REQUIRE(client.Set("k", "side"));
      CHECK(Text(client.Get("k")) == "side");
    }
    CHECK(Text(client.Get("k")) == "main");
    auto visit = branch->Enter();
    REQUIRE(visit);
    CHECK(visit->Leave());
    CHECK(Text(client.Get("k")) == "main");
    CHECK(CountOf(client, "BRANCH") == 2);
  }
  CHECK(CountOf(client, "BRANCH") == 1);
  auto none = Branch::Create(client, "other", "nowhere");
  REQUIRE(!none);
  CHECK(none.error().message.starts_with("NOREF"));
}

TEST_CASE("a read transaction sees one state and refuses writes") {
  Client client = Connected();
  Client other = Connected();
  REQUIRE(client.Set("k", "1"));
  {
    auto reading = ReadTransaction::Begin(client);
    REQUIRE(reading);
    CHECK(reading->version() > 0);
    REQUIRE(other.Set("k", "2"));
    CHECK(Text(client.Get("k")) == "1");
    auto refused = client.Set("k", "3");
    REQUIRE(!refused);
    CHECK(refused.error().message.starts_with("VIEWREADONLY"));
  }
  CHECK(Text(client.Get("k")) == "2");
  auto snapshot = Snapshot::Create(client, "two");
  REQUIRE(snapshot);
  REQUIRE(other.Set("k", "4"));
  auto reading = ReadTransaction::Begin(client, "two");
  REQUIRE(reading);
  CHECK(Text(client.Get("k")) == "2");
  CHECK(reading->End());
  CHECK(Text(client.Get("k")) == "4");
}

TEST_CASE("a transaction commits as a whole, conflicts, or leaves no trace") {
  Client client = Connected();
  Client other = Connected();
  REQUIRE(client.Set("k", "0"));
  {
    auto transaction = Transaction::Begin(client);
    REQUIRE(transaction);
    REQUIRE(client.Set("k", "forgotten"));
  }
  CHECK(Text(client.Get("k")) == "0");

  auto transaction = Transaction::Begin(client);
  REQUIRE(transaction);
  REQUIRE(client.Set("k", "mine"));
  REQUIRE(other.Set("k", "theirs"));
  auto version = transaction->Commit();
  REQUIRE(!version);
  CHECK(IsConflict(version.error()));
  CHECK(Text(client.Get("k")) == "theirs");

  Transaction::Options options;
  options.isolation = Transaction::Isolation::kSerializable;
  options.timeout = std::chrono::seconds(100);
  auto second = Transaction::Begin(client, options);
  REQUIRE(second);
  CHECK(Text(client.Get("k")) == "theirs");
  REQUIRE(client.Set("unrelated", "x"));
  REQUIRE(other.Set("k", "read by the transaction"));
  version = second->Commit();
  REQUIRE(!version);
  CHECK(IsConflict(version.error()));
}

TEST_CASE("RunTransaction repeats after conflicts and gives up after the attempts") {
  Client client = Connected();
  Client other = Connected();
  REQUIRE(client.Set("n", "10"));
  int runs = 0;
  auto add_one = [&](Client& c) -> Result<void> {
    auto before = c.Get("n");
    if (!before) return before.error();
    if (++runs <= 2) REQUIRE(other.Incr("n", 100));
    auto written = c.Set("n", std::to_string(std::stoi(**before) + 1));
    if (!written) return written.error();
    return {};
  };
  auto version = RunTransaction(client, add_one);
  REQUIRE(version);
  CHECK(*version > 0);
  CHECK(runs == 3);
  CHECK(Text(client.Get("n")) == "211");

  runs = 0;
  auto beaten = RunTransaction(client, add_one, {}, 2);
  REQUIRE(!beaten);
  CHECK(IsConflict(beaten.error()));
  CHECK(runs == 2);

  auto failing = [](Client& c) -> Result<void> {
    REQUIRE(c.Set("n", "0"));
    auto wrong = c.Command("LPUSH", "n", "x");
    REQUIRE(!wrong);
    return wrong.error();
  };
  auto failed = RunTransaction(client, failing);
  REQUIRE(!failed);
  CHECK(failed.error().message.starts_with("WRONGTYPE"));
  CHECK(Text(client.Get("n")) == "411");
}

}  // namespace
}  // namespace verso
