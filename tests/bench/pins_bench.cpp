// Many pins at once: what a thousand pinned versions cost, and that dropping them in random order
// gives all the memory back and stalls nobody (V5, V9).
//
//   verso_pins_bench [KEYS [PINS [WRITES]]]     1,000,000 keys, 1,000 pins, 300 SETs between two
//
// Keys of 16 bytes, values of 64. Every call that the server's loop would make is timed by itself:
// a pin, a SET (with its reservation), an unpin, one slice of background work. Judged is processor
// time of the thread, which the neighbours on a busy machine do not change; wall-clock time stands
// beside it. The exit status is 1 if a bar is not held.
#include <time.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "storage/base/clock.h"
#include "storage/keyspace/keyspace.h"
#include "storage/memory/store.h"

namespace verso::storage {
namespace {

constexpr size_t kValueBytes = 64;
constexpr uint64_t kSliceUs = 500;
constexpr double kStallMsMax = 2;
constexpr double kMemoryDifferenceMax = 0.01;

double Milliseconds(clockid_t clock) {
  timespec t{};
  clock_gettime(clock, &t);
  return static_cast<double>(t.tv_sec) * 1e3 + static_cast<double>(t.tv_nsec) / 1e6;
}

// How long one kind of call took: in all, and the longest.
struct Timing {
  const char* name;
  uint64_t calls = 0;
  double cpu_ms = 0;
  double cpu_ms_max = 0;
  double wall_ms_max = 0;

  template <typename Call>
  auto Time(Call&& call) {
    const double wall = Milliseconds(CLOCK_MONOTONIC);
    const double cpu = Milliseconds(CLOCK_THREAD_CPUTIME_ID);
    auto result = call();
    const double took = Milliseconds(CLOCK_THREAD_CPUTIME_ID) - cpu;
    ++calls;
    cpu_ms += took;
    cpu_ms_max = std::max(cpu_ms_max, took);
    wall_ms_max = std::max(wall_ms_max, Milliseconds(CLOCK_MONOTONIC) - wall);
    return result;
  }
  void Print() const {
    std::printf("  %-12s %9llu calls, %7.2f us each, longest %7.3f ms (wall clock %7.3f ms)\n",
                name, static_cast<unsigned long long>(calls),
                calls == 0 ? 0.0 : cpu_ms * 1e3 / static_cast<double>(calls), cpu_ms_max,
                wall_ms_max);
  }
};

class PinsBench {
 public:
  PinsBench(size_t keys, size_t pins, size_t writes)
      : keys_(keys), pin_count_(pins), writes_(writes) {
    StoreOptions options;
    options.clock = &clock_;
    options.secret = HashSecret::FromSeed(7);
    auto store = Store::Create(options);
    if (!store) Fail("no store");
    store_ = std::move(*store);
  }

  int Run() {
    for (size_t i = 0; i < keys_; ++i) Set(i);
    store_->DrainBackground();
    load_ = set_;
    load_.name = "SET, loading";
    set_ = Timing{"SET, pinned"};
    const size_t before = store_->arena().bytes_allocated();
    TakePins();
    const size_t most = store_->arena().bytes_allocated();
    DropPins();
    const size_t after = store_->arena().bytes_allocated();
    return Report(before, most, after);
  }

 private:
  [[noreturn]] static void Fail(const char* what) {
    std::fprintf(stderr, "pins_bench: %s\n", what);
    std::exit(2);
  }

  void Set(size_t i) {
    char name[24];
    std::snprintf(name, sizeof(name), "key:%012zu", i);
    const bool done = set_.Time([&] {
      if (!store_->ReserveForWrite(kValueBytes, 1)) return false;
      WriteView view(*store_, store_->main(), 0, clock_.NowMs());
      value_[i % kValueBytes] = static_cast<char>(i);
      view.SetString(view.MakeKey(ByteView(name, 16)), value_, SetOptions{}, KeyEvent{"set", '$'});
      return true;
    });
    if (!done) Fail("out of memory");
  }

  bool Background() {
    return background_.Time([&] { return store_->Background(kSliceUs); });
  }

  void TakePins() {
    for (size_t pin = 0; pin < pin_count_; ++pin) {
      pins_.push_back(
          pin_.Time([&] { return store_->PinForRead(store_->main(), clock_.NowMs()); }));
      for (size_t i = 0; i < writes_; ++i) Set(random_() % keys_);
      Background();
    }
  }

  void DropPins() {
    std::shuffle(pins_.begin(), pins_.end(), random_);
    for (PinHandle& pin : pins_) {
      unpin_.Time([&] {
        pin.Release();
        return true;
      });
      Background();
    }
    while (Background()) {
    }
  }

  int Report(size_t before, size_t most, size_t after) const {
    const auto megabytes = [](size_t bytes) { return static_cast<double>(bytes) / 1e6; };
    const double difference = std::abs(static_cast<double>(after) - static_cast<double>(before)) /
                              megabytes(before) / 1e6;
    const double stall_ms =
        std::max({pin_.cpu_ms_max, unpin_.cpu_ms_max, background_.cpu_ms_max, set_.cpu_ms_max});
    std::printf("%zu keys, %zu pins, %zu SETs between two\n", keys_, pin_count_, writes_);
    for (const Timing* timing : {&load_, &pin_, &set_, &unpin_, &background_}) timing->Print();
    std::printf("memory: %.1f MB, with all pins %.1f MB, all dropped %.1f MB (%.3f %% off)\n",
                megabytes(before), megabytes(most), megabytes(after), difference * 100);
    const std::string faults = store_->Audit();
    if (!faults.empty()) std::printf("audit: %s\n", faults.c_str());
    const bool held =
        difference <= kMemoryDifferenceMax && stall_ms <= kStallMsMax && faults.empty();
    std::printf("longest call %.3f ms (at most %.0f), memory %.3f %% off (at most %.0f): %s\n",
                stall_ms, kStallMsMax, difference * 100, kMemoryDifferenceMax * 100,
                held ? "held" : "NOT HELD");
    return held ? 0 : 1;
  }

  const size_t keys_, pin_count_, writes_;
  ManualClock clock_;
  std::unique_ptr<Store> store_;
  std::vector<PinHandle> pins_;  // released before the store goes
  std::mt19937_64 random_{42};
  std::string value_ = std::string(kValueBytes, 'v');
  Timing load_{"SET, loading"}, pin_{"pin"}, set_{"SET, pinned"}, unpin_{"unpin"};
  Timing background_{"background"};
};

}  // namespace
}  // namespace verso::storage

int main(int argc, char** argv) {
  size_t numbers[3] = {1'000'000, 1'000, 300};
  for (int i = 1, at = 0; i < argc && at < 3; ++i) {
    if (argv[i][0] != '-') numbers[at++] = std::strtoull(argv[i], nullptr, 10);
  }
  return verso::storage::PinsBench(numbers[0], numbers[1], numbers[2]).Run();
}
