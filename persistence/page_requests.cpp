#include "persistence/page_requests.h"

#include <linux/futex.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <new>

#include "persistence/file_io.h"

namespace verso::persistence {

namespace {

// Shared between processes, so not FUTEX_PRIVATE_FLAG.
void Sleep(std::atomic<uint32_t>* word, uint32_t seen, const timespec* at_most) {
  syscall(SYS_futex, reinterpret_cast<uint32_t*>(word), FUTEX_WAIT, seen, at_most, nullptr, 0);
}

void Wake(std::atomic<uint32_t>* word) {
  syscall(SYS_futex, reinterpret_cast<uint32_t*>(word), FUTEX_WAKE, 1, nullptr, nullptr, 0);
}

}  // namespace

void PageRequests::Reset() { new (this) PageRequests; }

bool PageRequests::Put(const PageAddress& page) {
  const uint32_t at = put_.load(std::memory_order_relaxed);
  if (at - taken_.load(std::memory_order_acquire) >= kSlots) return false;
  Slot& slot = slots_[at % kSlots];
  slot.birth.store(page.birth, std::memory_order_relaxed);
  slot.cell.store(page.cell, std::memory_order_relaxed);
  put_.store(at + 1);                           // Q1
  if (loader_sleeps_.load() != 0) Wake(&put_);  // Q1
  return true;
}

void PageRequests::AwaitServed(uint32_t seen) {
  server_sleeps_.store(1);  // Q1
  if (served_.load() == seen) {
    const timespec at_most = {0, 20'000'000};
    Sleep(&served_, seen, &at_most);
  }
  server_sleeps_.store(0, std::memory_order_relaxed);
}

bool PageRequests::Take(PageAddress* page) {
  const uint32_t at = taken_.load(std::memory_order_relaxed);
  while (put_.load(std::memory_order_acquire) == at) {
    if (stopped_.load() != 0) return false;
    loader_sleeps_.store(1);  // Q1
    if (put_.load() == at && stopped_.load() == 0) Sleep(&put_, at, nullptr);
    loader_sleeps_.store(0, std::memory_order_relaxed);
  }
  if (stopped_.load() != 0) return false;
  page->birth = slots_[at % kSlots].birth.load(std::memory_order_relaxed);
  page->cell = slots_[at % kSlots].cell.load(std::memory_order_relaxed);
  taken_.store(at + 1, std::memory_order_release);
  return true;
}

void PageRequests::Served() {
  served_.fetch_add(1);                            // Q1
  if (server_sleeps_.load() != 0) Wake(&served_);  // Q1
}

// Nothing is resident only by request then: put_ moves so that a sleeper wakes.
void PageRequests::Stop() {
  stopped_.store(1);
  put_.fetch_add(1);
  Wake(&put_);
}

void UnmapPageRequests::operator()(PageRequests* requests) const {
  munmap(requests, sizeof(*requests));
}

Result<SharedPageRequests> MakePageRequests() {
  void* at = mmap(nullptr, sizeof(PageRequests), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
                  -1, 0);
  if (at == MAP_FAILED) return OsError("mmap of page requests");
  return SharedPageRequests(new (at) PageRequests);
}

}  // namespace verso::persistence
