// RestorePlan: from the names in the log to the units that make a state.
#include "server/restore_plan.h"

#include <catch2/catch.hpp>
#include <initializer_list>
#include <string>

namespace verso::server {
namespace {

using Words = std::initializer_list<const char*>;

std::string Payload(std::initializer_list<Words> commands) {
  std::string payload;
  for (const Words& words : commands) {
    payload += "*" + std::to_string(words.size()) + "\r\n";
    for (const std::string word : words) {
      payload += "$" + std::to_string(word.size()) + "\r\n" + word + "\r\n";
    }
  }
  return payload;
}

// Unit number n happens at 1000 n ms.
struct Log {
  VersionLog versions;
  RestoreRequest request{.branch = "main", .snapshots = {}, .branches = {{"main", 1, 0}}};

  void Add(uint64_t sequence, std::initializer_list<Words> commands) {
    REQUIRE(versions.Add(sequence, sequence * 1000, Payload(commands)));
  }
  void Has(const char* snapshot, storage::LineId line, uint64_t taken_at) {
    request.snapshots.push_back({snapshot, line, taken_at * 1000});
  }
  RestorePlan Plan(uint64_t sequence) const {
    auto plan = versions.Plan(request, sequence, 0);
    if (!plan) FAIL(plan.error().context);
    return *plan;
  }
  std::string Refused(uint64_t sequence) const {
    const auto plan = versions.Plan(request, sequence, 0);
    REQUIRE_FALSE(plan.has_value());
    return plan.error().context;
  }
};

void CheckRange(const RestorePlan::Range& range, storage::LineId line, LogPoint after,
                LogPoint through) {
  CHECK(range.line == line);
  CHECK(range.after == after);
  CHECK(range.through == through);
}

}  // namespace

TEST_CASE("restore plan: the nearest snapshot at or before the record") {
  Log log;
  log.Add(3, {{"SNAPSHOT", "CREATE", "a", "FROM", "main"}});
  log.Add(5, {{"SNAPSHOT", "CREATE", "gone", "FROM", "main"}});
  log.Add(7, {{"SNAPSHOT", "CREATE", "b", "FROM", "main", "PXAT", "99"}});
  log.Add(8, {{"snapshot", "drop", "gone"}});
  log.Has("a", 1, 3);
  log.Has("b", 1, 7);
  RestorePlan plan = log.Plan(6);
  CHECK(plan.snapshot == "a");
  CHECK(plan.line == 1);
  REQUIRE(plan.ranges.size() == 1);
  CheckRange(plan.ranges[0], 1, {3, 0}, {6});
  CHECK(log.Plan(7).snapshot == "b");
  CHECK(log.Plan(3).snapshot == "a");
  CHECK(log.Plan(100).snapshot == "b");
  CHECK(log.Refused(2).find("no snapshot") != std::string::npos);
}

TEST_CASE("restore plan: a snapshot stands in the middle of its unit") {
  Log log;
  log.Add(4, {{"SET", "a", "1"}, {"SNAPSHOT", "CREATE", "s", "FROM", "main"}, {"SET", "a", "2"}});
  log.Has("s", 1, 4);
  CheckRange(log.Plan(9).ranges.at(0), 1, {4, 1}, {9});
}

TEST_CASE("restore plan: names are followed") {
  Log log;
  log.Add(2, {{"SNAPSHOT", "CREATE", "old", "FROM", "main"}});
  log.Add(3, {{"snapshot", "rename", "old", "new"}});
  log.Add(4, {{"SNAPSHOT", "CREATE", "copy", "FROM", "new"}});
  log.Add(6, {{"SNAPSHOT", "CREATE", "new", "FROM", "main", "REPLACE"}});
  log.Has("copy", 1, 2);
  log.Has("new", 1, 6);
  CHECK(log.Plan(5).snapshot == "copy");
  CheckRange(log.Plan(5).ranges.at(0), 1, {2, 0}, {5});
  CHECK(log.Plan(6).snapshot == "new");
  // One of the same name that was taken at another time is another one.
  log.request.snapshots[1].moment_ms = 1;
  CHECK(log.Plan(6).snapshot == "copy");
}

TEST_CASE("restore plan: through rollbacks and promotes") {
  Log log;
  log.Add(2, {{"SNAPSHOT", "CREATE", "base", "FROM", "main"}});
  log.Add(5, {{"SNAPSHOT", "CREATE", "rollback:9", "FROM", "main"},
              {"SNAPSHOT", "ROLLBACK", "base", "BRANCH", "main", "NOBACKUP", "LINE", "2"}});
  log.Add(8, {{"BRANCH", "CREATE", "side", "FROM", "main", "LINE", "3"}});
  log.Add(11, {{"branch", "promote", "side"}});
  log.request.branches = {{"main", 3, 0}, {"side", 2, 0}};
  log.Has("base", 1, 2);
  log.Has("rollback:9", 1, 5);
  CheckRange(log.Plan(4).ranges.at(0), 1, {2, 0}, {4});

  // In line 2 since record 5, which began as `base` was.
  RestorePlan plan = log.Plan(7);
  CHECK(plan.snapshot == "base");
  REQUIRE(plan.ranges.size() == 2);
  CheckRange(plan.ranges[0], 1, {2, 0}, {2, 0});
  CheckRange(plan.ranges[1], 2, {5, 1}, {7});

  // Line 3 since record 11, which grew from line 2 at record 8.
  plan = log.Plan(12);
  REQUIRE(plan.ranges.size() == 3);
  CheckRange(plan.ranges[1], 2, {5, 1}, {8, 0});
  CheckRange(plan.ranges[2], 3, {8, 0}, {12});

  log.request.branch = "side";
  CHECK(log.Refused(7).find("no branch 'side'") != std::string::npos);
  CheckRange(log.Plan(9).ranges.back(), 3, {8, 0}, {9});
  CheckRange(log.Plan(12).ranges.back(), 2, {5, 1}, {12});
}

TEST_CASE("restore plan: what was before the log begins is known from what is there now") {
  Log log;
  // `side` is from before the log.
  log.Add(2, {{"SNAPSHOT", "CREATE", "of-side", "FROM", "side"}});
  log.Add(3, {{"BRANCH", "PROMOTE", "side"}});
  log.Add(4, {{"BRANCH", "RENAME", "side", "other"}});
  log.request.branches = {{"main", 5, 0}, {"other", 1, 0}};
  log.Has("of-side", 5, 2);
  CHECK(log.Plan(4).snapshot == "of-side");
  CHECK(log.Plan(4).ranges.at(0).line == 5);
  CHECK_FALSE(log.Refused(2).empty());  // main was line 1 then, of which nothing is left
  log.request.branch = "side";
  CHECK(log.Plan(2).snapshot == "of-side");
  // A snapshot from before the log is of no use: nobody knows where it stands.
  log.Has("older", 5, 0);
  log.Add(6, {{"SNAPSHOT", "ROLLBACK", "older", "BRANCH", "main", "NOBACKUP", "LINE", "9"}});
  log.request.branches[0].line = 9;
  log.request.branch = "main";
  CHECK(log.Refused(7).find("SNAPSHOT ROLLBACK at record 6") != std::string::npos);
}

TEST_CASE("restore plan: imports are in the log from their beginning, restored branches are not") {
  Log log;
  log.Add(2, {{"SNAPSHOT", "IMPORT", "LINE", "4", "BEGIN"}});
  log.Add(5, {{"SNAPSHOT", "IMPORT", "LINE", "4", "AS", "begin"}});
  log.Add(6, {{"SNAPSHOT", "ROLLBACK", "begin", "BRANCH", "main", "NOBACKUP", "LINE", "5"}});
  log.Add(7, {{"SNAPSHOT", "DROP", "begin"}});
  log.Add(8, {{"RESTORE-TO", "3", "AS", "r", "LINE", "6", "OF", "main"}});
  log.request.branches = {{"main", 5, 0}, {"r", 6, 0}};
  const RestorePlan plan = log.Plan(7);
  CHECK(plan.snapshot.empty());
  REQUIRE(plan.ranges.size() == 2);
  CheckRange(plan.ranges[0], 4, {2, 0}, {5, 0});
  CheckRange(plan.ranges[1], 5, {6, 0}, {7});
  log.request.branch = "r";
  CHECK(log.Refused(9).find("RESTORE-TO at record 8") != std::string::npos);
}

TEST_CASE("restore plan: what does not fit together is refused") {
  Log log;
  log.Add(2, {{"SNAPSHOT", "CREATE", "a", "FROM", "main"}});
  log.Has("a", 7, 2);
  CHECK(log.Refused(3).find("not those of the data set") != std::string::npos);
  CHECK_FALSE(VersionLog().Add(1, 1, "*1\r\n$9\r\nshort\r\n"));
  CHECK_FALSE(VersionLog().Add(1, 1, "PING\r\n"));
}

}  // namespace verso::server
