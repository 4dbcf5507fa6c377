// The reference of the model of connections: a version of the data as plain maps that are copied,
// and what commands do to it, one after the other, with exactly the bytes that they reply.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace verso::server {

using Words = std::vector<std::string>;

inline constexpr int kModelDatabases = 3;

struct ModelValue {
  enum class Kind { kString, kList, kSet, kHash, kZset, kStream };
  Kind kind = Kind::kString;
  uint64_t deadline_ms = 0;                   // 0: none
  std::string text;                           // string
  std::vector<std::string> list;              // list
  std::map<std::string, std::string> fields;  // hash, set (empty values)
  std::map<std::string, int64_t> scores;      // sorted set
  std::map<uint64_t, std::string> entries;    // stream: id and the value of its one field
  uint64_t last_id = 0;                       // stream, as the next three
  uint64_t added = 0;
  uint64_t deleted_max = 0;

  bool operator==(const ModelValue&) const = default;
};

using ModelDatabase = std::map<std::string, ModelValue>;
using ModelKey = std::pair<int, std::string>;

struct ModelContent {
  std::array<ModelDatabase, kModelDatabases> databases;

  void Expire(uint64_t moment_ms) {
    for (ModelDatabase& database : databases) {
      std::erase_if(database, [moment_ms](const auto& entry) {
        return entry.second.deadline_ms != 0 && entry.second.deadline_ms <= moment_ms;
      });
    }
  }
  std::optional<ModelValue> At(const ModelKey& key) const {
    const ModelDatabase& database = databases[static_cast<size_t>(key.first)];
    const auto found = database.find(key.second);
    return found != database.end() ? std::optional(found->second) : std::nullopt;
  }
};

// What a command did besides replying.
struct ModelTouched {
  std::vector<ModelKey> written;  // in this order
  std::set<ModelKey> read;
  std::set<int> whole;  // databases read as a whole
};

inline std::string ModelInteger(int64_t number) { return ":" + std::to_string(number) + "\r\n"; }
inline std::string ModelBulk(const std::string& text) {
  return "$" + std::to_string(text.size()) + "\r\n" + text + "\r\n";
}
template <typename Texts>
std::string ModelArray(const Texts& texts) {
  std::string reply = "*" + std::to_string(texts.size()) + "\r\n";
  for (const std::string& text : texts) reply += ModelBulk(text);
  return reply;
}

inline const std::string kModelOk = "+OK\r\n";
inline const std::string kModelNull = "$-1\r\n";
inline const std::string kModelNullArray = "*-1\r\n";
// Not a reply: there is nothing yet, the client waits.
inline const std::string kModelWaits = "(waits)";
inline const std::string kModelWrongType =
    "-WRONGTYPE Operation against a key holding the wrong kind of value\r\n";

// Runs commands on a content, whose expired keys are gone already.
class ModelRunner {
 public:
  ModelRunner(ModelContent* content, int db, uint64_t moment_ms, ModelTouched* touched)
      : content_(*content), db_(db), moment_ms_(moment_ms), touched_(*touched) {}

  std::string Run(const Words& words) {
    const std::string& name = words[0];
    if (name == "DBSIZE") {
      touched_.whole.insert(db_);
      return ModelInteger(static_cast<int64_t>(Here().size()));
    }
    if (name == "KEYS") {
      touched_.whole.insert(db_);
      std::vector<std::string> keys;
      for (const auto& [key, value] : Here()) keys.push_back(key);
      return ModelArray(keys);
    }
    if (name == "FLUSHDB") {
      Here().clear();
      return kModelOk;
    }
    if (name == "BLPOP" || name == "BZPOPMIN") return PopFirst(words);
    if (name == "BLMOVE") return Move(words);
    if (name == "XREAD") return ReadStream(words);
    LookAt(words[1]);
    if (const auto any = RunOnAny(words)) return *any;
    if (name == "SET") return Set(words);
    using Kind = ModelValue::Kind;
    const Kind kind = name[0] == 'H'                     ? Kind::kHash
                      : name[0] == 'S'                   ? Kind::kSet
                      : name[0] == 'Z'                   ? Kind::kZset
                      : name[0] == 'X'                   ? Kind::kStream
                      : name[0] == 'L' || name[0] == 'R' ? Kind::kList
                                                         : Kind::kString;
    if (value_ != nullptr && value_->kind != kind) return kModelWrongType;
    switch (kind) {
      case Kind::kString:
        return OnString(words);
      case Kind::kList:
        return OnList(words);
      case Kind::kSet:
        return OnSet(words);
      case Kind::kHash:
        return OnHash(words);
      case Kind::kZset:
        return OnZset(words);
      case Kind::kStream:
        return OnStream(words);
    }
    return {};
  }

