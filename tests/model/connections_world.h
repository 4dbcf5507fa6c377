// What the model of connections stands on: a Server without sockets, connections with what the
// reference knows of them, requests (also in slices, and those that wait), and the check of who is
// served. The steps are in connections_model.cpp.
#pragma once

#include <functional>
#include <memory>

#include "server/server.h"
#include "server/session/transaction.h"
#include "storage/base/clock.h"
#include "storage/base/monotonic_time.h"
#include "storage/memory/store.h"
#include "tests/model/connections_reference.h"
#include "tests/model/connections_versions.h"
#include "tests/model/connections_waiting.h"
#include "tests/model/lines_content.h"
#include "tests/model/model_run.h"
#include "tests/support/run_command.h"

namespace verso::server {

using storage::Epoch;
using storage::Random;
using storage::ReadView;
using storage::Store;

using model::Fail;
using model::g_seed;
using model::g_step;

// What happened, so that a run shows what it has tried.
struct ModelCounts {
  uint64_t committed = 0, conflicts = 0, merges = 0, refused_merges = 0, diffs = 0;
  uint64_t execs = 0, failed_execs = 0, waits = 0, served = 0, in_slices = 0, restarts = 0;
};
inline ModelCounts g_counts;

// ---- the reference

struct ModelTxn {
  bool read_only = false;
  bool serializable = false;
  ModelContent begin;
  ModelContent own;
  uint64_t moment_ms = 0;
  uint64_t line = 0;
  ModelTouched touched;
};

// SNAPSHOT DIFF with its cursor, while what it compares may go on.
struct ModelWalk {
  std::string names[2];
  uint64_t lines[2] = {};    // of branches
  uint64_t numbers[2] = {};  // of snapshots
  int db = 0;
  std::string cursor = "0";
  std::set<std::string> always;        // differed at each call
  std::map<std::string, int> visited;  // so many times
};

struct ModelClient {
  int id = 0;
  std::string branch = "main";
  int db = 0;
  std::optional<ModelTxn> txn;
  // WATCH: line, database, key, and whether it was there.
  std::map<std::pair<uint64_t, ModelKey>, bool> watched;
  bool watch_failed = false;
  std::optional<ModelWalk> walk;
  bool merging = false;

  Session session;
  // The rest of a command that runs in slices; what its reply must be.
  std::unique_ptr<Continuation> rest;
  storage::PinHandle pin;
  std::string text;
  std::function<void()> before_slice;
  std::function<void(const std::string& reply)> judge;

  bool busy() const { return rest != nullptr || session.parked != nullptr; }
};

// The texts and numbers of a reply in their order, whatever they are nested in.
inline Words Flat(const std::string& reply) {
  Words flat;
  for (size_t at = 0; at < reply.size();) {
    const size_t end = reply.find("\r\n", at);
    const std::string line = reply.substr(at + 1, end - at - 1);
    const char kind = reply[at];
    at = end + 2;
    if (kind == '$' && line != "-1") {
      flat.push_back(reply.substr(at, std::stoul(line)));
      at += std::stoul(line) + 2;
    } else if (kind != '*') {
      flat.push_back(line);
    }
  }
  return flat;
}

inline Random* g_slices = nullptr;  // says when time is up

class ModelWorld : protected BlockedKeys::Host {
 protected:
  explicit ModelWorld(uint64_t seed) : random_(seed) {
    clock_.Set(1'700'000'000'000);
    names_.numbers = &numbers_;
    names_.lines[1];
    names_.branches["main"].line = numbers_ = 1;
    Start(storage::NewModelStore(&clock_));
  }

  Store& store() { return server_->store(); }
  uint64_t now_ms() const { return clock_.NowMs(); }

  void Start(std::unique_ptr<Store> made) {
    server_ = std::make_unique<Server>(Settings{}, &clock_, std::move(made), nullptr, "",
                                       persistence::Id());
    server_->StartTurn(MonotonicUs());
    while (connections_.size() < 6) Connect(connections_.emplace_back());
  }
  void Connect(std::unique_ptr<ModelClient>& place) {
    place = std::make_unique<ModelClient>();
    place->id = ++connection_ids_;
  }
  // All of them, as a kill does.
  void Disconnect() {
    connections_.clear();
    waiters_.clear();
    merging_ = 0;
  }

