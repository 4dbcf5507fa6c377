// Checks for programmer errors. Bytes from the network or the disk never reach one of these.
//
//   VERSO_CHECK   O(1), on in every build: reports file, line and condition, then aborts.
//   VERSO_DCHECK  on in debug and sanitizer builds (VERSO_AUDIT defined), free otherwise.
#pragma once

namespace verso {
[[noreturn]] void CheckFailed(const char* file, int line, const char* condition);
}

#define VERSO_CHECK(condition)                       \
  (__builtin_expect(static_cast<bool>(condition), 1) \
       ? void(0)                                     \
       : ::verso::CheckFailed(__FILE__, __LINE__, #condition))

#ifdef VERSO_AUDIT
#define VERSO_DCHECK(condition) VERSO_CHECK(condition)
#else
#define VERSO_DCHECK(condition) void(0)
#endif
