// Random commands of all families that write, by several clients on one EffectHost: with a clock
// that goes on, expiry by it and by being touched, clients that wait, EXEC, TXN, branches,
// snapshots, merges and builds aside in slices, others in between.
//
// Each command that writes has a row below with what makes its effect the same in a replay, which
// can use neither clock nor chance nor the order in which a hash happens to be walked:
//   kWords   its words are enough (E1)
//   kDone    it emits what it did (E2)
//   kBoth    its words, unless they depend on the clock, on chance, or on what is not in them
// A command of the table without a row is a failure: CommandsWithoutRow().
#pragma once

#include <algorithm>
#include <array>
#include <set>
#include <string>
#include <vector>

#include "tests/support/effect_host.h"

namespace verso::server {

enum class EffectOf : uint8_t { kWords, kDone, kBoth };

struct EffectRow {
  const char* name;
  EffectOf how;
  std::vector<const char*> templates;
};

// {str} {list} {set} {hash} {zset} {geo} {strm} {hll}: a key mostly of that type; {key}: any.
// {v} text, {m} member, {n} integer, {x} float, {ms} {s} times to come, {at} {ats} instants, {id}
// of a stream, {g} group, {c} consumer, {db}, {b} branch, {snap} snapshot, {ref} either.
inline const std::vector<EffectRow>& EffectRows() {
  using enum EffectOf;
  static const std::vector<EffectRow> rows = {
      {"set",
       kBoth,
       {"SET {str} {v}", "SET {str} {v} EX {s}", "SET {str} {v} PX {ms} NX GET",
        "SET {str} {n} KEEPTTL", "SET {str} {v} PXAT {at}", "SET {str} {v} XX",
        "SET {key} {v} EXAT {ats}", "SET {str} {n}"}},
      {"setnx", kWords, {"SETNX {str} {v}"}},
      {"setex", kDone, {"SETEX {str} {s} {v}"}},
      {"psetex", kDone, {"PSETEX {str} {ms} {v}"}},
      {"getset", kWords, {"GETSET {str} {v}"}},
      {"getdel", kDone, {"GETDEL {str}"}},
      {"getex", kDone, {"GETEX {str} PX {ms}", "GETEX {str} PERSIST", "GETEX {str} PXAT {at}"}},
      {"mset", kWords, {"MSET {str} {v} {str} {v} {key} {v}"}},
      {"msetnx", kWords, {"MSETNX {str} {v} {str} {v}"}},
      {"append", kWords, {"APPEND {str} {v}"}},
      {"setrange", kWords, {"SETRANGE {str} {small} {v}"}},
      {"incr", kWords, {"INCR {str}"}},
      {"decr", kWords, {"DECR {str}"}},
      {"incrby", kWords, {"INCRBY {str} {n}"}},
      {"decrby", kWords, {"DECRBY {str} {n}"}},
      {"incrbyfloat", kDone, {"INCRBYFLOAT {str} {x}"}},
      {"setbit", kWords, {"SETBIT {str} {small} 1"}},
      {"bitop", kWords, {"BITOP XOR {str} {str} {str}", "BITOP NOT {str} {str}"}},
      {"bitfield", kWords, {"BITFIELD {str} INCRBY u8 {small} 7 SET i5 3 -4 GET u4 0"}},
      {"del", kWords, {"DEL {key}", "DEL {key} {key}"}},
      {"unlink", kWords, {"UNLINK {key} {key}"}},
      {"expire", kDone, {"EXPIRE {key} {s}", "EXPIRE {key} -1", "EXPIRE {key} {s} GT"}},
      {"pexpire", kDone, {"PEXPIRE {key} {ms}", "PEXPIRE {key} {ms} NX", "PEXPIRE {key} {ms} LT"}},
      {"expireat", kDone, {"EXPIREAT {key} {ats}"}},
      {"pexpireat", kDone, {"PEXPIREAT {key} {at}", "PEXPIREAT {key} {at} XX"}},
      {"persist", kWords, {"PERSIST {key}"}},
      {"rename", kWords, {"RENAME {key} {key}", "RENAME {set} {set}"}},
      {"renamenx", kWords, {"RENAMENX {key} {key}"}},
      {"move", kWords, {"MOVE {key} {db}"}},
      {"copy",
       kBoth,
       {"COPY {key} {key}", "COPY {key} {key} REPLACE", "COPY {key} {key} DB {db}",
        "COPY {set} {set} DB {db} REPLACE"}},
      {"restore", kBoth, {}},  // Workload::Restore
      {"sort",
       kBoth,
       {"SORT {list} ALPHA STORE {list}", "SORT {set} BY nosort STORE {list}",
        "SORT {set} BY w_* GET # GET w_* STORE {list}",
        "SORT {zset} ALPHA DESC LIMIT 1 3 STORE {list}"}},
      {"lpush", kWords, {"LPUSH {list} {m} {m}"}},
      {"rpush", kWords, {"RPUSH {list} {m} {m} {n}"}},
      {"lpushx", kWords, {"LPUSHX {list} {m}"}},
      {"rpushx", kWords, {"RPUSHX {list} {m}"}},
      {"lpop", kWords, {"LPOP {list}", "LPOP {list} 2"}},
      {"rpop", kWords, {"RPOP {list}", "RPOP {list} 3"}},
      {"lset", kWords, {"LSET {list} {small} {m}"}},
      {"linsert", kWords, {"LINSERT {list} BEFORE {m} {m}"}},
      {"lrem", kWords, {"LREM {list} {small} {m}"}},
      {"ltrim", kWords, {"LTRIM {list} 1 -2", "LTRIM {list} 0 {small}"}},
      {"lmove", kWords, {"LMOVE {list} {list} LEFT RIGHT"}},
      {"rpoplpush", kWords, {"RPOPLPUSH {list} {list}"}},
      {"lmpop", kWords, {"LMPOP 2 {list} {list} LEFT COUNT 2"}},
      {"blpop", kDone, {"BLPOP {list} {list} 0"}},
      {"brpop", kDone, {"BRPOP {list} 0"}},
      {"blmove", kDone, {"BLMOVE {list} {list} RIGHT LEFT 0"}},
      {"brpoplpush", kDone, {"BRPOPLPUSH {list} {list} 0"}},
      {"blmpop", kDone, {"BLMPOP 0 2 {list} {list} RIGHT COUNT 3"}},
      {"sadd", kWords, {"SADD {set} {m} {m} {n}", "SADD {set} {n}"}},
      {"srem", kWords, {"SREM {set} {m} {m}"}},
      {"smove", kWords, {"SMOVE {set} {set} {m}"}},
      {"spop", kDone, {"SPOP {set}", "SPOP {set} 3", "SPOP {set} 100"}},
      {"sinterstore", kWords, {"SINTERSTORE {set} {set} {set}"}},
      {"sunionstore", kWords, {"SUNIONSTORE {set} {set} {set}"}},
      {"sdiffstore", kWords, {"SDIFFSTORE {set} {set} {set}"}},
      {"hset", kWords, {"HSET {hash} {m} {v} {m} {n}"}},
      {"hmset", kWords, {"HMSET {hash} {m} {v}"}},
      {"hsetnx", kWords, {"HSETNX {hash} {m} {v}"}},
      {"hdel", kWords, {"HDEL {hash} {m} {m}"}},
      {"hincrby", kWords, {"HINCRBY {hash} {m} {n}"}},
      {"hincrbyfloat", kDone, {"HINCRBYFLOAT {hash} {m} {x}"}},
      {"zadd",
       kWords,
       {"ZADD {zset} {n} {m} {x} {m}", "ZADD {zset} INCR {x} {m}", "ZADD {zset} GT CH {n} {m}"}},
      {"zincrby", kWords, {"ZINCRBY {zset} {x} {m}"}},
      {"zrem", kWords, {"ZREM {zset} {m} {m}"}},
      {"zpopmin", kWords, {"ZPOPMIN {zset}", "ZPOPMIN {zset} 2"}},
      {"zpopmax", kWords, {"ZPOPMAX {zset} 2"}},
      {"zmpop", kWords, {"ZMPOP 2 {zset} {zset} MAX COUNT 2"}},
      {"bzpopmin", kDone, {"BZPOPMIN {zset} {zset} 0"}},
      {"bzpopmax", kDone, {"BZPOPMAX {zset} 0"}},
      {"bzmpop", kDone, {"BZMPOP 0 2 {zset} {zset} MIN COUNT 2"}},
      {"zunionstore", kWords, {"ZUNIONSTORE {zset} 2 {zset} {set} WEIGHTS 2 0.5"}},
      {"zinterstore", kWords, {"ZINTERSTORE {zset} 2 {zset} {zset} AGGREGATE MAX"}},
      {"zdiffstore", kWords, {"ZDIFFSTORE {zset} 2 {zset} {zset}"}},
      {"zrangestore", kWords, {"ZRANGESTORE {zset} {zset} 0 {small}"}},
      {"zremrangebyrank", kWords, {"ZREMRANGEBYRANK {zset} 0 0"}},
      {"zremrangebyscore", kWords, {"ZREMRANGEBYSCORE {zset} {n} +inf"}},
      {"zremrangebylex", kWords, {"ZREMRANGEBYLEX {zset} [m1 [m3"}},
      {"geoadd",
       kWords,
       {"GEOADD {geo} 13.36 38.11 {m} 15.08 37.50 {m}", "GEOADD {geo} 2.3 48.8 {m}"}},
      {"geosearchstore",
       kWords,
       {"GEOSEARCHSTORE {zset} {geo} FROMLONLAT 15 37 BYRADIUS 900 km ASC STOREDIST",
        "GEOSEARCHSTORE {zset} {geo} FROMLONLAT 15 37 BYBOX 900 900 km COUNT 2 ANY"}},
      {"georadius", kWords, {"GEORADIUS {geo} 15 37 500 km STORE {zset}"}},
      {"georadiusbymember", kWords, {"GEORADIUSBYMEMBER {geo} {m} 500 km STOREDIST {zset}"}},
      {"pfadd", kWords, {"PFADD {hll} {v} {v}"}},
      {"pfmerge", kWords, {"PFMERGE {hll} {hll} {hll}"}},
      {"pfdebug", kWords, {"PFDEBUG TODENSE {hll}"}},
      {"xadd",
       kBoth,
       {"XADD {strm} * {m} {v}", "XADD {strm} MAXLEN ~ 5 * {m} {v} {m} {v}",
        "XADD {strm} NOMKSTREAM {nextid} {m} {v}", "XADD {strm} MAXLEN 4 * {m} {v}",
        "XADD {strm} MINID ~ {id} LIMIT 10 * {m} {v}"}},
      {"xdel", kWords, {"XDEL {strm} {id} {id}"}},
      {"xtrim", kBoth, {"XTRIM {strm} MAXLEN ~ 3", "XTRIM {strm} MINID {id}"}},
      {"xsetid",
       kWords,
       {"XSETID {strm} {nextid}", "XSETID {strm} {nextid} ENTRIESADDED 500 MAXDELETEDID {id}"}},
      {"xgroup|create",
       kWords,
       {"XGROUP CREATE {strm} {g} $ MKSTREAM", "XGROUP CREATE {strm} {g} 0"}},
      {"xgroup|setid", kWords, {"XGROUP SETID {strm} {g} {id}", "XGROUP SETID {strm} {g} $"}},
      {"xgroup|destroy", kWords, {"XGROUP DESTROY {strm} {g}"}},
      {"xgroup|createconsumer", kWords, {"XGROUP CREATECONSUMER {strm} {g} {c}"}},
      {"xgroup|delconsumer", kWords, {"XGROUP DELCONSUMER {strm} {g} {c}"}},
      {"xack", kWords, {"XACK {strm} {g} {id} {id}"}},
      {"xreadgroup",
       kDone,
       {"XREADGROUP GROUP {g} {c} COUNT 2 STREAMS {strm} >",
        "XREADGROUP GROUP {g} {c} STREAMS {strm} {strm} > 0",
        "XREADGROUP GROUP {g} {c} NOACK STREAMS {strm} >",
        "XREADGROUP GROUP {g} {c} BLOCK 0 STREAMS {strm} >"}},
      {"xclaim",
       kDone,
       {"XCLAIM {strm} {g} {c} 10 {id} {id}", "XCLAIM {strm} {g} {c} 0 {id} FORCE",
        "XCLAIM {strm} {g} {c} 0 {id} IDLE 500 RETRYCOUNT 9 JUSTID"}},
      {"xautoclaim",
       kDone,
       {"XAUTOCLAIM {strm} {g} {c} 20 0 COUNT 3", "XAUTOCLAIM {strm} {g} {c} 0 {id} JUSTID"}},
      {"flushdb", kWords, {}},  // the following are rare: Workload::Rare
      {"flushall", kWords, {}},
      {"swapdb", kWords, {}},
  };
  return rows;
}

// Rows of the command table that may write and are not above: none.
inline std::vector<std::string> CommandsWithoutRow() {
  std::set<std::string> known;
  for (const EffectRow& row : EffectRows()) known.insert(row.name);
  std::vector<std::string> missing;
  for (const CommandEntry& entry : CommandTable::Get().entries()) {
    if (!entry.row->Has(kWrite) || !entry.subcommands.empty()) continue;
    if (!known.contains(std::string(entry.full_name))) missing.emplace_back(entry.full_name);
  }
  return missing;
}

class EffectWorkload {
 public:
  // What was true when so many records were there.
  struct Checkpoint {
    size_t records = 0;
    uint64_t now_ms = 0;
    std::string text;
    std::string last;  // command
  };

