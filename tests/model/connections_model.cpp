// Goal: whatever many connections do one after the other (commands of all types, also those that
// wait, SELECT, WATCH and EXEC, TXN of both levels, snapshots, branches, DIFF, MERGE, ROLLBACK,
// RESET, PROMOTE, ASOF, saves, kills), each of them gets the reply that a reference of plain copied
// maps says. Method: a Server without sockets, its dispatcher and sessions; time moves by hand, and
// what runs in slices stops where chance says, for others to go on. The store of saves is a map of
// pages; a restart builds a new Store from that map alone. Audits now and then, at restarts and at
// the end.
//
// verso_model_connections_model [seeds] [steps] [first seed]
#include <cstdio>
#include <memory>

#include "server/server.h"
#include "tests/model/connections_disk.h"

#include "tests/model/connections_reading.h"

namespace verso::server {
namespace {

class World final : private ModelReading {
 public:
  explicit World(uint64_t seed) : ModelReading(seed) {}

  void Run(uint64_t steps) {
    for (g_step = 0; g_step < steps; ++g_step) {
      // A merge judges expiry by the moment at which it began, or decided a key anew.
      if (merging_ == 0) clock_.Advance(random_.Below(30));
      server_->StartTurn(MonotonicUs());
      EndWaits();
      Step();
      if (random_.Chance(1, 8)) store().Background(20);
      if (random_.Chance(1, 50)) Expire();
      if (random_.Chance(1, 400)) Audit();
    }
    Disconnect();
    Audit();
  }

 private:
  // ---- steps

  void Step() {
    if (!answers_.empty()) Fail("a waiting client got " + answers_.begin()->second);
    // One that waits can only hang up; there are never so many that nobody is left.
    auto& place = connections_[random_.Below(connections_.size())];
    if (random_.Chance(1, 500)) return Leave(place);
    if (place->session.parked != nullptr) return Step();
    ModelClient& connection = *place;
    if (connection.rest != nullptr) return GoOn(connection);
    const uint64_t k = random_.Below(1000);
    if (k < 740) {
      Data(connection);
    } else if (k < 770) {
      Block(connection);
    } else if (k < 780) {
      const int db = static_cast<int>(random_.Below(kModelDatabases));
      Expect(connection, {"SELECT", std::to_string(db)}, kModelOk);
      connection.db = db;
    } else if (k < 840) {
      connection.txn ? EndTxn(connection) : Begin(connection);
    } else if (k < 850) {
      Asof(connection);
    } else if (k < 880) {
      Snapshots(connection);
    } else if (k < 890) {
      Diff(connection);
    } else if (k < 900) {
      Walk(connection);
    } else if (k < 925) {
      Branches(connection);
    } else if (k < 945) {
      Merge(connection);
    } else if (k < 963) {
      Watch(connection);
    } else if (k < 979) {
      Exec(connection);
    } else if (k < 985) {
      Databases(connection);
    } else if (k < 998) {
      Saving();
    } else {
      Restart();
    }
  }

  // It hangs up, whatever it is doing, and another one comes.
  void Leave(std::unique_ptr<ModelClient>& place) {
    std::erase_if(waiters_, [&](const auto& waiter) { return waiter.connection == place->id; });
    if (place->merging) --merging_;
    Connect(place);
  }

  void Data(ModelClient& connection) {
    const bool write = random_.Chance(1, 2);
    Words words = write ? words_.Write() : words_.Read();
    if (write && !waiters_.empty() && random_.Chance(1, 4)) words = WhatWakes();
    if (!connection.txn) {
      ModelTouched touched;
      ModelContent& content = BranchOf(connection).content;
      content.Expire(now_ms());
      const std::string wanted =
          ModelRunner(&content, connection.db, now_ms(), &touched).Run(words);
      Expect(connection, words, wanted);
      content.Expire(now_ms());
      Wrote(connection.branch, touched.written);
      return;
    }
    InTxn(connection, words, write);
  }

