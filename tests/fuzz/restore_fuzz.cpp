// RESTORE's payload from anybody: the input is its type and value, the footer is put behind it, so
// that every input gets past the checksum. Either nothing is changed, or the key has a sound value
// that is dumped and restored the same. Inputs begin as samples of every type and encoding.
//
//   build/fuzz/bin/verso_restore_fuzz -runs=1000000     the campaign
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "persistence/rdb/rdb_format.h"
#include "tests/support/rdb_samples.h"
#include "tests/support/restore_store.h"

extern "C" size_t LLVMFuzzerMutate(uint8_t* data, size_t size, size_t max_size);

namespace {

using verso::ByteView;
using verso::persistence::RdbSample;
using verso::persistence::RdbSamples;
using verso::persistence::RestoreStore;

void Expect(bool condition, const char* what) {
  if (condition) return;
  std::fprintf(stderr, "restore_fuzz: %s\n", what);
  std::abort();
}

class Target {
 public:
  Target() {
    Expect(store_.Restore(RdbSamples(verso::persistence::SmallSampleItems())[14].body, "other")
               .has_value(),
           "a sample was refused");
    base_ = store_.DigestOfAll();
  }

  void Run(const std::string& body) {
    const std::string payload = verso::persistence::WithDumpFooter(body);
    const auto opened = verso::persistence::OpenDump(payload);
    Expect(opened.has_value() && *opened == body, "the footer is wrong");
    verso::persistence::DumpEstimate(payload, store_.store().arena());
    if (store_.Restore(*opened, "key")) TakenAgain();
    Expect(store_.DigestOfAll() == base_, "something else was changed");
    constexpr uint64_t kAuditEvery = 1000;
    if (++runs_ % kAuditEvery == 0) Expect(store_.Audit().empty(), "the audit found something");
  }

 private:
  // What was taken is sound, and goes again.
  void TakenAgain() {
    Expect(store_.Validate("key").empty(), "an unsound value");
    const verso::storage::Digest digest = store_.DigestOf("key");
    const std::string payload = store_.Dump("key");
    const auto opened = verso::persistence::OpenDump(payload);
    Expect(opened.has_value(), "a dump that is not taken");
    Expect(store_.Restore(*opened, "key").has_value(), "a dump that is refused");
    const bool stream = static_cast<verso::persistence::RdbType>((*opened)[0]) ==
                        verso::persistence::RdbType::kStreamListpacks;
    // What is written of a stream leaves some of its numbers out.
    Expect(stream || store_.DigestOf("key") == digest, "a dump of something else");
    // Elements may come in another order, but nothing else may change any more.
    const verso::storage::Digest again = store_.DigestOf("key");
    const std::string second = store_.Dump("key");
    Expect(second.size() == payload.size(), "a second dump of another size");
    Expect(store_.Restore(*verso::persistence::OpenDump(second), "key").has_value(),
           "a second dump that is refused");
    Expect(store_.DigestOf("key") == again, "a second dump of something else");
    Expect(store_.store().ReserveForWrite(0, 1), "no room to remove a key");
    verso::storage::WriteView view = store_.View();
    view.Erase(view.MakeKey("key"), {"del", 'g'});
  }

  RestoreStore store_;
  verso::storage::Digest base_;
  uint64_t runs_ = 0;
};

const std::vector<RdbSample>& Seeds() {
  static const std::vector<RdbSample> seeds = [] {
    std::vector<RdbSample> all = RdbSamples(verso::persistence::SmallSampleItems());
    for (const RdbSample& sample : RdbSamples({"a", "1", "-300", "b"})) all.push_back(sample);
    return all;
  }();
  return seeds;
}

}  // namespace

extern "C" size_t LLVMFuzzerCustomMutator(uint8_t* data, size_t size, size_t max_size,
                                          unsigned seed) {
  constexpr unsigned kAnewEvery = 8;
  if (size < 2 || seed % kAnewEvery == 0) {
    const RdbSample& sample = Seeds()[seed / kAnewEvery % Seeds().size()];
    size = std::min(sample.body.size(), max_size);
    std::memcpy(data, sample.body.data(), size);
  }
  return LLVMFuzzerMutate(data, size, max_size);
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static Target target;
  target.Run(std::string(reinterpret_cast<const char*>(data), size));
  return 0;
}
