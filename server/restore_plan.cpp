#include "server/restore_plan.h"

#include <algorithm>
#include <set>
#include <utility>

#include "server/command/arg_reader.h"

namespace verso::server {

// ---- UnitCommands

bool UnitCommands::TakeNumber(char type, uint64_t* number) {
  if (rest_.empty() || rest_[0] != type) return false;
  size_t at = 1;
  *number = 0;
  for (; at < rest_.size() && rest_[at] >= '0' && rest_[at] <= '9'; ++at) {
    *number = *number * 10 + static_cast<uint64_t>(rest_[at] - '0');
  }
  if (at == 1 || !rest_.substr(at).starts_with("\r\n")) return false;
  rest_.remove_prefix(at + 2);
  return true;
}

bool UnitCommands::Next() {
  if (rest_.empty()) return false;
  const char* const begin = rest_.data();
  words_.clear();
  uint64_t count = 0;
  bad_ = !TakeNumber('*', &count);
  for (uint64_t i = 0; i < count && !bad_; ++i) {
    uint64_t bytes = 0;
    bad_ = !TakeNumber('$', &bytes) || rest_.size() < 2 || bytes > rest_.size() - 2;
    if (bad_) break;
    // DROP names any number of snapshots.
    if (words_.size() < kWordsKept || AboutVersions()) words_.push_back(rest_.substr(0, bytes));
    rest_.remove_prefix(bytes + 2);
  }
  whole_ = {begin, static_cast<size_t>(rest_.data() - begin)};
  return !bad_ && !words_.empty();
}

bool UnitCommands::AboutVersions() const {
  return !words_.empty() &&
         (EqualsIgnoreCase(words_[0], "snapshot") || EqualsIgnoreCase(words_[0], "branch") ||
          EqualsIgnoreCase(words_[0], "restore-to"));
}

// ---- VersionLog

Status VersionLog::Add(uint64_t sequence, uint64_t time_ms, ByteView payload) {
  UnitCommands commands(payload);
  for (uint32_t index = 0; commands.Next(); ++index) {
    if (!commands.AboutVersions()) continue;
    const auto& words = commands.words();
    events_.push_back({{sequence, index}, time_ms, {words.begin(), words.end()}});
  }
  if (!commands.bad()) return {};
  return Error{ErrorCode::kCorruption,
               "record " + std::to_string(sequence) + " is no sequence of commands"};
}

// Follows the names from the beginning of the log to the request's state.
class RestorePlanner {
 public:
  RestorePlanner(const VersionLog& log, const RestoreRequest& request) : request_(request) {
    for (const auto& event : log.events_) events_.push_back(&event);
  }

  Result<RestorePlan> Plan(uint64_t sequence, uint64_t begins_behind) {
    FindFirstNames();
    std::optional<Line> wanted;
    for (const Event* event : events_) {
      if (event->at.sequence > sequence && !passed_) wanted = Pass();
      Follow(*event);
    }
    if (!passed_) wanted = Pass();
    if (!wanted) {
      return Error{ErrorCode::kNotFound, "there was no branch '" + request_.branch +
                                             "' at record " + std::to_string(sequence)};
    }
    VERSO_TRY_STATUS(Learn());
    return PlanOf({*wanted, {sequence}, 0}, begins_behind);
  }

 private:
  using Event = VersionLog::Event;
  using Line = int64_t;  // negative: not known yet (P2)
  struct Version {
    Line line = 0;
    LogPoint at;
    uint64_t moment_ms = 0;
  };
  struct Birth {
    LogPoint at;
    std::optional<Version> from;  // none: from before the log begins
    bool empty = false;           // from nothing
    std::string how;
  };

  // The words stand where the server puts them (E4 of effect_unit.h):
  //   SNAPSHOT CREATE name FROM ref …                         BRANCH CREATE name FROM ref LINE id
  //   SNAPSHOT ROLLBACK ref BRANCH name NOBACKUP LINE id      RESTORE-TO record AS name LINE id OF
  //   … SNAPSHOT IMPORT LINE id BEGIN | AS name | FAILED
  static const std::string& Word(const Event& event, size_t index) {
    static const std::string none;
    return index < event.words.size() ? event.words[index] : none;
  }
  static bool Is(const Event& event, std::string_view container, std::string_view command) {
    return EqualsIgnoreCase(Word(event, 0), container) && EqualsIgnoreCase(Word(event, 1), command);
  }
  static bool IsRestore(const Event& event) {
    return EqualsIgnoreCase(Word(event, 0), "restore-to");
  }
  static Line LineAt(const Event& event, size_t index) {
    int64_t line = 0;
    ParseInteger(Word(event, index), &line);
    return line;
  }

  // Which branches were there when the log began: those of the end, and what was done undone.
  void FindFirstNames() {
    std::set<std::string> names;
    for (const auto& branch : request_.branches) names.insert(branch.name);
    for (auto at = events_.rbegin(); at != events_.rend(); ++at) {
      const Event& event = **at;
      if (Is(event, "branch", "create")) names.erase(Word(event, 2));
      if (IsRestore(event)) names.erase(Word(event, 3));
      if (Is(event, "branch", "drop")) names.insert(Word(event, 2));
      if (Is(event, "branch", "rename") && names.erase(Word(event, 3)) != 0) {
        names.insert(Word(event, 2));
      }
    }
    names.insert("main");
    for (const std::string& name : names) branches_[name] = --variables_;
  }

  std::optional<Line> Pass() {
    passed_ = true;
    const auto found = branches_.find(request_.branch);
    return found != branches_.end() ? std::optional(found->second) : std::nullopt;
  }

