// A power loss at any moment of the writer's life: the log starts, and what durable() had said is
// there. VERSO_LOG_STATES: how many states (default 1,000); VERSO_LOG_SEED: another run of them.
#include <iostream>
#include <thread>

#include "tests/support/log_fixture.h"
#include "tests/support/log_power_loss.h"

namespace verso::persistence {

namespace {

size_t UnitBytes(uint64_t n) { return n % 11 == 0 ? 5000 : n % 4 == 0 ? 700 : 20; }

// One life with rotations and removals; everything it did is in *system.
uint64_t Live(SyncPolicy policy, PowerLoss::Random* random, RecordingLogSystem* system) {
  LogDirectoryForTest directory(kFastDirectory);
  auto options = WriterOptions(directory.path(), policy);
  options.system = system;
  options.segment_bytes_max = (*random)() % 2 == 0 ? 8000 : 1 << 20;
  auto writer = OpenWriter(options);
  system->Watch(writer.get());
  const uint64_t records = 30 + (*random)() % 60;
  uint64_t rotated = 0;
  for (uint64_t n = 1; n <= records; ++n) {
    Append(writer.get(), n, UnitBytes(n));
    const uint64_t dice = (*random)() % 100;
    if (dice < 50) writer->Submit();
    if (dice < 15) writer->WaitDurable(5000);
    if (dice >= 50 && dice < 56) rotated = writer->Rotate();
    if (dice >= 56 && dice < 70) std::this_thread::sleep_for(std::chrono::microseconds(200));
    if (dice >= 70 && dice < 76 && rotated > 0) {
      // A save at the last rotation has committed, whatever the log has on its disk.
      system->SetBase(rotated);
      writer->DropThrough(rotated);
    }
    if (dice >= 97) writer->SetPolicy(SyncPolicy::kAlways);
  }
  if ((*random)() % 2 == 0) writer->WaitDurable(5000);
  system->Watch(nullptr);  // takes what it had told by now
  writer.reset();
  return records;
}

struct Totals {
  uint64_t states = 0, torn = 0, torn_bytes = 0, units = 0;
};

void CheckState(const std::string& directory, uint64_t base, uint64_t durable, bool writes,
                Totals* totals) {
  const auto content = ReadLog(directory, base);
  if (content.error) FAIL(content.error->context);  // refused
  REQUIRE(content.unbased.empty());
  const uint64_t last = content.last_sequence;
  REQUIRE(last >= durable);  // lost
  REQUIRE(content.units.size() == last - base);
  for (size_t i = 0; i < content.units.size(); ++i) {
    const uint64_t n = base + 1 + i;
    REQUIRE(content.units[i] == LogContent::Unit{n, 1000 + n, static_cast<uint32_t>(n % 5),
                                                 static_cast<int>(n % 16),
                                                 UnitPayload(n, UnitBytes(n))});
  }
  ++totals->states;
  totals->units += content.units.size();
  if (content.torn_tail) {
    ++totals->torn;
    totals->torn_bytes += content.torn_tail->bytes;
    REQUIRE(CutTornTail(*content.torn_tail));
  }
  const auto again = ReadLog(directory, base);
  CheckGood(again);
  REQUIRE(again.last_sequence == last);
  if (!writes) return;
  {
    auto writer = OpenWriter(WriterOptions(directory, SyncPolicy::kAlways, last));
    Append(writer.get(), last + 1);
  }
  const auto on = ReadLog(directory, base);
  CheckGood(on);
  REQUIRE(on.last_sequence == last + 1);
}

uint64_t FromEnvironment(const char* name, uint64_t otherwise) {
  const char* text = std::getenv(name);
  return text != nullptr ? std::strtoull(text, nullptr, 10) : otherwise;
}

}  // namespace

TEST_CASE("log: power loss at any moment, nothing lost, nothing refused") {
  const uint64_t wanted = FromEnvironment("VERSO_LOG_STATES", 1000);
  const uint64_t seed = FromEnvironment("VERSO_LOG_SEED", 1);
  constexpr uint64_t kStatesOfALife = 50;
  Totals totals;
  for (uint64_t life = 0; totals.states < wanted; ++life) {
    PowerLoss::Random random(seed * 1'000'003 + life);
    RecordingLogSystem system;
    const auto policy = static_cast<SyncPolicy>(life % 3);
    Live(policy, &random, &system);
    const auto& calls = system.calls();
    for (uint64_t state = 0; state < kStatesOfALife; ++state) {
      const size_t cut = random() % (calls.size() + 1);
      INFO("seed " << seed << ", life " << life << ", policy " << static_cast<int>(policy)
                   << ", state " << state << ", cut " << cut << " of " << calls.size());
      const uint64_t durable = cut < calls.size() ? calls[cut].durable : system.durable();
      const uint64_t base = cut < calls.size() ? calls[cut].base : system.base();
      LogDirectoryForTest directory(kFastDirectory);
      fs::create_directory(directory.log());
      for (const auto& [name, content] : PowerLoss::State(calls, cut, &random)) {
        WriteContent(directory.log() + "/" + name, content);
      }
      CheckState(directory.path(), base, durable, state % 5 == 0, &totals);
    }
  }
  std::cout << "power loss: " << totals.states << " states, " << totals.torn
            << " with a torn tail of " << totals.torn_bytes / std::max<uint64_t>(totals.torn, 1)
            << " bytes on average, " << totals.units << " units read, lost 0, refused 0\n";
}

}  // namespace verso::persistence
