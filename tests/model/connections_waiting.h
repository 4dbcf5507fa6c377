// The reference of clients that wait: who is served by what, in which order.
//
// Keys are served in the order in which they changed, the clients of a key in the order they came;
// what a served client changes is served after that. Who finds nothing keeps its place.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "tests/model/connections_reference.h"

namespace verso::server {

struct ModelWaiter {
  int connection = 0;
  Words words;
  std::string branch;
  int db = 0;
  std::vector<std::string> keys;
  ModelValue::Kind kind = ModelValue::Kind::kList;
  uint64_t deadline_ms = 0;  // 0: none

  bool WaitsFor(const std::string& of, const ModelKey& key) const {
    return branch == of && db == key.first &&
           std::find(keys.begin(), keys.end(), key.second) != keys.end();
  }
};

// What a client begins to wait with; `last_id` of a stream that is there, for "$".
inline ModelWaiter ModelWaiterOf(Words words, uint64_t last_id, uint64_t now_ms) {
  ModelWaiter waiter;
  const std::string& name = words[0];
  uint64_t wait_ms = 0;
  if (name == "XREAD") {
    waiter.kind = ModelValue::Kind::kStream;
    waiter.keys = {words[4]};
    if (words[5] == "$") words[5] = std::to_string(last_id);
    wait_ms = std::stoull(words[2]);
  } else {
    if (name == "BZPOPMIN") waiter.kind = ModelValue::Kind::kZset;
    const size_t last = name == "BLMOVE" ? 2 : words.size() - 1;
    waiter.keys.assign(words.begin() + 1, words.begin() + static_cast<ptrdiff_t>(last));
    wait_ms = static_cast<uint64_t>(std::ceil(std::stold(words.back()) * 1000));
  }
  if (wait_ms != 0) waiter.deadline_ms = now_ms + wait_ms;
  waiter.words = std::move(words);
  return waiter;
}

// Where nobody may wait.
inline std::string ModelNoWait(const Words& words) {
  return words[0] == "BLMOVE" ? kModelNull : kModelNullArray;
}

struct ModelServed {
  ModelContent content;
  std::vector<ModelKey> written;
  std::map<int, std::string> replies;  // by connection
};

// `ready`: keys of the branch that have changed, in that order.
inline ModelServed ModelServe(const std::vector<ModelWaiter>& waiters, const std::string& branch,
                              ModelContent content, std::vector<ModelKey> ready, uint64_t now_ms) {
  ModelServed served{std::move(content), {}, {}};
  const auto waits = [&](const ModelWaiter& waiter, const ModelKey& key) {
    return waiter.WaitsFor(branch, key) && !served.replies.contains(waiter.connection);
  };
  std::set<ModelKey> queued(ready.begin(), ready.end());
  for (size_t i = 0; i < ready.size(); ++i) {
    const ModelKey key = ready[i];
    queued.erase(key);
    for (const ModelWaiter& waiter : waiters) {
      if (!waits(waiter, key)) continue;
      const std::optional<ModelValue> value = served.content.At(key);
      if (!value || value->kind != waiter.kind) continue;
      ModelTouched touched;
      const std::string reply =
          ModelRunner(&served.content, waiter.db, now_ms, &touched).Run(waiter.words);
      if (reply == kModelWaits) continue;
      for (const ModelKey& changed : touched.written) {
        served.written.push_back(changed);
        const bool wanted = std::any_of(waiters.begin(), waiters.end(),
                                        [&](const auto& other) { return waits(other, changed); });
        if (wanted && queued.insert(changed).second) ready.push_back(changed);
      }
      served.replies[waiter.connection] = reply;
    }
  }
  return served;
}

}  // namespace verso::server