  void Audit() {
    const std::string fault = store().Audit();
    if (!fault.empty()) Fail("audit: " + fault);
  }

  // ---- requests

  // `sliced`: it may stop after each step of its work. Empty: it waits, or goes on in slices.
  std::string Send(ModelClient& connection, const Words& words, bool sliced = false) {
    const std::vector<ByteView> views(words.begin(), words.end());
    const std::string text = Run(connection, RequestOf(views), sliced);
    Serve();
    return text;
  }

  template <typename Use>
  auto WithClock(bool sliced, Use&& use) {
    g_slices = sliced ? &random_ : nullptr;
    Slice::time_is_up = [] { return g_slices != nullptr && g_slices->Chance(1, 3); };
    const auto result = use();
    Slice::time_is_up = nullptr;
    return result;
  }

  std::string Run(ModelClient& connection, const Request& request, bool sliced) {
    OutputChain out(&BuffersOfTests());
    ReplyWriter reply(&out);
    std::unique_ptr<Continuation> rest;
    outcome_ = WithClock(sliced, [&] {
      return server_->dispatcher().Run(request, connection.session, reply, &rest);
    });
    if (outcome_ != Outcome::kYield) return TakeText(&out);
    if (connection.session.txn != nullptr) {
      connection.session.txn->busy = true;
    } else {
      connection.pin = store().PinForRead(server_->state().LineOf(connection.session), now_ms());
    }
    connection.rest = std::move(rest);
    connection.text = TakeText(&out);
    if (sliced) return {};
    while (!RunSlice(connection, false)) continue;
    return std::move(connection.text);
  }

  // True: that was the last one.
  bool RunSlice(ModelClient& connection, bool sliced) {
    OutputChain out(&BuffersOfTests());
    ReplyWriter reply(&out);
    Session& session = connection.session;
    const ReadView view = session.txn != nullptr ? session.txn->View(session.db)
                                                 : ReadView(store(), connection.pin.root(),
                                                            session.db, connection.pin.moment_ms());
    const bool done = WithClock(sliced, [&] {
      Slice slice(&reply, ~size_t{0});
      return connection.rest->Run(view, slice);
    });
    connection.text += TakeText(&out);
    if (!done) return false;
    connection.rest.reset();
    connection.pin.Release();
    if (session.txn != nullptr) session.txn->Rest(now_ms());
    return true;
  }

  // Sends what may go on in slices; judge(reply) when it has its reply.
  void SendSliced(
      ModelClient& connection, const Words& words, std::function<void(const std::string&)> judge,
      std::function<void()> before_slice = [] {}) {
    const std::string reply = Send(connection, words, true);
    if (outcome_ != Outcome::kYield) return judge(reply);
    ++g_counts.in_slices;
    connection.judge = std::move(judge);
    connection.before_slice = std::move(before_slice);
  }
  void GoOn(ModelClient& connection) {
    connection.before_slice();
    if (!RunSlice(connection, true)) return;
    Serve();
    const auto judge = std::move(connection.judge);
    judge(std::exchange(connection.text, {}));
  }

  // The bulks of an array that comes in any order, sorted.
  static std::string Sorted(const std::string& reply) {
    if (reply[0] != '*') return reply;
    Words texts = Flat(reply);
    std::sort(texts.begin(), texts.end());
    return ModelArray(texts);
  }

  [[noreturn]] static void Differ(const Words& words, const std::string& got,
                                  const std::string& wanted) {
    std::string line;
    for (const std::string& word : words) line += word + " ";
    Fail(line + "\n  replied " + got + "  instead of " + wanted);
  }
  static void Compare(const Words& words, std::string got, std::string wanted) {
    const std::string& name = words[words[0] == "ASOF" ? 2 : 0];
    if (name == "KEYS" || name == "SMEMBERS") {
      got = Sorted(got);
      wanted = Sorted(wanted);
    }
    if (got != wanted) Differ(words, got, wanted);
  }

