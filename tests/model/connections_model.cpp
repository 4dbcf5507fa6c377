// Goal: whatever many connections do one after the other (commands of all types, SELECT, EXEC, TXN
// of both levels, snapshots, branches, ROLLBACK, RESET, PROMOTE, ASOF, saves, kills), each of them
// gets the reply that a reference of plain copied maps says. Method: a Server without sockets, its
// dispatcher and sessions; time moves by hand. The store of saves is a map of pages; a restart
// builds a new Store from that map alone. Audits now and then, at restarts and at the end.
//
// verso_model_connections_model [seeds] [steps] [first seed]
#include <cstdio>
#include <cstring>
#include <memory>

#include "server/server.h"
#include "storage/base/clock.h"
#include "storage/base/monotonic_time.h"
#include "storage/memory/save_walk.h"
#include "storage/memory/size_class.h"
#include "storage/memory/store.h"
#include "tests/model/connections_reference.h"
#include "tests/model/lines_content.h"
#include "tests/model/model_run.h"
#include "tests/support/run_command.h"

namespace verso::server {
namespace {

using storage::Cell;
using storage::Epoch;
using storage::Random;
using storage::ReadView;
using storage::Ref;
using storage::Store;

using model::Fail;
using model::g_seed;
using model::g_step;

uint64_t g_committed = 0;
uint64_t g_conflicts = 0;

// ---- the reference

struct ModelBranch {
  ModelContent content;
  uint64_t line = 0;  // another one after each ROLLBACK and RESET
};

struct ModelSnapshot {
  ModelContent content;
  uint64_t moment_ms = 0;
};

struct ModelTxn {
  bool read_only = false;
  bool serializable = false;
  ModelContent begin;
  ModelContent own;
  uint64_t moment_ms = 0;
  uint64_t line = 0;
  ModelTouched touched;
};

struct Connection {
  Session session;
  std::string branch = "main";
  int db = 0;
  std::optional<ModelTxn> txn;
};

struct Names {
  std::map<std::string, ModelBranch> branches;
  std::map<std::string, ModelSnapshot> snapshots;
};

// ---- the store of saves

using PageKey = std::pair<Epoch, Cell>;

struct Save {
  storage::SaveStart start;
  Names names;
};

class World {
 public:
  explicit World(uint64_t seed) : random_(seed) {
    clock_.Set(1'700'000'000'000);
    Start(storage::NewModelStore(&clock_));
    names_.branches["main"];
  }

  void Run(uint64_t steps) {
    for (g_step = 0; g_step < steps; ++g_step) {
      clock_.Advance(random_.Below(30));
      server_->StartTurn(MonotonicUs());
      Step();
      if (random_.Chance(1, 8)) store().Background(20);
      if (random_.Chance(1, 50)) Expire();
      if (random_.Chance(1, 400)) Audit();
    }
    connections_.clear();
    Audit();
  }

 private:
  Store& store() { return server_->store(); }
  uint64_t now_ms() const { return clock_.NowMs(); }

  void Start(std::unique_ptr<Store> made) {
    server_ = std::make_unique<Server>(Settings{}, &clock_, std::move(made), nullptr, "",
                                       persistence::Id());
    server_->StartTurn(MonotonicUs());
    connections_.clear();
    for (int i = 0; i < 6; ++i) connections_.push_back(std::make_unique<Connection>());
  }

  void Audit() {
    const std::string fault = store().Audit();
    if (!fault.empty()) Fail("audit: " + fault);
  }

  // ---- requests

  std::string Send(Session& session, const Words& words) {
    const std::vector<ByteView> views(words.begin(), words.end());
    Outcome outcome;
    return RunRequest(&server_->dispatcher(), server_->state(), session, RequestOf(views), &outcome,
                      [](Continuation& rest, const ReadView& view, ReplyWriter& reply) {
                        for (bool done = false; !done;) {
                          Slice slice(&reply, ~size_t{0});
                          done = rest.Run(view, slice);
                        }
                      });
  }

