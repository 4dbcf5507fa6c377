// Writing, reading and breaking operation logs in tests.
#pragma once

#include <catch2/catch.hpp>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <vector>

#include "persistence/log/log_repair.h"
#include "persistence/log/log_writer.h"

namespace verso::persistence {

namespace fs = std::filesystem;

// Where no sync reaches a disk, for tests that make thousands of small logs.
inline constexpr char kFastDirectory[] = "/dev/shm";

class LogDirectoryForTest {
 public:
  explicit LogDirectoryForTest(const char* below = nullptr) {
    std::error_code ignored;
    const bool there = below != nullptr && fs::is_directory(below, ignored);
    const fs::path base = there ? fs::path(below) : fs::temp_directory_path();
    std::string path = (base / "verso-log-XXXXXX").string();
    REQUIRE(mkdtemp(path.data()) != nullptr);
    path_ = path;
  }
  ~LogDirectoryForTest() {
    std::error_code ignored;
    fs::remove_all(path_, ignored);
  }
  LogDirectoryForTest(const LogDirectoryForTest&) = delete;
  LogDirectoryForTest& operator=(const LogDirectoryForTest&) = delete;
  const std::string& path() const { return path_; }
  std::string log() const { return path_ + "/log"; }
  std::string segment(uint64_t index) const { return log() + "/" + SegmentName(index).data(); }

 private:
  std::string path_;
};

inline Id StoreIdForTest() {
  Id id;
  for (size_t i = 0; i < id.bytes.size(); ++i) id.bytes[i] = static_cast<unsigned char>(i * 7 + 1);
  return id;
}

inline LogWriterOptions WriterOptions(const std::string& directory,
                                      SyncPolicy policy = SyncPolicy::kAlways,
                                      uint64_t last_sequence = 0) {
  LogWriterOptions options;
  options.directory = directory;
  options.store_id = StoreIdForTest();
  options.policy = policy;
  options.last_sequence = last_sequence;
  return options;
}

inline std::unique_ptr<LogWriter> OpenWriter(const LogWriterOptions& options) {
  auto writer = LogWriter::Open(options);
  if (!writer) FAIL(writer.error().context);
  return *std::move(writer);
}

// Unit number n of a test: its words follow from n alone.
inline std::vector<std::string> UnitWords(uint64_t n, size_t bytes = 20) {
  std::string value;
  for (size_t i = 0; i < bytes; ++i) value += static_cast<char>('a' + (n * 31 + i * 7) % 26);
  return {"SET", "key:" + std::to_string(n), value, ""};
}

inline std::string UnitPayload(uint64_t n, size_t bytes = 20) {
  const auto words = UnitWords(n, bytes);
  std::string payload = "*" + std::to_string(words.size()) + "\r\n";
  for (const auto& word : words) {
    payload += "$" + std::to_string(word.size()) + "\r\n" + word + "\r\n";
  }
  return payload;
}

inline uint64_t Append(LogWriter* writer, uint64_t n, size_t bytes = 20) {
  const auto words = UnitWords(n, bytes);
  const std::vector<ByteView> views(words.begin(), words.end());
  writer->Begin(static_cast<uint32_t>(n % 5), static_cast<int>(n % 16), 1000 + n);
  writer->Add(views);
  return writer->End();
}

struct LogContent {
  struct Unit {
    uint64_t sequence;
    uint64_t time_ms;
    uint32_t line;
    int db;
    std::string payload;
    bool operator==(const Unit&) const = default;
  };
  std::vector<Unit> units;
  std::optional<Error> error;
  std::optional<TornTail> torn_tail;
  std::string unbased;
  uint64_t unbased_index = 0;
  uint64_t last_sequence = 0;
};

inline LogContent ReadLog(const std::string& directory, uint64_t after = 0, uint64_t stop_at = 0) {
  LogContent content;
  LogReaderOptions options;
  options.stop_at = stop_at;
  auto reader = LogReader::Open(directory, StoreIdForTest(), after, options);
  if (!reader) {
    content.error = reader.error();
    return content;
  }
  LogRecord record;
  auto more = reader->Next(&record);
  for (; more && *more; more = reader->Next(&record)) {
    content.units.push_back(
        {record.sequence, record.time_ms, record.line, record.db, std::string(record.payload)});
  }
  if (!more) content.error = more.error();
  content.torn_tail = reader->torn_tail();
  content.unbased = reader->unbased_text();
  if (reader->unbased()) content.unbased_index = reader->unbased_index();
  content.last_sequence = reader->last_sequence();
  return content;
}

// Units first..last as Append makes them with record n being unit n.
inline void CheckUnits(const LogContent& content, uint64_t first, uint64_t last,
                       size_t bytes = 20) {
  REQUIRE(content.units.size() == (last < first ? 0 : last - first + 1));
  for (uint64_t n = first; n <= last; ++n) {
    const auto& unit = content.units[n - first];
    REQUIRE(unit == LogContent::Unit{n, 1000 + n, static_cast<uint32_t>(n % 5),
                                     static_cast<int>(n % 16), UnitPayload(n, bytes)});
  }
}

inline void CheckGood(const LogContent& content) {
  if (content.error) FAIL(content.error->context);
  CHECK_FALSE(content.torn_tail.has_value());
  CHECK(content.unbased.empty());
}

inline std::string FileContent(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

inline void WriteContent(const std::string& path, const std::string& content) {
  std::ofstream file(path, std::ios::binary | std::ios::trunc);
  file.write(content.data(), static_cast<std::streamsize>(content.size()));
  REQUIRE(file.good());
}

}  // namespace verso::persistence
