#include <catch2/catch.hpp>
#include <random>

#include "command_fixture.h"
#include "tests/support/rdb_samples.h"

namespace verso::server {
namespace {

using persistence::RdbCount;
using persistence::RdbSample;
using persistence::RdbText;
using persistence::RdbType;
using persistence::RdbTyped;
using persistence::WithDumpFooter;

const std::string kBusyKey = "-BUSYKEY Target key name already exists.\r\n";
const std::string kBadDump = "-ERR DUMP payload version or checksum are wrong\r\n";
const std::string kBadData = "-ERR Bad data format\r\n";

std::string TextPayload(const std::string& text) {
  return WithDumpFooter(RdbTyped(RdbType::kString, RdbText(text)));
}

// The payload of a bulk reply.
std::string PayloadOf(const std::string& reply) {
  const size_t end = reply.find("\r\n");
  REQUIRE(reply[0] == '$');
  REQUIRE(reply.size() == end + 4 + std::stoul(reply.substr(1, end)));
  return reply.substr(end + 2, reply.size() - end - 4);
}

TEST_CASE("DUMP answers what RESTORE takes, and nothing for no key") {
  CommandFixture redis;
  CHECK(redis("DUMP", "k") == kNull);
  redis("SET", "k", "value");
  CHECK(redis("DUMP", "k") == Bulk(TextPayload("value")));
  const std::string payload = PayloadOf(redis("DUMP", "k"));
  CHECK(redis("RESTORE", "copy", "0", payload) == kOk);
  CHECK(redis("GET", "copy") == Bulk("value"));
  CHECK(redis("TTL", "copy") == ":-1\r\n");
  redis("PEXPIRE", "k", "100");
  redis.now_ms += 100;
  CHECK(redis("DUMP", "k") == kNull);
}

TEST_CASE("RESTORE tells what is wrong, in this order, and changes nothing") {
  CommandFixture redis;
  redis("SET", "there", "old");
  redis.effects.clear();
  const std::string good = TextPayload("new");
  const std::string bad = WithDumpFooter(RdbTyped(RdbType::kList, RdbCount(0)));
  CHECK(redis("RESTORE", "there", "x", "bad", "IDLETIME", "-1") ==
        "-ERR Invalid IDLETIME value, must be >= 0\r\n");
  CHECK(redis("RESTORE", "there", "x", "bad", "FREQ", "256") ==
        "-ERR Invalid FREQ value, must be >= 0 and <= 255\r\n");
  CHECK(redis("RESTORE", "there", "x", "bad", "FREQ", "-1") ==
        "-ERR Invalid FREQ value, must be >= 0 and <= 255\r\n");
  CHECK(redis("RESTORE", "there", "x", "bad", "FREQ", "no") == kNotIntegerError);
  CHECK(redis("RESTORE", "there", "x", "bad", "FREQ") == kSyntaxError);
  CHECK(redis("RESTORE", "there", "x", "bad", "FREQ", "1", "IDLETIME", "1") == kSyntaxError);
  CHECK(redis("RESTORE", "there", "x", "bad", "IDLETIME", "1", "FREQ", "1") == kSyntaxError);
  CHECK(redis("RESTORE", "there", "x", "bad", "NONE") == kSyntaxError);
  CHECK(redis("RESTORE", "there", "x", "bad") == kBusyKey);
  CHECK(redis("RESTORE", "k", "x", "bad") == kNotIntegerError);
  CHECK(redis("RESTORE", "k", "-1", "bad") == "-ERR Invalid TTL value, must be >= 0\r\n");
  CHECK(redis("RESTORE", "k", "9223372036854775807", good) ==
        "-ERR Invalid TTL value, must be >= 0\r\n");
  CHECK(redis("RESTORE", "k", "0", "bad") == kBadDump);
  CHECK(redis("RESTORE", "k", "0", good.substr(0, good.size() - 1)) == kBadDump);
  CHECK(redis("RESTORE", "k", "0", bad) == kBadData);
  CHECK(redis("RESTORE", "there", "0", bad, "REPLACE") == kBadData);
  CHECK(redis.effects.empty());
  CHECK(redis("GET", "there") == Bulk("old"));
  CHECK(redis("EXISTS", "k") == ":0\r\n");
}

TEST_CASE("RESTORE replaces, and what it did means the same later") {
  CommandFixture redis;
  const std::string payload = TextPayload("new");
  redis("RPUSH", "k", "old");
  redis("PEXPIRE", "k", "100000");
  redis.effects.clear();
  redis.events.clear();
  CHECK(redis("RESTORE", "k", "0", payload) == kBusyKey);
  CHECK(redis("restore", "k", "0", payload, "replace") == kOk);
  CHECK(redis("GET", "k") == Bulk("new"));
  CHECK(redis("TTL", "k") == ":-1\r\n");
  // As it was received: it means the same at any time.
  CHECK(redis.effects == std::vector<std::string>{"restore k 0 " + payload + " replace"});
  CHECK(redis.events.back() == "restore k");
  redis.effects.clear();
  CHECK(redis("RESTORE", "t", "5000", payload) == kOk);
  CHECK(redis("PTTL", "t") == ":5000\r\n");
  CHECK(redis.effects ==
        std::vector<std::string>{"RESTORE t 1700000005000 " + payload + " ABSTTL"});
  redis.effects.clear();
  CHECK(redis("RESTORE", "a", "1700000009000", payload, "ABSTTL") == kOk);
  CHECK(redis("PTTL", "a") == ":9000\r\n");
  CHECK(redis.effects ==
        std::vector<std::string>{"RESTORE a 1700000009000 " + payload + " ABSTTL"});
}

TEST_CASE("a key that expired in the past is not made, and what it replaces goes") {
  CommandFixture redis;
  const std::string payload = TextPayload("new");
  CHECK(redis("RESTORE", "k", "1", payload, "ABSTTL") == kOk);
  CHECK(redis("EXISTS", "k") == ":0\r\n");
  CHECK(redis.effects.empty());
  redis("SET", "k", "old");
  redis.effects.clear();
  redis.events.clear();
  CHECK(redis("RESTORE", "k", "1", payload, "ABSTTL", "REPLACE") == kOk);
  CHECK(redis("EXISTS", "k") == ":0\r\n");
  CHECK(redis.effects == std::vector<std::string>{"DEL k"});
  CHECK(redis.events == std::vector<std::string>{"del k"});
  // A key that has expired here is no obstacle; it goes as expired before the new one comes.
  redis("SET", "k", "old", "PX", "10");
  redis.now_ms += 10;
  redis.effects.clear();
  CHECK(redis("RESTORE", "k", "0", payload) == kOk);
  CHECK(redis.effects == std::vector<std::string>{"DEL k", "RESTORE k 0 " + payload});
  CHECK(redis("GET", "k") == Bulk("new"));
}

TEST_CASE("RESTORE can tell how long a key was not used") {
  CommandFixture redis;
  CHECK(redis("RESTORE", "k", "0", TextPayload("x"), "IDLETIME", "1000") == kOk);
  CHECK(redis("OBJECT", "IDLETIME", "k") == ":1000\r\n");
  CHECK(redis("RESTORE", "f", "0", TextPayload("x"), "FREQ", "255") == kOk);
  CHECK(redis("OBJECT", "IDLETIME", "f") == ":0\r\n");
}

TEST_CASE("values of every type are told apart by their encodings as always") {
  CommandFixture redis;
  for (const bool small : {false, true}) {
    const auto items = small ? persistence::SmallSampleItems() : persistence::SampleItems();
    for (const RdbSample& sample : persistence::RdbSamples(items)) {
      INFO(sample.name);
      const std::string type = sample.type;
      REQUIRE(redis("RESTORE", "k", "0", WithDumpFooter(sample.body), "REPLACE") == kOk);
      const std::string encoding = redis("OBJECT", "ENCODING", "k");
      const std::string shown = type == "integer" || type == "string" ? "string"
                                : type == "integers"                  ? "set"
                                                                      : type;
      CHECK(redis("TYPE", "k") == "+" + shown + "\r\n");
      if (type == "integer") CHECK(encoding == Bulk("int"));
      if (type == "integers") CHECK(encoding == Bulk("intset"));
      if (type == "hash") CHECK(encoding == Bulk(small ? "listpack" : "hashtable"));
      if (type == "zset") CHECK(encoding == Bulk(small ? "listpack" : "skiplist"));
      if (type == "list") CHECK(encoding == Bulk(small ? "listpack" : "quicklist"));
    }
  }
}

TEST_CASE("a large value is dumped in slices, the same as at once") {
  CommandFixture redis;
  for (int i = 0; i < 5000; ++i) {
    const std::string number = std::to_string(i);
    redis("HSET", "h", "field:" + number, "value:" + number);
    redis("XADD", "s", number + "-1", "field", number);
  }
  redis("SET", "t", std::string(300'000, 't'));
  for (const std::string key : {"h", "s", "t"}) {
    const uint64_t slices = redis.slices();
    const std::string payload = PayloadOf(redis("DUMP", key));
    CHECK(redis.slices() > slices);
    redis("RENAME", key, "old");
    REQUIRE(redis("RESTORE", key, "0", payload) == kOk);
    CHECK(PayloadOf(redis("DUMP", key)).size() == payload.size());
    redis("DEL", "old");
  }
  CHECK(redis("HLEN", "h") == ":5000\r\n");
  CHECK(redis("HGET", "h", "field:77") == Bulk("value:77"));
  CHECK(redis("XLEN", "s") == ":5000\r\n");
  redis("PEXPIRE", "h", "100");
  redis.now_ms += 100;
  CHECK(redis("DUMP", "h") == kNull);
}

TEST_CASE("DUMP and RESTORE in a transaction") {
  CommandFixture redis;
  redis("RPUSH", "l", "a", "b");
  const std::string payload = PayloadOf(redis("DUMP", "l"));
  redis("MULTI");
  redis("RESTORE", "m", "0", payload);
  redis("RESTORE", "m", "0", payload);
  redis("RPUSH", "m", "c");
  redis("DUMP", "l");
  CHECK(redis("EXEC") == "*4\r\n" + kOk + kBusyKey + ":3\r\n" + Bulk(payload));
  redis("WATCH", "m");
  CommandFixture other;
  redis("RESTORE", "m", "0", payload, "REPLACE");
  redis("MULTI");
  redis("PING");
  CHECK(redis("EXEC") == "*-1\r\n");
}

// One step of many: a byte changed, some removed, doubled or put in.
std::string Mutated(std::string body, std::mt19937_64& random) {
  const size_t steps = 1 + random() % 3;
  for (size_t i = 0; i < steps && !body.empty(); ++i) {
    const size_t at = random() % body.size();
    const size_t count = std::min<size_t>(1 + random() % 9, body.size() - at);
    switch (random() % 5) {
      case 0:
        body[at] = static_cast<char>(random());
        break;
      case 1:
        body[at] = static_cast<char>(body[at] ^ 1 << random() % 8);
        break;
      case 2:
        body.erase(at, count);
        break;
      case 3:
        body.insert(at, body.substr(at, count));
        break;
      default:
        body.insert(at, count, random() % 2 == 0 ? '\xFF' : '\0');
        break;
    }
  }
  return body;
}

TEST_CASE("a damaged payload is refused, or makes a sound value") {
  CommandFixture redis;
  std::mt19937_64 random(5);
  const std::vector<RdbSample> samples = persistence::RdbSamples(persistence::SmallSampleItems());
  redis("SET", "other", "stays");
  size_t refused = 0;
  for (int i = 0; i < 2000; ++i) {
    const std::string body = Mutated(samples[random() % samples.size()].body, random);
    const storage::ReadView view(redis.store(), redis.store().main(), 0, redis.now_ms);
    const storage::Digest before = storage::DigestOf(view, -1);
    const std::string answer = redis("RESTORE", "k", "0", WithDumpFooter(body));
    INFO("mutation " << i);
    if (answer == kOk) {
      const std::string payload = PayloadOf(redis("DUMP", "k"));
      REQUIRE(redis("RESTORE", "k", "0", payload, "REPLACE") == kOk);
      REQUIRE(redis("DEL", "k") == ":1\r\n");
    } else {
      REQUIRE(answer == kBadData);
      ++refused;
    }
    REQUIRE(storage::DigestOf(view, -1) == before);
    if (i % 100 == 0) REQUIRE(redis.store().Audit() == "");
  }
  CHECK(refused > 500);
  CHECK(refused < 1999);
}

}  // namespace
}  // namespace verso::server