  void Expect(ModelClient& connection, const Words& words, const std::string& wanted) {
    Compare(words, Send(connection, words), wanted);
  }
  void ExpectNumber(ModelClient& connection, const Words& words) {
    const std::string reply = Send(connection, words);
    if (reply[0] != ':') Compare(words, reply, ":<number>\r\n");
  }
  void ExpectNotInTxn(ModelClient& connection, const Words& words) {
    const std::string reply = Send(connection, words);
    if (!reply.ends_with(" is not allowed in TXN\r\n")) Compare(words, reply, "not allowed");
  }

  ModelBranch& BranchOf(const ModelClient& connection) {
    return names_.branches[connection.branch];
  }

  // ---- those who watch, and those who wait

  std::optional<storage::ValueType> TypeAt(const KeyPlace& place) override {
    const storage::Line* const line = store().FindLine(place.line);
    if (line == nullptr) return std::nullopt;
    const ReadView view(store(), *line, place.db, now_ms());
    const auto value = view.Find({place.key, place.hash}, storage::Access::kPeek);
    return value ? std::optional(value->type) : std::nullopt;
  }
  void RunAgain(ParkedCommand& command) override {
    ModelClient& connection = ConnectionOf(*command.session);
    const Outcome outcome = outcome_;
    const std::string reply = Run(connection, command.request(), false);
    if (outcome_ != Outcome::kParked) {
      connection.session.parked.reset();
      answers_[connection.id] = reply;
    }
    outcome_ = outcome;
  }
  ModelClient& ConnectionOf(const Session& session) {
    for (const auto& connection : connections_) {
      if (&connection->session == &session) return *connection;
    }
    Fail("a session of nobody");
  }
  void Serve() {
    if (server_->state().blocked.ready()) server_->state().blocked.Serve(*this);
  }

  // The keys of a line were written, or (none) whatever stood there is another now.
  void FailWatches(uint64_t line, const std::vector<ModelKey>* keys) {
    for (const auto& connection : connections_) {
      for (const auto& [place, live] : connection->watched) {
        if (place.first != line) continue;
        connection->watch_failed |=
            keys == nullptr || std::find(keys->begin(), keys->end(), place.second) != keys->end();
      }
    }
  }

  // Keys of a branch have changed, in this order: who watched them fails, who waited is served, and
  // must have got what the reference says.
  void Wrote(const std::string& name, const std::vector<ModelKey>& keys, bool any_order = false) {
    ModelBranch& branch = names_.branches[name];
    if (!keys.empty()) ++names_.lines[branch.line].writes;
    FailWatches(branch.line, &keys);
    ServeWaiters(name, keys, any_order);
  }

  void ServeWaiters(const std::string& name, const std::vector<ModelKey>& keys, bool any_order) {
    ModelBranch& branch = names_.branches[name];
    std::vector<ModelKey> ready;
    for (const ModelKey& key : keys) {
      const bool wanted = std::any_of(waiters_.begin(), waiters_.end(), [&](const auto& waiter) {
        return waiter.WaitsFor(name, key);
      });
      if (wanted && std::find(ready.begin(), ready.end(), key) == ready.end()) ready.push_back(key);
    }
    if (ready.empty()) return;
    branch.content.Expire(now_ms());
    if (any_order) std::sort(ready.begin(), ready.end());
    std::vector<ModelServed> possible;
    do {
      ModelServed served = ModelServe(waiters_, name, branch.content, ready, now_ms());
      const bool known = std::any_of(possible.begin(), possible.end(), [&](const auto& other) {
        return other.replies == served.replies &&
               other.content.databases == served.content.databases;
      });
      if (!known) possible.push_back(std::move(served));
    } while (any_order && std::next_permutation(ready.begin(), ready.end()));
    const auto wrong = [&](const ModelServed& served) {
      return !std::all_of(served.replies.begin(), served.replies.end(), [&](const auto& reply) {
        const auto got = answers_.find(reply.first);
        return got != answers_.end() && got->second == reply.second;
      });
    };
    const ModelServed first = possible.front();
    std::erase_if(possible, wrong);
    // Equal replies may leave different contents behind them, by chance.
    if (possible.size() > 1) {
      std::erase_if(possible, [&](ModelServed& served) { return !IsThere(name, &served.content); });
    }
    if (possible.empty()) {
      std::string text = "waiting clients got";
      for (const auto& [id, reply] : answers_) text += " " + std::to_string(id) + ": " + reply;
      text += " instead of";
      for (const auto& [id, reply] : first.replies) text += " " + std::to_string(id) + ": " + reply;
      Fail(text);
    }
    ModelServed& served = possible.front();
    branch.content = std::move(served.content);
    for (const auto& [id, reply] : served.replies) {
      answers_.erase(id);
      std::erase_if(waiters_, [id = id](const auto& waiter) { return waiter.connection == id; });
      ++g_counts.served;
    }
    if (!served.written.empty()) ++names_.lines[branch.line].writes;
    FailWatches(branch.line, &served.written);
  }