  // The bulks of an array that comes in any order, sorted.
  static std::string Sorted(const std::string& reply) {
    if (reply[0] != '*') return reply;
    Words texts;
    for (size_t at = reply.find('$'); at < reply.size();) {
      const size_t end = reply.find("\r\n", at);
      const size_t bytes = std::stoul(reply.substr(at + 1, end - at - 1));
      texts.push_back(reply.substr(end + 2, bytes));
      at = end + 4 + bytes;
    }
    std::sort(texts.begin(), texts.end());
    return ModelArray(texts);
  }

  void Compare(const Words& words, std::string got, std::string wanted) {
    const std::string& name = words[words[0] == "ASOF" ? 2 : 0];
    if (name == "KEYS" || name == "SMEMBERS") {
      got = Sorted(got);
      wanted = Sorted(wanted);
    }
    if (got == wanted) return;
    std::string line;
    for (const std::string& word : words) line += word + " ";
    Fail(line + "\n  replied " + got + "  instead of " + wanted);
  }

  void Expect(Connection& connection, const Words& words, const std::string& wanted) {
    Compare(words, Send(connection.session, words), wanted);
  }
  void ExpectNumber(Connection& connection, const Words& words) {
    const std::string reply = Send(connection.session, words);
    if (reply[0] != ':') Compare(words, reply, ":<number>\r\n");
  }

  // ---- random words

  std::string Pick(const char* prefix, uint64_t count) {
    return prefix + std::to_string(random_.Below(count));
  }
  std::string Key() { return Pick("key:", 14); }
  std::string Text() {
    const uint64_t k = random_.Below(20);
    if (k < 8) return std::to_string(random_.Below(100));
    if (k < 19) return Pick("text:", 10);
    return std::string(100 + random_.Below(6000), static_cast<char>('a' + random_.Below(5)));
  }
  ModelBranch& BranchOf(const Connection& connection) { return names_.branches[connection.branch]; }

  Words ReadWords() {
    switch (random_.Below(16)) {
      case 0:
      case 1:
      case 2:
        return {"GET", Key()};
      case 3:
        return {"LRANGE", Key(), "0", "-1"};
      case 4:
        return {"SMEMBERS", Key()};
      case 5:
        return {"HGET", Key(), Pick("field:", 6)};
      case 6:
        return {"HLEN", Key()};
      case 7:
        return {"ZRANGE", Key(), "0", "-1", "WITHSCORES"};
      case 8:
        return {"XRANGE", Key(), "-", "+"};
      case 9:
        return {"XLEN", Key()};
      case 10:
        return {"PTTL", Key()};
      case 11:
        return {"TYPE", Key()};
      case 12:
        return random_.Chance(1, 4) ? Words{"KEYS", "*"} : Words{"EXISTS", Key()};
      case 13:
        return random_.Chance(1, 4) ? Words{"DBSIZE"} : Words{"EXISTS", Key()};
      default:
        return {"EXISTS", Key()};
    }
  }

  Words WriteWords() {
    switch (random_.Below(24)) {
      case 0:
      case 1:
      case 2:
        return {"SET", Key(), Text()};
      case 3:
        return {"SET", Key(), Text(), "PX", std::to_string(1 + random_.Below(3000))};
      case 4:
        return {"APPEND", Key(), Text()};
      case 5:
        return {"INCR", Key()};
      case 6:
      case 7:
        return {"DEL", Key()};
      case 8:
        return {"PEXPIRE", Key(), std::to_string(1 + random_.Below(3000))};
      case 9:
        return {"PERSIST", Key()};
      case 10:
        return {"RENAME", Key(), Key()};
      case 11:
        return {"COPY", Key(), Key(), "REPLACE"};
      case 12:
      case 13:
        return {"RPUSH", Key(), Text()};
      case 14:
        return {random_.Chance(1, 2) ? "LPOP" : "LPUSH", Key(), Text()};
      case 15:
        return {"SADD", Key(), Text()};
      case 16:
        return {"SREM", Key(), Text()};
      case 17:
      case 18:
        return {"HSET", Key(), Pick("field:", 6), Text()};
      case 19:
        return {"HDEL", Key(), Pick("field:", 6)};
      case 20:
        return {"ZADD", Key(), std::to_string(random_.Below(9)), Pick("member:", 8)};
      case 21:
        return {"ZREM", Key(), Pick("member:", 8)};
      case 22:
        return {"XADD", Key(), std::to_string(random_.Below(40) + 1) + "-0", "f", Text()};
      default:
        return {"XDEL", Key(), std::to_string(random_.Below(40) + 1) + "-0"};
    }
  }

