// The log's reader against logs whose records are whole by their CRCs but say anything, with
// arbitrary bytes between them: it ends, never reads outside, hands out sequences that rise, and a
// torn tail that was cut is gone. The input is a program: an operation, then its operands.
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <optional>
#include <string>

#include "persistence/log/crc32c.h"
#include "persistence/log/log_repair.h"

namespace {

using namespace verso::persistence;  // NOLINT

struct Input {
  const uint8_t* data;
  size_t size;
  uint8_t Byte() {
    if (size == 0) return 0;
    --size;
    return *data++;
  }
  // Mostly near what is expected, sometimes far away.
  uint64_t Near(uint64_t expected) {
    const uint8_t how = Byte();
    if (how < 200) return expected;
    if (how < 250) return expected + how - 225;
    return how == 255 ? UINT64_MAX : how == 254 ? 0 : expected * 1000003;
  }
};

const std::string& Directory() {
  static const std::string directory = [] {
    std::string path = "/dev/shm/verso-fuzz-XXXXXX";
    if (mkdtemp(path.data()) == nullptr) std::abort();
    std::filesystem::create_directory(path + "/log");
    return path;
  }();
  return directory;
}

void Write(const std::string& name, const std::string& content) {
  std::ofstream file(Directory() + "/log/" + name, std::ios::binary | std::ios::trunc);
  file.write(content.data(), static_cast<std::streamsize>(content.size()));
}

std::string Segment(Input* input, const Id& id, uint64_t index, uint64_t* sequence) {
  SegmentHeader header{input->Byte() > 128 ? kSegmentPrepared : 0, id, input->Near(index),
                       input->Near(index - 1)};
  std::string content(kSegmentDataOffset, '\0');
  EncodeSegmentHeader(header, content.data());
  const uint32_t seed = SegmentSeed(id, index);
  char mark[kMarkBytes];
  uint16_t flags = kMarkOpens;
  for (uint8_t steps = input->Byte() % 32; steps > 0 && input->size > 0; --steps) {
    const uint8_t operation = input->Byte();
    if (flags != 0 || operation < 60) {
      const auto more = static_cast<uint16_t>(input->Byte() > 220 ? input->Byte() : 0);
      EncodeMark(input->Near(*sequence), input->Near(*sequence / 2), flags | more, seed, mark);
      content.append(mark, sizeof(mark));
      flags = 0;
    } else if (operation < 200) {
      std::string record(kRecordHeaderBytes + 1 + input->Byte() % 50, 'x');
      RecordHeader unit;
      unit.bytes = static_cast<uint32_t>(record.size() - kRecordHeaderBytes);
      unit.flags = operation % 4 == 0 ? kRecordMore : 0;
      unit.sequence = input->Near(++*sequence);
      EncodeRecordHeader(unit, Crc32c(seed, verso::ByteView(record).substr(kRecordHeaderBytes)),
                         record.data());
      content += record;
    } else if (operation < 215) {
      content.append(input->Byte(), '\0');
    } else if (operation < 230) {
      for (uint8_t n = input->Byte() % 40; n > 0; --n) content += static_cast<char>(input->Byte());
    } else if (operation < 240) {
      content.resize(content.size() - std::min<size_t>(content.size(), input->Byte()));
    } else if (!content.empty()) {
      content[(input->Byte() * 257u + input->Byte()) % content.size()] ^= 1;
    }
  }
  return content;
}

// How the log ended; aborts when it breaks a promise.
std::optional<TornTail> Read(const Id& id, uint64_t after, uint64_t* last, bool* failed) {
  auto reader = LogReader::Open(Directory(), id, after);
  *failed = !reader.has_value();
  if (*failed) return std::nullopt;
  LogRecord record;
  uint64_t before = after;
  auto more = reader->Next(&record);
  for (; more && *more; more = reader->Next(&record)) {
    if (record.sequence <= before || record.payload.empty()) std::abort();
    before = record.sequence;
  }
  if (reader->last_sequence() != before) std::abort();
  *failed = !more.has_value();
  *last = before;
  return reader->torn_tail();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  Input input{data, size};
  Id id;
  id.bytes[0] = 7;
  for (const auto& entry : std::filesystem::directory_iterator(Directory() + "/log")) {
    std::filesystem::remove(entry.path());
  }
  const uint64_t segments = 1 + input.Byte() % 4;
  const uint64_t after = input.Byte() % 8;
  uint64_t sequence = input.Near(0);
  for (uint64_t index = 1; index <= segments; ++index) {
    const std::string content = Segment(&input, id, index, &sequence);
    if (input.Byte() < 250) Write(SegmentName(index).data(), content);
  }
  NewestBuffer text;
  const size_t bytes = EncodeNewest({id, input.Near(segments), segments + 1}, &text);
  if (input.Byte() < 250) Write(kNewestName, std::string(text.data(), bytes));

  uint64_t last = 0, again = 0;
  bool failed = false;
  const auto torn = Read(id, after, &last, &failed);
  if (failed) {
    if (!RecoverTo(Directory(), id, last)) return 0;
    if (const auto left = Read(id, after, &again, &failed)) return 0;
    if (failed && again > last) std::abort();
    return 0;
  }
  if (!torn) return 0;
  if (!CutTornTail(*torn)) std::abort();
  if (Read(id, after, &again, &failed) || failed || again != last) std::abort();
  return 0;
}
