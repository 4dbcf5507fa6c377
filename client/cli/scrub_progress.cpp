#include "client/cli/scrub_progress.h"

#include <chrono>
#include <thread>

#include "client/cli/info_fields.h"

namespace verso::cli {
namespace {

constexpr std::chrono::milliseconds kPollInterval{100};

}  // namespace

std::optional<ScrubStatus> ParseScrubStatus(std::string_view info) {
  const auto in_progress = InfoNumber<int>(info, "scrub_in_progress");
  const auto verified = InfoNumber<uint64_t>(info, "scrub_pages_verified");
  const auto total = InfoNumber<uint64_t>(info, "scrub_pages_total");
  if (!in_progress || !verified || !total) return std::nullopt;
  return ScrubStatus{*in_progress != 0, *verified, *total};
}

std::string ScrubLine(const ScrubStatus& status) {
  if (status.total == 0) return "no saved pages to verify: the data set began empty";
  char percent[16];
  std::snprintf(percent, sizeof(percent), "%.1f%%",
                100 * static_cast<double>(status.verified) / static_cast<double>(status.total));
  return std::to_string(status.verified) + " of " + std::to_string(status.total) +
         " saved pages verified, " + percent;
}

int ShowScrub(Client& client, bool wait, bool out_is_tty, std::FILE* out, std::FILE* errors) {
  for (;;) {
    const client::Result<std::string> info = client.Info("persistence");
    if (!info) {
      std::fprintf(errors, "scrub failed: %s\n", info.error().message.c_str());
      return 1;
    }
    const std::optional<ScrubStatus> status = ParseScrubStatus(*info);
    if (!status) {
      std::fputs("scrub failed: this server does not tell\n", errors);
      return 1;
    }
    const bool last = !wait || !status->in_progress;
    if (last || out_is_tty) {
      std::fprintf(out, "%s%s%s", out_is_tty ? "\r\033[K" : "", ScrubLine(*status).c_str(),
                   last ? "\n" : "");
      std::fflush(out);
    }
    if (last) return 0;
    std::this_thread::sleep_for(kPollInterval);
  }
}

}  // namespace verso::cli