  EffectWorkload(EffectHost* host, uint64_t seed) : host_(*host), random_(seed * 2 + 1) {
    host_.state().environment.random_state = seed + 99;
    host_.state().settings.snapshot_auto_seconds = 3;
    host_.state().settings.snapshot_auto_keep = 2;
    host_.state().settings.rollback_keep = 2;
    host_.between_slices = [this] {
      if (depth_ > 1) return;
      ++depth_;
      Advance();
      for (uint64_t i = Below(3); i > 0; --i) Step();
      --depth_;
    };
  }
  // Waiting sessions know their place.
  ~EffectWorkload() { host_.between_slices = nullptr; }

  void Run(uint64_t steps, uint64_t check_every) {
    for (uint64_t i = 0; i < steps; ++i) {
      Advance();
      Step();
      if ((i + 1) % check_every == 0 || i + 1 == steps) {
        checkpoints.push_back(
            {host_.records.size(), host_.state().now_ms, host_.Describe(), last_});
      }
    }
  }

  std::vector<Checkpoint> checkpoints;
  uint64_t errors = 0;
  uint64_t commands = 0;

 private:
  static constexpr size_t kSessions = 5;
  struct Client {
    Session session;
    bool busy = false;
  };

  uint64_t Next() {
    random_ ^= random_ >> 12;
    random_ ^= random_ << 25;
    random_ ^= random_ >> 27;
    return random_ * 0x2545F4914F6CDD1D;
  }
  uint64_t Below(uint64_t bound) { return (Next() >> 20) % bound; }
  bool Chance(uint64_t percent) { return Below(100) < percent; }

