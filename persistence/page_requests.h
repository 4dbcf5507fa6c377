// PageRequests: how the serving process asks the loader for pages, in memory that both share.
//
//   server   Put(page) ... Put(page), AwaitServed(seen) until the page is resident
//   loader   a thread of its own: Take(&page), brings it, Served()
//
// A ring with one writer and one reader; a full one drops, since whoever waits asks again. Both
// sides sleep on futexes, the server for a bounded time only: it looks whether the loader lives.
//
// Q1 A flag "I sleep" is set before the last look at the counter and read after the counter has
//    changed, both sequentially consistent: so one of the two sees the other, and no wake is lost.
// Q2 That a page is there is told by PageImage alone (release and acquire); `served` only says that
//    it is worth a look.
#pragma once

#include <atomic>
#include <cstdint>

#include "persistence/store_format.h"

namespace verso::persistence {

class PageRequests {
 public:
  static constexpr uint32_t kSlots = 256;

  // ---- the server
  // Requires: no loader has this ring.
  void Reset();
  // False: full.
  bool Put(const PageAddress& page);
  uint32_t served() const { return served_.load(std::memory_order_acquire); }
  // Sleeps until served() is no longer `seen`, 20 ms at most.
  void AwaitServed(uint32_t seen);

  // ---- the loader
  // Sleeps until there is a request. False: Stop() was called.
  bool Take(PageAddress* page);
  void Served();
  bool outstanding() const;  // something was asked and not served yet; from any thread
  void Stop();

 private:
  struct Slot {
    std::atomic<uint64_t> birth;
    std::atomic<uint64_t> cell;
  };
  std::atomic<uint32_t> put_{0};
  std::atomic<uint32_t> taken_{0};
  std::atomic<uint32_t> served_{0};
  std::atomic<uint32_t> server_sleeps_{0};
  std::atomic<uint32_t> loader_sleeps_{0};
  std::atomic<uint32_t> stopped_{0};
  Slot slots_[kSlots];
};
static_assert(std::atomic<uint64_t>::is_always_lock_free);

}  // namespace verso::persistence
