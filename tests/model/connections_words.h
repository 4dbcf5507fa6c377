// Commands by chance: over few keys, fields and values, so that connections meet.
#pragma once

#include <string>

#include "tests/model/connections_reference.h"
#include "tests/model/lines_content.h"

namespace verso::server {

class RandomWords {
 public:
  explicit RandomWords(storage::Random* random) : random_(*random) {}

  std::string Pick(const char* prefix, uint64_t count) {
    return prefix + std::to_string(random_.Below(count));
  }
  std::string Key() { return Pick("key:", 14); }
  std::string Text() {
    const uint64_t k = random_.Below(20);
    if (k < 8) return std::to_string(random_.Below(100));
    if (k < 19) return Pick("text:", 10);
    return std::string(100 + random_.Below(6000), static_cast<char>('a' + random_.Below(5)));
  }

  Words Read() {
    switch (random_.Below(16)) {
      case 0:
      case 1:
      case 2:
        return {"GET", Key()};
      case 3:
        return {"LRANGE", Key(), "0", "-1"};
      case 4:
        return {"SMEMBERS", Key()};
      case 5:
        return {"HGET", Key(), Pick("field:", 6)};
      case 6:
        return {"HLEN", Key()};
      case 7:
        return {"ZRANGE", Key(), "0", "-1", "WITHSCORES"};
      case 8:
        return {"XRANGE", Key(), "-", "+"};
      case 9:
        return {"XLEN", Key()};
      case 10:
        return {"PTTL", Key()};
      case 11:
        return {"TYPE", Key()};
      case 12:
        return random_.Chance(1, 4) ? Words{"KEYS", "*"} : Words{"EXISTS", Key()};
      case 13:
        return random_.Chance(1, 4) ? Words{"DBSIZE"} : Words{"EXISTS", Key()};
      default:
        return {"EXISTS", Key()};
    }
  }

  Words Write() {
    switch (random_.Below(24)) {
      case 0:
      case 1:
      case 2:
        return {"SET", Key(), Text()};
      case 3:
        return {"SET", Key(), Text(), "PX", std::to_string(1 + random_.Below(3000))};
      case 4:
        return {"APPEND", Key(), Text()};
      case 5:
        return {"INCR", Key()};
      case 6:
      case 7:
        return {"DEL", Key()};
      case 8:
        return {"PEXPIRE", Key(), std::to_string(1 + random_.Below(3000))};
      case 9:
        return {"PERSIST", Key()};
      case 10:
        return {"RENAME", Key(), Key()};
      case 11:
        return {"COPY", Key(), Key(), "REPLACE"};
      case 12:
      case 13:
        return {"RPUSH", Key(), Text()};
      case 14:
        return random_.Chance(1, 2) ? Words{"LPOP", Key()} : Words{"LPUSH", Key(), Text()};
      case 15:
        return {"SADD", Key(), Text()};
      case 16:
        return {"SREM", Key(), Text()};
      case 17:
      case 18:
        return {"HSET", Key(), Pick("field:", 6), Text()};
      case 19:
        return {"HDEL", Key(), Pick("field:", 6)};
      case 20:
        return {"ZADD", Key(), std::to_string(random_.Below(9)), Pick("member:", 8)};
      case 21:
        return {"ZREM", Key(), Pick("member:", 8)};
      case 22:
        return {"XADD", Key(), std::to_string(random_.Below(40) + 1) + "-0", "f", Text()};
      default:
        return {"XDEL", Key(), std::to_string(random_.Below(40) + 1) + "-0"};
    }
  }

  // Of those that wait: for ever, or some milliseconds.
  Words Blocking() {
    const uint64_t wait_ms = random_.Chance(1, 2) ? 0 : 1 + random_.Below(900);
    const std::string milliseconds = std::to_string(wait_ms);
    const std::string seconds = "0." + std::string(3 - milliseconds.size(), '0') + milliseconds;
    switch (random_.Below(5)) {
      case 0:
        return {"BLPOP", Key(), Key(), seconds};
      case 1:
        return {"BLPOP", Key(), seconds};
      case 2:
        return {"BZPOPMIN", Key(), Key(), seconds};
      case 3:
        return {"BLMOVE", Key(), Key(), "LEFT", "RIGHT", seconds};
      default:
        return {"XREAD",   "BLOCK", milliseconds,
                "STREAMS", Key(),   random_.Chance(1, 2) ? "$" : std::to_string(random_.Below(40))};
    }
  }

 private:
  storage::Random& random_;
};

}  // namespace verso::server