  // ---- steps

  void Step() {
    Connection& connection = *connections_[random_.Below(connections_.size())];
    const uint64_t k = random_.Below(1000);
    if (k < 820) {
      Data(connection);
    } else if (k < 830) {
      const int db = static_cast<int>(random_.Below(kModelDatabases));
      Expect(connection, {"SELECT", std::to_string(db)}, kModelOk);
      connection.db = db;
    } else if (k < 890) {
      connection.txn ? EndTxn(connection) : Begin(connection);
    } else if (k < 900) {
      Asof(connection);
    } else if (k < 940) {
      Snapshots(connection);
    } else if (k < 975) {
      Branches(connection);
    } else if (k < 985) {
      Exec(connection);
    } else if (k < 997) {
      Saving();
    } else {
      Restart();
    }
  }

  void Data(Connection& connection) {
    const bool write = random_.Chance(1, 2);
    Words words = write ? WriteWords() : ReadWords();
    if (words[0] == "LPOP") words.pop_back();
    if (!connection.txn) {
      ModelTouched touched;
      ModelContent& content = BranchOf(connection).content;
      content.Expire(now_ms());
      const std::string wanted =
          ModelRunner(&content, connection.db, now_ms(), &touched).Run(words);
      Expect(connection, words, wanted);
      content.Expire(now_ms());
      return;
    }
    ModelTxn& txn = *connection.txn;
    if (write && txn.read_only) {
      const std::string reply = Send(connection.session, words);
      if (!reply.starts_with("-VIEWREADONLY ")) Compare(words, reply, "-VIEWREADONLY");
      return;
    }
    Expect(connection, words,
           ModelRunner(&txn.own, connection.db, txn.moment_ms, &txn.touched).Run(words));
  }

  void Begin(Connection& connection) {
    ModelTxn txn;
    Words words = {"TXN", "BEGIN"};
    ModelBranch& branch = BranchOf(connection);
    branch.content.Expire(now_ms());
    txn.begin = branch.content;
    txn.moment_ms = now_ms();
    txn.line = branch.line;
    if (random_.Chance(1, 4)) {
      txn.read_only = true;
      words.insert(words.end(), {"READ", "ONLY"});
      if (!names_.snapshots.empty() && random_.Chance(1, 2)) {
        const auto at = AnyOf(names_.snapshots);
        words.insert(words.end(), {"AT", at->first});
        txn.begin = at->second.content;
        txn.moment_ms = at->second.moment_ms;
      }
    }
    if (random_.Chance(1, 2)) {
      txn.serializable = true;
      words.insert(words.end(), {"ISOLATION", "SERIALIZABLE"});
    }
    txn.own = txn.begin;
    ExpectNumber(connection, words);
    connection.txn = std::move(txn);
  }

