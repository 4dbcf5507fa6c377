// The tool's connection and what it remembers of it: address, database, user, protocol version,
// whether a transaction is open. A reconnection restores all of it but the transaction.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "client/cli/options.h"
#include "client/include/verso/client.h"

namespace verso::cli {

class Session {
 public:
  explicit Session(const Options& options);

  // Connects and repeats AUTH, SELECT, HELLO and BRANCH USE. What the server refuses of the first
  // three is printed and the session goes on without it, as in redis-cli; without a connection, or
  // outside the branch that was asked for, it does not.
  // False: not connected; the reason is on stderr.
  bool Connect();
  void SetAddress(std::string host, uint16_t port);

  bool is_connected() const { return client_ && client_->is_connected(); }
  bool in_transaction() const { return in_transaction_; }  // after MULTI
  bool in_txn() const { return in_txn_; }                  // after TXN BEGIN
  // Requires: Connect has succeeded once.
  Client& client() { return *client_; }

  // Sends a command (with --at as ASOF does) and waits. An error reply is a reply here, for it is
  // to be printed.
  client::Result<Reply> Call(const std::vector<std::string>& args);
  client::Result<void> Send(const std::vector<std::string>& args);

  void OnPush(Client::PushHandler handler);

  // "127.0.0.1:6379[1]{branch}@snapshot(TX)> ", with "(TXN)" while a TXN is open
  std::string Prompt() const;

 private:
  void RunSetUp(const std::vector<std::string>& args, const std::string& shown);
  void Note(const std::vector<std::string>& args, const Reply& reply);
  void NoteSelect(const std::vector<std::string>& args, const Reply& reply);
  void NoteBranch(const std::vector<std::string>& args);
  void NoteAuth(const std::vector<std::string>& args);

  Options options_;  // kept true to what the server was told
  std::optional<Client> client_;
  Client::PushHandler push_handler_;
  bool in_transaction_ = false;   // MULTI
  bool in_txn_ = false;           // TXN BEGIN
  std::optional<int> queued_db_;  // of a SELECT inside the open transaction
};

}  // namespace verso::cli
