// What is written is read, whatever its shape; rotation, removal, policies, several lives.
#include "persistence/log/log_writer.h"

#include <poll.h>

#include <thread>

#include "storage/base/monotonic_time.h"
#include "tests/support/log_fixture.h"

namespace verso::persistence {

TEST_CASE("log: units come back, under every policy") {
  const auto policy = GENERATE(SyncPolicy::kAlways, SyncPolicy::kEverySecond, SyncPolicy::kNo);
  LogDirectoryForTest directory;
  {
    auto writer = OpenWriter(WriterOptions(directory.path(), policy));
    for (uint64_t n = 1; n <= 1000; ++n) {
      CHECK(Append(writer.get(), n) == n);
      if (n % 7 == 0) writer->Submit();
    }
    REQUIRE(writer->WaitDurable(10'000));
    CHECK(writer->durable() == 1000);
    CHECK(writer->written() == 1000);
    CHECK(writer->health() == LogHealth::kGood);
    CHECK(writer->error().empty());
    const auto content = ReadLog(directory.path());  // while it is still open
    CheckGood(content);
    CheckUnits(content, 1, 1000);
  }
  const auto content = ReadLog(directory.path());
  CheckGood(content);
  CheckUnits(content, 1, 1000);
  CHECK(content.last_sequence == 1000);
  CheckUnits(ReadLog(directory.path(), 998), 999, 1000);
  CheckUnits(ReadLog(directory.path(), 0, 10), 1, 10);
  const auto behind = ReadLog(directory.path(), 1000);
  CheckGood(behind);
  CHECK(behind.units.empty());
  CHECK(behind.last_sequence == 1000);
}

TEST_CASE("log: an empty unit leaves nothing, several commands make one unit") {
  LogDirectoryForTest directory;
  {
    auto writer = OpenWriter(WriterOptions(directory.path()));
    writer->Begin(1, 2, 3);
    CHECK(writer->End() == 0);
    writer->Begin(1, 15, 77);
    const ByteView first[] = {"DEL", ""};
    const ByteView second[] = {ByteView("\0\r\n$", 4)};
    writer->Add(first);
    writer->Add(second);
    CHECK(writer->End() == 1);
    writer->Submit();
  }
  const auto content = ReadLog(directory.path());
  CheckGood(content);
  REQUIRE(content.units.size() == 1);
  CHECK(content.units[0] == LogContent::Unit{1, 77, 1, 15,
                                             std::string("*2\r\n$3\r\nDEL\r\n$0\r\n\r\n"
                                                         "*1\r\n$4\r\n\0\r\n$\r\n",
                                                         33)});
}

TEST_CASE("log: large units are split and come back whole") {
  LogDirectoryForTest directory;
  auto options = WriterOptions(directory.path());
  options.record_bytes_max = 1000;
  const std::vector<size_t> sizes = {1, 970, 1000, 5000, 300'000, 20'000'000, 3};
  {
    auto writer = OpenWriter(options);
    for (size_t i = 0; i < sizes.size(); ++i) {
      Append(writer.get(), i, sizes[i]);
      writer->Submit();
    }
    CHECK(writer->WaitDurable(30'000));
  }
  const auto content = ReadLog(directory.path());
  CheckGood(content);
  REQUIRE(content.units.size() == sizes.size());
  for (size_t i = 0; i < sizes.size(); ++i) {
    CHECK(content.units[i].payload == UnitPayload(i, sizes[i]));
  }
}

TEST_CASE("log: five lives in a row") {
  LogDirectoryForTest directory;
  for (uint64_t life = 0; life < 5; ++life) {
    const auto content = ReadLog(directory.path());
    CheckGood(content);
    CheckUnits(content, 1, life * 10);
    auto writer = OpenWriter(WriterOptions(directory.path(), SyncPolicy::kNo, life * 10));
    CHECK(writer->appended() == life * 10);
    for (uint64_t n = 1; n <= 10; ++n) CHECK(Append(writer.get(), life * 10 + n) == life * 10 + n);
    if (life % 2 == 0) writer->Submit();  // the end hands over what is left
  }
  CheckUnits(ReadLog(directory.path()), 1, 50);
}

TEST_CASE("log: rotation and removal") {
  const auto policy = GENERATE(SyncPolicy::kAlways, SyncPolicy::kEverySecond, SyncPolicy::kNo);
  LogDirectoryForTest directory;
  {
    auto writer = OpenWriter(WriterOptions(directory.path(), policy));
    uint64_t n = 0;
    for (int segment = 0; segment < 5; ++segment) {
      for (int i = 0; i < 10; ++i) Append(writer.get(), ++n);
      if (segment % 2 == 0) writer->Submit();
      CHECK(writer->bytes_since_rotate() > 0);
      CHECK(writer->Rotate() == n);
      CHECK(writer->Rotate() == n);  // nothing in between: nothing happens
      CHECK(writer->bytes_since_rotate() == 0);
    }
    REQUIRE(writer->WaitDurable(10'000));
    CheckUnits(ReadLog(directory.path()), 1, 50);
    const uint64_t bytes = writer->bytes_total();
    writer->DropThrough(25);  // the third segment has 21..30
    for (int i = 0; i < 1000 && writer->segments() > 4; ++i) {
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
    CHECK(writer->segments() == 4);
    CHECK(writer->bytes_total() < bytes);
    CheckUnits(ReadLog(directory.path(), 25), 26, 50);
    CheckUnits(ReadLog(directory.path(), 20), 21, 50);
    CHECK(ReadLog(directory.path(), 19).error.has_value());
    writer->DropThrough(50);
    for (int i = 0; i < 1000 && writer->segments() > 1; ++i) {
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
    CHECK(writer->segments() == 1);
    Append(writer.get(), 51);
  }
  const auto content = ReadLog(directory.path(), 50);
  CheckGood(content);
  CheckUnits(content, 51, 51);
}

TEST_CASE("log: segments of bounded size") {
  LogDirectoryForTest directory;
  auto options = WriterOptions(directory.path(), SyncPolicy::kNo);
  options.segment_bytes_max = 10'000;
  {
    auto writer = OpenWriter(options);
    for (uint64_t n = 1; n <= 1000; ++n) {
      Append(writer.get(), n);
      if (n % 50 == 0) writer->Submit();
    }
    REQUIRE(writer->WaitDurable(10'000));
    CHECK(writer->segments() >= 8);
  }
  CheckUnits(ReadLog(directory.path()), 1, 1000);
}

TEST_CASE("log: the loop learns of progress, the second's sync comes by itself") {
  LogDirectoryForTest directory;
  auto writer = OpenWriter(WriterOptions(directory.path(), SyncPolicy::kEverySecond));
  Append(writer.get(), 1);
  writer->Submit();
  const uint64_t begun = MonotonicUs();
  while (writer->durable() < 1 && MonotonicUs() < begun + 5'000'000) {
    pollfd wait{writer->event_fd(), POLLIN, 0};
    REQUIRE(poll(&wait, 1, 5000) == 1);
    writer->Drain();
    CHECK(writer->written() == 1);
  }
  CHECK(writer->durable() == 1);
  writer->SetPolicy(SyncPolicy::kAlways);
  Append(writer.get(), 2);
  writer->Submit();
  while (writer->durable() < 2 && MonotonicUs() < begun + 9'000'000) {
    pollfd wait{writer->event_fd(), POLLIN, 0};
    REQUIRE(poll(&wait, 1, 5000) == 1);
    writer->Drain();
  }
  CHECK(writer->durable() == 2);
}

TEST_CASE("log: memory of a burst is given back") {
  LogDirectoryForTest directory;
  auto writer = OpenWriter(WriterOptions(directory.path(), SyncPolicy::kNo));
  for (uint64_t n = 1; n <= 2000; ++n) Append(writer.get(), n, 50'000);
  CHECK(writer->memory_bytes() > 90'000'000);
  REQUIRE(writer->WaitDurable(60'000));
  writer->Drain();
  CHECK(writer->memory_bytes() < 2'000'000);
  CHECK(writer->bytes_waiting() == 0);
}

TEST_CASE("log: a fresh start does not need what was before it") {
  LogDirectoryForTest directory;
  {
    auto writer = OpenWriter(WriterOptions(directory.path()));
    for (uint64_t n = 1; n <= 10; ++n) Append(writer.get(), n);
  }
  {
    auto options = WriterOptions(directory.path(), SyncPolicy::kAlways, 20);
    options.fresh_start = true;
    auto writer = OpenWriter(options);
    for (uint64_t n = 21; n <= 25; ++n) Append(writer.get(), n);
  }
  const auto based = ReadLog(directory.path(), 20);
  CheckGood(based);
  CheckUnits(based, 21, 25);
  auto unbased = ReadLog(directory.path(), 3);
  CHECK_FALSE(unbased.error.has_value());
  CHECK_FALSE(unbased.torn_tail.has_value());
  CHECK(unbased.unbased.find("switched on") != std::string::npos);
  CheckUnits(unbased, 4, 10);
  // What follows it would never be read.
  CHECK_FALSE(LogWriter::Open(WriterOptions(directory.path(), SyncPolicy::kAlways, 10)));
  // A torn tail before it is seen with it.
  const uint64_t bytes = fs::file_size(directory.segment(1));
  fs::resize_file(directory.segment(1), bytes - 7);
  const auto both = ReadLog(directory.path(), 3);
  CHECK_FALSE(both.error.has_value());
  REQUIRE(both.torn_tail.has_value());
  CHECK(both.torn_tail->path == directory.segment(1));
  CHECK(both.torn_tail->last_index < both.unbased_index);
  CHECK(both.unbased_index == unbased.unbased_index);
  REQUIRE(CutTornTail(*both.torn_tail));
  CheckUnits(ReadLog(directory.path(), 20), 21, 25);
  REQUIRE(SetUnbasedAside(directory.path(), StoreIdForTest(), unbased.unbased_index));
  unbased = ReadLog(directory.path(), 3);
  CheckGood(unbased);
  CheckUnits(unbased, 4, 10);
  {
    auto writer = OpenWriter(WriterOptions(directory.path(), SyncPolicy::kAlways, 10));
    Append(writer.get(), 11);
  }
  CheckUnits(ReadLog(directory.path(), 3), 4, 11);
}

TEST_CASE("log: a save may be ahead of the log") {
  LogDirectoryForTest directory;
  {
    auto writer = OpenWriter(WriterOptions(directory.path()));
    for (uint64_t n = 1; n <= 10; ++n) Append(writer.get(), n);
  }
  const auto behind = ReadLog(directory.path(), 30);
  CheckGood(behind);
  CHECK(behind.last_sequence == 30);
  {
    auto writer = OpenWriter(WriterOptions(directory.path(), SyncPolicy::kAlways, 30));
    Append(writer.get(), 31);
  }
  CheckUnits(ReadLog(directory.path(), 30), 31, 31);
  const auto gap = ReadLog(directory.path(), 5);
  REQUIRE(gap.error.has_value());
  CHECK(gap.error->context.find("--log-recover-to 10") != std::string::npos);
}

}  // namespace verso::persistence
