#include "server/command/continuation.h"

#include <chrono>

#include "server/resp/reply.h"

namespace verso::server {
namespace {

uint64_t MonotonicUs() {
  const auto now = std::chrono::steady_clock::now().time_since_epoch();
  return static_cast<uint64_t>(std::chrono::duration_cast<std::chrono::microseconds>(now).count());
}

}  // namespace

Slice::Slice(ReplyWriter* reply, size_t output_bytes_max, uint64_t budget_us)
    : reply_(reply), deadline_us_(MonotonicUs() + budget_us), output_bytes_max_(output_bytes_max) {}

bool Slice::Spent() {
  if (reply_->out().bytes_pending() >= output_bytes_max_) return true;
  return ++calls_ % 16 == 0 && MonotonicUs() >= deadline_us_;
}

bool Slice::SpentNow() {
  return reply_->out().bytes_pending() >= output_bytes_max_ || MonotonicUs() >= deadline_us_;
}

}  // namespace verso::server
