#include "server/command/continuation.h"

#include "server/resp/reply.h"
#include "storage/base/monotonic_time.h"

namespace verso::server {

Slice::Slice(ReplyWriter* reply, size_t output_bytes_max, uint64_t budget_us, bool slow_steps)
    : reply_(reply),
      deadline_us_(MonotonicUs() + budget_us),
      output_bytes_max_(output_bytes_max),
      look_mask_(slow_steps ? 0 : 15) {}

void Slice::Fail(std::string_view code_and_text) {
  reply_->Error(code_and_text);
  failed_ = true;
}

bool Slice::TimeIsUp() const {
  if (time_is_up != nullptr) [[unlikely]]
    return time_is_up();
  return MonotonicUs() >= deadline_us_;
}

bool Slice::Spent() {
  if (reply_->out().bytes_pending() >= output_bytes_max_) return true;
  return (++calls_ & look_mask_) == 0 && TimeIsUp();
}

bool Slice::SpentNow() { return reply_->out().bytes_pending() >= output_bytes_max_ || TimeIsUp(); }

}  // namespace verso::server
