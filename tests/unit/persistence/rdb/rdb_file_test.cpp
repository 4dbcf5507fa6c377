// Goal: a dump file becomes what it says, whole, or an error that names what is wrong. Method:
// files that are written here, or put together by hand from samples of every type and encoding, go
// through the records into a line of their own, which is compared by digest with what was written;
// then every byte of a file is damaged, every prefix of it taken.
#include "persistence/rdb/rdb_file_reader.h"

#include <catch2/catch.hpp>
#include <random>

#include "persistence/rdb/crc64.h"
#include "persistence/rdb/rdb_file_writer.h"
#include "persistence/rdb/rdb_output.h"
#include "persistence/rdb/rdb_records.h"
#include "tests/support/rdb_samples.h"
#include "tests/support/restore_store.h"

namespace verso::persistence {
namespace {

using storage::KeyEvent;
using storage::ReadView;

constexpr KeyEvent kEvent{"test", 'g'};
constexpr uint64_t kNow = RestoreStore::kNowMs;

// A line of its own that a file was read into.
struct Imported {
  Imported(RestoreStore& owner, ByteView file) : store(owner.store()), line(store.NewUnnamed()) {
    std::vector<std::string> batches;
    RdbRecordSender sender([&](ByteView records) { batches.emplace_back(records); });
    status = ReadRdbFile(file, sender);
    sender.Flush();
    skipped = sender.skipped();
    RdbRecordReceiver receiver(store, *line, owner.limits(), kNow);
    for (const std::string& batch : batches) {
      receiver.Take(batch);
      while (status && !receiver.AtEnd()) status = receiver.Step();
      if (!status) break;
    }
    keys = receiver.keys();
  }
  ~Imported() { store.DropHead(line); }
  ReadView View(int db = 0) const { return ReadView(store, *line, db, kNow); }

