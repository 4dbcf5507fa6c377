#include "client/cli/runner.h"

#include <algorithm>
#include <cstdio>
#include <thread>

#include "client/cli/command_docs.h"
#include "client/cli/diff_view.h"
#include "client/cli/save_progress.h"
#include "client/cli/scrub_progress.h"
#include "client/cli/snapshot_table.h"
#include "client/cli/terminal.h"

namespace verso::cli {
namespace {

using client::ErrorCode;
using client::Result;

bool Is(const std::vector<std::string>& args, std::initializer_list<std::string_view> words) {
  return args.size() >= words.size() &&
         std::equal(
             words.begin(), words.end(), args.begin(),
             [](std::string_view word, const std::string& arg) { return word == ToUpper(arg); });
}

// Replies that are a text for people: quoting their line ends would make them unreadable.
bool IsPlainText(const std::vector<std::string>& args) {
  return Is(args, {"INFO"}) || Is(args, {"LOLWUT"}) || Is(args, {"CLIENT", "LIST"}) ||
         Is(args, {"CLIENT", "INFO"}) || Is(args, {"CLUSTER", "INFO"}) ||
         Is(args, {"CLUSTER", "NODES"}) || Is(args, {"LATENCY", "DOCTOR"}) ||
         Is(args, {"LATENCY", "GRAPH"}) || Is(args, {"MEMORY", "DOCTOR"}) ||
         Is(args, {"MEMORY", "MALLOC-STATS"}) || Is(args, {"DEBUG", "HTSTATS"}) ||
         Is(args, {"DEBUG", "HTSTATS-KEY"});
}

bool IsListening(const std::vector<std::string>& args) {
  return Is(args, {"MONITOR"}) ||
         (args.size() > 1 &&
          (Is(args, {"SUBSCRIBE"}) || Is(args, {"PSUBSCRIBE"}) || Is(args, {"SSUBSCRIBE"})));
}

void Write(const std::string& text) {
  std::fwrite(text.data(), 1, text.size(), stdout);
  std::fflush(stdout);
}

// As redis-cli: how long a slow command took, for people.
void PrintDuration(std::chrono::steady_clock::duration elapsed) {
  const double seconds = std::chrono::duration<double>(elapsed).count();
  if (seconds >= 0.5) std::printf("(%.2fs)\n", seconds);
}

Format ChosenFormat(const Options& options) {
  return options.format.value_or(StdoutIsTty() ? Format::kTty : Format::kRaw);
}

}  // namespace

Runner::Runner(Session* session, const Options& options)
    : session_(session), options_(options), format_(ChosenFormat(options)) {
  if (format_ == Format::kTty && StdoutIsTty()) {
    session_->OnPush([this](const Reply& push) { Write(FormatReply(push, format_)); });
  }
}

Outcome Runner::Run(const std::vector<std::string>& args, int64_t repeat) {
  Outcome outcome = Outcome::kOk;
  for (int64_t run = 0; repeat < 0 || run < repeat; ++run) {
    if (run > 0 && options_.interval_seconds > 0) {
      std::this_thread::sleep_for(std::chrono::duration<double>(options_.interval_seconds));
    }
    outcome = RunOnce(args);
    if (outcome != Outcome::kOk &&
        (outcome != Outcome::kErrorReply || options_.exit_on_error_reply)) {
      break;
    }
  }
  return outcome;
}

Outcome Runner::RunOnce(const std::vector<std::string>& args) {
  if (IsListening(args)) return Listen(args);
  if (args.size() == 2 && Is(args, {"BGSAVE", "--WAIT"})) {
    const bool draws_bar = StdoutIsTty() && format_ == Format::kTty;
    const int status = SaveAndWait(session_->client(), draws_bar, stdout, stderr);
    return status == 0 ? Outcome::kOk : Outcome::kFailed;
  }
  if (Is(args, {"SCRUB"}) && (args.size() == 1 || (args.size() == 2 && args[1] == "--wait"))) {
    const bool draws = StdoutIsTty() && format_ == Format::kTty;
    const int status = ShowScrub(session_->client(), args.size() == 2, draws, stdout, stderr);
    return status == 0 ? Outcome::kOk : Outcome::kFailed;
  }
  if (args.size() == 1 && Is(args, {"SNAPSHOTS"})) {
    return ShowSnapshots(session_->client(), stdout, stderr) == 0 ? Outcome::kOk : Outcome::kFailed;
  }
  if (args.size() >= 3 && Is(args, {"DIFF"})) {
    const int status =
        ShowDiff(session_->client(), {args.begin() + 1, args.end()}, StdoutIsTty(), stdout, stderr);
    return status == 0 ? Outcome::kOk : Outcome::kFailed;
  }
  const auto start = std::chrono::steady_clock::now();
  Result<Reply> reply = session_->Call(args);
  const auto elapsed = std::chrono::steady_clock::now() - start;
  if (!reply) {
    // A server that shuts down hangs up instead of answering.
    if (Is(args, {"SHUTDOWN"}) && reply.error().code == ErrorCode::kClosed) return Outcome::kOk;
    return Disconnected(reply.error());
  }
  const Outcome outcome = Print(*reply, IsPlainText(args));
  if (format_ == Format::kTty && StdoutIsTty()) PrintDuration(elapsed);
  return outcome;
}

Outcome Runner::Listen(const std::vector<std::string>& args) {
  if (Result<void> sent = session_->Send(args); !sent) return Disconnected(sent.error());
  if (format_ != Format::kRaw && !Is(args, {"MONITOR"})) {
    Write("Reading messages... (press Ctrl-C to quit)\n");
  }
  while (true) {
    Result<Reply> reply = session_->client().Receive();
    if (!reply) return Disconnected(reply.error());
    const Outcome outcome = Print(*reply, false);
    if (outcome != Outcome::kOk) return outcome;  // the server refused: it will send nothing more
  }
}

Outcome Runner::Disconnected(const client::Error& error) {
  if (error.code == ErrorCode::kInterrupted) {
    Write("\n");
    return session_->Connect() ? Outcome::kOk : Outcome::kDisconnected;
  }
  std::fprintf(stderr, "Error: %s\n", error.message.c_str());
  return Outcome::kDisconnected;
}

Outcome Runner::Print(const Reply& reply, bool is_plain_text) {
  if (reply.is_error() && options_.exit_on_error_reply) {
    std::fprintf(stderr, "%s\n", reply.text().c_str());
  } else if (is_plain_text && reply.is_text() && !reply.is_error() && format_ != Format::kJson) {
    Write(reply.text().ends_with('\n') ? reply.text() : reply.text() + "\n");
  } else {
    Write(FormatReply(reply, format_));
  }
  return reply.is_error() ? Outcome::kErrorReply : Outcome::kOk;
}

}  // namespace verso::cli
