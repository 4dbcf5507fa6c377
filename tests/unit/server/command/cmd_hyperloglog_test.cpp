// HyperLogLogs: the bytes, registers and counts that Redis 7 makes of the same elements; merging;
// damaged values.
#include <catch2/catch.hpp>
#include <random>

#include "command_fixture.h"
#include "server/command/hyperloglog.h"

using namespace verso::server;

namespace {

std::string Integer(uint64_t value) { return ":" + std::to_string(value) + "\r\n"; }

void AddElements(CommandFixture& run, const std::string& key, int from, int to) {
  std::vector<std::string> elements;
  for (int i = from; i <= to; ++i) elements.push_back("e" + std::to_string(i));
  std::vector<verso::ByteView> arguments = {"PFADD", key};
  arguments.insert(arguments.end(), elements.begin(), elements.end());
  CHECK(run.Run(arguments) == ":1\r\n");
}

}  // namespace

TEST_CASE("PFADD makes the registers that Redis makes", "[command]") {
  CommandFixture run;
  CHECK(run("PFADD", "k", "a") == ":1\r\n");
  CHECK(run("PFADD", "k", "a") == ":0\r\n");
  CHECK(run("PFDEBUG", "DECODE", "k") == "+Z:12711 v:2,1 Z:3672\r\n");
  CHECK(run("PFDEBUG", "ENCODING", "k") == "+sparse\r\n");
  const std::string bytes("HYLL\x01\0\0\0\0\0\0\0\0\0\0\x80\x71\xa6\x84\x4e\x57", 21);
  CHECK(run("GET", "k") == "$21\r\n" + bytes + "\r\n");
  CHECK(run("PFADD", "empty") == ":1\r\n");
  CHECK(run("PFADD", "empty") == ":0\r\n");
  CHECK(run("PFCOUNT", "empty", "missing") == ":0\r\n");
  CHECK(run.effects == std::vector<std::string>{"PFADD k a", "PFADD empty"});
}

TEST_CASE("a HyperLogLog is sparse as long as hll-sparse-max-bytes holds it", "[command]") {
  CommandFixture run;
  for (const size_t bytes_max : {0, 30, 100, 500}) {
    run.state().environment.hll_sparse_bytes_max = bytes_max;
    CHECK(run("DEL", "k").size() == 4);
    CHECK(run("PFADD", "k") == ":1\r\n");
    CHECK(run("PFDEBUG", "ENCODING", "k") == "+sparse\r\n");
    size_t length = 18;
    for (int i = 0; length < HyperLogLog::kDenseBytes; ++i) {
      REQUIRE(i < 1000);
      run("PFADD", "k", "e" + std::to_string(i));
      length = std::stoul(run("STRLEN", "k").substr(1));
      CHECK((run("PFDEBUG", "ENCODING", "k") == "+sparse\r\n") == (length <= bytes_max));
    }
  }
}

TEST_CASE("PFCOUNT counts as Redis counts, sparse and dense", "[command]") {
  CommandFixture run;
  // What redis-server 7.0.15 answers for PFADD k e1 ... eN.
  constexpr std::pair<int, uint64_t> kCounts[] = {
      {10, 10}, {100, 100}, {1000, 1008}, {10000, 9972}, {100000, 100853}};
  int from = 1;
  for (const auto& [to, count] : kCounts) {
    AddElements(run, "k", from, to);
    CHECK(run("PFCOUNT", "k") == Integer(count));
    from = to + 1;
  }
  CHECK(run("PFDEBUG", "ENCODING", "k") == "+dense\r\n");
  CHECK(run("STRLEN", "k") == Integer(HyperLogLog::kDenseBytes));
  CHECK(run("PFDEBUG", "DECODE", "k") == "-ERR HLL encoding is not sparse\r\n");

  // The same elements in the dense form from the start.
  CHECK(run("PFADD", "d", "e1") == ":1\r\n");
  CHECK(run("PFDEBUG", "TODENSE", "d") == ":1\r\n");
  CHECK(run("PFDEBUG", "TODENSE", "d") == ":0\r\n");
  AddElements(run, "d", 2, kCounts[2].first);
  CHECK(run("PFCOUNT", "d") == Integer(kCounts[2].second));
  AddElements(run, "s", 1, kCounts[2].first);
  CHECK(run("PFDEBUG", "GETREG", "d") == run("PFDEBUG", "GETREG", "s"));
}