  // All keys of a branch's databases may be others now.
  void Replaced(const std::string& name, const std::set<int>& dbs) {
    std::vector<ModelKey> keys;
    for (const ModelWaiter& waiter : waiters_) {
      if (waiter.branch != name || !dbs.contains(waiter.db)) continue;
      for (const std::string& key : waiter.keys) keys.emplace_back(waiter.db, key);
    }
    ServeWaiters(name, keys, true);
  }
  static std::set<int> AllDatabases() { return {0, 1, 2}; }

  // Is all of it there, and nothing else?
  bool IsThere(const std::string& ref, ModelContent* content) {
    return !Missing(ref, content, now_ms()).has_value();
  }
  // A question whose reply is another one than the reference's, with both.
  std::optional<Words> Missing(const std::string& ref, ModelContent* content, uint64_t moment_ms) {
    static const Words kReads[] = {{"GET"},
                                   {"LRANGE", "0", "-1"},
                                   {"SMEMBERS"},
                                   {"HLEN"},
                                   {"ZRANGE", "0", "-1", "WITHSCORES"},
                                   {"XRANGE", "-", "+"}};
    ModelClient reader;
    for (int db = 0; db < kModelDatabases; ++db) {
      Send(reader, {"SELECT", std::to_string(db)});
      std::vector<Words> reads = {{"DBSIZE"}};
      for (const auto& [key, value] : content->databases[static_cast<size_t>(db)]) {
        Words read = kReads[static_cast<size_t>(value.kind)];
        read.insert(read.begin() + 1, key);
        reads.push_back(read);
        reads.push_back({"PTTL", key});
      }
      for (const Words& read : reads) {
        Words words = {"ASOF", ref};
        words.insert(words.end(), read.begin(), read.end());
        ModelTouched touched;
        std::string wanted = ModelRunner(content, db, moment_ms, &touched).Run(read);
        std::string got = Send(reader, words);
        if (read[0] == "SMEMBERS") {
          got = Sorted(got);
          wanted = Sorted(wanted);
        }
        if (got != wanted) return Words{words[1] + " " + read[0], got, wanted};
      }
    }
    return std::nullopt;
  }

  void EndWaits() {
    BlockedKeys& blocked = server_->state().blocked;
    std::set<int> ended;
    while (ParkedCommand* const command = blocked.Overdue(now_ms())) {
      ended.insert(ConnectionOf(*command->session).id);
      command->session->parked.reset();
    }
    std::erase_if(waiters_, [&](const ModelWaiter& waiter) {
      if (waiter.deadline_ms == 0 || waiter.deadline_ms > now_ms()) return false;
      if (ended.erase(waiter.connection) == 0) Fail("a client waits beyond its time");
      return true;
    });
    if (!ended.empty()) Fail("a client's wait ended before its time");
  }

  Random random_;
  ManualClock clock_;
  std::unique_ptr<Server> server_;
  std::vector<std::unique_ptr<ModelClient>> connections_;
  ModelNames names_;
  std::vector<ModelWaiter> waiters_;    // in the order they came
  std::map<int, std::string> answers_;  // of waiting clients, by connection, not yet compared
  int merging_ = 0;                     // merges that run in slices
  Outcome outcome_ = Outcome::kDone;    // of the last Send

 private:
  uint64_t numbers_ = 0;
  int connection_ids_ = 0;
};

}  // namespace verso::server