  void EndTxn(Connection& connection) {
    ModelTxn txn = *std::exchange(connection.txn, std::nullopt);
    const uint64_t k = random_.Below(10);
    if (k == 0) {
      Expect(connection, {"TXN", "ABORT"}, kModelOk);
      return;
    }
    if (k == 1) {
      Expect(connection, {"RESET"}, "+RESET\r\n");
      connection.branch = "main";
      connection.db = 0;
      return;
    }
    ModelBranch& branch = BranchOf(connection);
    branch.content.Expire(now_ms());
    const auto changed = [&](const ModelKey& key) {
      return branch.line != txn.line || txn.begin.At(key) != branch.content.At(key);
    };
    std::set<std::string> conflicts;
    std::set<ModelKey> looked(txn.touched.written.begin(), txn.touched.written.end());
    if (txn.serializable) {
      looked.insert(txn.touched.read.begin(), txn.touched.read.end());
      for (const int db : txn.touched.whole) {
        const auto at = static_cast<size_t>(db);
        for (const auto* content : {&txn.begin, &branch.content}) {
          for (const auto& [key, value] : content->databases[at]) {
            if (txn.begin.At({db, key}) != branch.content.At({db, key})) conflicts.insert(key);
          }
        }
      }
    }
    for (const ModelKey& key : looked) {
      if (changed(key)) conflicts.insert(key.second);
    }
    if (txn.read_only) conflicts.clear();
    const Words words = {"TXN", "COMMIT"};
    const std::string reply = Send(connection.session, words);
    if (conflicts.empty()) {
      if (reply[0] != ':') Compare(words, reply, ":<version>\r\n");
      ++g_committed;
      for (const ModelKey& key : txn.touched.written) {
        ModelDatabase& database = branch.content.databases[static_cast<size_t>(key.first)];
        const std::optional<ModelValue> value = txn.own.At(key);
        database.erase(key.second);
        if (value) database[key.second] = *value;
      }
      branch.content.Expire(now_ms());
      return;
    }
    ++g_conflicts;
    constexpr std::string_view kCode = "-TXNCONFLICT ";
    const bool right =
        reply.starts_with(kCode) && reply.ends_with("\r\n") &&
        conflicts.contains(reply.substr(kCode.size(), reply.size() - kCode.size() - 2));
    if (!right) Compare(words, reply, "-TXNCONFLICT " + *conflicts.begin() + "\r\n");
  }

  template <typename Map>
  typename Map::iterator AnyOf(Map& map) {
    auto at = map.begin();
    std::advance(at, random_.Below(map.size()));
    return at;
  }

  // A name that is there, with its content at its moment.
  std::string AnyRef(ModelContent* content, uint64_t* moment_ms) {
    *moment_ms = now_ms();
    if (!names_.snapshots.empty() && random_.Chance(1, 2)) {
      const auto at = AnyOf(names_.snapshots);
      *content = at->second.content;
      *moment_ms = at->second.moment_ms;
      return at->first;
    }
    const auto at = AnyOf(names_.branches);
    *content = at->second.content;
    content->Expire(now_ms());
    return at->first;
  }

  void Asof(Connection& connection) {
    ModelContent content;
    uint64_t moment_ms = 0;
    const std::string ref = AnyRef(&content, &moment_ms);
    const Words read = ReadWords();
    Words words = {"ASOF", ref};
    words.insert(words.end(), read.begin(), read.end());
    ModelTouched touched;
    Expect(connection, words, ModelRunner(&content, connection.db, moment_ms, &touched).Run(read));
  }

  void Snapshots(Connection& connection) {
    const std::string name = Pick("s:", 6);
    if (random_.Chance(1, 3)) {
      Expect(connection, {"SNAPSHOT", "DROP", name},
             ModelInteger(static_cast<int64_t>(names_.snapshots.erase(name))));
      return;
    }
    ModelSnapshot snapshot;
    const std::string ref = AnyRef(&snapshot.content, &snapshot.moment_ms);
    ExpectNumber(connection, {"SNAPSHOT", "CREATE", name, "FROM", ref, "REPLACE"});
    names_.snapshots[name] = std::move(snapshot);
  }

  bool InUse(const std::string& branch) const {
    return std::any_of(connections_.begin(), connections_.end(),
                       [&](const auto& connection) { return connection->branch == branch; });
  }

