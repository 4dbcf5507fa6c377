// SlowLog: the commands that took longest, for SLOWLOG. Kept where a fork does not copy it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <list>
#include <memory_resource>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "server/buffer_pool.h"
#include "storage/base/bytes.h"

namespace verso::server {

class SlowLog {
 public:
  struct Entry {
    uint64_t id = 0;
    uint64_t unix_seconds = 0;
    uint64_t us = 0;
    // Shortened, secrets left out.
    std::pmr::vector<std::pmr::string> arguments{ClientMemory()};
    std::pmr::string client_address{ClientMemory()};
    std::pmr::string client_name{ClientMemory()};
  };

  // slower_than_us: negative means that nothing is logged, 0 everything.
  void Configure(int64_t slower_than_us, size_t entries_max);

  // Asked for each command: must cost nothing.
  bool Wants(uint64_t cycles) const { return cycles >= cycles_min_; }
  // `command`: its full name ("config|set").
  void Add(std::string_view command, std::span<const ByteView> arguments, uint64_t cycles,
           uint64_t now_ms, std::string_view client_address, std::string_view client_name);
  void Clear() { entries_.clear(); }

  const std::pmr::list<Entry>& entries() const { return entries_; }  // the newest first

 private:
  std::pmr::list<Entry> entries_{ClientMemory()};
  uint64_t cycles_min_ = ~uint64_t{0};
  size_t entries_max_ = 0;
  uint64_t next_id_ = 0;
};

}  // namespace verso::server
