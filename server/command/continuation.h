// Continuation: the rest of a long read, run in slices between turns on a version pinned for it
// (DESIGN 9).
//
// A handler that would hold the loop, or whose reply is above kReplyBytesAtOnce, writes nothing and
// returns context.Yield(std::make_unique<MyContinuation>(copies of its arguments)). The server pins
// the head, and calls Run() once a turn, on a view of the pinned version, until it returns true.
// Meanwhile the connection parses no further input; while the client does not read its replies
// Run() is not called (back-pressure). A disconnect, CLIENT KILL or 60 s without progress ends it:
// the object is destroyed and the pin dropped. RESP puts lengths first: count in a first pass,
// produce in a second; the view is the same.
//
// C1 Arguments of the command are gone when Run() is called: keep copies.
// C2 Run() returns soon after slice.Spent() says so, remembering where it was.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace verso::storage {
class ReadView;
}

namespace verso::server {

class ReplyWriter;

// Replies longer than this are produced by a continuation.
inline constexpr size_t kReplyBytesAtOnce = 64 * 1024;

class Slice {
 public:
  static constexpr uint64_t kBudgetUs = 500;

  // `slow_steps`: each may take long, so Spent() reads the clock every time.
  Slice(ReplyWriter* reply, size_t output_bytes_max, uint64_t budget_us = kBudgetUs,
        bool slow_steps = false);

  ReplyWriter& reply() { return *reply_; }
  // An error reply that counts as the command's, though that has returned long ago.
  void Fail(std::string_view code_and_text);
  bool failed() const { return failed_; }
  // True when this slice has used its time or filled the client's output. Reads the clock every
  // 16th call only.
  bool Spent();
  // The same for steps that take long by themselves: reads the clock every time.
  bool SpentNow();

  // Tests that must be repeatable ask this instead of the clock.
  static inline bool (*time_is_up)() = nullptr;

 private:
  bool TimeIsUp() const;

  ReplyWriter* reply_;
  uint64_t deadline_us_;
  size_t output_bytes_max_;
  uint32_t calls_ = 0;
  uint32_t look_mask_;  // the clock is read when these bits of calls_ are zero
  bool failed_ = false;
};

class Continuation {
 public:
  virtual ~Continuation() = default;
  virtual bool Run(const storage::ReadView& view, Slice& slice) = 0;  // true: finished
  // False: it sends what it has already; no version is pinned for it, and the view is the head.
  virtual bool NeedsVersion() const { return true; }
};

}  // namespace verso::server
