// `verso-cli bgsave --wait`: starts a save and shows how far it is until it has ended.
//
//     BGSAVE ──► INFO persistence ──► in progress? ──no──► status ok? exit 0 : reason, exit 1
//                      ▲                   │ yes
//                      └── draw, 100 ms ◄──┘
//
// On a terminal one bar is redrawn; elsewhere each whole ten percent is a line. A server without
// the fields save_progress, save_pages_written, save_bytes_written (Redis) shows the time only.
#pragma once

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <optional>
#include <string>
#include <string_view>

#include "client/include/verso/client.h"

namespace verso::cli {

// What INFO says about the save.
struct SaveStatus {
  bool in_progress = false;
  bool last_ok = false;
  std::optional<double> fraction;  // 0..1
  std::optional<uint64_t> pages_written;
  std::optional<uint64_t> bytes_written;
  std::string error;  // why the last save failed, if the server says
};

// Fails: kType, INFO lacks the fields that every server has.
client::Result<SaveStatus> ParseSaveStatus(std::string_view info);

// One line without its end: "[#####-----]  50.0%  1200 pages  4.7 MB  1.3 s".
std::string ProgressLine(const SaveStatus& status, std::chrono::milliseconds elapsed);

// Prints progress to out and a failure to errors.
// Returns the exit status: 0 when the save has ended well.
int SaveAndWait(Client& client, bool out_is_tty, std::FILE* out, std::FILE* errors);

}  // namespace verso::cli
