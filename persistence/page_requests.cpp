#include "persistence/page_requests.h"

#include <new>

#include "persistence/shared_memory.h"

namespace verso::persistence {

void PageRequests::Reset() { new (this) PageRequests; }

bool PageRequests::Put(const PageAddress& page) {
  const uint32_t at = put_.load(std::memory_order_relaxed);
  if (at - taken_.load(std::memory_order_acquire) >= kSlots) return false;
  Slot& slot = slots_[at % kSlots];
  slot.birth.store(page.birth, std::memory_order_relaxed);
  slot.cell.store(page.cell, std::memory_order_relaxed);
  put_.store(at + 1);                                // Q1
  if (loader_sleeps_.load() != 0) FutexWake(&put_);  // Q1
  return true;
}

void PageRequests::AwaitServed(uint32_t seen) {
  server_sleeps_.store(1);  // Q1
  if (served_.load() == seen) FutexWait(&served_, seen, 20'000);
  server_sleeps_.store(0, std::memory_order_relaxed);
}

bool PageRequests::Take(PageAddress* page) {
  const uint32_t at = taken_.load(std::memory_order_relaxed);
  while (put_.load(std::memory_order_acquire) == at) {
    if (stopped_.load() != 0) return false;
    loader_sleeps_.store(1);  // Q1
    if (put_.load() == at && stopped_.load() == 0) FutexWait(&put_, at, -1);
    loader_sleeps_.store(0, std::memory_order_relaxed);
  }
  if (stopped_.load() != 0) return false;
  page->birth = slots_[at % kSlots].birth.load(std::memory_order_relaxed);
  page->cell = slots_[at % kSlots].cell.load(std::memory_order_relaxed);
  taken_.store(at + 1, std::memory_order_release);
  return true;
}

void PageRequests::Served() {
  served_.fetch_add(1);                                 // Q1
  if (server_sleeps_.load() != 0) FutexWake(&served_);  // Q1
}

bool PageRequests::outstanding() const {
  return put_.load(std::memory_order_relaxed) != served_.load(std::memory_order_relaxed);
}

// Nothing is resident only by request then: put_ moves so that a sleeper wakes.
void PageRequests::Stop() {
  stopped_.store(1);
  put_.fetch_add(1);
  FutexWake(&put_);
}

}  // namespace verso::persistence