TEST_CASE("PFMERGE counts what its sources count together", "[command]") {
  CommandFixture run;
  AddElements(run, "a", 1, 600);
  AddElements(run, "b", 400, 1000);
  AddElements(run, "all", 1, 1000);
  CHECK(run("PFCOUNT", "a", "b") == run("PFCOUNT", "all"));
  CHECK(run("PFMERGE", "to", "a", "b", "missing") == "+OK\r\n");
  CHECK(run("PFDEBUG", "GETREG", "to") == run("PFDEBUG", "GETREG", "all"));
  CHECK(run("PFMERGE", "a", "b") == "+OK\r\n");
  CHECK(run("PFCOUNT", "a") == run("PFCOUNT", "all"));
  CHECK(run("PFMERGE", "new") == "+OK\r\n");
  CHECK(run("PFCOUNT", "new") == ":0\r\n");
}

TEST_CASE("a HyperLogLog keeps its deadline", "[command]") {
  CommandFixture run;
  CHECK(run("PFADD", "k", "a") == ":1\r\n");
  CHECK(run("EXPIRE", "k", "100") == ":1\r\n");
  CHECK(run("PFADD", "k", "b") == ":1\r\n");
  CHECK(run("TTL", "k") == ":100\r\n");
  run.now_ms += 100'000;
  CHECK(run("PFCOUNT", "k") == ":0\r\n");
  CHECK(run("PFADD", "k", "b") == ":1\r\n");
  CHECK(run("PFCOUNT", "k") == ":1\r\n");
}

TEST_CASE("what is no HyperLogLog is refused and stays as it is", "[command]") {
  CommandFixture run;
  const std::string not_hll = "-WRONGTYPE Key is not a valid HyperLogLog string value.\r\n";
  const std::string corrupted = "-INVALIDOBJ Corrupted HLL object detected\r\n";
  run("SET", "s", "hello");
  for (const char* command : {"PFADD", "PFCOUNT", "PFMERGE"}) CHECK(run(command, "s") == not_hll);
  run("RPUSH", "list", "x");
  CHECK(run("PFADD", "list", "a").starts_with("-WRONGTYPE Operation"));
  CHECK(run("PFDEBUG", "ENCODING", "missing") == "-ERR The specified key does not exist\r\n");
  CHECK(run("PFADD", "k", "a") == ":1\r\n");
  CHECK(run("PFDEBUG", "what", "k") == "-ERR Unknown PFDEBUG subcommand 'what'\r\n");
  CHECK(run("APPEND", "k", "hello") == ":26\r\n");
  CHECK(run("PFCOUNT", "k") == corrupted);
  CHECK(run("PFADD", "k", "b") == corrupted);
  CHECK(run("PFADD", "k") == ":0\r\n");  // nothing to look for: as in Redis the header will do
  CHECK(run("PFMERGE", "new", "k") == corrupted);
  CHECK(run("EXISTS", "new") == ":0\r\n");
  CHECK(run("PFSELFTEST") == "+OK\r\n");
}

TEST_CASE("bytes of any kind are parsed without harm", "[command]") {
  std::mt19937_64 random(3);
  HyperLogLog hll;
  for (int i = 0; i < 2000; ++i) hll.Add(std::to_string(i));
  for (const size_t sparse_bytes_max : {size_t{0}, HyperLogLog::kRegisters}) {
    const std::string whole = hll.Bytes(sparse_bytes_max);
    for (int i = 0; i < 5000; ++i) {
      std::string bytes =
          whole.substr(0, random() % 3 == 0 ? random() % whole.size() : whole.size());
      for (uint64_t n = random() % 4; n > 0 && !bytes.empty(); --n) {
        bytes[random() % bytes.size()] = static_cast<char>(random());
      }
      HyperLogLog parsed;
      if (parsed.Parse(bytes) == HyperLogLog::Form::kValid)
        CHECK(parsed.Count() < uint64_t{1} << 63);
    }
  }
}
