// The reference's versions: branches, snapshots, where they come from, what differs between two,
// and what a merge makes of three.
//
//   line 1 ──o──────o────────> a branch's head        history of a version: it, and before it the
//             \                                       fork of its line, and the fork of that line,
//             ...
//   line 2     o────o────────> another's
//
// A version is a line and a number; numbers grow with each version that is named or forked from.
// Contents are copies, all of them.
#pragma once

#include <algorithm>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "tests/model/connections_reference.h"

namespace verso::server {

struct ModelVersion {
  uint64_t line = 0;  // 0: none
  uint64_t number = 0;
  uint64_t writes = 0;  // to that line, until then
};

struct ModelBranch {
  ModelContent content;
  uint64_t line = 0;  // another one after each ROLLBACK and RESET
};

struct ModelSnapshot {
  ModelContent content;
  uint64_t moment_ms = 0;
  ModelVersion version;
};

struct ModelLine {
  ModelVersion fork;
  std::shared_ptr<const ModelContent> content;  // at its fork
  uint64_t writes = 0;
};

// The last merge of two branches.
struct ModelMerged {
  std::string from;
  std::string into;
  ModelVersion from_version;  // what was merged
  ModelVersion into_version;  // the first that contains it
  ModelContent content;       // of from_version
};

enum class ModelConflicts { kFail, kOurs, kTheirs };

struct ModelMergeResult {
  ModelContent content;  // of the target then
  std::vector<ModelKey> applied;
  std::vector<std::string> conflicts;
};

// Three-way by key: `base` is what both began from.
inline ModelMergeResult ModelMerge(const ModelContent& base, const ModelContent& from,
                                   const ModelContent& into, ModelConflicts mode) {
  ModelMergeResult result{into, {}, {}};
  for (int db = 0; db < kModelDatabases; ++db) {
    const auto at = static_cast<size_t>(db);
    std::set<std::string> keys;
    for (const ModelContent* content : {&base, &from}) {
      for (const auto& [key, value] : content->databases[at]) keys.insert(key);
    }
    for (const std::string& key : keys) {
      const std::optional<ModelValue> began = base.At({db, key});
      const std::optional<ModelValue> theirs = from.At({db, key});
      const std::optional<ModelValue> ours = into.At({db, key});
      if (theirs == began || ours == theirs) continue;
      if (ours != began) {
        result.conflicts.push_back(key);
        if (mode != ModelConflicts::kTheirs) continue;
      }
      result.applied.emplace_back(db, key);
      result.content.databases[at].erase(key);
      if (theirs) result.content.databases[at][key] = *theirs;
    }
  }
  return result;
}

// What SNAPSHOT DIFF lists of a database: kind and type by key.
using ModelDifference = std::map<std::string, std::pair<std::string, ModelValue::Kind>>;

inline ModelDifference ModelDiff(const ModelContent& a, const ModelContent& b, int db) {
  ModelDifference rows;
  const ModelDatabase& before = a.databases[static_cast<size_t>(db)];
  const ModelDatabase& after = b.databases[static_cast<size_t>(db)];
  for (const auto& [key, value] : before) {
    const auto now = after.find(key);
    if (now == after.end()) {
      rows[key] = {"del", value.kind};
    } else if (now->second != value) {
      rows[key] = {"mod", now->second.kind};
    }
  }
  for (const auto& [key, value] : after) {
    if (!before.contains(key)) rows[key] = {"add", value.kind};
  }
  return rows;
}

// Everything that has a name; copied for a save.
class ModelNames {
 public:
  std::map<std::string, ModelBranch> branches;
  std::map<std::string, ModelSnapshot> snapshots;
  std::map<uint64_t, ModelLine> lines;
  std::vector<ModelMerged> merged;

  // The next number of a version, and the next line; never again, whatever a restart brings back.
  uint64_t* numbers = nullptr;

  ModelVersion HeadOf(const ModelBranch& branch) {
    return {branch.line, ++*numbers, lines[branch.line].writes};
  }
  // The branch goes on from there, or begins.
  void Fork(const std::string& name, ModelContent content, const ModelVersion& at) {
    const uint64_t line = ++*numbers;
    lines[line] = {at, std::make_shared<const ModelContent>(content), 0};
    branches[name] = {std::move(content), line};
  }
  // The same of one that was there: a merge counts as long as both contain it.
  void Restart(const std::string& name, ModelContent content, const ModelVersion& at) {
    std::erase_if(merged, [&](const ModelMerged& merge) {
      return (merge.from == name && !Contains(at, merge.from_version)) ||
             (merge.into == name && !Contains(at, merge.into_version));
    });
    Fork(name, std::move(content), at);
  }
  // Nothing was written between that version and what was merged: both have the same number for
  // users, and which of them comes first is not said.
  bool IsUnclear(const std::string& name, const ModelVersion& at) const {
    return std::any_of(merged.begin(), merged.end(), [&](const ModelMerged& merge) {
      if (merge.from != name) return false;
      for (const Point& point : HistoryOf(at)) {
        if (point.version.line != merge.from_version.line) continue;
        return point.version.number < merge.from_version.number &&
               point.version.writes == merge.from_version.writes;
      }
      return false;
    });
  }
  void Drop(const std::string& name) {
    branches.erase(name);
    std::erase_if(
        merged, [&](const ModelMerged& merge) { return merge.from == name || merge.into == name; });
  }
  void Rename(const std::string& from, const std::string& to) {
    branches[to] = std::move(branches[from]);
    branches.erase(from);
    RenameMerged(from, to);
  }
  void Exchange(const std::string& a, const std::string& b) {
    std::swap(branches[a], branches[b]);
    RenameMerged(a, "");
    RenameMerged(b, a);
    RenameMerged("", b);
  }

  // Where a merge of the two starts from.
  ModelContent BaseOf(const std::string& a, const std::string& b) {
    for (const ModelMerged& merge : merged) {
      if ((merge.from == a && merge.into == b) || (merge.from == b && merge.into == a)) {
        return merge.content;
      }
    }
    for (const Point& of_a : HistoryOf(HeadOf(branches[a]))) {
      for (const Point& of_b : HistoryOf(HeadOf(branches[b]))) {
        if (of_a.version.line != of_b.version.line) continue;
        const Point& earlier = of_a.version.number < of_b.version.number ? of_a : of_b;
        return *earlier.content;  // a fork: two branches never have the same line
      }
    }
    return {};
  }
  void Merged(const ModelMerged& merge) {
    std::erase_if(merged, [&](const ModelMerged& old) {
      return (old.from == merge.from && old.into == merge.into) ||
             (old.from == merge.into && old.into == merge.from);
    });
    merged.push_back(merge);
  }

 private:
  struct Point {
    ModelVersion version;
    std::shared_ptr<const ModelContent> content;  // null: of the version that was asked for
  };

  std::vector<Point> HistoryOf(const ModelVersion& version) const {
    std::vector<Point> points = {{version, nullptr}};
    while (true) {
      const ModelLine& line = lines.at(points.back().version.line);
      if (line.fork.line == 0) return points;
      points.push_back({line.fork, line.content});
    }
  }
  bool Contains(const ModelVersion& version, const ModelVersion& wanted) const {
    for (const Point& point : HistoryOf(version)) {
      if (point.version.line == wanted.line) return point.version.number >= wanted.number;
    }
    return false;
  }
  void RenameMerged(const std::string& from, const std::string& to) {
    for (ModelMerged& merge : merged) {
      if (merge.from == from) merge.from = to;
      if (merge.into == from) merge.into = to;
    }
  }
};

}  // namespace verso::server
