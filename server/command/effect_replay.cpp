#include "server/command/effect_replay.h"

#include <utility>

namespace verso::server {

EffectReplay::EffectReplay(Dispatcher* dispatcher, ServerState* state)
    : dispatcher_(*dispatcher), state_(*state) {
  session_.internal = true;
}

Status EffectReplay::Apply(uint32_t line, int db, uint64_t time_ms,
                           std::span<const std::span<const ByteView>> commands) {
  requests_.clear();
  for (const std::span<const ByteView> command : commands) {
    Request& request = requests_.emplace_back();
    request.arguments = command;
  }
  return Run(line, db, time_ms);
}

Status EffectReplay::Apply(uint32_t line, int db, uint64_t time_ms, ByteView payload) {
  VERSO_TRY_STATUS(Parse(payload));
  return Run(line, db, time_ms);
}

Status EffectReplay::ApplyIn(storage::Line* line, int db, uint64_t time_ms, ByteView payload) {
  VERSO_TRY_STATUS(Parse(payload));
  unnamed_.line = line;
  session_.branch = &unnamed_;
  return RunHere(db, time_ms);
}

Status EffectReplay::Parse(ByteView payload) {
  requests_.clear();
  arguments_.clear();
  std::vector<size_t> ends;
  ParseLimits limits;
  limits.inline_allowed = false;
  limits.bulk_bytes_max = ~size_t{0} >> 1;
  limits.arguments_max = ~size_t{0} >> 1;
  RequestParser parser;
  while (!payload.empty()) {
    // Only inline commands are changed in place, and there are none.
    char* const data = const_cast<char*>(payload.data());
    const ParseStatus status = parser.Next(data, payload.size(), limits, &arguments_);
    if (status != ParseStatus::kRequest) {
      return Error{ErrorCode::kCorruption, "a unit of the log is no sequence of commands"};
    }
    ends.push_back(arguments_.size());
    payload.remove_prefix(parser.consumed());
    parser.Reset();
  }
  size_t begin = 0;
  for (const size_t end : ends) {
    Request& request = requests_.emplace_back();
    request.arguments = std::span<const ByteView>(arguments_).subspan(begin, end - begin);
    begin = end;
  }
  return {};
}

bool EffectReplay::FindLine(uint32_t line) {
  storage::Store& store = *state_.store;
  session_.branch = nullptr;
  if (line == store.main().id()) return true;
  for (auto& [name, branch] : store.branches().all()) {
    if (branch.line->id() == line) {
      session_.branch = &branch;
      return true;
    }
  }
  unnamed_.line = store.FindUnnamed(line);
  if (unnamed_.line == nullptr) return false;
  session_.branch = &unnamed_;
  return true;
}

Status EffectReplay::Run(uint32_t line, int db, uint64_t time_ms) {
  if (requests_.empty()) return {};
  if (!FindLine(line)) {
    return Error{ErrorCode::kCorruption, "there is no line " + std::to_string(line)};
  }
  return RunHere(db, time_ms);
}

Status EffectReplay::RunHere(int db, uint64_t time_ms) {
  if (db < 0 || db >= state_.environment.databases) {
    return Error{ErrorCode::kCorruption, "there is no database " + std::to_string(db)};
  }
  for (Request& request : requests_) {
    request.entry = CommandTable::Get().Find(request.arguments[0]);
    for (const ByteView argument : request.arguments) request.bytes += argument.size();
  }
  session_.db = db;
  const uint64_t now_ms = std::exchange(state_.now_ms, time_ms);
  Status applied = dispatcher_.Replay(requests_, session_, reply_);
  state_.now_ms = now_ms;
  return applied;
}

}  // namespace verso::server
