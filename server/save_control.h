// SaveControl: what the server needs of persistence, and nothing of how it is done. Tests bring
// their own.
//
// Start, then Poll() whenever the loop thinks of it (a watched descriptor is readable, the cron):
// it tells each end once.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "persistence/store_format.h"
#include "storage/base/clock.h"
#include "storage/base/result.h"
#include "storage/memory/store.h"

namespace verso::server {

class EventLoop;
struct Settings;

// For INFO persistence. Times are Unix seconds.
struct SaveReport {
  bool running = false;
  bool resolving = false;  // a child died; whether its save committed is being found out
  bool last_failed = false;
  std::string last_error;
  int64_t last_save_time = 0;  // of the last committed one; 0: none
  uint64_t log_position = 0;   // of the last committed or loaded one
  int64_t last_seconds = -1;   // how long the last one took
  int64_t running_seconds = -1;
  uint64_t saves = 0;  // committed by this process
  uint64_t forks = 0;
  uint64_t fork_us = 0;  // of the last one
  uint64_t pin_us = 0;
  uint64_t pages_written = 0;  // of the running one, else of the last
  uint64_t pages_total = 0;
  uint64_t bytes_written = 0;
  uint64_t bytes_total = 0;
  uint64_t child_private_bytes = 0;
  // The load at the start.
  uint64_t load_bytes_done = 0;
  uint64_t load_bytes_total = 0;
  uint64_t load_pages_done = 0;
  uint64_t load_pages_total = 0;
  uint64_t load_serving_ms = 0;     // until clients were served
  uint64_t load_pages_awaited = 0;  // wanted before the stream had come to them
};

enum class SaveEvent : uint8_t { kNothing, kCommitted, kFailed, kLoaded, kLoadFailed };

class SaveControl {
 public:
  virtual ~SaveControl() = default;

  // Descriptors to wait on are added to this loop from now on.
  virtual void Attach(EventLoop* loop) = 0;
  // Pins, forks, returns. `log_position`: the last record of the operation log that the data set
  // contains. Fails: a save or the load is running (kBusy), or it could not start.
  virtual Status Start(uint64_t log_position) = 0;
  // What has ended since the last call. Never blocks.
  virtual SaveEvent Poll() = 0;
  // Blocks until the running save has ended; Poll() then tells how.
  virtual void Wait() = 0;
  // Ends the running save; the last committed one stays.
  virtual void Kill() = 0;
  virtual bool loading() const = 0;
  // Clients are served, and pages of the snapshot still come in: no save can start.
  virtual bool streaming() const = 0;
  // Blocks until they are in, or cannot be had; Poll() tells which.
  virtual void WaitStreamed() = 0;
  virtual bool running() const = 0;
  // Poll() has something to tell sooner or later: call it often.
  virtual bool news_expected() const = 0;
  virtual SaveReport report() const = 0;
};

// The store of `settings.dir`: opened, locked, its newest snapshot on the way into memory
// (loading() says so).
struct OpenedStore {
  std::unique_ptr<storage::Store> store;
  std::unique_ptr<SaveControl> saves;  // destroyed before the store
  persistence::Id store_id;
};
Result<OpenedStore> OpenStore(const Settings& settings, const Clock* clock);

}  // namespace verso::server