 private:
  void LookAt(const std::string& key) {
    key_ = key;
    touched_.read.insert({db_, key_});
    const auto found = Here().find(key_);
    value_ = found != Here().end() ? &found->second : nullptr;
  }
  ModelDatabase& Here() { return content_.databases[static_cast<size_t>(db_)]; }
  void Wrote(int db, const std::string& key) { touched_.written.emplace_back(db, key); }
  void Wrote() { Wrote(db_, key_); }
  ModelValue& Made(ModelValue::Kind kind) {
    if (value_ == nullptr) {
      value_ = &Here()[key_];
      value_->kind = kind;
    }
    Wrote();
    return *value_;
  }
  void EraseIf(bool empty) {
    if (empty) Here().erase(key_);
  }

  std::string Set(const Words& words) {
    ModelValue value;
    value.text = words[2];
    if (words.size() > 3) value.deadline_ms = moment_ms_ + std::stoull(words[4]);
    Here()[key_] = value;
    Wrote();
    return kModelOk;
  }

  std::optional<std::string> RunOnAny(const Words& words) {
    const std::string& name = words[0];
    if (name == "EXISTS") return ModelInteger(value_ != nullptr);
    if (name == "TYPE") {
      static const char* const kNames[] = {"string", "list", "set", "hash", "zset", "stream"};
      return std::string("+") +
             (value_ == nullptr ? "none" : kNames[static_cast<size_t>(value_->kind)]) + "\r\n";
    }
    if (name == "PTTL") {
      if (value_ == nullptr) return ModelInteger(-2);
      if (value_->deadline_ms == 0) return ModelInteger(-1);
      return ModelInteger(static_cast<int64_t>(value_->deadline_ms - moment_ms_));
    }
    if (name == "DEL") {
      if (value_ == nullptr) return ModelInteger(0);
      Here().erase(key_);
      Wrote();
      return ModelInteger(1);
    }
    if (name == "PEXPIRE") {
      if (value_ == nullptr) return ModelInteger(0);
      value_->deadline_ms = moment_ms_ + std::stoull(words[2]);
      Wrote();
      return ModelInteger(1);
    }
    if (name == "PERSIST") {
      if (value_ == nullptr || value_->deadline_ms == 0) return ModelInteger(0);
      value_->deadline_ms = 0;
      Wrote();
      return ModelInteger(1);
    }
    if (name == "RENAME") {
      touched_.read.insert({db_, words[2]});
      if (value_ == nullptr) return "-ERR no such key\r\n";
      if (words[1] == words[2]) return kModelOk;
      ModelValue moved = *value_;
      Here().erase(key_);
      Here()[words[2]] = std::move(moved);
      Wrote();
      Wrote(db_, words[2]);
      return kModelOk;
    }
    if (name == "COPY") {  // COPY from to REPLACE
      touched_.read.insert({db_, words[2]});
      if (words[1] == words[2]) return "-ERR source and destination objects are the same\r\n";
      if (value_ == nullptr) return ModelInteger(0);
      const ModelValue copy = *value_;
      Here()[words[2]] = copy;
      Wrote(db_, words[2]);
      return ModelInteger(1);
    }
    return std::nullopt;
  }

