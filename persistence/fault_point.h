// Where tests make a child die or fail. A field of PersistenceOptions, so no environment variable
// reaches production.
#pragma once

#include <signal.h>
#include <unistd.h>

namespace verso::persistence {

enum class FaultPoint : unsigned char {
  kNone,
  kBeforeOpen,       // writer: before it touches the store
  kWhileCollecting,  // writer: the store is open
  kMidPages,         // writer: half of the pages are written
  kBeforeIngest,     // writer: `committing` is set
  kAfterIngest,      // writer: the commit has happened, nobody knows
  kAfterIdentity,    // writer: the identity file is written too, `committed` is not set
  kAfterReport,      // writer: `committed` is reported, the child has not ended
  kMidLoad,          // the first loader: half of the pages are in
  kHoldLoad,         // the first loader: serves, and streams only after a SIGUSR1
  kMidResolve,       // resolver: it knows the outcome, nobody else does
};

// A kill that nothing can handle, as from the operator or the OOM killer.
inline void DieAt(FaultPoint wanted, FaultPoint here) {
  if (wanted == here) kill(getpid(), SIGKILL);
}

// Waits for SIGUSR1. Before, and before there are threads: BlockHoldSignal, so that one that comes
// early is kept.
inline void BlockHoldSignal() {
  sigset_t hold;
  sigemptyset(&hold);
  sigaddset(&hold, SIGUSR1);
  pthread_sigmask(SIG_BLOCK, &hold, nullptr);
}
inline void HoldAt(FaultPoint wanted, FaultPoint here) {
  if (wanted != here) return;
  sigset_t hold;
  sigemptyset(&hold);
  sigaddset(&hold, SIGUSR1);
  int number = 0;
  sigwait(&hold, &number);
}

}  // namespace verso::persistence
