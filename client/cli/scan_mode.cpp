#include "client/cli/scan_mode.h"

#include <chrono>
#include <cstdio>
#include <thread>

#include "client/cli/terminal.h"

namespace verso::cli {

int RunScan(Session* session, const Options& options) {
  const Format format = options.format.value_or(StdoutIsTty() ? Format::kTty : Format::kRaw);
  std::string cursor = "0";
  do {
    std::vector<std::string> args = {"SCAN", cursor};
    if (!options.pattern.empty()) args.insert(args.end(), {"MATCH", options.pattern});
    if (options.count > 0) args.insert(args.end(), {"COUNT", std::to_string(options.count)});
    client::Result<Reply> reply = session->Call(args);
    if (!reply || reply->is_error() || reply->elements().size() != 2) {
      const std::string reason = !reply              ? reply.error().message
                                 : reply->is_error() ? reply->text()
                                                     : "unexpected reply to SCAN";
      std::fprintf(stderr, "Error: %s\n", reason.c_str());
      return 1;
    }
    for (const Reply& key : reply->elements()[1].elements()) {
      const std::string line = FormatReply(key, format);
      if (std::fwrite(line.data(), 1, line.size(), stdout) != line.size()) return 1;
    }
    cursor = reply->elements()[0].text();
    if (options.interval_seconds > 0) {
      std::this_thread::sleep_for(std::chrono::duration<double>(options.interval_seconds));
    }
  } while (cursor != "0");
  return std::fflush(stdout) == 0 ? 0 : 1;
}

}  // namespace verso::cli