  void Advance() {
    uint64_t& now_ms = host_.state().now_ms;
    if (Chance(60)) now_ms += Below(20);
    if (Chance(2)) now_ms += Below(4000);
    if (Chance(15)) host_.Cron();
  }

  std::string Key(const char* type) { return type + std::to_string(Below(4)); }
  std::string AnyKey() {
    static constexpr const char* kTypes[] = {"str",  "list", "set",  "hash",
                                             "zset", "geo",  "strm", "hll"};
    return Key(kTypes[Below(8)]);
  }
  std::string Name(const char* kind, uint64_t count) { return kind + std::to_string(Below(count)); }
  std::string Branch() {
    auto& all = host_.store().branches().all();
    auto at = all.begin();
    std::advance(at, static_cast<long>(Below(all.size())));
    return std::string(at->first);
  }
  std::string Snapshot() {
    const auto& all = host_.store().snapshots().all();
    if (all.empty() || Chance(10)) return Name("snap", 4);
    auto at = all.begin();
    std::advance(at, static_cast<long>(Below(all.size())));
    return std::string(at->first);
  }
  std::string Id() {
    if (!ids_.empty() && Chance(85)) return ids_[Below(ids_.size())];
    return std::to_string(host_.state().now_ms - Below(3000)) + "-" + std::to_string(Below(3));
  }

