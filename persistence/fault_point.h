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
  kMidLoad,          // loader: half of the pages are in
  kMidResolve,       // resolver: it knows the outcome, nobody else does
};

// A kill that nothing can handle, as from the operator or the OOM killer.
inline void DieAt(FaultPoint wanted, FaultPoint here) {
  if (wanted == here) kill(getpid(), SIGKILL);
}

}  // namespace verso::persistence