  void Branches(Connection& connection) {
    const std::string name = Pick("b:", 4);
    const bool there = names_.branches.contains(name);
    // Connections that no socket belongs to are not counted by BRANCH DROP.
    if (there && !InUse(name) && random_.Chance(1, 3)) {
      Expect(connection, {"BRANCH", "DROP", name}, ModelInteger(1));
      names_.branches.erase(name);
      return;
    }
    ModelContent content;
    uint64_t moment_ms = 0;
    const std::string ref = AnyRef(&content, &moment_ms);
    content.Expire(now_ms());  // live again
    if (!there) {
      ExpectNumber(connection, {"BRANCH", "CREATE", name, "FROM", ref});
      names_.branches[name] = {std::move(content), ++lines_};
      return;
    }
    const bool inside = connection.txn.has_value();
    const auto refused = [&](const Words& words) {
      const std::string reply = Send(connection.session, words);
      if (!reply.ends_with("is not allowed in TXN\r\n")) Compare(words, reply, "not allowed");
    };
    switch (random_.Below(4)) {
      case 0:
      case 1: {
        const Words words = {"BRANCH", "USE", random_.Chance(1, 2) ? "main" : name};
        if (inside) return refused(words);
        Expect(connection, words, kModelOk);
        connection.branch = words[2];
        return;
      }
      case 2: {
        const Words words = {"BRANCH", "RESET", name, ref};
        if (inside) return refused(words);
        ExpectNumber(connection, words);
        names_.branches[name] = {std::move(content), ++lines_};
        return;
      }
      default: {
        if (inside) return refused({"BRANCH", "PROMOTE", name});
        if (random_.Chance(1, 2)) {
          Expect(connection, {"BRANCH", "PROMOTE", name}, kModelOk);
          std::swap(names_.branches["main"], names_.branches[name]);
        } else {
          ExpectNumber(connection, {"SNAPSHOT", "ROLLBACK", ref, "NOBACKUP"});
          BranchOf(connection) = {std::move(content), ++lines_};
        }
      }
    }
  }

  void Exec(Connection& connection) {
    if (connection.txn) {
      Expect(connection, {"MULTI"}, "-ERR 'multi' is not allowed in TXN\r\n");
      return;
    }
    Expect(connection, {"MULTI"}, kModelOk);
    ModelContent& content = BranchOf(connection).content;
    content.Expire(now_ms());
    ModelTouched touched;
    std::string wanted = "*3\r\n";
    for (int i = 0; i < 3; ++i) {
      Words words = WriteWords();
      if (words[0] == "LPOP") words.pop_back();
      Expect(connection, words, "+QUEUED\r\n");
      wanted += ModelRunner(&content, connection.db, now_ms(), &touched).Run(words);
    }
    Expect(connection, {"EXEC"}, wanted);
  }

  // What the cron does.
  void Expire() {
    for (auto& [name, branch] : store().branches().all()) {
      for (int db = 0; db < kModelDatabases; ++db) {
        if (!store().ReserveForWrite(0, 100)) Fail("no room");
        storage::WriteView(store(), *branch.line, db, now_ms())
            .ExpireDue(20, [](const storage::Key&) {});
      }
    }
  }

  // ---- saves and restarts

  void Saving() {
    if (!save_) {
      save_.emplace();
      save_->start = store().BeginSave();
      save_->names = names_;
      return;
    }
    EndSave(random_.Chance(4, 5));
  }

  // The child reads everything late, and must find what stood there when the save began.
  void EndSave(bool committed) {
    const storage::SaveStart& start = save_->start;
    if (committed) {
      std::vector<Ref> pages;
      if (!CollectSave(store().arena(), start.super_root, start.base, &pages)) Fail("save: walk");
      for (const Ref& ref : pages) {
        stored_[{ref.birth(), ref.cell()}] = std::string(store().arena().Resolve(ref), ref.size());
      }
      start.garbage.ForEach(store().arena(), [this](const Ref& ref) {
        stored_.erase({ref.birth(), ref.cell()});
      });
      saved_ = std::move(save_->names);
      saved_root_ = start.super_root;
      saved_epoch_ = start.epoch;
    }
    store().EndSave(committed ? storage::SaveOutcome::kCommitted : storage::SaveOutcome::kFailed);
    save_.reset();
  }