  std::string Word(const std::string& name) {
    const uint64_t now_ms = host_.state().now_ms;
    if (name == "str" || name == "list" || name == "set" || name == "hash" || name == "zset" ||
        name == "geo" || name == "strm" || name == "hll") {
      if (name == "strm" && Chance(60)) return "strm0";
      return Chance(3) ? AnyKey() : Key(name.c_str());
    }
    if (name == "key") return AnyKey();
    if (name == "v")
      return std::string(Below(Chance(5) ? 3000 : 12), static_cast<char>('a' + Below(26)));
    if (name == "m") return Name("m", 8);
    if (name == "n") return std::to_string(static_cast<int64_t>(Below(2000)) - 1000);
    if (name == "x")
      return std::to_string(static_cast<int64_t>(Below(2000)) - 1000) + "." +
             std::to_string(Below(1000));
    if (name == "small") return std::to_string(Below(6));
    if (name == "ms") return std::to_string(1 + Below(Chance(20) ? 20000 : 300));
    if (name == "s") return std::to_string(1 + Below(5));
    if (name == "at") return std::to_string(now_ms + Below(600) - 100);
    if (name == "ats") return std::to_string(now_ms / 1000 + Below(4) - 1);
    if (name == "id") return Id();
    if (name == "nextid") {
      return std::to_string(now_ms + Below(50)) +
             (Chance(50) ? "-*" : "-" + std::to_string(Below(9)));
    }
    if (name == "g") return Name("g", 2);
    if (name == "c") return Name("c", 3);
    if (name == "db") return std::to_string(Below(3));
    if (name == "b") return Branch();
    if (name == "newb") return Name("b", 4);
    if (name == "snap") return Snapshot();
    if (name == "news") return Name("snap", 4);
    if (name == "ref") return Chance(50) ? Branch() : Snapshot();
    return "?" + name;
  }

