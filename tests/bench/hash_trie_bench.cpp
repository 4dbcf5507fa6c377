// What a lookup and a change of the key space cost, and what a key takes in memory (counter B/key,
// arena bytes beside nothing).
//
//   dep     the next key depends on the answer: the latency of one command alone
//   get     independent lookups in a loop: the processor overlaps some of them
//   batch   16 keys, staged prefetch, then the lookups: how the server works through the commands
//   of one turn
//
// Arguments: keys, bytes of a value. Keys are 16 bytes; hashing is included. Values of 256 bytes
// are runs of their own, read and written too. Compare within one run of this program: the
// machine's mood moves everything by tens of percent.
#include <benchmark/benchmark.h>

#include <cstdlib>
#include <cstring>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "storage/index/hash_trie.h"
#include "storage/memory/store.h"

namespace verso::storage {
namespace {

constexpr size_t kKeyBytes = 16;
constexpr size_t kQueries = size_t{1} << 20;
constexpr size_t kBatch = TrieReader::kPrefetchBatch;

class Loaded {
 public:
  Loaded(size_t keys, size_t value_bytes) : keys_(keys), value_(value_bytes, 'v') {
    StoreOptions options;
    options.clock = &clock_;
    options.secret = HashSecret::FromSeed(7);
    auto store = Store::Create(options);
    if (!store) std::abort();
    store_ = std::move(*store);
    const size_t before = arena().bytes_allocated();
    for (size_t i = 0; i < keys; ++i) {
      char name[kKeyBytes];
      Name(i, name);
      if (!arena().Reserve(kTrieWriteBytesMax + value_bytes)) std::abort();
      Set(Key(ByteView(name, kKeyBytes)));
    }
    allocated_ = arena().bytes_allocated() - before;
    std::mt19937_64 random(42);
    queries_.resize(kQueries * kKeyBytes);
    for (size_t i = 0; i < kQueries; ++i) {
      char name[kKeyBytes];
      Name(random() % keys, name);
      std::memcpy(&queries_[i * kKeyBytes], name, kKeyBytes);
    }
  }

  PageArena& arena() { return store_->arena(); }
  size_t keys() const { return keys_; }
  double BytesPerKey() const {
    return static_cast<double>(allocated_) / static_cast<double>(keys_);
  }
  TrieReader reader() { return TrieReader(arena(), root()); }
  TrieKey Query(size_t i) const {
    return Key(ByteView(&queries_[i % kQueries * kKeyBytes], kKeyBytes));
  }

  uint64_t Get(const TrieKey& key) {
    const auto found = reader().Find(key);
    if (!found) std::abort();
    return static_cast<unsigned char>(found->value.external ? *arena().Resolve(found->value.ref)
                                                            : found->value.bytes[0]);
  }
  // As SET does: in place if the layout allows it.
  void Set(const TrieKey& key) {
    TrieWriter writer(store_->main(), &root(), store_->secret());
    ValueView value;
    if (value_.size() <= kTrieInlineBytesMax) {
      value.bytes = value_;
      writer.Put(key, value, 0);
      return;
    }
    if (const auto old = writer.Mutate(key)) {
      std::memcpy(store_->main().Writable(old->ref), value_.data(), value_.size());
      return;
    }
    value.external = true;
    value.ref = store_->main().NewPage(PageKind::kValue, value_.size());
    std::memcpy(arena().ResolveMutable(value.ref), value_.data(), value_.size());
    writer.Put(key, value, 0);
  }
  bool Erase(const TrieKey& key) {
    TrieWriter writer(store_->main(), &root(), store_->secret());
    const auto previous = writer.Erase(key);
    if (previous) store_->main().Retire(previous->value);
    return previous.has_value();
  }

 private:
  // The trie hangs at the head itself: nothing here reads a line root.
  Ref& root() { return *store_->main().mutable_head(); }
  TrieKey Key(ByteView bytes) const { return TrieKey{bytes, Hash64(bytes, store_->secret())}; }
  static void Name(size_t i, char* name) {
    std::memcpy(name, "key:000000000000", kKeyBytes);
    for (size_t digit = kKeyBytes; i != 0; i /= 10) name[--digit] = static_cast<char>('0' + i % 10);
  }

