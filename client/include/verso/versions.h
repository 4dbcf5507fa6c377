// Snapshots, branches and transactions of a Verso server as objects: what an object made on the
// server ends when the object does.
//
//     auto before = verso::Snapshot::Create(*client, "before-import");    // dropped at the end of
//     auto old = before->Read("GET", "k");                                // the block, unless kept
//     before->Keep();
//
//     auto test = verso::Branch::Create(*client, "test");
//     { auto visit = test->Enter(); (void)client->Set("k", "only here"); }   // and back
//
//     auto now = verso::ReadTransaction::Begin(*client);                  // one state for all
//     reads auto sum = client->MGet(accounts);
//
//     auto version = verso::RunTransaction(*client, [&](verso::Client& c) -> Result<void> {
//       auto stock = c.Get("stock");                                      // repeated on conflict
//       ...
//       return {};
//     });
//
// A transaction belongs to its connection: every command of the client between Begin and the end is
// part of it. The client must outlive these objects and stay where it is. A destructor that ends
// something asks the server once and cannot report an error; Drop, End, Abort and Leave do.
// An error reply is an Error of code kServer (client.h, L2).
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "client/include/verso/client.h"

namespace verso {

namespace client {

// A client, as long as there is something to end at its server. Moving passes the duty on.
class Duty {
 public:
  explicit Duty(Client* client) : client_(client) {}
  Duty(Duty&& other) noexcept : client_(std::exchange(other.client_, nullptr)) {}

  // Null: nothing is left to do.
  Client* client() const { return client_; }
  Client* Take() { return std::exchange(client_, nullptr); }

 private:
  Client* client_;
};

}  // namespace client

// A named, immutable version of a branch.
class Snapshot {
 public:
  struct Options {
    std::string from;                         // branch or snapshot; empty: the connection's branch
    std::optional<std::chrono::seconds> ttl;  // the server drops it then
    bool replace = false;                     // an existing snapshot of that name goes
  };

  static client::Result<Snapshot> Create(Client& client, std::string name);
  static client::Result<Snapshot> Create(Client& client, std::string name, const Options& options);

  Snapshot(Snapshot&&) noexcept = default;
  ~Snapshot();  // drops it, unless kept

  const std::string& name() const { return name_; }
  int64_t version() const { return version_; }

  // A command that reads, answered from this version. Requires: neither kept nor dropped.
  template <class... Args>
  client::Result<Reply> Read(std::string_view command, const Args&... args) {
    return duty_.client()->Command("ASOF", name_, command, args...);
  }
  // False: somebody else had dropped it. Requires: neither kept nor dropped.
  client::Result<bool> Drop();
  // It stays on the server.
  void Keep() { duty_.Take(); }

 private:
  Snapshot(Client* client, std::string name, int64_t version)
      : duty_(client), name_(std::move(name)), version_(version) {}

  client::Duty duty_;
  std::string name_;
  int64_t version_;
};

// A line of its own to write in, that begins with the content of another branch or of a snapshot.
class Branch {
 public:
  // While it lives the client works in the branch; then again where it was before.
  class Visit {
   public:
    Visit(Visit&&) noexcept = default;
    ~Visit();
    client::Result<void> Leave();

   private:
    friend class Branch;
    Visit(Client* client, std::string back) : duty_(client), back_(std::move(back)) {}

    client::Duty duty_;
    std::string back_;
  };

  // from: a branch or a snapshot; empty: the connection's branch.
  static client::Result<Branch> Create(Client& client, std::string name,
                                       std::string_view from = {});

  Branch(Branch&&) noexcept = default;
  ~Branch();  // drops it, unless kept; the server refuses while somebody works in it

  const std::string& name() const { return name_; }
  // The version it began with.
  int64_t version() const { return version_; }

  // Requires: neither kept nor dropped; the same of Drop.
  client::Result<Visit> Enter();
  client::Result<bool> Drop();
  void Keep() { duty_.Take(); }

 private:
  Branch(Client* client, std::string name, int64_t version)
      : duty_(client), name_(std::move(name)), version_(version) {}

  client::Duty duty_;
  std::string name_;
  int64_t version_;
};

// All reads of the client see one state, for as long as it lives; writes are refused.
class ReadTransaction {
 public:
  // at: a branch or a snapshot; empty: the connection's branch as it is now.
  static client::Result<ReadTransaction> Begin(Client& client, std::string_view at = {});

  ReadTransaction(ReadTransaction&&) noexcept = default;
  ~ReadTransaction();

  int64_t version() const { return version_; }
  client::Result<void> End();

 private:
  ReadTransaction(Client* client, int64_t version) : duty_(client), version_(version) {}

  client::Duty duty_;
  int64_t version_;
};

// Reads and writes that take effect together or not at all.
class Transaction {
 public:
  enum class Isolation : uint8_t {
    kSnapshot,      // commit fails when a key that it wrote was changed by another
    kSerializable,  // also when one that it read was
  };
  struct Options {
    Isolation isolation = Isolation::kSnapshot;
    std::optional<std::chrono::milliseconds> timeout;  // idle; nullopt: the server's txn-timeout
  };

  static client::Result<Transaction> Begin(Client& client);
  static client::Result<Transaction> Begin(Client& client, const Options& options);

  Transaction(Transaction&&) noexcept = default;
  ~Transaction();  // aborts, unless it has ended

  // The version it reads.
  int64_t version() const { return version_; }

  // The version in which its writes appeared. It has ended whatever is returned, unless the server
  // had no memory for it (-OOM).
  client::Result<int64_t> Commit();
  client::Result<void> Abort();

 private:
  Transaction(Client* client, int64_t version) : duty_(client), version_(version) {}

  client::Duty duty_;
  int64_t version_;
};

// Whether a commit failed because another had changed the same keys: trying again may help.
bool IsConflict(const client::Error& error);

// Runs body in a transaction and commits, again from the start after a conflict, at most attempts
// times. An error of body aborts and is returned. body sees the server's state only through the
// client it is given, and must be able to run more than once.
client::Result<int64_t> RunTransaction(Client& client,
                                       const std::function<client::Result<void>(Client&)>& body,
                                       const Transaction::Options& options = {}, int attempts = 16);

}  // namespace verso
