// Goal: what commands emit makes the same data again, whatever they are: branches, snapshots, keys,
// deadlines, groups of streams, what merges would do next. Method: random commands on one store,
// whose effects are replayed into another one; both are compared at checkpoints, and the replayer
// is exchanged at a random place (tests/support/effect_workload.h).
//
// verso_model_effects_model [seeds] [steps] [first seed] [check every]
#include <cstdio>
#include <cstdlib>
#include <map>
#include <string>

#include "server/server_state.h"
#include "tests/model/model_run.h"
#include "tests/support/effect_workload.h"

int main(int count, char** arguments) {
  using namespace verso;
  const uint64_t every = model::NumberAt(count, arguments, 4, 200);
  return model::RunSeeds(count, arguments, 20, 5000, [every](uint64_t steps) {
    server::EffectHost live;
    server::EffectWorkload workload(&live, model::g_seed);
    workload.Run(steps, every);
    const std::string problem =
        server::CompareReplay(live, workload.checkpoints, live.records.size() / 2);
    if (!problem.empty()) model::Fail(problem);
    if (std::getenv("VERSO_EFFECTS_COUNT") != nullptr) {
      std::map<std::string, int> counts;
      for (const auto& record : live.records) {
        for (const auto& command : record.commands) {
          const bool longer =
              command[0].size() < 8 &&
              (command[0] == "XGROUP" || command[0] == "BRANCH" || command[0] == "SNAPSHOT");
          ++counts[command[0] + (longer || command[0] == "SNAPSHOT" ? " " + command[1] : "")];
        }
      }
      for (const auto& [name, number] : counts) std::printf("%s %d, ", name.c_str(), number);
      std::printf("\n");
    }
    std::printf("seed %llu: %llu commands, %llu errors, %zu units, %llu slices\n",
                static_cast<unsigned long long>(model::g_seed),
                static_cast<unsigned long long>(workload.commands),
                static_cast<unsigned long long>(workload.errors), live.records.size(),
                static_cast<unsigned long long>(live.slices));
  });
}
