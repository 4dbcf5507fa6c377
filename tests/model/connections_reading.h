// Steps of the model of connections that only read: in any version, and what differs between two.
#pragma once

#include <algorithm>
#include <string>
#include <vector>

#include "tests/model/connections_words.h"
#include "tests/model/connections_world.h"

namespace verso::server {

class ModelReading : protected ModelWorld {
 protected:
  explicit ModelReading(uint64_t seed) : ModelWorld(seed) {}

  template <typename Map>
  typename Map::iterator AnyOf(Map& map) {
    auto at = map.begin();
    std::advance(at, random_.Below(map.size()));
    return at;
  }

  // A name that is there, and what it stands for now.
  struct RefNow {
    std::string name;
    ModelSnapshot at;
    bool is_branch = false;
  };
  RefNow Look(const std::string& name) {
    if (names_.snapshots.contains(name)) return {name, names_.snapshots[name], false};
    ModelBranch& branch = names_.branches[name];
    branch.content.Expire(now_ms());
    return {name, {branch.content, now_ms(), names_.HeadOf(branch)}, true};
  }
  RefNow AnyRef() {
    const bool snapshot = !names_.snapshots.empty() && random_.Chance(1, 2);
    return Look(snapshot ? AnyOf(names_.snapshots)->first : AnyOf(names_.branches)->first);
  }

  void Asof(ModelClient& connection) {
    RefNow ref = AnyRef();
    const Words read = words_.Read();
    Words words = {"ASOF", ref.name};
    words.insert(words.end(), read.begin(), read.end());
    ModelTouched touched;
    Expect(connection, words,
           ModelRunner(&ref.at.content, connection.db, ref.at.moment_ms, &touched).Run(read));
  }

  // ---- SNAPSHOT DIFF

  static const char* TypeName(ModelValue::Kind kind) {
    static const char* const kNames[] = {"string", "list", "set", "hash", "zset", "stream"};
    return kNames[static_cast<size_t>(kind)];
  }
  // kind, key and type of each row, sorted.
  static std::vector<Words> Rows(const Words& flat, size_t first) {
    std::vector<Words> rows;
    for (size_t i = first; i + 2 < flat.size(); i += 3) {
      rows.push_back({flat[i], flat[i + 1], flat[i + 2]});
    }
    std::sort(rows.begin(), rows.end());
    return rows;
  }

  // All at one go.
  void Diff(ModelClient& connection) {
    const RefNow a = AnyRef();
    const RefNow b = AnyRef();
    Words words = {"SNAPSHOT", "DIFF", a.name, b.name, "COUNT", "1000"};
    const uint64_t filter = random_.Below(4);
    if (filter == 0) words.insert(words.end(), {"TYPE", "string"});
    if (filter == 1) words.insert(words.end(), {"MATCH", "key:1*"});
    Words wanted;
    for (const auto& [key, row] : ModelDiff(a.at.content, b.at.content, connection.db)) {
      if (filter == 0 && row.second != ModelValue::Kind::kString) continue;
      if (filter == 1 && !key.starts_with("key:1")) continue;
      wanted.insert(wanted.end(), {row.first, key, TypeName(row.second)});
    }
    ++g_counts.diffs;
    SendSliced(connection, words, [words, wanted](const std::string& reply) {
      const Words flat = Flat(reply);
      if (flat.empty() || flat[0] != "0" || Rows(flat, 1) != Rows(wanted, 0)) {
        Differ(words, reply, ModelArray(wanted));
      }
    });
  }

  // A part at a time, beside whatever others do: what differs at each call comes once, and what
  // comes is as it is then.
  void Walk(ModelClient& connection) {
    if (!connection.walk) {
      connection.walk.emplace();
      for (std::string& name : connection.walk->names) name = AnyRef().name;
      connection.walk->db = connection.db;
    }
    ModelWalk& walk = *connection.walk;
    const bool first = walk.cursor == "0";
    RefNow refs[2];
    for (int i = 0; i < 2; ++i) {
      const std::string& name = walk.names[i];
      const bool there = names_.snapshots.contains(name) || names_.branches.contains(name);
      if (there) refs[i] = Look(name);
      const ModelVersion& version = refs[i].at.version;
      const uint64_t number = refs[i].is_branch ? 0 : version.number;
      if (first) {
        walk.lines[i] = version.line;
        walk.numbers[i] = number;
      }
      if (!there || walk.lines[i] != version.line || walk.numbers[i] != number ||
          walk.db != connection.db) {
        connection.walk.reset();
        return;
      }
    }
    const ModelDifference rows = ModelDiff(refs[0].at.content, refs[1].at.content, walk.db);
    if (first) {
      for (const auto& [key, row] : rows) walk.always.insert(key);
    } else {
      std::erase_if(walk.always, [&](const std::string& key) { return !rows.contains(key); });
    }
    const Words words = {"SNAPSHOT", "DIFF",      walk.names[0], walk.names[1],
                         "CURSOR",   walk.cursor, "COUNT",       "2"};
    const std::string reply = Send(connection, words);
    const Words flat = Flat(reply);
    for (const Words& row : Rows(flat, 1)) {
      const auto wanted = rows.find(row[1]);
      if (wanted == rows.end() || row[0] != wanted->second.first ||
          row[2] != TypeName(wanted->second.second)) {
        Differ(words, reply, "no such row: " + row[1]);
      }
      ++walk.visited[row[1]];
    }
    walk.cursor = flat[0];
    if (walk.cursor != "0") return;
    for (const std::string& key : walk.always) {
      if (walk.visited[key] != 1) Differ(words, reply, "all rows once, in all calls: " + key);
    }
    connection.walk.reset();
  }

  RandomWords words_{&random_};
};

}  // namespace verso::server
