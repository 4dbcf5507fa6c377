#include "client/cli/save_progress.h"

#include <algorithm>
#include <thread>

#include "client/cli/human_text.h"
#include "client/cli/info_fields.h"

namespace verso::cli {
namespace {

using client::Error;
using client::ErrorCode;
using client::Result;

constexpr std::chrono::milliseconds kPollInterval{100};
constexpr int kBarCells = 30;

template <class... Args>
std::string Printed(const char* format, Args... args) {
  char text[64];
  std::snprintf(text, sizeof(text), format, args...);
  return text;
}

std::string SecondsText(std::chrono::milliseconds elapsed) {
  return Printed("%.1f s", static_cast<double>(elapsed.count()) / 1000);
}

// How much was written, with two spaces behind; empty when the server does not say.
std::string AmountText(const SaveStatus& status) {
  std::string text;
  if (status.pages_written) text += std::to_string(*status.pages_written) + " pages  ";
  if (status.bytes_written) text += BytesText(*status.bytes_written) + "  ";
  return text;
}

Result<SaveStatus> PollStatus(Client& client) {
  Result<std::string> info = client.Info("persistence");
  if (!info) return std::move(info).error();
  return ParseSaveStatus(*info);
}

// Draws what is new since the last call.
class ProgressView {
 public:
  ProgressView(bool is_tty, std::FILE* out) : is_tty_(is_tty), out_(out) {}

  void Show(const SaveStatus& status, std::chrono::milliseconds elapsed) {
    const std::string line = ProgressLine(status, elapsed);
    if (is_tty_) {
      std::fprintf(out_, "\r%s\033[K", line.c_str());
    } else if (const int tenth = static_cast<int>(status.fraction.value_or(0) * 10);
               tenth > tenth_shown_) {
      tenth_shown_ = tenth;
      std::fprintf(out_, "%s\n", line.c_str());
    }
    std::fflush(out_);
  }

  // The bar gives way to the result.
  void Clear() {
    if (is_tty_) std::fputs("\r\033[K", out_);
    std::fflush(out_);
  }

 private:
  const bool is_tty_;
  std::FILE* const out_;
  int tenth_shown_ = -1;
};

}  // namespace

Result<SaveStatus> ParseSaveStatus(std::string_view info) {
  const std::optional<int> in_progress = InfoNumber<int>(info, "rdb_bgsave_in_progress");
  const std::optional<std::string_view> last = InfoField(info, "rdb_last_bgsave_status");
  if (!in_progress || !last) {
    return Error{ErrorCode::kType, "INFO persistence does not tell the state of the save"};
  }
  SaveStatus status;
  status.in_progress = *in_progress != 0;
  status.last_ok = *last == "ok";
  status.pages_written = InfoNumber<uint64_t>(info, "save_pages_written");
  status.bytes_written = InfoNumber<uint64_t>(info, "save_bytes_written");
  if (auto progress = InfoNumber<double>(info, "save_progress")) {
    // A fraction, or percent once it is above 1.
    status.fraction = std::clamp(*progress > 1 ? *progress / 100 : *progress, 0.0, 1.0);
  }
  status.error = InfoField(info, "save_last_error").value_or("");
  return status;
}

std::string ProgressLine(const SaveStatus& status, std::chrono::milliseconds elapsed) {
  std::string line;
  if (status.fraction) {
    const int filled = static_cast<int>(*status.fraction * kBarCells);
    line = "[" + std::string(filled, '#') + std::string(kBarCells - filled, '-') + "] " +
           Printed("%5.1f%%  ", *status.fraction * 100);
  } else {
    line = "saving  ";
  }
  return line + AmountText(status) + SecondsText(elapsed);
}

int SaveAndWait(Client& client, bool out_is_tty, std::FILE* out, std::FILE* errors) {
  const auto start = std::chrono::steady_clock::now();
  const auto fail = [&](const std::string& reason) {
    std::fprintf(errors, "BGSAVE failed: %s\n", reason.c_str());
    return 1;
  };
  if (Result<void> started = client.BgSave(); !started) return fail(started.error().message);
  ProgressView view(out_is_tty, out);
  while (true) {
    Result<SaveStatus> status = PollStatus(client);
    const auto elapsed = std::chrono::duration_cast<std::chrono::milliseconds>(
        std::chrono::steady_clock::now() - start);
    if (!status || !status->in_progress) view.Clear();
    if (!status) return fail(status.error().message);
    if (!status->in_progress) {
      if (!status->last_ok) {
        return fail(status->error.empty() ? "the server gives no reason" : status->error);
      }
      std::fprintf(out, "BGSAVE ok  %s%s\n", AmountText(*status).c_str(),
                   SecondsText(elapsed).c_str());
      return 0;
    }
    view.Show(*status, elapsed);
    std::this_thread::sleep_for(kPollInterval);
  }
}

}  // namespace verso::cli
