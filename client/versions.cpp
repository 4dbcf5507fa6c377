#include "client/include/verso/versions.h"

#include <vector>

#include "client/typed_reply.h"

namespace verso {

using client::Error;
using client::ErrorCode;
using client::Result;
using client::ToDone;
using client::ToFlag;
using client::ToInteger;
using client::ToText;

// ---- snapshots

Result<Snapshot> Snapshot::Create(Client& client, std::string name) {
  return Create(client, std::move(name), Options{});
}

Result<Snapshot> Snapshot::Create(Client& client, std::string name, const Options& options) {
  std::vector<std::string_view> args = {"SNAPSHOT", "CREATE", name};
  if (!options.from.empty()) args.insert(args.end(), {"FROM", options.from});
  std::string seconds;
  if (options.ttl) {
    seconds = std::to_string(options.ttl->count());
    args.insert(args.end(), {"EX", seconds});
  }
  if (options.replace) args.push_back("REPLACE");
  Result<int64_t> version = ToInteger("SNAPSHOT CREATE", client.CommandArgs(args));
  if (!version) return std::move(version).error();
  return Snapshot(&client, std::move(name), *version);
}

Snapshot::~Snapshot() {
  if (duty_.client() != nullptr) (void)Drop();
}

Result<bool> Snapshot::Drop() {
  return ToFlag("SNAPSHOT DROP", duty_.Take()->Command("SNAPSHOT", "DROP", name_));
}

// ---- branches

Result<Branch> Branch::Create(Client& client, std::string name, std::string_view from) {
  Result<int64_t> version = ToInteger(
      "BRANCH CREATE", from.empty() ? client.Command("BRANCH", "CREATE", name)
                                    : client.Command("BRANCH", "CREATE", name, "FROM", from));
  if (!version) return std::move(version).error();
  return Branch(&client, std::move(name), *version);
}

Branch::~Branch() {
  if (duty_.client() != nullptr) (void)Drop();
}

Result<bool> Branch::Drop() {
  return ToFlag("BRANCH DROP", duty_.Take()->Command("BRANCH", "DROP", name_));
}

Result<Branch::Visit> Branch::Enter() {
  Client& client = *duty_.client();
  Result<std::string> before = ToText("BRANCH CURRENT", client.Command("BRANCH", "CURRENT"));
  if (!before) return std::move(before).error();
  Result<void> entered = ToDone(client.Command("BRANCH", "USE", name_));
  if (!entered) return std::move(entered).error();
  return Visit(&client, *std::move(before));
}

Branch::Visit::~Visit() {
  if (duty_.client() != nullptr) (void)Leave();
}

Result<void> Branch::Visit::Leave() {
  return ToDone(duty_.Take()->Command("BRANCH", "USE", back_));
}

// ---- transactions

Result<ReadTransaction> ReadTransaction::Begin(Client& client, std::string_view at) {
  Result<int64_t> version =
      ToInteger("TXN BEGIN", at.empty() ? client.Command("TXN", "BEGIN", "READ", "ONLY")
                                        : client.Command("TXN", "BEGIN", "READ", "ONLY", "AT", at));
  if (!version) return std::move(version).error();
  return ReadTransaction(&client, *version);
}

ReadTransaction::~ReadTransaction() {
  if (duty_.client() != nullptr) (void)End();
}

Result<void> ReadTransaction::End() { return ToDone(duty_.Take()->Command("TXN", "ABORT")); }

Result<Transaction> Transaction::Begin(Client& client) { return Begin(client, Options{}); }

Result<Transaction> Transaction::Begin(Client& client, const Options& options) {
  std::vector<std::string_view> args = {"TXN", "BEGIN"};
  if (options.isolation == Isolation::kSerializable) {
    args.insert(args.end(), {"ISOLATION", "SERIALIZABLE"});
  }
  std::string timeout_ms;
  if (options.timeout) {
    timeout_ms = std::to_string(options.timeout->count());
    args.insert(args.end(), {"TIMEOUT", timeout_ms});
  }
  Result<int64_t> version = ToInteger("TXN BEGIN", client.CommandArgs(args));
  if (!version) return std::move(version).error();
  return Transaction(&client, *version);
}

Transaction::~Transaction() {
  if (duty_.client() != nullptr) (void)Abort();
}

Result<int64_t> Transaction::Commit() {
  Result<int64_t> version = ToInteger("TXN COMMIT", duty_.client()->Command("TXN", "COMMIT"));
  const bool open = !version && version.error().code == ErrorCode::kServer &&
                    version.error().message.starts_with("OOM");
  if (!open) duty_.Take();
  return version;
}

Result<void> Transaction::Abort() { return ToDone(duty_.Take()->Command("TXN", "ABORT")); }

bool IsConflict(const Error& error) {
  return error.code == ErrorCode::kServer && error.message.starts_with("TXNCONFLICT");
}

Result<int64_t> RunTransaction(Client& client, const std::function<Result<void>(Client&)>& body,
                               const Transaction::Options& options, int attempts) {
  for (int attempt = 1;; ++attempt) {
    Result<Transaction> transaction = Transaction::Begin(client, options);
    if (!transaction) return std::move(transaction).error();
    Result<void> done = body(client);
    if (!done) return std::move(done).error();
    Result<int64_t> version = transaction->Commit();
    if (version || !IsConflict(version.error()) || attempt >= attempts) return version;
  }
}

}  // namespace verso