  storage::Store& store;
  storage::Line* line;
  Status status;
  uint64_t keys = 0;
  std::string skipped;
};

std::string Written(const ReadView& view) {
  std::string file;
  const Status written = WriteRdbFile(
      view,
      [&](ByteView bytes) {
        file += bytes;
        return Status();
      },
      [](uint64_t) {});
  REQUIRE(written.has_value());
  return file;
}

std::string Sealed(std::string body, int version = 12) {
  std::string file = "REDIS00" + std::string(version < 10 ? "0" : "") + std::to_string(version);
  file += body;
  file.push_back(static_cast<char>(RdbOpcode::kEof));
  if (version >= kRdbVersionWithCrc) AppendLe(&file, Crc64(0, file));
  return file;
}

void AppendOpcode(std::string* out, RdbOpcode code) { out->push_back(static_cast<char>(code)); }

// A sample's body begins with its type; the key stands behind that.
void AppendKey(std::string* out, ByteView key, ByteView body) {
  out->push_back(body[0]);
  AppendRdbString(out, key);
  out->append(body.substr(1));
}

std::string StringBody(ByteView text) {
  std::string body(1, static_cast<char>(RdbType::kString));
  AppendRdbString(&body, text);
  return body;
}

TEST_CASE("rdb file: what was written is read again, in all databases") {
  RestoreStore store;
  uint64_t number = 0;
  for (const auto& items : {SampleItems(), SmallSampleItems()}) {
    for (const RdbSample& sample : RdbSamples(items)) {
      REQUIRE(store.Restore(sample.body, sample.name + std::to_string(number++)).has_value());
    }
  }
  storage::WriteView main = store.View();
  for (int i = 0; i < 3000; ++i) {
    const std::string name = "key:" + std::to_string(i);
    const storage::Key key = main.MakeKey(name);
    REQUIRE(store.store().ReserveForWrite(4096, 8));
    main.SetString(key, std::string(static_cast<size_t>(i) % 700, 'v'), {}, kEvent);
    if (i % 3 == 0) main.SetDeadline(key, kNow + 1000 + static_cast<uint64_t>(i), kEvent);
    if (i % 5 == 0) main.Move(key, 1 + i % 15);
  }
  REQUIRE(store.store().ReserveForWrite(1 << 20, 8));
  main.SetString(main.MakeKey("large"), std::string(300'000, 'l') + "end", {}, kEvent);

  const std::string file = Written(main);
  CHECK(file.starts_with("REDIS0009"));
  Imported imported(store, file);
  REQUIRE(imported.status.has_value());
  CHECK(imported.keys == 3001 + number);
  CHECK(imported.skipped.empty());
  for (int db = 0; db < storage::kDatabases; ++db) {
    CHECK(imported.View(db).Count() == main.InDatabase(db).Count());
    CHECK(imported.View(db).CountWithDeadline() == main.InDatabase(db).CountWithDeadline());
  }
  for (int db = 0; db < storage::kDatabases; ++db) {
    size_t different = 0;
    main.InDatabase(db).Scan(0, ~size_t{0}, [&](ByteView name, const storage::ValueView& value) {
      // Of streams, version 9 leaves some numbers out.
      if (value.type == storage::ValueType::kStream) return;
      const storage::Key key = main.MakeKey(name);
      different += DigestOfKey(imported.View(db), key) != DigestOfKey(main.InDatabase(db), key);
    });
    CHECK(different == 0);
  }
  // So those are compared by what is written of them.
  CHECK(Written(imported.View()).size() == file.size());
  CHECK(store.Audit() == "");
}

TEST_CASE("rdb file: every encoding of every age, with all that may stand between") {
  RestoreStore store;
  std::string body;
  AppendOpcode(&body, RdbOpcode::kAux);
  AppendRdbString(&body, "redis-ver");
  AppendRdbString(&body, "7.4.0");
  AppendOpcode(&body, RdbOpcode::kFunction);
  AppendRdbString(&body, "#!lua name=x");
  AppendOpcode(&body, RdbOpcode::kSelectDb);
  AppendRdbLength(&body, 3);
  AppendOpcode(&body, RdbOpcode::kResizeDb);
  AppendRdbLength(&body, 100);
  AppendRdbLength(&body, 1);
  AppendOpcode(&body, RdbOpcode::kSlotInfo);
  for (const uint64_t number : {1, 2, 3}) AppendRdbLength(&body, number);
  const std::vector<RdbSample> samples = RdbSamples(SampleItems());
  for (const RdbSample& sample : samples) {
    AppendOpcode(&body, RdbOpcode::kIdle);
    AppendRdbLength(&body, 70);
    AppendOpcode(&body, RdbOpcode::kFrequency);
    body.push_back(5);
    AppendKey(&body, sample.name, sample.body);
    REQUIRE(store.Restore(sample.body, sample.name).has_value());
  }
  AppendOpcode(&body, RdbOpcode::kExpireSeconds);
  AppendLe(&body, static_cast<uint32_t>(kNow / 1000 + 5));
  AppendKey(&body, "in seconds", StringBody("v"));
  AppendOpcode(&body, RdbOpcode::kExpireMs);
  AppendLe(&body, kNow);
  AppendKey(&body, "gone", samples[3].body);
  AppendOpcode(&body, RdbOpcode::kExpireMs);
  AppendLe(&body, ~uint64_t{0} - 5);
  AppendKey(&body, "gone before 1970", samples[8].body);

  Imported imported(store, Sealed(body));
  REQUIRE(imported.status.has_value());
  CHECK(imported.skipped == "a library of functions");
  CHECK(imported.keys == samples.size() + 1);
  CHECK(imported.View(0).Count() == 0);
  for (const RdbSample& sample : samples) {
    INFO(sample.name);
    const ReadView in_db3 = imported.View(3);
    const storage::Key key = in_db3.MakeKey(sample.name);
    const auto value = in_db3.Find(key);
    REQUIRE(value.has_value());
    CHECK(DigestOfKey(in_db3, key) == DigestOfKey(store.View(), key));
  }
  const auto in_seconds = imported.View(3).Find(store.View().MakeKey("in seconds"));
  REQUIRE(in_seconds.has_value());
  CHECK(in_seconds->deadline_ms == (kNow / 1000 + 5) * 1000);
  CHECK(store.Audit() == "");
}

TEST_CASE("rdb file: old versions have no checksum") {
  RestoreStore store;
  std::string body;
  AppendKey(&body, "k", StringBody("v"));
  Imported imported(store, Sealed(body, 3));
  REQUIRE(imported.status.has_value());
  CHECK(imported.keys == 1);
}

TEST_CASE("rdb file: what is wrong is said") {
  RestoreStore store;
  const auto fails = [&](const std::string& file, const std::string& why) {
    Imported imported(store, file);
    REQUIRE(!imported.status.has_value());
    CHECK_THAT(imported.status.error().context, Catch::Contains(why));
  };
  std::string key;
  AppendKey(&key, "k", StringBody("v"));
  fails("", "no RDB file");
  fails("REDIS", "no RDB file");
  fails("verso and more", "no RDB file");
  fails("REDIS00x9", "no number");
  fails(Sealed(key, 13), "RDB version 13");
  fails(Sealed(key) + "x", "checksum");
  fails(Sealed(key, 3) + "x", "behind the end");
  fails("REDIS0003" + key, "ends too early");
  fails(Sealed(key + key), "a key twice: k");
  std::string other = key;
  AppendOpcode(&other, RdbOpcode::kSelectDb);
  AppendRdbLength(&other, 16);
  fails(Sealed(other), "beyond 15");
  other = key;
  AppendOpcode(&other, RdbOpcode::kModuleAux);
  fails(Sealed(other), "module");
  other.clear();
  AppendKey(&other, "hash",
            std::string(1, static_cast<char>(RdbType::kHash)) +
                "\x02\x01"
                "a"
                "\x01"
                "b\x01"
                "a"
                "\x01"
                "c");
  fails(Sealed(other), "a field twice");
  CHECK(store.Audit() == "");
}

TEST_CASE("rdb file: no damage goes unseen") {
  RestoreStore store;
  for (const RdbSample& sample : RdbSamples(SmallSampleItems())) {
    REQUIRE(store.Restore(sample.body, sample.name).has_value());
  }
  const std::string file = Written(store.View());
  for (size_t length = 0; length < file.size(); ++length) {
    if (Imported(store, file.substr(0, length)).status.has_value()) FAIL("cut at " << length);
  }
  for (size_t at = 0; at < file.size(); ++at) {
    std::string damaged = file;
    damaged[at] = static_cast<char>(damaged[at] ^ (1 << at % 8));
    // A checksum of zero says that there is none.
    if (Imported(store, damaged).status.has_value()) FAIL("flipped at " << at);
  }
  // And behind a checksum that is right: an error or a sound line, never a crash.
  std::mt19937 random(5);
  for (int round = 0; round < 3000; ++round) {
    std::string damaged = file.substr(0, file.size() - sizeof(uint64_t));
    for (int flips = 1 + static_cast<int>(random() % 3); flips > 0; --flips) {
      damaged[kRdbHeaderBytes + random() % (damaged.size() - kRdbHeaderBytes)] =
          static_cast<char>(random());
    }
    AppendLe(&damaged, round % 2 == 0 ? uint64_t{0} : Crc64(0, damaged));
    const Imported imported(store, damaged);
    if (!imported.status) CHECK(!imported.status.error().context.empty());
  }
  CHECK(store.Audit() == "");
}

TEST_CASE("rdb file: where the dump ends that something follows") {
  RestoreStore store;
  for (const RdbSample& sample : RdbSamples(SmallSampleItems())) {
    REQUIRE(store.Restore(sample.body, sample.name).has_value());
  }
  const std::string file = Written(store.View());
  for (const std::string behind : {"", "*1\r\n$4\r\nPING\r\n", "\xFF"}) {
    const Result<size_t> bytes = RdbFileBytes(file + behind);
    REQUIRE(bytes.has_value());
    CHECK(*bytes == file.size());
  }
  for (size_t length = 0; length < file.size(); ++length) {
    if (RdbFileBytes(file.substr(0, length)).has_value()) FAIL("cut at " << length);
  }
}

}  // namespace
}  // namespace verso::persistence
