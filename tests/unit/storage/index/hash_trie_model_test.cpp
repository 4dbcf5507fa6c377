// Goal: whatever is done to a hash trie, in every version it holds exactly what a map would hold,
// its structure is sound, and the arena accounts for every byte. Method: random operations on the
// trie and on a std::unordered_map; lengths around every threshold; versions are pinned on the way,
// each with a copy of the map, and compared and dropped later in random order. The head is audited
// after each batch.
#include <random>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "tests/unit/storage/index/hash_trie_fixture.h"

namespace verso::storage {
namespace {

struct ModelValue {
  std::string bytes;
  uint64_t deadline_ms;
};
using Model = std::unordered_map<std::string, ModelValue>;

// `clocks`: all that were ever given, null for an older version (clocks belong to the head).
void CompareWith(TrieFixture& trie, const Ref& root, const Model& model,
                 const std::unordered_set<uint16_t>* clocks) {
  const TrieReader reader(trie.arena(), root);
  size_t visited = 0;
  reader.ForEach([&](const TrieEntry& entry) {
    ++visited;
    const auto expected = model.find(entry.KeyCopy(trie.arena()));
    REQUIRE(expected != model.end());
    REQUIRE(trie.Bytes(entry.value) == expected->second.bytes);
    REQUIRE(entry.value.deadline_ms == expected->second.deadline_ms);
    // Neighbours may share a clock, but nobody has one that no entry was given.
    if (clocks != nullptr) {
      REQUIRE(clocks->count(*trie.arena().Clock(entry.place.leaf, entry.place.slot)) == 1);
    }
  });
  REQUIRE(visited == model.size());
  for (const auto& [key, value] : model) {
    const auto found = reader.Find(trie.Key(key));
    REQUIRE(found);
    REQUIRE(trie.Bytes(found->value) == value.bytes);
  }
  REQUIRE(reader.Validate(trie.secret()) == "");
}

struct PinnedModel {
  PinHandle pin;
  Model model;
};

// `keys`: how many different ones; `small`: mostly short data, so that the trie gets many leaves.
void RunModel(uint32_t seed, size_t keys, size_t batches, size_t batch, bool small, bool pins) {
  INFO("seed " << seed);
  TrieFixture trie;
  const size_t bytes_before = trie.arena().bytes_allocated();
  std::mt19937 random(seed);
  const auto below = [&random](size_t limit) { return random() % limit; };
  const auto length = [&]() -> size_t {
    constexpr size_t kLengths[] = {0, 1, 15, 16, 127, 128, 129, 130, 300, 1000, 8192};
    return small && below(20) != 0 ? below(40) : kLengths[below(std::size(kLengths))];
  };
  std::vector<std::string> names;
  for (size_t i = 0; i < keys; ++i) {
    constexpr size_t kLengths[] = {0, 100, 110, 120, 121, 122, 123, 124, 250, 8184, 8190, 20000};
    std::string name = "key:" + std::to_string(i);
    if (!small || below(50) == 0) name += std::string(kLengths[below(std::size(kLengths))], 'k');
    names.push_back(name);
  }
  Model model;
  std::unordered_set<uint16_t> clocks;
  std::vector<PinnedModel> pinned;
  for (size_t step = 0; step < batches; ++step) {
    const size_t write_percent = 20 + 15 * below(5);  // phases of growth and of shrinking
    for (size_t i = 0; i < batch; ++i) {
      const std::string& name = names[below(names.size())];
      const auto known = model.find(name);
      const size_t dice = below(100);
      if (dice < 10) {
        const uint64_t deadline = below(2) == 0 ? kNoDeadline : below(1000);
        trie.Reserve();
        const auto before = trie.writer().SetDeadline(trie.Key(name), deadline);
        REQUIRE(before.has_value() == (known != model.end()));
        if (before) REQUIRE(*before == known->second.deadline_ms);
        if (before) known->second.deadline_ms = deadline;
      } else if (dice < 10 + write_percent) {
        const std::string bytes(length(), static_cast<char>('a' + below(26)));
        const uint64_t deadline = below(3) == 0 ? below(1000) : kNoDeadline;
        const auto clock = static_cast<uint16_t>(0x5000 + below(50));
        clocks.insert(clock);
        const TriePutResult put = trie.Put(name, bytes, deadline, clock);
        if (known == model.end()) {
          REQUIRE(put.outcome == TriePutOutcome::kInserted);
          model[name] = ModelValue{bytes, deadline};
        } else {
          REQUIRE(put.outcome == TriePutOutcome::kReplaced);
          REQUIRE(put.previous.deadline_ms == known->second.deadline_ms);
          known->second.bytes = bytes;
          known->second.deadline_ms = deadline;
        }
      } else {
        REQUIRE(trie.Erase(name) == (known != model.end()));
        model.erase(name);
      }
    }
    CompareWith(trie, trie.root(), model, &clocks);
    if (pins) {
      if (below(3) == 0) pinned.push_back({trie.store().PinForRead(trie.line(), 0), model});
      if (pinned.size() > 4 || (!pinned.empty() && below(4) == 0)) {
        const size_t which = below(pinned.size());
        CompareWith(trie, trie.RootOf(pinned[which].pin.root()), pinned[which].model, nullptr);
        pinned.erase(pinned.begin() + static_cast<ptrdiff_t>(which));
      }
      trie.store().DrainBackground();
    }
    if (step % 4 == 0) REQUIRE(trie.Audit() == "");
  }
  for (const PinnedModel& version : pinned) {
    CompareWith(trie, trie.RootOf(version.pin.root()), version.model, nullptr);
  }
  pinned.clear();
  for (const std::string& name : names) REQUIRE(trie.Erase(name) == (model.erase(name) == 1));
  CHECK(trie.root().null());
  trie.store().DrainBackground();
  CHECK(trie.Audit() == "");
  if (!pins) CHECK(trie.arena().bytes_allocated() == bytes_before);
}

TEST_CASE("a hash trie of few keys of all lengths is a map") {
  for (uint32_t seed = 1; seed <= 4; ++seed) RunModel(seed, 60, 12, 300, false, false);
}

TEST_CASE("a hash trie of many short keys is a map") {
  for (uint32_t seed = 11; seed <= 12; ++seed) RunModel(seed, 20'000, 8, 20'000, true, false);
}

TEST_CASE("a hash trie is a map in every pinned version") {
  for (uint32_t seed = 21; seed <= 24; ++seed) RunModel(seed, 300, 20, 150, false, true);
  RunModel(31, 5'000, 20, 2'000, true, true);
}

}  // namespace
}  // namespace verso::storage
