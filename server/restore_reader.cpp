#include "server/restore_reader.h"

#include <algorithm>

#include "server/command/arg_reader.h"

namespace verso::server {
namespace {

using persistence::LogHistory;
using persistence::LogRecord;

constexpr size_t kBatchBytes = 32 * 1024;
constexpr size_t kCommandHeader = 8 + 1 + 4;
constexpr size_t kPlanHeader = 8 + 4;

Error OutOfReach(uint64_t begins_behind, const std::string& gap) {
  const std::string begin = "the operation log begins behind record " +
                            std::to_string(begins_behind) + ", and the target lies before";
  return Error{ErrorCode::kNotFound, gap.empty() ? begin : begin + " (" + gap + ")"};
}

// The first pass.
Result<RestorePlan> MakePlan(const std::string& directory, const persistence::Id& store_id,
                             const RestoreRequest& request) {
  VersionLog versions;
  VERSO_TRY(auto history, LogHistory::Open(directory, store_id, request.through));
  uint64_t target = 0;  // the last unit that is not too late
  bool passed = false;
  bool any = false;
  LogRecord record;
  while (true) {
    VERSO_TRY(const LogHistory::Step step, history.Next(&record));
    if (step == LogHistory::Step::kEnd) break;
    if (step == LogHistory::Step::kGap) {
      versions.Forget();
      if (passed) return OutOfReach(history.begins_behind(), history.gap());
      any = false;
      continue;
    }
    VERSO_TRY_STATUS(versions.Add(record.sequence, record.time_ms, record.payload));
    const bool late = request.sequence != 0 ? record.sequence > request.sequence
                                            : record.time_ms > request.time_ms;
    passed = passed || late;
    if (passed) continue;
    target = record.sequence;
    any = true;
  }
  if (!any) {
    const bool at_begin = request.sequence == history.begins_behind() && request.sequence != 0;
    if (!at_begin) return OutOfReach(history.begins_behind(), history.gap());
    target = request.sequence;
  }
  return versions.Plan(request, target, history.begins_behind());
}

class CommandSender {
 public:
  CommandSender(const RestorePlan& plan, const RestoreSinks& sinks) : plan_(plan), sinks_(sinks) {}

  Status Send(const LogRecord& record) {
    const auto range = std::find_if(
        plan_.ranges.begin(), plan_.ranges.end(), [&record](const RestorePlan::Range& of) {
          return of.line == record.line && record.sequence >= of.after.sequence &&
                 record.sequence <= of.through.sequence;
        });
    if (range == plan_.ranges.end()) return {};
    int db = record.db;
    UnitCommands commands(record.payload);
    for (uint32_t index = 0; commands.Next(); ++index) {
      const auto& words = commands.words();
      if (EqualsIgnoreCase(words[0], "select") && words.size() == 2) {
        int64_t number = 0;
        ParseInteger(words[1], &number);
        db = static_cast<int>(number);
        continue;
      }
      const LogPoint begin{record.sequence, index};
      if (commands.AboutVersions() || begin < range->after || begin >= range->through) continue;
      Put(record.time_ms, db, commands.whole());
    }
    if (!commands.bad()) return {};
    return Error{ErrorCode::kCorruption,
                 "record " + std::to_string(record.sequence) + " is no sequence of commands"};
  }

  void Flush() {
    if (!batch_.empty()) sinks_.commands(batch_);
    batch_.clear();
  }

 private:
  void Put(uint64_t time_ms, int db, ByteView command) {
    char header[kCommandHeader];
    StoreLe<uint64_t>(header, time_ms);
    header[8] = static_cast<char>(db);
    StoreLe<uint32_t>(header + 9, static_cast<uint32_t>(command.size()));
    batch_.append(header, sizeof(header));
    batch_.append(command);
    if (batch_.size() >= kBatchBytes) Flush();
  }

  const RestorePlan& plan_;
  const RestoreSinks& sinks_;
  std::string batch_;
};

}  // namespace

Status ReadForRestore(const std::string& directory, const persistence::Id& store_id,
                      const RestoreRequest& request, const RestoreSinks& sinks) {
  VERSO_TRY(const RestorePlan plan, MakePlan(directory, store_id, request));
  sinks.plan(EncodePlan(plan));
  const uint64_t first = plan.ranges.front().after.sequence;
  // A snapshot may have been taken in the middle of its unit, so that one is looked at too.
  VERSO_TRY(auto history, LogHistory::Open(directory, store_id, plan.sequence,
                                           first - std::min(first, uint64_t{1})));
  CommandSender sender(plan, sinks);
  LogRecord record;
  while (true) {
    VERSO_TRY(const LogHistory::Step step, history.Next(&record));
    // Since the first pass: a disk that is full gives up what is retained.
    if (history.begins_behind() > first) return OutOfReach(history.begins_behind(), history.gap());
    if (step == LogHistory::Step::kEnd) break;
    if (step == LogHistory::Step::kUnit) VERSO_TRY_STATUS(sender.Send(record));
  }
  sender.Flush();
  return {};
}

std::string EncodePlan(const RestorePlan& plan) {
  std::string message(kPlanHeader, '\0');
  StoreLe<uint64_t>(message.data(), plan.sequence);
  StoreLe<uint32_t>(message.data() + 8, plan.line);
  return message + plan.snapshot;
}

RestorePlan DecodePlan(ByteView message) {
  RestorePlan plan;
  plan.sequence = LoadLe<uint64_t>(message.data());
  plan.line = LoadLe<uint32_t>(message.data() + 8);
  plan.snapshot = message.substr(kPlanHeader);
  return plan;
}

bool TakeCommand(ByteView* message, RestoreCommand* command) {
  if (message->size() < kCommandHeader) return false;
  command->time_ms = LoadLe<uint64_t>(message->data());
  command->db = (*message)[8];
  const auto bytes = LoadLe<uint32_t>(message->data() + 9);
  command->payload = message->substr(kCommandHeader, bytes);
  message->remove_prefix(kCommandHeader + command->payload.size());
  return true;
}

}  // namespace verso::server
