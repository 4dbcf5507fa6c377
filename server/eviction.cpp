#include "server/eviction.h"

#include "server/command/error_reply.h"
#include "server/server_state.h"
#include "storage/base/monotonic_time.h"
#include "storage/memory/branches.h"
#include "storage/memory/snapshots.h"

namespace verso::server {
namespace {

using storage::EvictionRule;

constexpr uint64_t kTurnUs = 500;
constexpr int kLeastPerCommand =
    4;  // what commands add, they evict themselves: memory cannot run away
constexpr int kCheckTimeAfter = 8;
constexpr storage::KeyEvent kEvicted = {"evicted", 'e'};

// The order of maxmemory-policy's choices (config_table.cpp).
enum Policy : int64_t {
  kNoEviction,
  kAllKeysLru,
  kAllKeysLfu,
  kAllKeysRandom,
  kVolatileLru,
  kVolatileLfu,
  kVolatileRandom,
  kVolatileTtl
};

EvictionRule RuleOf(const Settings& settings) {
  const int64_t policy = settings.maxmemory_policy;
  EvictionRule rule;
  rule.with_deadline_only = policy >= kVolatileLru;
  rule.samples = static_cast<size_t>(settings.maxmemory_samples);
  if (policy == kAllKeysRandom || policy == kVolatileRandom) {
    rule.order = EvictionRule::Order::kRandom;
  } else if (policy == kVolatileTtl) {
    rule.order = EvictionRule::Order::kFirstDeadline;
  }
  return rule;
}

// What a refused writer may drop.
std::string NameOf(const storage::Store& store, const storage::Store::PinPlace& pin) {
  for (const auto& [name, snapshot] : store.snapshots().all()) {
    if (snapshot.line == pin.line && snapshot.epoch == pin.epoch) {
      return "snapshot '" + std::string(name) + "'";
    }
  }
  for (const auto& [name, branch] : store.branches().all()) {
    if (branch.line->parent() == pin.line && branch.line->fork() == pin.epoch) {
      return "what branch '" + std::string(name) + "' was made from";
    }
  }
  return "a running save, an open transaction or a long read";
}

}  // namespace

storage::AccessRule Eviction::AccessRuleOf(const Settings& settings) {
  if (settings.maxmemory_policy != kAllKeysLfu && settings.maxmemory_policy != kVolatileLfu) {
    return {};
  }
  return storage::AccessRule::ByFrequency(static_cast<uint64_t>(settings.lfu_log_factor),
                                          static_cast<uint64_t>(settings.lfu_decay_time));
}

bool Eviction::MakeRoom() {
  const Settings& settings = state_->settings;
  const uint64_t most = settings.maxmemory;
  more_ = false;
  if (most == 0 || state_->used_memory() <= most) return true;
  if (settings.maxmemory_policy == kNoEviction) return false;
  const storage::Store& store = *state_->store;
  const uint64_t slack = most / 4;
  const uint64_t begin_us = MonotonicUs();
  // Nobody waits for pages that a restart has yet to bring.
  for (int evicted = 0; !store.arena().pending(); ++evicted) {
    const uint64_t used = state_->used_memory();
    if (used <= most + store.bytes_pinned()) break;
    // Memory is on its way back already.
    if (used <= most + slack && store.reclaiming()) break;
    if (evicted >= kLeastPerCommand && evicted % kCheckTimeAfter == 0 &&
        spent_us_ + MonotonicUs() - begin_us >= kTurnUs) {
      more_ = true;
      break;
    }
    if (!EvictOne()) return false;
  }
  spent_us_ += MonotonicUs() - begin_us;
  return store.bytes_pinned() <= slack || state_->used_memory() <= most;
}

void Eviction::Continue() {
  if (more_) MakeRoom();
}

bool Eviction::EvictOne() {
  const Settings& settings = state_->settings;
  if (policy_ != settings.maxmemory_policy) pool_.Clear();
  policy_ = settings.maxmemory_policy;
  storage::Store& store = *state_->store;
  storage::Line& line = store.main();
  const auto victim = pool_.Next(store, line, state_->environment.databases, RuleOf(settings),
                                 state_->now_ms, random_());
  if (!victim) return false;
  if (!store.ReserveForWrite(0, 1) && !store.arena().HasLastSlabs()) return false;
  storage::WriteView view(store, line, victim->db, state_->now_ms);
  state_->unit.Begin(state_->effect_consumer, line.id(), victim->db);
  view.Erase(view.MakeKey(victim->key), kEvicted);
  state_->unit.End();
  return true;
}

std::string Eviction::Refusal() const {
  std::string text(error::kOom);
  const storage::Store& store = *state_->store;
  const uint64_t pinned = store.bytes_pinned();
  // Only if dropping would help.
  if (pinned == 0 || state_->used_memory() > state_->settings.maxmemory + pinned) return text;
  return text + " Versions hold " + std::to_string(pinned) +
         " bytes that the data set has left, most of them " + NameOf(store, store.LargestPin()) +
         ".";
}

}  // namespace verso::server
