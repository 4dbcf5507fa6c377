#include "client/cli/session.h"

#include <algorithm>
#include <charconv>
#include <cstdio>

#include "client/cli/command_docs.h"
#include "client/cli/terminal.h"

namespace verso::cli {
namespace {

using client::ErrorCode;
using client::Result;

std::vector<std::string_view> Views(const std::vector<std::string>& args) {
  return {args.begin(), args.end()};
}

std::optional<int> ToNumber(const std::string& text) {
  int value = 0;
  auto [at, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || at != text.data() + text.size()) return std::nullopt;
  return value;
}

// What is about the connection or the server goes there as it is; everything else is read in the
// version, or refused there.
bool IsAboutServer(const std::string& name) {
  constexpr std::string_view kNames[] = {"ASOF",   "AUTH",   "BRANCH", "CLIENT",  "COMMAND",
                                         "CONFIG", "HELLO",  "INFO",   "PING",    "QUIT",
                                         "RESET",  "SELECT", "TIME",   "SNAPSHOT"};
  return std::find(std::begin(kNames), std::end(kNames), name) != std::end(kNames);
}

}  // namespace

Session::Session(const Options& options) : options_(options) {}

void Session::SetAddress(std::string host, uint16_t port) {
  options_.host = std::move(host);
  options_.port = port;
}

bool Session::Connect() {
  in_transaction_ = false;
  in_txn_ = false;
  client_.reset();
  Client::Options plain;
  plain.host = options_.host;
  plain.port = options_.port;
  plain.resp_version = 2;
  plain.connect_timeout =
      std::chrono::milliseconds(static_cast<int64_t>(options_.connect_timeout_seconds * 1000));
  plain.interrupt = &InterruptScope::flag();
  Result<Client> client = Client::Connect(plain);
  if (!client) {
    std::fprintf(stderr, "Could not connect to Verso at %s:%u: %s\n", options_.host.c_str(),
                 unsigned{options_.port}, client.error().message.c_str());
    return false;
  }
  client_ = std::move(*client);
  client_->OnPush(push_handler_);
  if (!options_.password.empty()) {
    std::vector<std::string> auth = {"AUTH"};
    if (!options_.user.empty()) auth.push_back(options_.user);
    auth.push_back(options_.password);
    RunSetUp(auth, "AUTH");
  }
  if (options_.db != 0) {
    const std::string db = std::to_string(options_.db);
    RunSetUp({"SELECT", db}, "SELECT " + db);
  }
  if (options_.resp_version != 0) {
    const std::string version = std::to_string(options_.resp_version);
    // RESP2 is where every connection begins; a server too old for HELLO need not be asked.
    if (options_.resp_version == 3) RunSetUp({"HELLO", version}, "HELLO " + version);
  }
  if (!options_.branch.empty()) {
    Result<Reply> reply = client_->Command("BRANCH", "USE", options_.branch);
    if (!reply) {
      std::fprintf(stderr, "BRANCH USE %s failed: %s\n", options_.branch.c_str(),
                   reply.error().message.c_str());
      client_.reset();
      return false;
    }
  }
  return is_connected();
}

void Session::RunSetUp(const std::vector<std::string>& args, const std::string& shown) {
  Result<Reply> reply = client_->CommandArgs(Views(args));
  if (reply) return;
  std::fprintf(stderr, "%s failed: %s\n", shown.c_str(), reply.error().message.c_str());
  if (args[0] == "SELECT") options_.db = 0;
}

Result<Reply> Session::Call(const std::vector<std::string>& args) {
  if (!client_) return client::Error{ErrorCode::kClosed, "Not connected"};
  std::vector<std::string_view> words = Views(args);
  if (!options_.at.empty() && !IsAboutServer(ToUpper(args[0]))) {
    words.insert(words.begin(), {"ASOF", options_.at});
  }
  Result<Reply> result = client_->CommandArgs(words);
  if (!result && result.error().code == ErrorCode::kServer) {
    result = Reply::Text(Reply::Kind::kError, std::move(result).error().message);
  }
  if (result) Note(args, *result);
  return result;
}

Result<void> Session::Send(const std::vector<std::string>& args) {
  if (!client_) return client::Error{ErrorCode::kClosed, "Not connected"};
  Pipeline pipeline;
  pipeline.AddArgs(Views(args));
  return client_->Send(pipeline);
}

void Session::OnPush(Client::PushHandler handler) {
  push_handler_ = std::move(handler);
  if (client_) client_->OnPush(push_handler_);
}

std::string Session::Prompt() const {
  if (!is_connected()) return "not connected> ";
  std::string prompt =
      options_.host.find(':') == std::string::npos ? options_.host : "[" + options_.host + "]";
  prompt += ":" + std::to_string(options_.port);
  if (options_.db != 0) prompt += "[" + std::to_string(options_.db) + "]";
  if (!options_.branch.empty()) prompt += "{" + options_.branch + "}";
  if (!options_.at.empty()) prompt += "@" + options_.at;
  if (in_transaction_) prompt += "(TX)";
  if (in_txn_) prompt += "(TXN)";
  return prompt + "> ";
}

void Session::Note(const std::vector<std::string>& args, const Reply& reply) {
  const std::string name = ToUpper(args[0]);
  if (name == "EXEC" || name == "DISCARD") {
    if (reply.is_error() && reply.text().starts_with("ERR")) return;  // there was no MULTI
    if (name == "EXEC" && reply.is_aggregate() && queued_db_) options_.db = *queued_db_;
    in_transaction_ = false;
    queued_db_.reset();
  }
  // Whatever was sent: the transaction is over.
  if (reply.is_error() && reply.text().starts_with("TXN")) in_txn_ = false;
  if (reply.is_error()) return;
  if (name == "TXN" && args.size() > 1) {
    const std::string what = ToUpper(args[1]);
    in_txn_ = what == "BEGIN" || (in_txn_ && what != "COMMIT" && what != "ABORT");
  } else if (name == "MULTI") {
    in_transaction_ = true;
  } else if (name == "SELECT") {
    NoteSelect(args, reply);
  } else if (name == "AUTH") {
    NoteAuth(args);
  } else if (name == "HELLO" && args.size() > 1) {
    options_.resp_version = ToNumber(args[1]).value_or(options_.resp_version);
  } else if (name == "BRANCH") {
    NoteBranch(args);
  } else if (name == "RESET") {
    options_.db = 0;
    options_.branch.clear();
    options_.resp_version = 2;
    in_transaction_ = false;
    in_txn_ = false;
  }
}

void Session::NoteSelect(const std::vector<std::string>& args, const Reply& reply) {
  const std::optional<int> db = args.size() == 2 ? ToNumber(args[1]) : std::nullopt;
  if (!db) return;
  if (reply.text() == "QUEUED") {
    queued_db_ = db;
  } else {
    options_.db = *db;
  }
}

void Session::NoteBranch(const std::vector<std::string>& args) {
  const std::string what = args.size() > 2 ? ToUpper(args[1]) : "";
  if (what == "USE") options_.branch = args[2] == "main" ? "" : args[2];
  if (what == "RENAME" && args.size() > 3 && args[2] == options_.branch) options_.branch = args[3];
}

void Session::NoteAuth(const std::vector<std::string>& args) {
  if (args.size() < 2) return;
  options_.user = args.size() > 2 ? args[1] : "";
  options_.password = args.back();
}

}  // namespace verso::cli
