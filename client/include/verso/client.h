// verso::Client: a synchronous client for Verso and every other server that speaks RESP.
//
//     #include <verso/client.h>
//
//     verso::Client::Options options;
//     options.host = "127.0.0.1";
//     options.command_timeout = std::chrono::seconds(5);
//     auto client = verso::Client::Connect(options);
//     if (!client) { std::cerr << client.error().message << '\n'; return 1; }
//
//     (void)client->Set("greeting", "hello", {.ttl = std::chrono::seconds(60)});
//     auto value = client->Get("greeting");               // Result<optional<string>>
//     if (value && *value) std::cout << **value << '\n';
//
//     auto reply = client->Command("HSET", "user:1", "name", "Ada", "age", 36);   // anything else
//
//     verso::Pipeline pipeline;                           // many commands, one round trip
//     pipeline.Add("INCR", "visits").Add("GET", "greeting").Add("LPUSH", "greeting", "x");
//     auto replies = client->Run(pipeline);               // Result<vector<Result<Reply>>>
//     // replies is an error only if the connection failed; (*replies)[2] holds WRONGTYPE.
//
// Rules. L1: errors are values, no exception leaves the library (std::bad_alloc apart). L2: an
// error reply of the server is an Error of code kServer; inside an aggregate (EXEC) it stays a
// Reply. L3: after a timeout, an interruption or a protocol error the connection is closed, since
// replies would be out of step; Reconnect makes a new one. Nothing reconnects by itself: a lost
// connection may have executed the command or not, and only the caller knows whether to repeat it.
// L4: one thread at a time; several threads use a client each.
//
// Push messages (RESP3: client tracking, subscriptions) may come between replies. They go to the
// push handler, or are dropped without one. A program that only listens calls Send, then Receive.
#pragma once

#include <atomic>
#include <charconv>
#include <chrono>
#include <concepts>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "client/include/verso/reply.h"
#include "client/include/verso/result.h"

namespace verso {

namespace client {

class Connection;

// One argument of a command: text as it is, integers as decimal digits.
class Argument {
 public:
  Argument(std::string_view text) : text_(text) {}    // NOLINT: an argument may be
  Argument(const std::string& text) : text_(text) {}  // NOLINT  any of these
  Argument(const char* text) : text_(text) {}         // NOLINT
  template <std::integral T>                          // NOLINTNEXTLINE
  requires(!std::same_as<T, bool> && !std::same_as<T, char>) Argument(T value)
      : digit_count_(static_cast<size_t>(
            std::to_chars(digits_, digits_ + sizeof(digits_), value).ptr - digits_)) {}

  std::string_view view() const {
    return digit_count_ > 0 ? std::string_view(digits_, digit_count_) : text_;
  }

 private:
  std::string_view text_;
  char digits_[24] = {};
  size_t digit_count_ = 0;
};

}  // namespace client

// Commands to be sent together. A plain value: it may be kept and run again.
class Pipeline {
 public:
  template <class... Args>
  Pipeline& Add(std::string_view name, const Args&... args) {
    const client::Argument arguments[] = {name, client::Argument(args)...};
    std::string_view views[sizeof...(args) + 1];
    for (size_t i = 0; i <= sizeof...(args); ++i) views[i] = arguments[i].view();
    return AddArgs(views);
  }
  Pipeline& AddArgs(std::span<const std::string_view> args);

  size_t size() const { return command_count_; }
  void Clear();

 private:
  friend class Client;

  std::string bytes_;
  size_t command_count_ = 0;
};

class Client {
 public:
  using PushHandler = std::function<void(const Reply&)>;

  struct Options {
    std::string host = "127.0.0.1";
    uint16_t port = 6379;
    std::string user;      // empty: the default user
    std::string password;  // empty: no authentication
    int db = 0;
    int resp_version = 3;                             // 2 or 3
    std::chrono::milliseconds connect_timeout{5000};  // zero: none
    std::chrono::milliseconds command_timeout{0};     // per command or pipeline; zero: none
    // Raised by a signal handler to end a wait with kInterrupted; must outlive the client.
    const std::atomic<bool>* interrupt = nullptr;
  };

  struct SetOptions {
    std::optional<std::chrono::milliseconds> ttl;
    bool keep_ttl = false;
    bool if_absent = false;   // NX
    bool if_present = false;  // XX
  };

  // What TTL knows about a key.
  struct TimeToLive {
    bool exists = false;
    std::optional<std::chrono::milliseconds> left;  // nullopt: the key does not expire
  };

  // Connects, authenticates, chooses the protocol version and the database.
  // Fails: kConnect, kTimeout, kServer (password, version or database refused).
  static client::Result<Client> Connect(Options options);

  Client(Client&&) noexcept;
  Client& operator=(Client&&) noexcept;
  ~Client();

  bool is_connected() const;
  client::Result<void> Reconnect();
  void Close();

  // Any command. Fails: kServer and the errors of the connection.
  template <class... Args>
  client::Result<Reply> Command(std::string_view name, const Args&... args) {
    Pipeline command;
    command.Add(name, args...);
    return RunOne(command);
  }
  client::Result<Reply> CommandArgs(std::span<const std::string_view> args);

  // All commands of the pipeline in one round trip; replies in order, an error for each that
  // failed.
  client::Result<std::vector<client::Result<Reply>>> Run(const Pipeline& pipeline);

  // Strings and keys.
  client::Result<std::optional<std::string>> Get(std::string_view key);
  // False: the condition (if_absent, if_present) did not hold and nothing was written.
  client::Result<bool> Set(std::string_view key, std::string_view value);
  client::Result<bool> Set(std::string_view key, std::string_view value, const SetOptions& options);
  client::Result<int64_t> Incr(std::string_view key, int64_t by = 1);
  client::Result<std::vector<std::optional<std::string>>> MGet(
      std::span<const std::string_view> keys);
  client::Result<void> MSet(std::span<const std::pair<std::string_view, std::string_view>> pairs);
  client::Result<int64_t> Del(std::span<const std::string_view> keys);
  client::Result<bool> Del(std::string_view key);
  client::Result<bool> Exists(std::string_view key);
  // False: there is no such key.
  client::Result<bool> Expire(std::string_view key, std::chrono::milliseconds ttl);
  client::Result<TimeToLive> TTL(std::string_view key);
  client::Result<std::string> Type(std::string_view key);

  // The server.
  client::Result<void> Ping();
  client::Result<void> Select(int db);
  client::Result<int64_t> DbSize();
  client::Result<std::string> Info(std::string_view section = {});
  client::Result<void> BgSave();

  // Called for each push message that arrives while a reply is awaited.
  void OnPush(PushHandler handler) { push_handler_ = std::move(handler); }

  // For programs that listen (SUBSCRIBE, MONITOR): a command without its reply, and whatever the
  // server sends next: replies, error replies and push messages alike. Zero waits for ever.
  client::Result<void> Send(const Pipeline& pipeline);
  client::Result<Reply> Receive(std::chrono::milliseconds timeout = {});

  // For tools that run their own loop over the socket (client/connection.h).
  // Requires: nothing sent is still unanswered.
  client::Connection& connection() { return *connection_; }

 private:
  explicit Client(Options options);

  client::Result<void> SetUp();
  client::Result<Reply> RunOne(const Pipeline& command);

  Options options_;
  std::unique_ptr<client::Connection> connection_;
  PushHandler push_handler_;
};

}  // namespace verso
