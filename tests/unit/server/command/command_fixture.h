// Commands through the real dispatcher on a store of their own: no socket, and time stands still
// until a test moves it.
//
//   CommandFixture redis;
//   CHECK(redis("SET", "k", "v") == "+OK\r\n");
//   redis.now_ms += 1000;
//
// RunAs() is the same for another client's session. What a blocked client gets once it is served
// comes to `answers`, in the order of serving.
//
// Run() answers the exact RESP bytes. Continuations are run to their end, on a pinned version, as
// the event loop does it; `between_slices`, if set, is called between two slices, and may answer
// that the client has gone; then slices are short, so that there are many. `effects` holds what
// would be logged since it was last cleared, one command a string ("SET k v"), and `events` what
// the key space reported ("set k").
#pragma once

#include <catch2/catch.hpp>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "server/command/dispatcher.h"
#include "server/session/session.h"
#include "tests/support/run_command.h"

namespace verso::server {

class CommandFixture : private EffectConsumer,
                       private storage::KeyObserver,
                       private BlockedKeys::Host {
 public:
  explicit CommandFixture(bool with_effects = true) {
    store_ = storage::FreshStore(&clock_);
    store_->set_observer(this);
    state_.store = store_.get();
    state_.ApplySettings();
    if (with_effects) {
      state_.effect_consumer = this;
      state_.changes.set_consumer(this);
    }
    dispatcher_ = std::make_unique<Dispatcher>(&state_, nullptr);
  }
  ~CommandFixture() {
    CHECK(store_->Audit() == "");
    store_->set_observer(nullptr);
  }

  std::string Run(const std::vector<ByteView>& arguments) { return RunAs(session_, arguments); }
  std::string RunAs(Session& session, const std::vector<ByteView>& arguments) {
    state_.now_ms = now_ms;
    clock_.Set(now_ms);
    const Request request = RequestOf(arguments);
    Outcome outcome;
    const std::string text = RunOne(session, request, &outcome);
    if (state_.blocked.ready()) state_.blocked.Serve(*this);
    return text;
  }
  template <typename... Arguments>
  std::string operator()(const Arguments&... arguments) {
    return Run({ByteView(arguments)...});
  }

  Session& session() { return session_; }
  ServerState& state() { return state_; }
  storage::Store& store() { return *store_; }
  uint64_t slices() const { return slices_; }

  uint64_t now_ms = 1'700'000'000'000;
  std::vector<std::string> effects;
  std::vector<std::vector<std::string>> effect_words;  // the same, to be run again
  std::vector<std::string> events;
  std::vector<std::string> units;  // "line db"
  std::vector<std::string> answers;
  std::function<bool()> between_slices;  // false: the client has gone

 private:
  std::string RunOne(Session& session, const Request& request, Outcome* outcome) {
    const auto finish = [this](Continuation& rest, const storage::ReadView& view,
                               ReplyWriter& reply) { Finish(rest, view, reply); };
    return RunRequest(dispatcher_.get(), state_, session, request, outcome, finish);
  }

  std::optional<storage::ValueType> TypeAt(const KeyPlace& place) override {
    const storage::ReadView view(*store_, store_->main(), place.db, now_ms);
    const auto value = view.Find({place.key, place.hash}, storage::Access::kPeek);
    if (!value.has_value()) return std::nullopt;
    return value->type;
  }
  void RunAgain(ParkedCommand& command) override {
    Session& session = *command.session;
    Outcome outcome;
    const std::string text = RunOne(session, command.request(), &outcome);
    if (outcome == Outcome::kParked) return;
    session.parked.reset();
    answers.push_back(text);
  }

  void Finish(Continuation& rest, const storage::ReadView& view, ReplyWriter& reply) {
    for (bool done = false; !done; ++slices_) {
      constexpr uint64_t kShortUs = 50;
      Slice slice(&reply, ~size_t{0}, between_slices == nullptr ? Slice::kBudgetUs : kShortUs);
      done = rest.Run(view, slice);
      if (done || between_slices == nullptr) continue;
      // What is done there is no part of it, and has no slices of interest.
      const std::function<bool()> between = std::exchange(between_slices, nullptr);
      done = !between();
      between_slices = between;
    }
  }

  void Begin(uint32_t line, int db) override {
    units.push_back(std::to_string(line) + " " + std::to_string(db));
  }
  void Command(std::span<const ByteView> arguments) override {
    effect_words.emplace_back(arguments.begin(), arguments.end());
    std::string text;
    for (const ByteView argument : arguments) {
      if (!text.empty()) text += ' ';
      text += argument;
    }
    effects.push_back(text);
  }
  void End() override {}

  void KeyChanged(const storage::Line& line, int db, const storage::Key& key,
                  const storage::KeyEvent& event) override {
    if (!line.scratch()) events.push_back(std::string(event.name) + " " + std::string(key.bytes));
    state_.changes.KeyChanged(line, db, key, event);
  }
  void DatabaseChanged(const storage::Line& line, int db, const char* event,
                       uint64_t changes) override {
    state_.changes.DatabaseChanged(line, db, event, changes);
  }

  ManualClock clock_;
  std::unique_ptr<storage::Store> store_;
  ServerState state_;
  std::unique_ptr<Dispatcher> dispatcher_;
  Session session_;
  uint64_t slices_ = 0;
};

inline std::string Bulk(const std::string& text) {
  return "$" + std::to_string(text.size()) + "\r\n" + text + "\r\n";
}
inline const std::string kNull = "$-1\r\n";
inline const std::string kOk = "+OK\r\n";
inline const std::string kSyntaxError = "-ERR syntax error\r\n";
inline const std::string kNotIntegerError = "-ERR value is not an integer or out of range\r\n";

}  // namespace verso::server
