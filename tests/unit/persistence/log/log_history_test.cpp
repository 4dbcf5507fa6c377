// Which segments go and which stay as history; the history read while the log goes on.
#include "persistence/log/log_history.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <chrono>
#include <thread>

#include "tests/support/log_faults.h"
#include "tests/support/log_fixture.h"

namespace verso::persistence {
namespace {

uint64_t NowMs() {
  using std::chrono::milliseconds;
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  return static_cast<uint64_t>(std::chrono::duration_cast<milliseconds>(now).count());
}

// Ten units a segment.
void WriteSegments(LogWriter* writer, uint64_t first, int segments) {
  for (int i = 0; i < segments; ++i) {
    for (uint64_t n = 0; n < 10; ++n) Append(writer, first++);
    writer->Rotate();
  }
  writer->Submit();
  REQUIRE(writer->WaitDurable(10'000));
}

void SetAge(const std::string& path, uint64_t seconds) {
  const auto at = static_cast<time_t>(NowMs() / 1000 - seconds);
  const timespec times[2] = {{at, 0}, {at, 0}};
  REQUIRE(utimensat(AT_FDCWD, path.c_str(), times, 0) == 0);
}

std::vector<uint64_t> IndexesThere(const LogDirectoryForTest& directory) {
  std::vector<uint64_t> indexes;
  const auto files = ListSegments(directory.log());
  REQUIRE(files.has_value());
  for (const SegmentFile& file : *files) {
    const auto opening = ReadOpening(file, StoreIdForTest());
    if (opening && *opening) indexes.push_back(file.index);  // not the one that is prepared
  }
  return indexes;
}

// Removing is the helper's, in the background.
void WaitFor(const LogDirectoryForTest& directory, const std::vector<uint64_t>& indexes) {
  for (int i = 0; i < 1000 && IndexesThere(directory) != indexes; ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  CHECK(IndexesThere(directory) == indexes);
}

struct History {
  std::vector<uint64_t> units;  // since the last gap
  uint64_t begins_behind = 0;
  std::string gap;
  bool damaged = false;
  std::optional<Error> error;
};

History ReadHistory(const std::string& directory, uint64_t through, uint64_t after = 0) {
  History all;
  auto history = LogHistory::Open(directory, StoreIdForTest(), through, after);
  REQUIRE(history.has_value());
  LogRecord record;
  while (true) {
    const auto step = history->Next(&record);
    if (!step) {
      all.error = step.error();
      return all;
    }
    if (*step == LogHistory::Step::kEnd) break;
    if (*step == LogHistory::Step::kGap) {
      all.units.clear();
    } else {
      CHECK(record.payload == UnitPayload(record.sequence));
      all.units.push_back(record.sequence);
    }
  }
  all.begins_behind = history->begins_behind();
  all.gap = history->gap();
  all.damaged = history->damaged();
  return all;
}

std::vector<uint64_t> FromTo(uint64_t first, uint64_t last) {
  std::vector<uint64_t> all;
  for (; first <= last; ++first) all.push_back(first);
  return all;
}

}  // namespace

TEST_CASE("log retention: what no save needs stays until it is old enough") {
  LogDirectoryForTest directory;
  {
    auto writer = OpenWriter(WriterOptions(directory.path()));
    writer->KeepSince(0);
    WriteSegments(writer.get(), 1, 4);  // segments 1..4 have ten each, 5 is the current one
    writer->DropThrough(30);
    Append(writer.get(), 41);
    writer->Submit();
    REQUIRE(writer->WaitDurable(10'000));
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
    CHECK(IndexesThere(directory) == FromTo(1, 5));
  }
  for (const uint64_t index : {1, 2, 4}) SetAge(directory.segment(index), 7200);
  // After a restart, too: the age is that of the file.
  auto writer = OpenWriter(WriterOptions(directory.path(), SyncPolicy::kAlways, 41));
  writer->DropThrough(30);
  writer->KeepSince(NowMs() - 3'600'000);
  // 3 is young, and 4 is old but the save needs it; the oldest go first, so none behind 3 could. 6
  // had been prepared by the life before.
  WaitFor(directory, {3, 4, 5, 7});
  writer->DropThrough(41);
  std::this_thread::sleep_for(std::chrono::milliseconds(50));
  CHECK(IndexesThere(directory) == std::vector<uint64_t>{3, 4, 5, 7});
  writer->KeepSince(UINT64_MAX);
  WaitFor(directory, {7});
}

TEST_CASE("log retention: without it everything that no save needs goes") {
  LogDirectoryForTest directory;
  auto writer = OpenWriter(WriterOptions(directory.path()));
  WriteSegments(writer.get(), 1, 4);
  writer->DropThrough(20);
  Append(writer.get(), 41);
  writer->Submit();
  WaitFor(directory, {3, 4, 5});
}

TEST_CASE("log retention: a full disk takes history before it refuses writes") {
  LogDirectoryForTest directory;
  // One of the last batches meets a full disk, when no segment is being prepared any more.
  FaultyLogSystem system(LogCall::kWrite, 40, ENOSPC);
  LogWriterOptions options = WriterOptions(directory.path(), SyncPolicy::kNo);
  options.system = &system;
  auto writer = OpenWriter(options);
  writer->KeepSince(0);
  uint64_t last = 0;
  for (int i = 0; i < 3; ++i) {
    last = Append(writer.get(), last + 1);
    writer->Rotate();
    REQUIRE(writer->WaitDurable(10'000));
  }
  writer->DropThrough(last);
  while (!system.fired()) {
    last = Append(writer.get(), last + 1);
    writer->Submit();
    REQUIRE(writer->WaitDurable(10'000));
    REQUIRE(last < 100);
  }
  CHECK(writer->health() == LogHealth::kGood);
  CHECK(IndexesThere(directory) == FromTo(2, 4));
  const auto content = ReadLog(directory.path(), 1);
  CheckGood(content);
  CheckUnits(content, 2, last);
}

TEST_CASE("log history: everything there is, while the log is written") {
  LogDirectoryForTest directory;
  auto writer = OpenWriter(WriterOptions(directory.path()));
  writer->KeepSince(0);
  CHECK(ReadHistory(directory.path(), 0).units.empty());
  WriteSegments(writer.get(), 1, 3);
  Append(writer.get(), 31);
  writer->Submit();
  REQUIRE(writer->WaitDurable(10'000));
  writer->DropThrough(30);
  const History all = ReadHistory(directory.path(), 31);
  CHECK(all.units == FromTo(1, 31));
  CHECK(all.begins_behind == 0);
  CHECK(all.gap.empty());
  CHECK(ReadHistory(directory.path(), 25).units == FromTo(1, 25));
  CHECK(ReadHistory(directory.path(), 31, 15).units == FromTo(11, 31));
  // A start does not read what is retained, and says nothing about it.
  CheckUnits(ReadLog(directory.path(), 30), 31, 31);
}

TEST_CASE("log history: begins behind what is missing, damaged, or was switched on again") {
  LogDirectoryForTest directory;
  {
    auto writer = OpenWriter(WriterOptions(directory.path()));
    writer->KeepSince(0);
    WriteSegments(writer.get(), 1, 4);
  }
  SECTION("missing") {
    fs::remove(directory.segment(2));
    const History all = ReadHistory(directory.path(), 40);
    CHECK(all.begins_behind == 20);
    CHECK(all.units == FromTo(21, 40));
    CHECK(all.damaged);
    CHECK(all.gap.find("records 11..20") != std::string::npos);
  }
  SECTION("a damaged header") {
    std::string content = FileContent(directory.segment(3));
    content[20] = static_cast<char>(content[20] ^ 1);
    WriteContent(directory.segment(3), content);
    CHECK(ReadHistory(directory.path(), 40).begins_behind == 30);
  }
  SECTION("a damaged record") {
    std::string content = FileContent(directory.segment(2));
    content[content.find("key:15")] = 'K';
    WriteContent(directory.segment(2), content);
    const History all = ReadHistory(directory.path(), 40);
    CHECK(all.begins_behind == 20);
    CHECK(all.gap.find(directory.segment(2)) != std::string::npos);
    CHECK(all.gap.find("records 15..20") != std::string::npos);
    // A start that begins behind it does not care; a check says it.
    CheckUnits(ReadLog(directory.path(), 30), 31, 40);
    std::string report;
    const Status checked = CheckLog(directory.path(), StoreIdForTest(), 30, &report);
    CHECK_FALSE(checked);
    CHECK(report.find("a start does not need them") != std::string::npos);
  }
  SECTION("all is well") {
    std::string report;
    REQUIRE(CheckLog(directory.path(), StoreIdForTest(), 30, &report));
    CHECK(report.find("retained for RESTORE-TO: records 1..30") != std::string::npos);
  }
  SECTION("switched on again") {
    LogWriterOptions options = WriterOptions(directory.path(), SyncPolicy::kAlways, 45);
    options.fresh_start = true;
    auto writer = OpenWriter(options);
    writer->KeepSince(0);
    Append(writer.get(), 46);
    writer->Submit();
    REQUIRE(writer->WaitDurable(10'000));
    const History all = ReadHistory(directory.path(), 46);
    CHECK(all.begins_behind == 45);
    CHECK(all.units == FromTo(46, 46));
    CHECK_FALSE(all.damaged);
  }
  SECTION("the end is not there") {
    const History all = ReadHistory(directory.path(), 50);
    CHECK(all.units.empty());
    CHECK(all.begins_behind == 50);
  }
}

}  // namespace verso::persistence
