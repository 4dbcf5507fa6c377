// Logs that did not end well: torn tails are cut and said, damage is refused, no wrong record ever.
#include "persistence/log/log_reader.h"

#include <chrono>
#include <thread>

#include "persistence/log/crc32c.h"
#include "tests/support/log_fixture.h"

namespace verso::persistence {

namespace {

constexpr uint64_t kRecords = 12;

// Three segments (1..4, 5..8, 9..12) and a prepared one. synced: a batch for each record, each
// proven durable by the next mark; else one batch a segment, proven by nothing.
void MakeLog(const std::string& directory, bool synced, bool closed = true) {
  auto writer =
      OpenWriter(WriterOptions(directory, synced ? SyncPolicy::kAlways : SyncPolicy::kEverySecond));
  for (uint64_t n = 1; n <= kRecords; ++n) {
    Append(writer.get(), n);
    if (synced) REQUIRE(writer->WaitDurable(10'000));
    if (n % 4 == 0 && n < kRecords) writer->Rotate();
  }
  REQUIRE(writer->WaitDurable(10'000));
  // Before the closing mark and the cut of the zeros: as a kill -9 leaves it. Not while the next
  // segment is being prepared: what is copied then is of no one moment.
  const auto prepared = [&] {
    const auto newest = ReadNewest(LogDirectory(directory), StoreIdForTest());
    return newest && *newest && (*newest)->index == 4;
  };
  while (!closed && !prepared()) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  if (!closed) fs::copy(directory, directory + ".killed", fs::copy_options::recursive);
  writer.reset();
  if (!closed) {
    fs::remove_all(directory);
    fs::rename(directory + ".killed", directory);
  }
}

// Whatever is wrong with it, what is handed out is a prefix.
uint64_t CheckPrefix(const LogContent& content) {
  CheckUnits(content, 1, content.units.size());
  return content.units.size();
}

// Starts, cuts, goes on; the next start finds nothing wrong.
void CheckGoesOn(const std::string& directory, bool writes = true) {
  const auto content = ReadLog(directory);
  if (content.error) FAIL(content.error->context);
  const uint64_t last = CheckPrefix(content);
  if (content.torn_tail) {
    REQUIRE(CutTornTail(*content.torn_tail));
    REQUIRE(CutTornTail(*content.torn_tail));  // killed behind it: the same again
  }
  const auto again = ReadLog(directory);
  CheckGood(again);
  CheckUnits(again, 1, last);
  if (!writes) return;
  {
    auto writer = OpenWriter(WriterOptions(directory, SyncPolicy::kAlways, last));
    Append(writer.get(), last + 1);
  }
  const auto on = ReadLog(directory);
  CheckGood(on);
  CheckUnits(on, 1, last + 1);
}

class Copies {
 public:
  explicit Copies(const std::string& original) : original_(original) {}
  // A fresh copy of the original, at the same place each time.
  const std::string& Fresh() {
    fs::remove_all(directory_.path());
    fs::copy(original_, directory_.path(), fs::copy_options::recursive);
    return directory_.path();
  }
  LogDirectoryForTest& directory() { return directory_; }

 private:
  std::string original_;
  LogDirectoryForTest directory_{kFastDirectory};
};

}  // namespace

TEST_CASE("crc32c: known values, the table and the instruction agree") {
  CHECK(Crc32c(0, std::string(32, '\0')) == 0x8a9136aa);
  CHECK(Crc32c(0, std::string(32, '\xff')) == 0x62a8ab43);
  CHECK(Crc32c(0, "123456789") == 0xe3069283);
  CHECK(Crc32c(0, "") == 0);
  std::string bytes;
  for (int i = 0; i < 5000; ++i) bytes += static_cast<char>(i * i >> 3);
  for (size_t begin = 0; begin < 9; ++begin) {
    for (size_t count = 0; count < 70; ++count) {
      const ByteView view = ByteView(bytes).substr(begin, count);
      REQUIRE(Crc32cByTable(7, view) == Crc32c(7, view));
      if (HasCrc32cInstruction()) REQUIRE(Crc32cByInstruction(7, view) == Crc32cByTable(7, view));
    }
  }
  CHECK(Crc32c(Crc32c(0, bytes.substr(0, 999)), bytes.substr(999)) == Crc32c(0, bytes));
}

TEST_CASE("log: no log at all is an empty one") {
  LogDirectoryForTest directory;
  const auto content = ReadLog(directory.path(), 42);
  CheckGood(content);
  CHECK(content.units.empty());
  CHECK(content.last_sequence == 42);
}

TEST_CASE("log: cut at every byte of the last segment, it starts and says so") {
  const bool synced = GENERATE(false, true);
  LogDirectoryForTest original(kFastDirectory);
  MakeLog(original.path(), synced);
  Copies copies(original.path());
  const uint64_t bytes = fs::file_size(original.segment(3));
  uint64_t silent = 0;
  for (uint64_t cut = 0; cut < bytes; ++cut) {
    if (cut > 70 && cut + 3 < kSegmentDataOffset && cut % 512 != 0) continue;
    INFO("cut at " << cut);
    copies.Fresh();
    fs::resize_file(copies.directory().segment(3), cut);
    const auto content = ReadLog(copies.directory().path());
    REQUIRE_FALSE(content.error.has_value());
    REQUIRE(CheckPrefix(content) >= 8);
    if (!content.torn_tail) {
      ++silent;  // exactly behind a record
    } else {
      REQUIRE(content.torn_tail->bytes == cut - content.torn_tail->offset);
      REQUIRE(content.torn_tail->bytes > 0);
    }
    CheckGoesOn(copies.directory().path(), cut % 16 == 0);
  }
  // No file; the header alone; behind each mark and each record.
  CHECK(silent >= (synced ? 8 : 4));
  CHECK(silent <= 12);
}

TEST_CASE("log: the last segment torn, zeroed, junk behind any sector or byte") {
  LogDirectoryForTest original(kFastDirectory);
  MakeLog(original.path(), false);
  Copies copies(original.path());
  const std::string good = FileContent(original.segment(3));
  for (uint64_t at = kSegmentDataOffset; at <= good.size(); at += 7) {
    for (const char kind : {'z', 'j', 't', 'h'}) {
      INFO("at " << at << ", " << kind);
      std::string bad = good.substr(0, at);
      if (kind == 'z') bad += std::string(3000, '\0');
      for (int i = 0; kind == 'j' && i < 3000; ++i) bad += static_cast<char>(i * 131 + at);
      // A sector that was not written between others that were.
      if (kind == 't') bad += std::string(512, '\0') + good.substr(std::min(at + 512, good.size()));
      if (kind == 'h') bad += good.substr(at, 17);
      if (kind == 't' && bad.find_first_not_of('\0', at) == std::string::npos) continue;
      copies.Fresh();
      WriteContent(copies.directory().segment(3), bad);
      const auto content = ReadLog(copies.directory().path());
      REQUIRE_FALSE(content.error.has_value());
      REQUIRE(CheckPrefix(content) >= 8);
      if (kind != 'h') {
        REQUIRE(content.torn_tail.has_value());
        size_t same = 0;
        while (same < std::min(good.size(), bad.size()) && good[same] == bad[same]) ++same;
        REQUIRE(content.torn_tail->offset <= same);
        REQUIRE(content.torn_tail->bytes == bad.size() - content.torn_tail->offset);
      }
      CheckGoesOn(copies.directory().path(), at % 4 == 0);
    }
  }
}

TEST_CASE("log: a killed writer's zeros are the end, without a word") {
  LogDirectoryForTest directory;
  MakeLog(directory.path(), true, false);
  CHECK(fs::file_size(directory.segment(3)) > (1 << 20));
  const auto content = ReadLog(directory.path());
  CheckGood(content);
  CheckUnits(content, 1, kRecords);
  CheckGoesOn(directory.path());
  // In the middle now, and still fine; but not when something else stands in the zeros.
  std::string bytes = FileContent(directory.segment(3));
  bytes[bytes.size() - 5] = 1;
  WriteContent(directory.segment(3), bytes);
  const auto refused = ReadLog(directory.path());
  REQUIRE(refused.error.has_value());
  CHECK(refused.error->code == ErrorCode::kCorruption);
}

TEST_CASE("log: one bit flipped anywhere is refused, or cut with a report") {
  const bool synced = GENERATE(false, true);
  LogDirectoryForTest original(kFastDirectory);
  MakeLog(original.path(), synced);
  Copies copies(original.path());
  uint64_t refused = 0, cut = 0, harmless = 0;
  for (const auto& entry : fs::directory_iterator(original.log())) {
    const std::string name = entry.path().filename().string();
    const std::string good = FileContent(entry.path().string());
    const std::string path = copies.directory().log() + "/" + name;
    const auto index = ParseSegmentName(name);
    copies.Fresh();
    for (size_t at = 0; at < good.size(); ++at) {
      if (index && at > 64 && at < kSegmentDataOffset && at % 97 != 0) continue;  // of no meaning
      INFO(name << ", byte " << at);
      std::string bad = good;
      bad[at] = static_cast<char>(bad[at] ^ (1 << at % 8));
      WriteContent(path, bad);
      const auto content = ReadLog(copies.directory().path());
      const uint64_t units = CheckPrefix(content);
      if (content.error) {
        ++refused;
      } else if (content.torn_tail) {
        ++cut;
        REQUIRE(index.has_value());
        // Only what nothing proves: the end, or, when nothing was synced yet, all of a batch.
        REQUIRE(*index >= 3);
      } else {
        ++harmless;
        REQUIRE(units == kRecords);
        REQUIRE((index && at >= kSegmentHeaderBytes && at < kSegmentDataOffset));
      }
    }
    WriteContent(path, good);
  }
  CHECK(refused > 500);
  CHECK(cut > 0);
  CHECK(harmless > 0);
}

TEST_CASE("log: damage that a mark proves to be damage says what is lost") {
  LogDirectoryForTest directory;
  MakeLog(directory.path(), true);
  std::string bytes = FileContent(directory.segment(2));
  const size_t at = bytes.find("key:6");
  bytes[at] = 'X';
  WriteContent(directory.segment(2), bytes);
  auto content = ReadLog(directory.path());
  CheckUnits(content, 1, 5);
  REQUIRE(content.error.has_value());
  CHECK(content.error->code == ErrorCode::kCorruption);
  const std::string& text = content.error->context;
  CHECK(text.find(SegmentName(2).data()) != std::string::npos);
  CHECK(text.find("offset ") != std::string::npos);
  CHECK(text.find("records 6..12 are lost") != std::string::npos);
  CHECK(text.find("--log-recover-to 5") != std::string::npos);

  std::string report;
  CHECK_FALSE(CheckLog(directory.path(), StoreIdForTest(), 0, &report));
  CHECK(report.find("records 1..5") != std::string::npos);

  REQUIRE(RecoverTo(directory.path(), StoreIdForTest(), 5));
  REQUIRE(RecoverTo(directory.path(), StoreIdForTest(), 5));
  content = ReadLog(directory.path());
  CheckGood(content);
  CheckUnits(content, 1, 5);
  CHECK(fs::exists(directory.segment(3) + ".lost"));
  CHECK(fs::exists(directory.segment(2) + ".tail.lost"));
  CheckGoesOn(directory.path());
  CHECK(CheckLog(directory.path(), StoreIdForTest(), 0, &report));
  CHECK(report.find("6 units intact, records 1..6") != std::string::npos);
}

TEST_CASE("log: recovering to any record works, and twice") {
  LogDirectoryForTest original(kFastDirectory);
  MakeLog(original.path(), true);
  Copies copies(original.path());
  for (uint64_t n = 0; n <= kRecords + 1; ++n) {
    INFO("to " << n);
    copies.Fresh();
    REQUIRE(RecoverTo(copies.directory().path(), StoreIdForTest(), n));
    const auto content = ReadLog(copies.directory().path());
    CheckGood(content);
    CheckUnits(content, 1, std::min(n, kRecords));
    CheckGoesOn(copies.directory().path());
  }
}

TEST_CASE("log: missing, exchanged and older segments are refused") {
  LogDirectoryForTest original(kFastDirectory);
  MakeLog(original.path(), true);
  Copies copies(original.path());
  auto& directory = copies.directory();

  for (uint64_t missing = 1; missing <= 4; ++missing) {
    INFO("without " << missing);
    copies.Fresh();
    fs::remove(directory.segment(missing));
    const auto content = ReadLog(directory.path());
    REQUIRE(content.error.has_value());
    CHECK(content.error->code == ErrorCode::kCorruption);
    CHECK(content.error->context.find("--log-recover-to") != std::string::npos);
    CheckPrefix(content);
    REQUIRE(RecoverTo(directory.path(), StoreIdForTest(), missing == 4 ? 12 : (missing - 1) * 4));
    CheckGoesOn(directory.path());
  }
  for (const auto& [a, b] : {std::pair(1, 2), std::pair(2, 3), std::pair(3, 4)}) {
    INFO("exchanged " << a << " and " << b);
    copies.Fresh();
    fs::rename(directory.segment(a), directory.path() + "/aside");
    fs::rename(directory.segment(b), directory.segment(a));
    fs::rename(directory.path() + "/aside", directory.segment(b));
    const auto content = ReadLog(directory.path());
    REQUIRE(content.error.has_value());
    CheckPrefix(content);
  }
  for (const uint64_t keep : {kSegmentDataOffset, kSegmentDataOffset + kMarkBytes + 200}) {
    INFO("a segment in the middle as it was, " << keep << " bytes");
    copies.Fresh();
    fs::resize_file(directory.segment(2), keep);
    const auto content = ReadLog(directory.path());
    REQUIRE(content.error.has_value());
    CheckPrefix(content);
  }
  copies.Fresh();
  fs::remove(directory.log() + "/newest");
  CHECK(ReadLog(directory.path()).error.has_value());
  REQUIRE(RecoverTo(directory.path(), StoreIdForTest(), UINT64_MAX));
  CheckUnits(ReadLog(directory.path()), 1, kRecords);

  copies.Fresh();
  for (uint64_t index = 1; index <= 4; ++index) fs::remove(directory.segment(index));
  CHECK(ReadLog(directory.path()).error.has_value());

  // Only what matters behind a save must be there.
  copies.Fresh();
  fs::remove(directory.segment(1));
  CHECK(ReadLog(directory.path(), 3).error.has_value());
  CheckUnits(ReadLog(directory.path(), 4), 5, kRecords);
}

TEST_CASE("log: another store's files and newer formats are refused") {
  LogDirectoryForTest original(kFastDirectory);
  MakeLog(original.path(), true);
  Id other = StoreIdForTest();
  other.bytes[3] ^= 1;
  const auto foreign = LogReader::Open(original.path(), other, 0);
  REQUIRE_FALSE(foreign.has_value());
  CHECK(foreign.error().code == ErrorCode::kIncompatible);
  fs::remove(original.log() + "/newest");
  CHECK(LogReader::Open(original.path(), other, 0).error().code == ErrorCode::kIncompatible);

  std::string bytes = FileContent(original.segment(2));
  bytes[8] = 9;
  StoreLe<uint32_t>(bytes.data() + 60, Crc32c(0, ByteView(bytes).substr(0, 60)));
  WriteContent(original.segment(2), bytes);
  const auto newer = LogReader::Open(original.path(), StoreIdForTest(), 0);
  REQUIRE_FALSE(newer.has_value());
  CHECK(newer.error().code == ErrorCode::kIncompatible);
  CHECK(newer.error().context.find("version 9") != std::string::npos);

  NewestBuffer text;
  std::string newest(text.data(), EncodeNewest({StoreIdForTest(), 4, 5}, &text));
  newest.assign(text.data(), newest.size());
  CHECK(DecodeNewest(newest).has_value());
  newest.replace(newest.find(" 1\n"), 3, " 8\n");
  newest.resize(newest.rfind("check "));
  char check[24];
  std::snprintf(check, sizeof(check), "check %08x\n", Crc32c(0, newest));
  const auto later = DecodeNewest(newest + check);
  REQUIRE_FALSE(later.has_value());
  CHECK(later.error().context.find("version 8") != std::string::npos);
}

TEST_CASE("log: what an unsynced segment lost takes the next one with it") {
  LogDirectoryForTest directory;
  {
    // kNo: nothing is durable but by rotation, and the helper may be late; so a copy is made here.
    auto writer = OpenWriter(WriterOptions(directory.path(), SyncPolicy::kNo));
    for (uint64_t n = 1; n <= 4; ++n) Append(writer.get(), n);
    writer->Rotate();
    Append(writer.get(), 5);
    REQUIRE(writer->WaitDurable(10'000));
  }
  // Only the segment's opening and its record: no mark that says durable was there yet.
  std::string second = FileContent(directory.segment(2));
  const std::string payload = UnitPayload(5);
  const size_t record = second.find(payload) - kRecordHeaderBytes;
  second = second.substr(0, kSegmentDataOffset + kMarkBytes) +
           second.substr(record, kRecordHeaderBytes + payload.size());
  EncodeMark(4, 0, kMarkOpens, SegmentSeed(StoreIdForTest(), 2),
             second.data() + kSegmentDataOffset);
  WriteContent(directory.segment(2), second);
  fs::resize_file(directory.segment(1), fs::file_size(directory.segment(1)) - 10);
  const auto content = ReadLog(directory.path());
  REQUIRE_FALSE(content.error.has_value());
  CheckUnits(content, 1, 3);
  REQUIRE(content.torn_tail.has_value());
  CHECK(content.torn_tail->path == directory.segment(1));
  CHECK(content.torn_tail->last_index == 2);
  CheckGoesOn(directory.path());
}

TEST_CASE("log: half a unit is part of the torn tail") {
  LogDirectoryForTest directory;
  auto options = WriterOptions(directory.path(), SyncPolicy::kNo);
  options.record_bytes_max = 100;
  {
    auto writer = OpenWriter(options);
    Append(writer.get(), 1, 20);
    writer->Submit();
    Append(writer.get(), 2, 1000);
  }
  std::string bytes = FileContent(directory.segment(1));
  const size_t begin = bytes.find("key:2");
  REQUIRE(begin != std::string::npos);
  for (size_t cut = begin + 200; cut + kMarkBytes + 1 < bytes.size(); cut += 66) {
    INFO(cut);
    WriteContent(directory.segment(1), bytes.substr(0, cut));
    const auto content = ReadLog(directory.path());
    REQUIRE_FALSE(content.error.has_value());
    REQUIRE(content.units.size() == 1);
    CHECK(content.last_sequence == 1);
    REQUIRE(content.torn_tail.has_value());
    CHECK(content.torn_tail->offset < begin);
  }
}

}  // namespace verso::persistence