  std::vector<std::string> Fill(const char* text) {
    std::vector<std::string> words;
    std::string word;
    for (const char* at = text;; ++at) {
      if (*at != ' ' && *at != '\0') {
        word += *at;
        continue;
      }
      words.push_back(word.front() == '{' ? Word(word.substr(1, word.size() - 2)) : word);
      word.clear();
      if (*at == '\0') return words;
    }
  }

  std::string Send(Client& client, const std::vector<std::string>& words) {
    ++commands;
    last_.clear();
    for (const std::string& word : words) last_ += Shown(word) + " ";
    client.busy = true;
    const std::vector<ByteView> views(words.begin(), words.end());
    std::string reply = host_.Run(client.session, views);
    client.busy = false;
    errors += reply.starts_with('-') ? 1 : 0;
    if (words[0] == "XADD" && reply.starts_with('$')) {
      const size_t begin = reply.find('\n') + 1;
      ids_.push_back(reply.substr(begin, reply.size() - begin - 2));
      if (ids_.size() > 60) ids_.erase(ids_.begin(), ids_.begin() + 30);
    }
    return reply;
  }
  std::string Send(Client& client, const char* text) { return Send(client, Fill(text)); }

  void Step() {
    Client& client = clients_[Below(kSessions)];
    if (client.busy) return;
    if (client.session.parked != nullptr) {
      if (Chance(30)) client.session.parked.reset();  // it has gone
      return;
    }
    const bool open = client.session.transaction != nullptr || client.session.txn != nullptr;
    if (open && Chance(15)) {
      if (client.session.transaction != nullptr) {
        Send(client, Chance(90) ? "EXEC" : "DISCARD");
      } else {
        Send(client, Chance(80) ? "TXN COMMIT" : "TXN ABORT");
      }
      return;
    }
    const uint64_t dice = Below(1000);
    if (dice < 30) {
      Send(client, "SELECT {db}");
    } else if (dice < 70) {
      Versions(client);
    } else if (dice < 85) {
      Rare(client);
    } else if (dice < 110) {
      Bulk(client);
    } else if (dice < 125) {
      Restore(client);
    } else if (dice < 165) {
      if (!open) Send(client, Chance(60) ? "MULTI" : "TXN BEGIN");
    } else if (dice < 300) {
      static constexpr const char* kStream[] = {
          "xadd",       "xadd",       "xadd",   "xgroup|create", "xack", "xreadgroup",
          "xreadgroup", "xreadgroup", "xclaim", "xautoclaim",    "xdel"};
      const std::string_view name = kStream[Below(std::size(kStream))];
      for (const EffectRow& row : EffectRows()) {
        if (row.name == name) Send(client, row.templates[Below(row.templates.size())]);
      }
    } else {
      const std::vector<EffectRow>& rows = EffectRows();
      const EffectRow& row = rows[Below(rows.size())];
      if (row.templates.empty()) return;
      Send(client, row.templates[Below(row.templates.size())]);
    }
  }

