// A server without sockets that records its effects, or is made of those of another one: for tests
// of the operation log's meaning.
//
//   EffectHost live;                        EffectHost again;
//   live.Run(session, {"SPOP", "s"});       again.Replay(live.records[0]);
//   CHECK(live.Describe() == again.Describe());
//
// Describe() says all that a restart has to bring back: branches and named snapshots with their
// lines' ids and moments, every key with its content and deadline, groups of streams, and what
// merges would do next.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "server/command/effect_replay.h"
#include "server/snapshot_schedule.h"
#include "storage/keyspace/keyspace.h"
#include "storage/memory/snapshots.h"
#include "tests/support/run_command.h"

namespace verso::server {

// The beginning of a word, to be shown.
inline std::string Shown(ByteView word) {
  std::string text(word.substr(0, 40));
  for (char& c : text) c = c < ' ' || c > '~' ? '?' : c;
  return text;
}

// XINFO's reply without when consumers were seen: that one asked in vain is no change.
inline std::string WithoutSeen(std::string text) {
  constexpr std::string_view kSeen = "seen-time\r\n:";
  for (size_t at = 0; (at = text.find(kSeen, at)) != std::string::npos;) {
    at += kSeen.size();
    text.erase(at, text.find('\r', at) - at);
  }
  return text;
}

struct EffectRecord {
  uint32_t line = 0;
  int db = 0;
  uint64_t time_ms = 0;
  std::vector<std::vector<std::string>> commands;

  std::string Text() const {
    std::string text = "line " + std::to_string(line) + " db " + std::to_string(db) + " at " +
                       std::to_string(time_ms) + ":";
    for (const auto& command : commands) {
      for (const std::string& word : command) text += " " + Shown(word);
      text += ";";
    }
    return text;
  }
};

class EffectHost : private EffectConsumer, private BlockedKeys::Host {
 public:
  explicit EffectHost(bool records_effects = true) {
    store_ = storage::FreshStore(&clock_);
    store_->set_observer(&state_.changes);
    state_.store = store_.get();
    state_.ApplySettings();
    state_.now_ms = 1'700'000'000'000;
    if (records_effects) {
      state_.effect_consumer = this;
      state_.changes.set_consumer(this);
    }
    dispatcher_ = std::make_unique<Dispatcher>(&state_, nullptr);
  }
  ~EffectHost() { store_->set_observer(nullptr); }
  EffectHost(const EffectHost&) = delete;
  EffectHost& operator=(const EffectHost&) = delete;

  // The reply; empty: it waits. Whoever waited for what it brought is served.
  std::string Run(Session& session, const std::vector<ByteView>& words) {
    const std::string text = RunWords(session, words);
    if (state_.blocked.ready()) state_.blocked.Serve(*this);
    return text;
  }
  template <typename... Words>
  std::string operator()(const Words&... words) {
    return Run(session_, {ByteView(words)...});
  }

  // What the server does by itself, as Server::ExpireSomeOf and RunCron do it.
  void Cron() {
    for (auto& [name, branch] : store_->branches().all()) {
      for (int db = 0; db < state_.environment.databases; ++db) {
        storage::WriteView view(*store_, *branch.line, db, state_.now_ms);
        if (view.NextDeadline() > state_.now_ms) continue;
        if (state_.effect_consumer != nullptr) Begin(branch.line->id(), db);
        view.ExpireDue(8, [](const storage::Key&) {});
        if (state_.effect_consumer != nullptr) End();
      }
    }
    if (state_.blocked.ready()) state_.blocked.Serve(*this);
    schedule_.Run(state_);
    state_.txns.ExpireIdle(state_.now_ms);
  }

  Status Replay(const EffectRecord& record) {
    if (replay_ == nullptr) replay_ = std::make_unique<EffectReplay>(dispatcher_.get(), &state_);
    std::vector<std::vector<ByteView>> words;
    std::vector<std::span<const ByteView>> commands;
    for (const auto& command : record.commands) words.emplace_back(command.begin(), command.end());
    for (const auto& command : words) commands.emplace_back(command);
    return replay_->Apply(record.line, record.db, record.time_ms, commands);
  }
  EffectReplay& replay() { return *replay_; }
  void NewReplay() { replay_.reset(); }

  std::string Describe();

  storage::Store& store() { return *store_; }
  ServerState& state() { return state_; }
  Dispatcher& dispatcher() { return *dispatcher_; }
  Session& session() { return session_; }
  SnapshotSchedule& schedule() { return schedule_; }

  std::vector<EffectRecord> records;
  std::function<void()> between_slices;
  uint64_t slices = 0;