  ManualClock clock_;
  std::unique_ptr<Store> store_;
  size_t keys_;
  std::string value_;
  size_t allocated_ = 0;
  std::string queries_;
};

// One loaded trie at a time; benchmarks with the same arguments share it.
Loaded& LoadedFor(const benchmark::State& state) {
  static std::unique_ptr<Loaded> loaded;
  static size_t bytes = 0;
  const auto keys = static_cast<size_t>(state.range(0));
  if (!loaded || loaded->keys() != keys || bytes != static_cast<size_t>(state.range(1))) {
    bytes = static_cast<size_t>(state.range(1));
    loaded.reset();
    loaded = std::make_unique<Loaded>(keys, bytes);
  }
  return *loaded;
}

void GetDependent(benchmark::State& state) {
  Loaded& loaded = LoadedFor(state);
  size_t at = 0;
  for (auto _ : state) {
    // Always one step, but only known when the value is.
    at += loaded.Get(loaded.Query(at)) == 'v' ? 1 : 2;
  }
  benchmark::DoNotOptimize(at);
  state.counters["B/key"] = loaded.BytesPerKey();
}

void Get(benchmark::State& state) {
  Loaded& loaded = LoadedFor(state);
  size_t at = 0;
  uint64_t sum = 0;
  for (auto _ : state) sum += loaded.Get(loaded.Query(at++));
  benchmark::DoNotOptimize(sum);
}

void Set(benchmark::State& state) {
  Loaded& loaded = LoadedFor(state);
  size_t at = 0;
  for (auto _ : state) loaded.Set(loaded.Query(at++));
}

template <typename Execute>
void RunBatches(benchmark::State& state, Execute&& execute) {
  Loaded& loaded = LoadedFor(state);
  size_t at = 0;
  while (state.KeepRunningBatch(kBatch)) {
    TrieKey keys[kBatch];
    for (TrieKey& key : keys) key = loaded.Query(at++);
    loaded.reader().Prefetch(keys, kBatch);
    for (const TrieKey& key : keys) execute(loaded, key);
  }
}

void GetBatch(benchmark::State& state) {
  uint64_t sum = 0;
  RunBatches(state, [&sum](Loaded& loaded, const TrieKey& key) { sum += loaded.Get(key); });
  benchmark::DoNotOptimize(sum);
}

void SetBatch(benchmark::State& state) {
  RunBatches(state, [](Loaded& loaded, const TrieKey& key) { loaded.Set(key); });
}

void EraseAndInsert(benchmark::State& state) {
  Loaded& loaded = LoadedFor(state);
  size_t at = 0;
  for (auto _ : state) {
    const TrieKey key = loaded.Query(at++);
    if (!loaded.arena().Reserve(2 * kTrieWriteBytesMax)) std::abort();
    loaded.Erase(key);
    loaded.Set(key);
  }
}

void Load(benchmark::State& state) {
  for (auto _ : state) {
    Loaded loaded(static_cast<size_t>(state.range(0)), static_cast<size_t>(state.range(1)));
  }
  state.SetItemsProcessed(state.iterations() * state.range(0));
}

void Registered() {
  constexpr int64_t kKeys = 1'000'000;
  for (const int64_t bytes : {16, 64, 256}) {
    const auto add = [bytes](const char* name, auto* function) {
      benchmark::RegisterBenchmark(name, function)->Args({kKeys, bytes})->MinTime(0.3);
    };
    add("GetDependent", GetDependent);
    add("Get", Get);
    add("GetBatch", GetBatch);
    add("Set", Set);
    add("SetBatch", SetBatch);
    add("EraseAndInsert", EraseAndInsert);
  }
  benchmark::RegisterBenchmark("Load", Load)->Args({kKeys, 16})->Iterations(1);
}
const bool kRegistered = (Registered(), true);

}  // namespace
}  // namespace verso::storage
