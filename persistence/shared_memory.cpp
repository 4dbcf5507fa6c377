#include "persistence/shared_memory.h"

#include <linux/futex.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

namespace verso::persistence {

// Without FUTEX_PRIVATE_FLAG, which would be for one process alone.
void FutexWait(const void* word, uint32_t expected, int64_t timeout_us) {
  timespec timeout;
  timeout.tv_sec = timeout_us / 1'000'000;
  timeout.tv_nsec = timeout_us % 1'000'000 * 1000;
  syscall(SYS_futex, word, FUTEX_WAIT, expected, timeout_us < 0 ? nullptr : &timeout, nullptr, 0);
}

void FutexWake(const void* word) { syscall(SYS_futex, word, FUTEX_WAKE, 1, nullptr, nullptr, 0); }

}  // namespace verso::persistence