  std::optional<Version> VersionOf(const std::string& ref, const Event& event) const {
    if (const auto branch = branches_.find(ref); branch != branches_.end()) {
      return Version{branch->second, event.at, event.time_ms};
    }
    const auto snapshot = snapshots_.find(ref);
    return snapshot != snapshots_.end() ? std::optional(snapshot->second) : std::nullopt;
  }

  void Born(Line line, const Event& event, std::optional<Version> from, bool empty = false) {
    const std::string how = IsRestore(event) ? "RESTORE-TO" : Word(event, 0) + " " + Word(event, 1);
    births_[line] = Birth{event.at, from, empty, how};
  }

  void Follow(const Event& event) {
    const std::string& name = Word(event, 2);
    if (Is(event, "snapshot", "create")) {
      const std::optional<Version> version = VersionOf(Word(event, 4), event);
      snapshots_.erase(name);
      if (version) snapshots_[name] = *version;
    } else if (Is(event, "snapshot", "drop")) {
      for (size_t i = 2; i < event.words.size(); ++i) snapshots_.erase(event.words[i]);
    } else if (Is(event, "snapshot", "rename")) {
      Rename(&snapshots_, event);
    } else if (Is(event, "snapshot", "rollback")) {
      Born(LineAt(event, 7), event, VersionOf(name, event));
      branches_[Word(event, 4)] = LineAt(event, 7);
    } else if (Is(event, "snapshot", "import")) {
      const Line line = LineAt(event, 3);
      if (EqualsIgnoreCase(Word(event, 4), "begin")) Born(line, event, std::nullopt, true);
      if (EqualsIgnoreCase(Word(event, 4), "as")) {
        snapshots_[Word(event, 5)] = Version{line, event.at, event.time_ms};
      }
    } else if (Is(event, "branch", "create")) {
      Born(LineAt(event, 6), event, VersionOf(Word(event, 4), event));
      branches_[name] = LineAt(event, 6);
    } else if (Is(event, "branch", "rename")) {
      Rename(&branches_, event);
    } else if (Is(event, "branch", "drop")) {
      branches_.erase(name);
    } else if (Is(event, "branch", "promote")) {
      std::swap(branches_["main"], branches_[name]);
    } else if (IsRestore(event)) {
      Born(LineAt(event, 5), event, std::nullopt);
      branches_[Word(event, 3)] = LineAt(event, 5);
    }
  }

  template <typename Map>
  static void Rename(Map* names, const Event& event) {
    auto node = names->extract(Word(event, 2));
    if (node.empty()) return;
    node.key() = Word(event, 3);
    names->insert(std::move(node));
  }

  Line Known(Line line) const {
    const auto found = known_.find(line);
    return found != known_.end() ? found->second : line;
  }

  // P2. Fails: what the log says is not what is there.
  Status Learn() {
    const auto learn = [this](Line line, storage::LineId id) {
      if (line < 0) line = known_.emplace(line, id).first->second;
      return line == static_cast<Line>(id);
    };
    bool agree = true;
    for (const auto& branch : request_.branches) {
      const auto found = branches_.find(branch.name);
      agree = agree && found != branches_.end() && learn(found->second, branch.line);
    }
    for (const auto& snapshot : request_.snapshots) {
      const auto found = snapshots_.find(snapshot.name);
      if (found == snapshots_.end() || found->second.moment_ms != snapshot.moment_ms) continue;
      agree = agree && learn(found->second.line, snapshot.line);
      bases_.emplace_back(snapshot.name, found->second);
    }
    if (agree) return {};
    return Error{ErrorCode::kCorruption,
                 "the names in the operation log are not those of the data set"};
  }

  Result<RestorePlan> PlanOf(Version version, uint64_t begins_behind) const {
    RestorePlan plan;
    plan.sequence = version.at.sequence;
    while (true) {
      version.line = Known(version.line);
      const std::pair<std::string, Version>* base = nullptr;
      for (const auto& candidate : bases_) {
        const Version& of = candidate.second;
        if (Known(of.line) != version.line || of.at > version.at) continue;
        if (base == nullptr || of.at > base->second.at) base = &candidate;
      }
      const auto birth = births_.find(version.line);
      const auto line = static_cast<storage::LineId>(std::max<Line>(version.line, 0));
      if (base != nullptr) {
        plan.ranges.push_back({line, base->second.at, version.at});
        plan.snapshot = base->first;
        plan.line = line;
        break;
      }
      if (birth == births_.end() || birth->second.at > version.at) {
        return Error{ErrorCode::kNotFound,
                     "the operation log begins behind record " + std::to_string(begins_behind) +
                         ", and no snapshot of that branch from between there and record " +
                         std::to_string(plan.sequence) + " is left to begin with"};
      }
      plan.ranges.push_back({line, birth->second.at, version.at});
      if (birth->second.empty) break;
      if (!birth->second.from) {
        return Error{ErrorCode::kNotFound,
                     "what the branch held then was made by " + birth->second.how + " at record " +
                         std::to_string(birth->second.at.sequence) +
                         " of what is not in the operation log, and no snapshot of it from since "
                         "then is left to begin with"};
      }
      version = *birth->second.from;
    }
    std::reverse(plan.ranges.begin(), plan.ranges.end());
    return plan;
  }

  const RestoreRequest& request_;
  std::vector<const Event*> events_;
  std::map<std::string, Line> branches_;
  std::map<std::string, Version> snapshots_;
  std::map<Line, Birth> births_;
  std::map<Line, Line> known_;  // of variables
  std::vector<std::pair<std::string, Version>> bases_;
  Line variables_ = 0;
  bool passed_ = false;
};

Result<RestorePlan> VersionLog::Plan(const RestoreRequest& request, uint64_t sequence,
                                     uint64_t begins_behind) const {
  return RestorePlanner(*this, request).Plan(sequence, begins_behind);
}

}  // namespace verso::server
