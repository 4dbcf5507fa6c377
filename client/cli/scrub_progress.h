// `verso-cli scrub [--wait]`: how many of the saved pages the server has verified since its start.
//
// A start verifies every page of the save against its checksum, while clients are served. A page
// that is damaged ends the server, with its reason in the log; --wait sees that as a failure.
#pragma once

#include <cstdio>
#include <optional>
#include <string>
#include <string_view>

#include "client/include/verso/client.h"

namespace verso::cli {

struct ScrubStatus {
  bool in_progress = false;
  uint64_t verified = 0;
  uint64_t total = 0;
};

// nullopt: the server does not tell (Redis).
std::optional<ScrubStatus> ParseScrubStatus(std::string_view info);

// Without its end: "1200 of 2400 saved pages verified, 50.0%".
std::string ScrubLine(const ScrubStatus& status);

// Prints to out and a failure to errors. Returns the exit status: 0 unless the server does not
// tell or went away.
int ShowScrub(Client& client, bool wait, bool out_is_tty, std::FILE* out, std::FILE* errors);

}  // namespace verso::cli