 private:
  std::string RunWords(Session& session, const std::vector<ByteView>& words) {
    const Request request = RequestOf(words);
    Outcome outcome;
    return RunOne(session, request, &outcome);
  }
  std::string RunOne(Session& session, const Request& request, Outcome* outcome) {
    const auto finish = [this](Continuation& rest, const storage::ReadView& view,
                               ReplyWriter& reply) {
      while (true) {
        ++slices;
        Slice slice(&reply, ~size_t{0});
        if (rest.Run(view, slice)) return;
        if (between_slices != nullptr) between_slices();
      }
    };
    return RunRequest(dispatcher_.get(), state_, session, request, outcome, finish);
  }

  // ---- BlockedKeys::Host
  std::optional<storage::ValueType> TypeAt(const KeyPlace& place) override {
    const storage::Line* const line = store_->FindLine(place.line);
    if (line == nullptr) return std::nullopt;
    const storage::ReadView view(*store_, *line, place.db, state_.now_ms);
    const auto value = view.Find({place.key, place.hash}, storage::Access::kPeek);
    if (!value.has_value()) return std::nullopt;
    return value->type;
  }
  void RunAgain(ParkedCommand& command) override {
    Session& session = *command.session;
    Outcome outcome;
    RunOne(session, command.request(), &outcome);
    if (outcome != Outcome::kParked) session.parked.reset();
  }

  // ---- EffectConsumer
  void Begin(uint32_t line, int db) override { open_ = {line, db, state_.now_ms, {}}; }
  void Command(std::span<const ByteView> arguments) override {
    open_.commands.emplace_back(arguments.begin(), arguments.end());
  }
  void End() override {
    if (!open_.commands.empty()) records.push_back(std::move(open_));
    open_ = {};
  }

  ManualClock clock_;
  std::unique_ptr<storage::Store> store_;
  ServerState state_;
  SnapshotSchedule schedule_;
  std::unique_ptr<Dispatcher> dispatcher_;
  Session session_;
  std::unique_ptr<EffectReplay> replay_;
  EffectRecord open_;
};

inline std::string EffectHost::Describe() {
  std::string text;
  Session reader;
  const auto nobody_else = std::exchange(between_slices, nullptr);
  const auto describe = [&](const storage::ReadView& any, bool groups) {
    for (int db = 0; db < storage::kDatabases; ++db) {
      const storage::ReadView view = any.InDatabase(db);
      std::vector<std::string> lines;
      for (uint64_t cursor = 0;;) {
        cursor = view.Scan(cursor, 100, [&](ByteView bytes, const storage::ValueView& value) {
          const storage::Key key = view.MakeKey(bytes);
          std::string line = "    db" + std::to_string(db) + " " + std::string(bytes) + " type " +
                             std::to_string(static_cast<int>(value.type)) + " " +
                             storage::DigestOfKey(view, key).Hex();
          if (value.deadline_ms != storage::kNoDeadline) {
            line += " until " + std::to_string(value.deadline_ms);
          }
          if (value.type == storage::ValueType::kString && value.bytes.size() < 60) {
            line += " = " + std::string(value.bytes);
          }
          if (groups && value.type == storage::ValueType::kStream) {
            reader.db = db;
            line += " " + WithoutSeen(RunWords(reader, {"XINFO", "STREAM", bytes, "FULL"}));
          }
          for (char& c : line) c = c == '\r' || c == '\n' ? ' ' : c;
          lines.push_back(line + "\n");
        });
        if (cursor == 0) break;
      }
      std::sort(lines.begin(), lines.end());
      for (const std::string& line : lines) text += line;
    }
  };
  for (auto& [name, branch] : store_->branches().all()) {
    text += "branch " + std::string(name) + " of " + std::string(branch.parent) + " line " +
            std::to_string(branch.line->id()) + " since " + std::to_string(branch.created_ms) +
            "\n";
    reader.branch = &branch;
    describe(storage::ReadView(*store_, *branch.line, 0, state_.now_ms), true);
  }
  for (const auto* entry : store_->snapshots().ByAge()) {
    const storage::Snapshot& snapshot = entry->second;
    text += "snapshot " + std::string(entry->first) + " of " + std::string(snapshot.branch) +
            " at " + std::to_string(snapshot.moment_ms) + " until " +
            std::to_string(snapshot.deadline_ms) + "\n";
    const storage::PinHandle pin = store_->snapshots().Hold(snapshot);
    describe(storage::ReadView(*store_, pin.root(), 0, pin.moment_ms()), false);
  }
  reader.branch = nullptr;
  reader.db = 0;
  for (auto& [from, unused] : store_->branches().all()) {
    for (auto& [into, unused_too] : store_->branches().all()) {
      std::string reply = RunWords(reader, {"BRANCH", "MERGE", from, "INTO", into, "DRYRUN"});
      text += "merge " + std::string(from) + " into " + std::string(into) + ": ";
      // Versions are counted by themselves.
      for (char& c : reply) c = c == '\r' || c == '\n' ? ' ' : c;
      text += reply.substr(0, reply.find("version")) + "\n";
    }
  }
  between_slices = nobody_else;
  return text;
}

}  // namespace verso::server
