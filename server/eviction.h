// Eviction: room under maxmemory, by removing keys of `main` as maxmemory-policy says. Branches are
// left alone: what somebody has set aside does not vanish.
//
// E1 A key counts as gone when it is evicted, though a snapshot, a save or a transaction may still
//    hold its bytes (VERSIONS.md, R6): what is left of the data set is brought under maxmemory,
//    never below. Bytes that only pins hold may exceed it by a quarter; beyond that writes get
//    -OOM, which names the largest pin.
// E2 What was evicted is recorded as a DEL, before the command that needed the room.
// E3 One command evicts a little at least, and more as long as the turn has time for it; the rest
//    goes in later turns (Continue), while commands go on.
#pragma once

#include <cstdint>
#include <random>
#include <string>

#include "storage/keyspace/eviction_pool.h"

namespace verso::server {

struct ServerState;
struct Settings;

class Eviction {
 public:
  explicit Eviction(ServerState* state) : state_(state) {}

  // Before a command that may take memory. False: it must be refused with Refusal().
  bool MakeRoom();
  std::string Refusal() const;

  void StartTurn() { spent_us_ = 0; }
  bool more() const { return more_; }
  void Continue();

  // What clocks have to tell under the policy of these settings.
  static storage::AccessRule AccessRuleOf(const Settings& settings);

 private:
  bool EvictOne();  // false: there is no key to take

  ServerState* state_;
  storage::EvictionPool pool_;
  int64_t policy_ = 0;  // that the pool was made for
  std::mt19937_64 random_{std::random_device{}()};
  uint64_t spent_us_ = 0;
  bool more_ = false;
};

}  // namespace verso::server