  std::string OnString(const Words& words) {
    const std::string& name = words[0];
    if (name == "GET") return value_ == nullptr ? kModelNull : ModelBulk(value_->text);
    if (name == "APPEND") {
      ModelValue& value = Made(ModelValue::Kind::kString);
      value.text += words[2];
      return ModelInteger(static_cast<int64_t>(value.text.size()));
    }
    // INCR: of a number
    if (value_ != nullptr && (value_->text.size() > 15 ||
                              value_->text.find_first_not_of("0123456789") != std::string::npos ||
                              (value_->text.size() > 1 && value_->text[0] == '0'))) {
      return "-ERR value is not an integer or out of range\r\n";
    }
    ModelValue& value = Made(ModelValue::Kind::kString);
    value.text = std::to_string(value.text.empty() ? 1 : std::stoll(value.text) + 1);
    return ":" + value.text + "\r\n";
  }

  std::string OnList(const Words& words) {
    const std::string& name = words[0];
    if (name == "LRANGE") return ModelArray(value_ == nullptr ? Words{} : value_->list);
    if (name == "LPOP") {
      if (value_ == nullptr) return kModelNull;
      const std::string first = value_->list.front();
      value_->list.erase(value_->list.begin());
      Wrote();
      EraseIf(value_->list.empty());
      return ModelBulk(first);
    }
    ModelValue& value = Made(ModelValue::Kind::kList);
    value.list.insert(name == "RPUSH" ? value.list.end() : value.list.begin(), words[2]);
    return ModelInteger(static_cast<int64_t>(value.list.size()));
  }

  std::string OnSet(const Words& words) {
    const std::string& name = words[0];
    if (name == "SMEMBERS") {
      Words members;
      if (value_ != nullptr) {
        for (const auto& [member, unused] : value_->fields) members.push_back(member);
      }
      return ModelArray(members);
    }
    const bool there = value_ != nullptr && value_->fields.contains(words[2]);
    if (name == "SADD") {
      if (!there) Made(ModelValue::Kind::kSet).fields[words[2]];
      return ModelInteger(there ? 0 : 1);
    }
    if (there) {
      value_->fields.erase(words[2]);
      Wrote();
      EraseIf(value_->fields.empty());
    }
    return ModelInteger(there ? 1 : 0);
  }

  std::string OnHash(const Words& words) {
    const std::string& name = words[0];
    if (name == "HLEN") {
      return ModelInteger(value_ == nullptr ? 0 : static_cast<int64_t>(value_->fields.size()));
    }
    const bool there = value_ != nullptr && value_->fields.contains(words[2]);
    if (name == "HGET") return there ? ModelBulk(value_->fields[words[2]]) : kModelNull;
    if (name == "HSET") {
      Made(ModelValue::Kind::kHash).fields[words[2]] = words[3];
      return ModelInteger(there ? 0 : 1);
    }
    if (there) {
      value_->fields.erase(words[2]);
      Wrote();
      EraseIf(value_->fields.empty());
    }
    return ModelInteger(there ? 1 : 0);
  }

  std::string OnZset(const Words& words) {
    const std::string& name = words[0];
    if (name == "ZRANGE") {
      std::vector<std::pair<int64_t, std::string>> ordered;
      if (value_ != nullptr) {
        for (const auto& [member, score] : value_->scores) ordered.emplace_back(score, member);
      }
      std::sort(ordered.begin(), ordered.end());
      Words flat;
      for (const auto& [score, member] : ordered) {
        flat.push_back(member);
        flat.push_back(std::to_string(score));
      }
      return ModelArray(flat);
    }
    const std::string& member = name == "ZADD" ? words[3] : words[2];
    const bool there = value_ != nullptr && value_->scores.contains(member);
    if (name == "ZADD") {
      const int64_t score = std::stoll(words[2]);
      if (!there || value_->scores[member] != score) {
        Made(ModelValue::Kind::kZset).scores[member] = score;
      }
      return ModelInteger(there ? 0 : 1);
    }
    if (there) {
      value_->scores.erase(member);
      Wrote();
      EraseIf(value_->scores.empty());
    }
    return ModelInteger(there ? 1 : 0);
  }

  // ---- those that may wait