  void Versions(Client& client) {
    static constexpr const char* kTemplates[] = {"SNAPSHOT CREATE {news}",
                                                 "SNAPSHOT CREATE {news} FROM {ref} EX {s}",
                                                 "SNAPSHOT CREATE {news} REPLACE EX {s}",
                                                 "SNAPSHOT CREATE {news} FROM {ref} REPLACE",
                                                 "SNAPSHOT DROP {snap} {snap}",
                                                 "SNAPSHOT RENAME {snap} {news}",
                                                 "SNAPSHOT ROLLBACK {ref}",
                                                 "SNAPSHOT ROLLBACK {ref} BRANCH {b}",
                                                 "SNAPSHOT ROLLBACK {snap} NOBACKUP",
                                                 "BRANCH CREATE {newb}",
                                                 "BRANCH CREATE {newb} FROM {ref}",
                                                 "BRANCH DROP {newb}",
                                                 "BRANCH RENAME {newb} {newb}",
                                                 "BRANCH RESET {b} {ref}",
                                                 "BRANCH PROMOTE {b}",
                                                 "BRANCH MERGE {b}",
                                                 "BRANCH MERGE {b} INTO {b} ONCONFLICT OURS",
                                                 "BRANCH MERGE {b} INTO {b} ONCONFLICT THEIRS",
                                                 "BRANCH USE {b}",
                                                 "BRANCH USE {b}"};
    const std::vector<std::string> words = Fill(kTemplates[Below(std::size(kTemplates))]);
    if (words[1] == "DROP" && words[0] == "BRANCH") {
      // Without connections the server cannot know who works there.
      for (const Client& other : clients_) {
        const auto* branch = other.session.branch;
        if (branch != nullptr && branch->name == words[2]) return;
        if (other.session.txn != nullptr) return;
      }
    }
    Send(client, words);
  }

  void Rare(Client& client) {
    static constexpr const char* kTemplates[] = {"FLUSHDB", "SWAPDB {db} {db}", "SWAPDB {db} {db}",
                                                 "FLUSHALL"};
    Send(client, kTemplates[Below(Chance(10) ? 4 : 3)]);
  }

