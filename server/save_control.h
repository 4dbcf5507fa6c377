// SaveControl: what the server needs of saving, and nothing of how it is done (persistence). Tests bring their own.
//
// A save that ends between two turns is noticed by Poll(), which the cron and the descriptor's readiness call.
#pragma once

#include <cstdint>
#include <string>

#include "storage/base/result.h"

namespace verso::server {

// For INFO persistence. Times are Unix seconds, -1: never.
struct SaveReport {
  bool running = false;
  bool last_failed = false;
  std::string last_error;
  int64_t last_save_time = 0;     // of the last committed one (or the start of the process)
  int64_t last_seconds = -1;      // how long the last one took
  int64_t running_seconds = -1;
  uint64_t saves = 0;             // committed by this process
  uint64_t forks = 0;
  uint64_t fork_us = 0;           // pin + fork of the last one
  uint64_t pages_written = 0;     // of the running one, else of the last
  uint64_t pages_total = 0;
  uint64_t bytes_written = 0;
  uint64_t bytes_copied = 0;      // copy on write during the last one
};

enum class SaveEvent : uint8_t { kNothing, kCommitted, kFailed };

class SaveControl {
 public:
  virtual ~SaveControl() = default;

  // Pins, forks, returns. Fails: one is running (kBusy), or it could not start.
  virtual Status Start() = 0;
  // What has become of the running save.
  virtual SaveEvent Poll() = 0;
  // Blocks until the running save has ended.
  virtual SaveEvent Wait() = 0;
  // Ends the running save; the last committed one stays.
  virtual void Kill() = 0;
  // Becomes readable when Poll() is worth calling; -1: no save runs.
  virtual int descriptor() const = 0;
  virtual SaveReport report() const = 0;
};

}  // namespace verso::server
