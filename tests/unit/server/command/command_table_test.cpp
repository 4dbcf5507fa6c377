#include "server/command/command_table.h"

#include <catch2/catch.hpp>
#include <set>

namespace verso::server {
namespace {

using Names = std::vector<std::string_view>;

TEST_CASE("command table: every name is found in any case, near misses are not") {
  const CommandTable& table = CommandTable::Get();
  for (const CommandEntry* entry : table.commands()) {
    std::string upper = entry->full_name;
    for (char& c : upper) c = static_cast<char>(std::toupper(c));
    CHECK(table.Find(entry->full_name) == entry);
    CHECK(table.Find(upper) == entry);
    CHECK(table.Find(entry->full_name + "~") == nullptr);
    CHECK(table.Find(entry->full_name.substr(1)) != entry);
    for (const CommandEntry* subcommand : entry->subcommands) {
      CHECK(table.FindFull(subcommand->full_name) == subcommand);
    }
  }
  CHECK(table.Find("") == nullptr);
  CHECK(table.Find(std::string(300, 'a')) == nullptr);
  // Bytes that differ from letters in the case bit only: '@' and '`', '[' and '{'.
  CHECK(table.Find("g\x45t") == table.Find("get"));
  CHECK(table.Find(std::string_view("g\x05t", 3)) == nullptr);
}

TEST_CASE("command table: indices are dense and unique") {
  std::set<size_t> seen;
  for (const CommandEntry& entry : CommandTable::Get().entries()) seen.insert(entry.index);
  CHECK(seen.size() == CommandTable::Get().entries().size());
  CHECK(*seen.rbegin() + 1 == seen.size());
}

TEST_CASE("ACL categories are those of Redis") {
  const auto categories = [](std::string_view name) {
    return AclCategories(*CommandTable::Get().FindFull(name)->row);
  };
  CHECK(categories("get") == Names{"fast", "read", "string"});
  CHECK(categories("set") == Names{"slow", "string", "write"});
  CHECK(categories("setbit") == Names{"bitmap", "slow", "write"});
  CHECK(categories("del") == Names{"keyspace", "slow", "write"});
  CHECK(categories("keys") == Names{"dangerous", "keyspace", "read", "slow"});
  CHECK(categories("flushall") == Names{"dangerous", "keyspace", "slow", "write"});
  CHECK(categories("dbsize") == Names{"fast", "keyspace", "read"});
  CHECK(categories("info") == Names{"dangerous", "slow"});
  CHECK(categories("ping") == Names{"connection", "fast"});
  CHECK(categories("auth") == Names{"connection", "fast"});
  CHECK(categories("client|kill") == Names{"admin", "connection", "dangerous", "slow"});
  CHECK(categories("config|set") == Names{"admin", "dangerous", "slow"});
  CHECK(categories("bgsave") == Names{"admin", "dangerous", "slow"});
}

TEST_CASE("keys are found by the rows' key specs") {
  using Indices = std::vector<size_t>;
  const auto keys = [](std::string_view name, std::vector<std::string_view> arguments) {
    std::vector<KeyPosition> found;
    Indices indices;
    if (!FindKeys(*CommandTable::Get().FindFull(name)->row, arguments, &found)) return Indices{0};
    for (const KeyPosition& key : found) indices.push_back(key.index);
    return indices;
  };
  const Indices invalid = {0};
  CHECK(keys("get", {"GET", "k"}) == Indices{1});
  CHECK(keys("mget", {"MGET", "a", "b", "c"}) == Indices{1, 2, 3});
  CHECK(keys("mset", {"MSET", "a", "1", "b", "2", "c", "3"}) == Indices{1, 3, 5});
  CHECK(keys("rename", {"RENAME", "a", "b"}) == Indices{1, 2});
  CHECK(keys("memory|usage", {"MEMORY", "USAGE", "a"}) == Indices{2});
  CHECK(keys("blpop", {"BLPOP", "a", "b", "0"}) == Indices{1, 2});

  CHECK(keys("zunion", {"ZUNION", "2", "a", "b", "WITHSCORES"}) == Indices{2, 3});
  CHECK(keys("zunionstore", {"ZUNIONSTORE", "t", "2", "a", "b"}) == Indices{1, 3, 4});
  CHECK(keys("zunionstore", {"ZUNIONSTORE", "t", "3", "a", "b"}) == invalid);
  CHECK(keys("zunionstore", {"ZUNIONSTORE", "t", "0", "a"}) == invalid);
  CHECK(keys("zunionstore", {"ZUNIONSTORE", "t", "9223372036854775807", "a"}) == invalid);
  CHECK(keys("lmpop", {"LMPOP", "nan", "a", "LEFT"}) == invalid);
  CHECK(keys("bzmpop", {"BZMPOP", "0", "1", "a", "MIN"}) == Indices{3});

  CHECK(keys("xread", {"XREAD", "COUNT", "2", "streams", "a", "b", "0", "0"}) == Indices{4, 5});
  CHECK(keys("xread", {"XREAD", "BLOCK", "0", "x"}).empty());
  CHECK(keys("xreadgroup", {"XREADGROUP", "GROUP", "STREAMS", "c", "STREAMS", "a", ">"}) ==
        Indices{5});
  CHECK(keys("georadius", {"GEORADIUS", "g", "1", "2", "3", "m", "STOREDIST", "t"}) ==
        Indices{1, 7});
  CHECK(keys("georadius", {"GEORADIUS", "g", "1", "2", "3", "m", "STORE"}) == Indices{1});
}

TEST_CASE("the README's table has a line for each command that can be called") {
  const std::string text = CommandTable::Get().Markdown();
  CHECK(text.find("| `GET` | string | O(1) |") != std::string::npos);
  CHECK(text.find("| `CONFIG SET` |") != std::string::npos);
  CHECK(text.find("| `CONFIG` |") == std::string::npos);
}

}  // namespace
}  // namespace verso::server