  // Large enough for slices, and for what is built aside.
  void Bulk(Client& client) {
    const uint64_t kind = Below(6);
    std::vector<std::string> words;
    if (kind == 0) words = {"SADD", Key("set")};
    if (kind == 1) words = {"ZADD", Key("zset")};
    if (kind == 2) words = {"MSET"};
    if (kind == 3) words = {"RPUSH", Key("list")};
    if (kind >= 4) {
      static constexpr const char* kTemplates[] = {
          "SUNIONSTORE {set} {set} {set}", "SORT {set} BY w_* STORE {list}",
          "COPY {set} {set} REPLACE", "ZUNIONSTORE {zset} 2 {zset} {set}",
          "SORT {list} BY w_* GET w_* GET # STORE {list}"};
      Send(client, kTemplates[Below(std::size(kTemplates))]);
      return;
    }
    const uint64_t count = 1100 + Below(800);
    const uint64_t first = Below(3000);
    for (uint64_t i = first; i < first + count; ++i) {
      if (kind == 1) words.push_back(std::to_string(i % 300));
      if (kind == 2) {
        words.push_back("w_m" + std::to_string(i));
        words.push_back(std::to_string(Below(50)));
      } else {
        words.push_back("m" + std::to_string(i));
      }
    }
    Send(client, words);
    if (kind == 2) {
      for (int i = 0; i < 8; ++i) {
        Send(client, {"PEXPIRE", "w_m" + std::to_string(Below(4000)), std::to_string(Below(300))});
      }
    }
  }

  void Restore(Client& client) {
    if (client.session.transaction != nullptr) return;
    const std::string dump = Send(client, {"DUMP", AnyKey()});
    const size_t begin = dump.find('\n') + 1;
    if (!dump.starts_with("$") || dump.starts_with("$-1") || begin + 2 > dump.size()) return;
    std::vector<std::string> words = {"RESTORE", AnyKey(), Chance(50) ? "0" : Word("ms"),
                                      dump.substr(begin, dump.size() - begin - 2)};
    if (Chance(60)) words.emplace_back("REPLACE");
    if (Chance(20)) {
      words[2] = Word("at");
      words.emplace_back("ABSTTL");
    }
    Send(client, words);
  }

  EffectHost& host_;
  uint64_t random_;
  std::array<Client, kSessions> clients_;
  std::vector<std::string> ids_;
  std::string last_;
  int depth_ = 0;
};

// Replays all records of a live host, up to `cut` by one replayer and from there on by another, and
// compares at each checkpoint. Empty: all was the same. Else what was not.
inline std::string CompareReplay(const EffectHost& live,
                                 const std::vector<EffectWorkload::Checkpoint>& checkpoints,
                                 size_t cut) {
  EffectHost again(false);
  size_t next = 0;
  for (const EffectWorkload::Checkpoint& checkpoint : checkpoints) {
    for (; next < checkpoint.records; ++next) {
      if (next == cut) again.NewReplay();
      const Status applied = again.Replay(live.records[next]);
      if (!applied) {
        return "record " + std::to_string(next) + ": " + live.records[next].Text() + ": " +
               applied.error().context;
      }
    }
    again.state().now_ms = checkpoint.now_ms;
    const std::string text = again.Describe();
    if (text == checkpoint.text) continue;
    // The first line that differs, with the branch or snapshot it belongs to.
    std::string of;
    size_t at = 0;
    while (true) {
      const size_t end = std::min(text.find('\n', at), text.size());
      const size_t live_end = std::min(checkpoint.text.find('\n', at), checkpoint.text.size());
      const std::string mine = text.substr(at, end - at);
      const std::string wanted = checkpoint.text.substr(at, live_end - at);
      if (mine != wanted) {
        const size_t differ = static_cast<size_t>(
            std::mismatch(mine.begin(), mine.end(), wanted.begin(), wanted.end()).first -
            mine.begin());
        const size_t show = differ < 160 ? 0 : differ - 160;
        std::string said = "after record " + std::to_string(next) + " (" + checkpoint.last +
                           ") in " + of + "\n  live:     " + wanted.substr(show, 400) +
                           "\n  replayed: " + mine.substr(show, 400) + "\n  last records:";
        for (size_t i = next < 12 ? 0 : next - 12; i < next; ++i) {
          said += "\n    " + live.records[i].Text();
        }
        return said;
      }
      if (!mine.starts_with(' ')) of = mine;
      if (end >= text.size()) break;
      at = end + 1;
    }
    return "after record " + std::to_string(next) + ": one ends before the other";
  }
  const std::string audit = again.store().Audit();
  return audit.empty() ? "" : "audit: " + audit;
}

}  // namespace verso::server