  void Restart() {
    if (saved_epoch_ == 0) return;
    const Epoch epoch_next = store().epoch() + 1;
    save_.reset();
    connections_.clear();
    server_.reset();
    std::unique_ptr<Store> made = storage::NewModelStore(&clock_);
    std::map<uint64_t, std::pair<int, std::vector<uint64_t>>> slabs;
    for (const auto& [key, bytes] : stored_) {
      const int size_class = storage::ClassFor(bytes.size());
      auto& [slab_class, runs] = slabs[key.second / storage::kSlabCells];
      if (runs.empty()) {
        slab_class = size_class;
        runs.resize((storage::ClassRuns(size_class) + 63) / 64);
      }
      const size_t run = key.second % storage::kSlabCells /
                         (storage::ClassBytes(size_class) / storage::kCellBytes);
      runs[run / 64] |= uint64_t{1} << (run % 64);
    }
    for (const auto& [slab, image] : slabs) {
      if (!made->arena().Restore({slab, image.first, image.second.data()})) Fail("restore: slab");
    }
    for (const auto& [key, bytes] : stored_) {
      const Ref ref = Ref::Make(key.second, storage::PageKind::kValue, bytes.size(), key.first);
      std::memcpy(made->arena().ResolveMutable(ref), bytes.data(), bytes.size());
    }
    const Status finished = made->FinishRestore({saved_root_, saved_epoch_, epoch_next});
    if (!finished) Fail(finished.error().context);
    Start(std::move(made));
    names_ = saved_;
    Audit();
    CheckAll();
  }

  // Every key of every version.
  void CheckAll() {
    Connection& connection = *connections_[0];
    std::vector<std::pair<std::string, uint64_t>> refs;
    for (auto& [name, branch] : names_.branches) {
      branch.content.Expire(now_ms());
      CheckVersion(connection, name, &branch.content, now_ms());
    }
    for (auto& [name, snapshot] : names_.snapshots) {
      CheckVersion(connection, name, &snapshot.content, snapshot.moment_ms);
    }
    Expect(connection, {"SELECT", "0"}, kModelOk);
  }

  void CheckVersion(Connection& connection, const std::string& ref, ModelContent* content,
                    uint64_t moment_ms) {
    static const Words kReads[] = {{"GET"},
                                   {"LRANGE", "0", "-1"},
                                   {"SMEMBERS"},
                                   {"HLEN"},
                                   {"ZRANGE", "0", "-1", "WITHSCORES"},
                                   {"XRANGE", "-", "+"}};
    for (int db = 0; db < kModelDatabases; ++db) {
      Expect(connection, {"SELECT", std::to_string(db)}, kModelOk);
      const auto ask = [&](const Words& read) {
        Words words = {"ASOF", ref};
        words.insert(words.end(), read.begin(), read.end());
        ModelTouched touched;
        Expect(connection, words, ModelRunner(content, db, moment_ms, &touched).Run(read));
      };
      ask({"DBSIZE"});
      for (const auto& [key, value] : content->databases[static_cast<size_t>(db)]) {
        Words read = kReads[static_cast<size_t>(value.kind)];
        read.insert(read.begin() + 1, key);
        ask(read);
        ask({"PTTL", key});
      }
    }
  }

  Random random_;
  ManualClock clock_;
  std::unique_ptr<Server> server_;
  std::vector<std::unique_ptr<Connection>> connections_;
  Names names_;
  uint64_t lines_ = 0;
  std::optional<Save> save_;
  // What is on the disk.
  std::map<PageKey, std::string> stored_;
  Names saved_;
  Ref saved_root_;
  Epoch saved_epoch_ = 0;
};

}  // namespace
}  // namespace verso::server

int main(int count, char** arguments) {
  using namespace verso;
  return model::RunSeeds(count, arguments, 10, 20'000, [](uint64_t steps) {
    server::g_committed = server::g_conflicts = 0;
    server::World(model::g_seed).Run(steps);
    std::printf("seed %llu: %llu transactions committed, %llu in conflict\n",
                static_cast<unsigned long long>(model::g_seed),
                static_cast<unsigned long long>(server::g_committed),
                static_cast<unsigned long long>(server::g_conflicts));
  });
}
