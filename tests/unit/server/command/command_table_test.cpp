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
  const auto keys = [](std::string_view name, size_t arguments) {
    std::vector<KeyPosition> found;
    std::vector<size_t> indices;
    if (FindKeys(*CommandTable::Get().FindFull(name)->row, arguments, &found)) {
      for (const KeyPosition& key : found) indices.push_back(key.index);
    }
    return indices;
  };
  CHECK(keys("get", 2) == std::vector<size_t>{1});
  CHECK(keys("get", 3).empty());
  CHECK(keys("mget", 4) == std::vector<size_t>{1, 2, 3});
  CHECK(keys("mset", 7) == std::vector<size_t>{1, 3, 5});
  CHECK(keys("rename", 3) == std::vector<size_t>{1, 2});
  CHECK(keys("memory|usage", 3) == std::vector<size_t>{2});
}

TEST_CASE("the README's table has a line for each command that can be called") {
  const std::string text = CommandTable::Get().Markdown();
  CHECK(text.find("| `GET` | string | O(1) |") != std::string::npos);
  CHECK(text.find("| `CONFIG SET` |") != std::string::npos);
  CHECK(text.find("| `CONFIG` |") == std::string::npos);
}

}  // namespace
}  // namespace verso::server