  // Brings what somebody waits for, if it is sent in the same place.
  Words WhatWakes() {
    const ModelWaiter& waiter = waiters_[random_.Below(waiters_.size())];
    const std::string& key = waiter.keys[random_.Below(waiter.keys.size())];
    switch (waiter.kind) {
      case ModelValue::Kind::kList:
        return {"RPUSH", key, words_.Text()};
      case ModelValue::Kind::kZset:
        return {"ZADD", key, std::to_string(random_.Below(9)), words_.Pick("member:", 8)};
      default:
        return {"XADD", key, std::to_string(random_.Below(40) + 1) + "-0", "f", words_.Text()};
    }
  }

  void InTxn(ModelClient& connection, const Words& words, bool write) {
    ModelTxn& txn = *connection.txn;
    if (write && txn.read_only) {
      const std::string reply = Send(connection, words);
      if (!reply.starts_with("-VIEWREADONLY ")) Compare(words, reply, "-VIEWREADONLY");
      return;
    }
    std::string wanted =
        ModelRunner(&txn.own, connection.db, txn.moment_ms, &txn.touched).Run(words);
    if (wanted == kModelWaits) wanted = ModelNoWait(words);
    Expect(connection, words, wanted);
  }

  // Commands that wait.
  void Block(ModelClient& connection) {
    const Words words = words_.Blocking();
    if (connection.txn) return InTxn(connection, words, words[0] != "XREAD");
    if (waiters_.size() == 3) return;
    ModelTouched touched;
    ModelContent& content = BranchOf(connection).content;
    content.Expire(now_ms());
    const std::string wanted = ModelRunner(&content, connection.db, now_ms(), &touched).Run(words);
    if (wanted != kModelWaits) {
      Expect(connection, words, wanted);
      Wrote(connection.branch, touched.written);
      return;
    }
    const std::string reply = Send(connection, words);
    if (outcome_ != Outcome::kParked) Differ(words, reply, "waiting");
    const auto stream = content.At({connection.db, words[words[0] == "XREAD" ? 4 : 1]});
    ModelWaiter waiter = ModelWaiterOf(words, stream ? stream->last_id : 0, now_ms());
    waiter.connection = connection.id;
    waiter.branch = connection.branch;
    waiter.db = connection.db;
    waiters_.push_back(std::move(waiter));
    ++g_counts.waits;
  }