  // BLPOP key ... timeout, BZPOPMIN key ... timeout
  std::string PopFirst(const Words& words) {
    const bool list = words[0] == "BLPOP";
    for (size_t i = 1; i + 1 < words.size(); ++i) touched_.read.insert({db_, words[i]});
    for (size_t i = 1; i + 1 < words.size(); ++i) {
      LookAt(words[i]);
      if (value_ == nullptr) continue;
      if (value_->kind != (list ? ModelValue::Kind::kList : ModelValue::Kind::kZset)) {
        return kModelWrongType;
      }
      Words found = {key_};
      if (list) {
        found.push_back(value_->list.front());
        value_->list.erase(value_->list.begin());
      } else {
        const auto lowest =
            std::min_element(value_->scores.begin(), value_->scores.end(),
                             [](const auto& a, const auto& b) { return a.second < b.second; });
        found.push_back(lowest->first);
        found.push_back(std::to_string(lowest->second));
        value_->scores.erase(lowest);
      }
      Wrote();
      EraseIf(list ? value_->list.empty() : value_->scores.empty());
      return ModelArray(found);
    }
    return kModelWaits;
  }

  // BLMOVE from to LEFT RIGHT timeout
  std::string Move(const Words& words) {
    touched_.read.insert({db_, words[2]});
    LookAt(words[1]);
    if (value_ == nullptr) return kModelWaits;
    const auto to = Here().find(words[2]);
    if (value_->kind != ModelValue::Kind::kList ||
        (to != Here().end() && to->second.kind != ModelValue::Kind::kList)) {
      return kModelWrongType;
    }
    const std::string moved = value_->list.front();
    value_->list.erase(value_->list.begin());
    Wrote();
    if (words[1] == words[2]) {
      value_->list.push_back(moved);
      return ModelBulk(moved);
    }
    EraseIf(value_->list.empty());
    LookAt(words[2]);
    Made(ModelValue::Kind::kList).list.push_back(moved);
    return ModelBulk(moved);
  }

  // XREAD BLOCK timeout STREAMS key id
  std::string ReadStream(const Words& words) {
    LookAt(words[4]);
    if (value_ == nullptr) return kModelWaits;
    if (value_->kind != ModelValue::Kind::kStream) return kModelWrongType;
    if (words[5] == "$") return kModelWaits;
    std::string entries;
    uint64_t count = 0;
    for (auto at = value_->entries.upper_bound(std::stoull(words[5])); at != value_->entries.end();
         ++at, ++count) {
      entries += Entry(*at);
    }
    if (count == 0) return kModelWaits;
    return "*1\r\n*2\r\n" + ModelBulk(key_) + "*" + std::to_string(count) + "\r\n" + entries;
  }

  static std::string IdText(uint64_t id) { return std::to_string(id) + "-0"; }
  static std::string Entry(const std::pair<const uint64_t, std::string>& entry) {
    return "*2\r\n" + ModelBulk(IdText(entry.first)) + ModelArray(Words{"f", entry.second});
  }

  std::string OnStream(const Words& words) {
    const std::string& name = words[0];
    if (name == "XLEN") {
      return ModelInteger(value_ == nullptr ? 0 : static_cast<int64_t>(value_->entries.size()));
    }
    if (name == "XRANGE") {
      std::string reply =
          "*" + std::to_string(value_ == nullptr ? 0 : value_->entries.size()) + "\r\n";
      if (value_ == nullptr) return reply;
      for (const auto& entry : value_->entries) reply += Entry(entry);
      return reply;
    }
    const uint64_t id = std::stoull(words[2]);
    if (name == "XADD") {
      if (value_ != nullptr && id <= value_->last_id) {
        return "-ERR The ID specified in XADD is equal or smaller than the target stream top "
               "item\r\n";
      }
      ModelValue& value = Made(ModelValue::Kind::kStream);
      value.entries[id] = words[4];
      value.last_id = id;
      ++value.added;
      return ModelBulk(IdText(id));
    }
    const bool there = value_ != nullptr && value_->entries.erase(id) != 0;
    if (there) {
      value_->deleted_max = std::max(value_->deleted_max, id);
      Wrote();
    }
    return ModelInteger(there ? 1 : 0);
  }

  ModelContent& content_;
  const int db_;
  const uint64_t moment_ms_;
  ModelTouched& touched_;
  std::string key_;
  ModelValue* value_ = nullptr;
};

}  // namespace verso::server
