#include "storage/base/check.h"

#include <cstdio>
#include <cstdlib>

namespace verso {

void CheckFailed(const char* file, int line, const char* condition) {
  std::fprintf(stderr, "verso: check failed at %s:%d: %s\n", file, line, condition);
  std::abort();
}

}  // namespace verso