  void Begin(ModelClient& connection) {
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

  void EndTxn(ModelClient& connection) {
    const uint64_t k = random_.Below(10);
    if (k == 0) {
      connection.txn.reset();
      Expect(connection, {"TXN", "ABORT"}, kModelOk);
      return;
    }
    if (k == 1) {
      connection.txn.reset();
      Expect(connection, {"RESET"}, "+RESET\r\n");
      connection.branch = "main";
      connection.db = 0;
      EndWatch(connection);
      return;
    }
    // What others change while the commit is prepared may be noticed, even if they take it back.
    auto conflicts = std::make_shared<std::set<std::string>>();
    const auto look = [this, &connection, conflicts] {
      conflicts->merge(Conflicts(*connection.txn, BranchOf(connection)));
    };
    look();
    SendSliced(
        connection, {"TXN", "COMMIT"},
        [this, &connection, conflicts](const std::string& reply) {
          Committed(connection, *conflicts, reply);
        },
        look);
  }

  std::set<std::string> Conflicts(const ModelTxn& txn, ModelBranch& branch) {
    branch.content.Expire(now_ms());
    std::set<std::string> conflicts;
    if (txn.read_only) return conflicts;
    const auto differs = [&](const ModelKey& key) {
      return txn.begin.At(key) != branch.content.At(key);
    };
    std::set<ModelKey> looked(txn.touched.written.begin(), txn.touched.written.end());
    if (txn.serializable) {
      looked.insert(txn.touched.read.begin(), txn.touched.read.end());
      for (const int db : txn.touched.whole) {
        const auto at = static_cast<size_t>(db);
        for (const ModelContent* content : {&txn.begin, &std::as_const(branch.content)}) {
          for (const auto& [key, value] : content->databases[at]) {
            if (differs(ModelKey(db, key))) conflicts.insert(key);
          }
        }
      }
    }
    for (const ModelKey& key : looked) {
      if (branch.line != txn.line || differs(key)) conflicts.insert(key.second);
    }
    return conflicts;
  }

  void Committed(ModelClient& connection, const std::set<std::string>& seen,
                 const std::string& reply) {
    const ModelTxn txn = *std::exchange(connection.txn, std::nullopt);
    ModelBranch& branch = BranchOf(connection);
    const Words words = {"TXN", "COMMIT"};
    constexpr std::string_view kCode = "-TXNCONFLICT ";
    if (reply.starts_with(kCode)) {
      const std::string key = reply.substr(kCode.size(), reply.size() - kCode.size() - 2);
      if (!seen.contains(key)) Differ(words, reply, seen.empty() ? ":<version>" : *seen.begin());
      ++g_counts.conflicts;
      return;
    }
    const std::set<std::string> now = Conflicts(txn, branch);
    if (!now.empty()) Differ(words, reply, std::string(kCode) + *now.begin());
    if (reply[0] != ':') Differ(words, reply, ":<version>");
    ++g_counts.committed;
    std::vector<ModelKey> changed;
    for (const ModelKey& key : txn.touched.written) {
      ModelDatabase& database = branch.content.databases[static_cast<size_t>(key.first)];
      const std::optional<ModelValue> value = txn.own.At(key);
      // One that it made and took away again was never there for others.
      if (database.erase(key.second) != 0 || value) changed.push_back(key);
      if (value) database[key.second] = *value;
    }
    branch.content.Expire(now_ms());
    Wrote(connection.branch, changed);
  }

  void Snapshots(ModelClient& connection) {
    const std::string name = words_.Pick("s:", 6);
    if (random_.Chance(1, 3)) {
      Expect(connection, {"SNAPSHOT", "DROP", name},
             ModelInteger(static_cast<int64_t>(names_.snapshots.erase(name))));
      return;
    }
    const RefNow ref = AnyRef();
    ExpectNumber(connection, {"SNAPSHOT", "CREATE", name, "FROM", ref.name, "REPLACE"});
    names_.snapshots[name] = ref.at;
  }

  // ---- branches

  bool InUse(const std::string& branch) const {
    return std::any_of(connections_.begin(), connections_.end(),
                       [&](const auto& connection) { return connection->branch == branch; });
  }

  void Branches(ModelClient& connection) {
    const std::string name = words_.Pick("b:", 4);
    const bool there = names_.branches.contains(name);
    // Connections that no socket belongs to are not counted by BRANCH DROP.
    if (there && !InUse(name) && random_.Chance(1, 3)) {
      Expect(connection, {"BRANCH", "DROP", name}, ModelInteger(1));
      FailWatches(names_.branches[name].line, nullptr);
      names_.Drop(name);
      return;
    }
    RefNow ref = AnyRef();
    ref.at.content.Expire(now_ms());  // live again
    if (!there) {
      ExpectNumber(connection, {"BRANCH", "CREATE", name, "FROM", ref.name});
      names_.Fork(name, ref.at.content, ref.at.version);
      return;
    }
    const bool inside = connection.txn.has_value();
    switch (random_.Below(5)) {
      case 0:
      case 1: {
        const Words words = {"BRANCH", "USE", random_.Chance(1, 4) ? "main" : name};
        if (inside) return ExpectNotInTxn(connection, words);
        Expect(connection, words, kModelOk);
        connection.branch = words[2];
        return;
      }
      case 2: {
        const Words words = {"BRANCH", "RESET", name, ref.name};
        if (inside) return ExpectNotInTxn(connection, words);
        GoBack(connection, words, name, ref);
        return;
      }
      case 3:
        return Rename(connection, name, words_.Pick("b:", 4));
      default: {
        if (inside) return ExpectNotInTxn(connection, {"BRANCH", "PROMOTE", name});
        if (random_.Chance(1, 2)) {
          Promote(connection, name);
        } else {
          GoBack(connection, {"SNAPSHOT", "ROLLBACK", ref.name, "NOBACKUP"}, connection.branch,
                 ref);
        }
      }
    }
  }

  void GoBack(ModelClient& connection, const Words& words, const std::string& name,
              const RefNow& ref) {
    if (names_.IsUnclear(name, ref.at.version)) return;
    ExpectNumber(connection, words);
    FailWatches(names_.branches[name].line, nullptr);
    names_.Restart(name, ref.at.content, ref.at.version);
    Replaced(name, AllDatabases());
  }

  void Promote(ModelClient& connection, const std::string& name) {
    Expect(connection, {"BRANCH", "PROMOTE", name}, kModelOk);
    names_.Exchange("main", name);
    for (const std::string& branch : {std::string("main"), name}) {
      FailWatches(names_.branches[branch].line, nullptr);
      Replaced(branch, AllDatabases());
    }
  }

  void Rename(ModelClient& connection, const std::string& from, const std::string& to) {
    const Words words = {"BRANCH", "RENAME", from, to};
    if (from != to && names_.branches.contains(to)) {
      const std::string reply = Send(connection, words);
      if (!reply.starts_with("-BUSYNAME ")) Compare(words, reply, "-BUSYNAME");
      return;
    }
    Expect(connection, words, kModelOk);
    if (from == to) return;
    names_.Rename(from, to);
    for (const auto& other : connections_) {
      if (other->branch == from) other->branch = to;
    }
    for (ModelWaiter& waiter : waiters_) {
      if (waiter.branch == from) waiter.branch = to;
    }
  }

  // ---- BRANCH MERGE

  struct Merging {
    Words words;
    std::string from;
    std::string into;
    ModelConflicts mode = ModelConflicts::kFail;
    bool dry = false;
    // What is merged is what was there when it began; again, if either went on as another line.
    uint64_t lines[2] = {};
    ModelVersion version;
    ModelContent content;
    ModelContent base;
    // What was in the target then, and before each slice since.
    std::vector<ModelContent> into_seen;
  };

  bool BothThere(const Merging& merging) const {
    return names_.branches.contains(merging.from) && names_.branches.contains(merging.into);
  }

  void BeginMerge(Merging* merging) {
    if (!BothThere(*merging)) return;
    ModelBranch& from = names_.branches[merging->from];
    const uint64_t into_line = names_.branches[merging->into].line;
    ModelContent& into = names_.branches[merging->into].content;
    into.Expire(now_ms());
    const bool again = merging->lines[0] == from.line && merging->lines[1] == into_line;
    if (!again) merging->into_seen.clear();
    merging->into_seen.push_back(into);
    if (again) return;
    merging->lines[0] = from.line;
    merging->lines[1] = into_line;
    from.content.Expire(now_ms());
    merging->content = from.content;
    merging->version = names_.HeadOf(from);
    if (merging->from == merging->into) return;
    merging->base = names_.BaseOf(merging->from, merging->into);
    merging->base.Expire(now_ms());
  }

  void Merge(ModelClient& connection) {
    auto merging = std::make_shared<Merging>();
    merging->from = AnyOf(names_.branches)->first;
    merging->into = connection.branch;
    Words& words = merging->words;
    words = {"BRANCH", "MERGE", merging->from};
    if (random_.Chance(1, 2)) {
      merging->into = AnyOf(names_.branches)->first;
      words.insert(words.end(), {"INTO", merging->into});
    }
    static const char* const kModes[] = {"FAIL", "OURS", "THEIRS"};
    merging->mode = static_cast<ModelConflicts>(random_.Below(3));
    words.insert(words.end(), {"ONCONFLICT", kModes[static_cast<int>(merging->mode)]});
    merging->dry = random_.Chance(1, 5);
    if (merging->dry) words.emplace_back("DRYRUN");
    if (connection.txn) return ExpectNotInTxn(connection, words);
    BeginMerge(merging.get());
    connection.merging = true;
    ++merging_;
    SendSliced(
        connection, words,
        [this, &connection, merging](const std::string& reply) {
          connection.merging = false;
          --merging_;
          CheckMerge(*merging, reply);
        },
        [this, merging] { BeginMerge(merging.get()); });
  }

  void CheckMerge(const Merging& merging, const std::string& reply) {
    if (!BothThere(merging)) {
      if (!reply.starts_with("-NOREF ")) Differ(merging.words, reply, "-NOREF");
      return;
    }
    ++g_counts.merges;
    // A refusal may be for what others have taken back since.
    if (merging.mode == ModelConflicts::kFail && !merging.dry && reply[0] == '-') {
      ++g_counts.refused_merges;
      const auto refuses = [&](const ModelContent& into) {
        return IsMergeConflict(reply, Merged(merging, into).conflicts);
      };
      if (std::any_of(merging.into_seen.begin(), merging.into_seen.end(), refuses)) return;
    }
    ModelBranch& into = names_.branches[merging.into];
    into.content.Expire(now_ms());
    // DRYRUN tells of the moment at which it began.
    ModelMergeResult result =
        Merged(merging, merging.dry ? merging.into_seen.front() : into.content);
    std::vector<std::string>& conflicts = result.conflicts;
    std::sort(conflicts.begin(), conflicts.end());
    const bool stops = merging.mode == ModelConflicts::kFail && !conflicts.empty();
    // applied N conflicts KEY ... version N
    Words flat = Flat(reply);
    const std::string applied = std::to_string(stops ? 0 : result.applied.size());
    if (flat.size() > 5) std::sort(flat.begin() + 3, flat.end() - 2);
    Words wanted = {"applied", applied, "conflicts"};
    wanted.insert(wanted.end(), conflicts.begin(), conflicts.end());
    wanted.emplace_back("version");
    if ((stops && !merging.dry) || flat.size() != wanted.size() + 1 ||
        !std::equal(wanted.begin(), wanted.end(), flat.begin())) {
      Differ(merging.words, reply, ModelArray(wanted));
    }
    if (merging.dry || merging.from == merging.into) return;
    into.content = std::move(result.content);
    names_.Merged(
        {merging.from, merging.into, merging.version, names_.HeadOf(into), merging.content});
    Wrote(merging.into, result.applied, true);
  }

  static ModelMergeResult Merged(const Merging& merging, const ModelContent& into) {
    if (merging.from == merging.into) return {into, {}, {}};
    return ModelMerge(merging.base, merging.content, into, merging.mode);
  }

  // -MERGECONFLICT n key ...: the first ten
  static bool IsMergeConflict(const std::string& reply, std::vector<std::string> conflicts) {
    const std::string begin = "-MERGECONFLICT " + std::to_string(conflicts.size()) + " ";
    if (conflicts.empty() || !reply.starts_with(begin) || !reply.ends_with("\r\n")) return false;
    size_t keys = 0;
    for (size_t at = begin.size(); at < reply.size() - 2; ++keys) {
      const size_t end = std::min(reply.find(' ', at), reply.size() - 2);
      const auto found = std::find(conflicts.begin(), conflicts.end(), reply.substr(at, end - at));
      if (found == conflicts.end()) return false;
      conflicts.erase(found);
      at = end + 1;
    }
    return keys == 10 || conflicts.empty();
  }

  // ---- WATCH, EXEC

  void Watch(ModelClient& connection) {
    Words words = {"WATCH", words_.Key(), words_.Key()};
    if (connection.txn) return ExpectNotInTxn(connection, words);
    if (random_.Chance(1, 8)) {
      EndWatch(connection);
      return Expect(connection, {"UNWATCH"}, kModelOk);
    }
    Expect(connection, words, kModelOk);
    ModelBranch& branch = BranchOf(connection);
    branch.content.Expire(now_ms());
    for (size_t i = 1; i < words.size(); ++i) {
      const ModelKey key = {connection.db, words[i]};
      connection.watched.emplace(std::pair(branch.line, key), branch.content.At(key).has_value());
    }
  }

  static void EndWatch(ModelClient& connection) {
    connection.watched.clear();
    connection.watch_failed = false;
  }

  // A key was written since, or has expired.
  bool WatchFails(const ModelClient& connection) {
    if (connection.watch_failed) return true;
    for (auto& [name, branch] : names_.branches) {
      branch.content.Expire(now_ms());
      for (const auto& [place, live] : connection.watched) {
        if (place.first == branch.line && live && !branch.content.At(place.second)) return true;
      }
    }
    return false;
  }

  void Exec(ModelClient& connection) {
    if (connection.txn) {
      Expect(connection, {"MULTI"}, "-ERR 'multi' is not allowed in TXN\r\n");
      return;
    }
    Expect(connection, {"MULTI"}, kModelOk);
    const bool fails = WatchFails(connection);
    ModelContent content = BranchOf(connection).content;
    content.Expire(now_ms());
    ModelTouched touched;
    std::string wanted = "*3\r\n";
    for (int i = 0; i < 3; ++i) {
      const Words words = random_.Chance(1, 8) ? words_.Blocking() : words_.Write();
      Expect(connection, words, "+QUEUED\r\n");
      const std::string reply = ModelRunner(&content, connection.db, now_ms(), &touched).Run(words);
      wanted += reply == kModelWaits ? ModelNoWait(words) : reply;
    }
    EndWatch(connection);
    if (random_.Chance(1, 8)) return Expect(connection, {"DISCARD"}, kModelOk);
    ++g_counts.execs;
    if (fails) {
      ++g_counts.failed_execs;
      return Expect(connection, {"EXEC"}, kModelNullArray);
    }
    BranchOf(connection).content = std::move(content);
    Expect(connection, {"EXEC"}, wanted);
    Wrote(connection.branch, touched.written);
  }

  // ---- whole databases

  void Databases(ModelClient& connection) {
    const int a = connection.db;
    const int b = static_cast<int>(random_.Below(kModelDatabases));
    Words words = {"FLUSHDB"};
    const bool swap = random_.Chance(1, 2) && a != b;
    if (swap) words = {"SWAPDB", std::to_string(a), std::to_string(b)};
    if (connection.txn) return ExpectNotInTxn(connection, words);
    Expect(connection, words, kModelOk);
    ModelBranch& branch = BranchOf(connection);
    branch.content.Expire(now_ms());
    auto& databases = branch.content.databases;
    if (swap) {
      std::swap(databases[static_cast<size_t>(a)], databases[static_cast<size_t>(b)]);
    } else {
      databases[static_cast<size_t>(a)].clear();
    }
    ++names_.lines[branch.line].writes;
    for (const auto& other : connections_) {
      for (const auto& [place, live] : other->watched) {
        const int db = place.second.first;
        if (place.first != branch.line || (db != a && (!swap || db != b))) continue;
        other->watch_failed |= live || branch.content.At(place.second);
      }
    }
    if (swap) Replaced(connection.branch, {a, b});
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
    Serve();
  }

  // ---- saves and restarts

  void Saving() {
    if (!save_) {
      save_.emplace();
      save_->start = store().BeginSave();
      save_->names = names_;
      return;
    }
    const bool committed = random_.Chance(4, 5);
    if (committed) {
      disk_.Commit(store(), save_->start);
      saved_ = std::move(save_->names);
    }
    store().EndSave(committed ? storage::SaveOutcome::kCommitted : storage::SaveOutcome::kFailed);
    save_.reset();
  }

  void Restart() {
    if (disk_.empty()) return;
    ++g_counts.restarts;
    const Epoch epoch_next = store().epoch() + 1;
    save_.reset();
    Disconnect();
    server_.reset();
    Start(disk_.Start(&clock_, epoch_next));
    names_ = saved_;
    Audit();
    CheckAll();
  }

  // Every key of every version.
  void CheckAll() {
    const auto check = [this](const std::string& ref, ModelContent* content, uint64_t moment_ms) {
      const auto missing = Missing(ref, content, moment_ms);
      if (missing) Differ({(*missing)[0]}, (*missing)[1], (*missing)[2]);
    };
    for (auto& [name, branch] : names_.branches) {
      branch.content.Expire(now_ms());
      check(name, &branch.content, now_ms());
    }
    for (auto& [name, snapshot] : names_.snapshots) {
      check(name, &snapshot.content, snapshot.moment_ms);
    }
  }

  struct Save {
    storage::SaveStart start;
    ModelNames names;
  };

  std::optional<Save> save_;
  ModelDisk disk_;
  ModelNames saved_;
};

}  // namespace
}  // namespace verso::server

int main(int count, char** arguments) {
  using namespace verso;
  return model::RunSeeds(count, arguments, 10, 20'000, [](uint64_t steps) {
    server::g_counts = {};
    server::World(model::g_seed).Run(steps);
    const server::ModelCounts& c = server::g_counts;
    const auto number = [](uint64_t value) { return static_cast<unsigned long long>(value); };
    std::printf(
        "seed %llu: %llu transactions committed, %llu in conflict; %llu merges, %llu refused; %llu "
        "diffs; %llu EXECs, %llu failed; %llu clients waited, %llu served; %llu commands in "
        "slices; "
        "%llu restarts\n",
        number(model::g_seed), number(c.committed), number(c.conflicts), number(c.merges),
        number(c.refused_merges), number(c.diffs), number(c.execs), number(c.failed_execs),
        number(c.waits), number(c.served), number(c.in_slices), number(c.restarts));
  });
}
