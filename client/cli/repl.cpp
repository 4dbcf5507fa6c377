#include "client/cli/repl.h"

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <iostream>

#include "client/cli/command_docs.h"
#include "client/cli/line_editor.h"
#include "client/cli/split_args.h"
#include "client/cli/terminal.h"
#include "client/connection.h"

namespace verso::cli {
namespace {

std::string HistoryFile() {
  const char* home = std::getenv("HOME");
  return home == nullptr ? std::string() : std::string(home) + "/.verso_cli_history";
}

// Takes the leading number off "5 PING".
int64_t TakeRepeat(std::vector<std::string>* args) {
  if (args->size() < 2) return 1;
  const std::string& first = args->front();
  int64_t repeat = 0;
  auto [at, error] = std::from_chars(first.data(), first.data() + first.size(), repeat);
  if (error != std::errc() || at != first.data() + first.size() || repeat <= 0) return 1;
  args->erase(args->begin());
  return repeat;
}

// As SplitArgs, but a line with unbalanced quotes is cut at its spaces.
std::vector<std::string> Words(std::string_view line) {
  if (auto args = SplitArgs(line)) return std::move(*args);
  std::string plain(line);
  for (char& c : plain) {
    if (c == '"' || c == '\'') c = ' ';
  }
  return SplitArgs(plain).value_or(std::vector<std::string>());
}

}  // namespace

bool IsSecretLine(std::string_view line) {
  std::vector<std::string> words = Words(line);
  TakeRepeat(&words);
  if (words.empty()) return false;
  for (std::string& word : words) word = ToUpper(word);
  const auto has = [&](std::string_view word) {
    return std::find(words.begin() + 1, words.end(), word) != words.end();
  };
  const std::string& name = words[0];
  if (name == "AUTH") return true;
  if (name == "HELLO" || name == "MIGRATE") return has("AUTH") || has("AUTH2");
  if (name == "ACL") return has("SETUSER");
  if (name == "CONFIG") {
    return has("SET") && (has("REQUIREPASS") || has("MASTERAUTH") || has("PRIMARYAUTH"));
  }
  return false;
}

Repl::Repl(Session* session, const Options& options)
    : session_(session), options_(options), runner_(session, options), help_(session) {}

int Repl::Run() { return StdinIsTty() ? RunTyped() : RunPiped(); }

int Repl::RunTyped() {
  LineEditor editor({[this](std::string_view text) { return Complete(text); },
                     [this](std::string_view text) { return Hint(text); }},
                    HistoryFile());
  while (true) {
    help_.Load();
    const std::optional<std::string> line = editor.ReadLine(session_->Prompt());
    if (!line) {
      std::putchar('\n');
      return 0;
    }
    if (line->find_first_not_of(" \t") == std::string::npos) continue;
    if (!IsSecretLine(*line)) editor.Remember(*line);
    if (RunLine(*line) != Next::kGoOn) return 0;
  }
}

int Repl::RunPiped() {
  std::string line;
  while (std::getline(std::cin, line)) {
    const Next next = RunLine(line);
    if (next != Next::kGoOn) return next == Next::kLeave ? 0 : 1;
  }
  return 0;
}

Repl::Next Repl::RunLine(const std::string& line) {
  std::optional<std::vector<std::string>> args = SplitArgs(line);
  if (!args) {
    std::puts("Invalid argument(s)");
    std::fflush(stdout);
    return Next::kGoOn;
  }
  if (args->empty()) return Next::kGoOn;
  return RunCommand(std::move(*args));
}

Repl::Next Repl::RunCommand(std::vector<std::string> args) {
  const std::string name = ToUpper(args[0]);
  if (args.size() == 1 && (name == "QUIT" || name == "EXIT")) return Next::kLeave;
  if (RunOwnCommand(args)) return Next::kGoOn;
  const int64_t repeat = TakeRepeat(&args);
  if (!EnsureConnected()) return Next::kGoOn;
  Outcome outcome;
  if (StdinIsTty()) {
    const InterruptScope scope;
    outcome = runner_.Run(args, repeat);
  } else {
    outcome = runner_.Run(args, repeat);
  }
  const bool ends = outcome == Outcome::kErrorReply && options_.exit_on_error_reply;
  return ends && !StdinIsTty() ? Next::kLeaveFailed : Next::kGoOn;
}

bool Repl::RunOwnCommand(const std::vector<std::string>& args) {
  const std::string name = ToUpper(args[0]);
  if (name == "HELP" || name == "?") {
    help_.Load();
    std::fputs(help_.Text({args.begin() + 1, args.end()}).c_str(), stdout);
  } else if (name == "CLEAR" && args.size() == 1) {
    std::fputs("\033[H\033[2J", stdout);
  } else if (name == "CONNECT" && args.size() == 3) {
    Reconnect(args);
  } else {
    return false;
  }
  std::fflush(stdout);
  return true;
}

void Repl::Reconnect(const std::vector<std::string>& args) {
  uint16_t port = 0;
  const std::string& digits = args[2];
  auto [at, error] = std::from_chars(digits.data(), digits.data() + digits.size(), port);
  if (error != std::errc() || at != digits.data() + digits.size()) {
    std::puts("connect <host> <port>: bad port");
    return;
  }
  session_->SetAddress(args[1], port);
  session_->Connect();
}

bool Repl::EnsureConnected() {
  if (!session_->is_connected()) return session_->Connect();
  if (!session_->client().connection().HasPeerClosed()) return true;
  const bool lost_transaction = session_->in_transaction() || session_->in_txn();
  const bool is_connected = session_->Connect();
  if (lost_transaction) {
    std::fputs("Error: the connection was lost, and the transaction with it\n", stderr);
  }
  return is_connected && !lost_transaction;
}

std::vector<std::string> Repl::Complete(std::string_view text) const {
  constexpr std::string_view kHelp = "help ";
  if (!text.starts_with(kHelp)) return help_.docs().Complete(text);
  std::vector<std::string> choices = help_.docs().Complete(text.substr(kHelp.size()));
  for (std::string& choice : choices) choice.insert(0, kHelp);
  return choices;
}

std::string Repl::Hint(std::string_view text) const {
  std::vector<std::string> words = Words(text);
  TakeRepeat(&words);
  return help_.docs().Hint(words);
}

}  // namespace verso::cli
