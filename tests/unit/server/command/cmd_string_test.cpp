// Strings: what each option of SET and GETEX does to value and deadline, what is recorded for a
// replay, and which key events are reported. Replies to every odd argument are compared with
// another server by the integration tests; here time can be moved.
#include <catch2/catch.hpp>

#include "command_fixture.h"

using namespace verso::server;
using Strings = std::vector<std::string>;

TEST_CASE("set: plain, recorded as it came", "[command]") {
  CommandFixture run;
  CHECK(run("GET", "k") == kNull);
  CHECK(run("SET", "k", "v") == kOk);
  CHECK(run("get", "k") == Bulk("v"));
  CHECK(run("SET", "k", "") == kOk);
  CHECK(run("GET", "k") == Bulk(""));
  CHECK(run.effects == Strings{"SET k v", "SET k "});
  CHECK(run.events == Strings{"set k", "set k"});
  run.events.clear();
  const uint64_t changes = run.state().changes.changes();
  run("SET", "k", "v", "EX", "10");
  run("SETEX", "k", "10", "v");
  run("SET", "k", "v", "KEEPTTL");
  CHECK(run.events == Strings{"set k", "expire k", "set k", "expire k", "set k"});
  CHECK(run.state().changes.changes() == changes + 3);
  CHECK(run.state().environment.keyspace_hits == 2);
  CHECK(run.state().environment.keyspace_misses == 1);
}

TEST_CASE("set: a relative time is recorded as an absolute one", "[command]") {
  CommandFixture run;
  CHECK(run("SET", "k", "v", "EX", "10") == kOk);
  CHECK(run("SET", "k", "v", "px", "10") == kOk);
  CHECK(run("SETEX", "k", "7", "v") == kOk);
  CHECK(run("PSETEX", "k", "7", "v") == kOk);
  CHECK(run("SET", "k", "v", "EXAT", "1800000000") == kOk);
  CHECK(run("SET", "k", "v", "PXAT", "1800000000001") == kOk);
  CHECK(run.effects == Strings{"SET k v PXAT 1700000010000", "SET k v PXAT 1700000000010",
                               "SET k v PXAT 1700000007000", "SET k v PXAT 1700000000007",
                               "SET k v PXAT 1800000000000", "SET k v PXAT 1800000000001"});
  CHECK(run("PEXPIRETIME", "k") == ":1800000000001\r\n");
  CHECK(run("SET", "k", "v") == kOk);
  CHECK(run("TTL", "k") == ":-1\r\n");
}

TEST_CASE("set: a value is gone at its deadline", "[command]") {
  CommandFixture run;
  run("SET", "k", "v", "PX", "100");
  run.now_ms += 99;
  CHECK(run("GET", "k") == Bulk("v"));
  CHECK(run("PTTL", "k") == ":1\r\n");
  run.now_ms += 1;
  CHECK(run("GET", "k") == kNull);
  CHECK(run("EXISTS", "k") == ":0\r\n");
  CHECK(run("TTL", "k") == ":-2\r\n");
}

TEST_CASE("set: conditions and GET", "[command]") {
  CommandFixture run;
  CHECK(run("SET", "k", "1", "XX") == kNull);
  CHECK(run("SET", "k", "1", "XX", "GET") == kNull);
  CHECK(run("EXISTS", "k") == ":0\r\n");
  CHECK(run("SET", "k", "1", "NX") == kOk);
  CHECK(run("SET", "k", "2", "NX") == kNull);
  CHECK(run("SET", "k", "2", "NX", "GET") == Bulk("1"));
  CHECK(run("SET", "k", "3", "XX", "GET") == Bulk("1"));
  CHECK(run("SET", "k", "4", "get") == Bulk("3"));
  CHECK(run("SET", "new", "5", "GET") == kNull);
  CHECK(run.effects == Strings{"SET k 1", "SET k 3", "SET k 4", "SET new 5"});
}

TEST_CASE("set: options that exclude each other", "[command]") {
  CommandFixture run;
  for (const std::vector<verso::ByteView>& options :
       std::vector<std::vector<verso::ByteView>>{{"NX", "XX"},
                                                 {"EX"},
                                                 {"EX", "10", "PX", "10"},
                                                 {"EX", "10", "KEEPTTL"},
                                                 {"KEEPTTL", "PXAT", "10"},
                                                 {"EXAT", "10", "EX", "10"},
                                                 {"PERSIST"},
                                                 {"EX", "10", "bogus"}}) {
    std::vector<verso::ByteView> command = {"SET", "k", "v"};
    command.insert(command.end(), options.begin(), options.end());
    CHECK(run.Run(command) == kSyntaxError);
  }
  CHECK(run("SET", "k", "v", "EX", "x") == kNotIntegerError);
  for (const char* time : {"0", "-1", "9223372036854775807", "9223372036854775"}) {
    CHECK(run("SET", "k", "v", "EX", time) == "-ERR invalid expire time in 'set' command\r\n");
  }
  CHECK(run("SET", "k", "v", "PX", "9223372036854775807") ==
        "-ERR invalid expire time in 'set' command\r\n");
  CHECK(run("SETEX", "k", "0", "v") == "-ERR invalid expire time in 'setex' command\r\n");
  CHECK(run("EXISTS", "k") == ":0\r\n");
  CHECK(run.effects.empty());
  CHECK(run("SET", "k", "v", "PXAT", "9223372036854775807") == kOk);
  CHECK(run("PEXPIRETIME", "k") == ":9223372036854775807\r\n");
  CHECK(run("SET", "k", "v", "EX", "10", "EX", "20") == kOk);  // the last one counts
  CHECK(run("TTL", "k") == ":20\r\n");
}

TEST_CASE("set: KEEPTTL keeps a live deadline, never one that has passed", "[command]") {
  CommandFixture run;
  run("SET", "k", "v", "PX", "100");
  run.effects.clear();
  CHECK(run("SET", "k", "w", "KEEPTTL") == kOk);
  CHECK(run("PTTL", "k") == ":100\r\n");
  run.now_ms += 100;
  CHECK(run("SET", "k", "x", "KEEPTTL") == kOk);
  CHECK(run("PTTL", "k") == ":-1\r\n");
  CHECK(run.effects == Strings{"SET k w KEEPTTL", "DEL k", "SET k x"});
}

TEST_CASE("an expired entry goes first wherever the old value matters", "[command]") {
  CommandFixture run;
  const auto expire = [&run](const char* key) {
    run("SET", key, "9", "PX", "1");
    run.now_ms += 1;
    run.effects.clear();
  };
  expire("k");
  CHECK(run("INCR", "k") == ":1\r\n");
  CHECK(run.effects == Strings{"DEL k", "INCR k"});
  expire("k");
  CHECK(run("INCRBYFLOAT", "k", "1.5") == Bulk("1.5"));
  CHECK(run.effects == Strings{"DEL k", "SET k 1.5 KEEPTTL"});
  CHECK(run("TTL", "k") == ":-1\r\n");
  expire("k");
  CHECK(run("APPEND", "k", "a") == ":1\r\n");
  CHECK(run.effects == Strings{"DEL k", "APPEND k a"});
  expire("k");
  CHECK(run("SETRANGE", "k", "1", "a") == ":2\r\n");
  CHECK(run.effects == Strings{"DEL k", "SETRANGE k 1 a"});
  expire("k");
  CHECK(run("SETBIT", "k", "1", "1") == ":0\r\n");
  CHECK(run.effects == Strings{"DEL k", "SETBIT k 1 1"});
  expire("k");
  CHECK(run("SETNX", "k", "v") == ":1\r\n");
  CHECK(run("GET", "k") == Bulk("v"));
  expire("k");
  CHECK(run("MSETNX", "other", "1", "k", "2") == ":1\r\n");
  CHECK(run.effects == Strings{"DEL k", "MSETNX other 1 k 2"});
  run("SET", "from", "v");
  expire("k");
  CHECK(run("RENAMENX", "from", "k") == ":1\r\n");
  CHECK(run.effects == Strings{"DEL k", "RENAMENX from k"});
}

TEST_CASE("getset, getdel, getex", "[command]") {
  CommandFixture run;
  CHECK(run("GETSET", "k", "1") == kNull);
  CHECK(run("GETSET", "k", "2") == Bulk("1"));
  CHECK(run("GETEX", "k") == Bulk("2"));
  run.effects.clear();
  CHECK(run("GETEX", "k", "EX", "10") == Bulk("2"));
  CHECK(run("TTL", "k") == ":10\r\n");
  CHECK(run("GETEX", "k", "PXAT", "1800000000000") == Bulk("2"));
  CHECK(run("GETEX", "k", "PERSIST") == Bulk("2"));
  CHECK(run("GETEX", "k", "PERSIST") == Bulk("2"));  // changes nothing
  CHECK(run("GETEX", "k", "KEEPTTL") == kSyntaxError);
  CHECK(run("GETEX", "k", "NX") == kSyntaxError);
  CHECK(run("GETEX", "k", "PERSIST", "EX", "1") == kSyntaxError);
  CHECK(run("GETEX", "k", "EX", "0") == "-ERR invalid expire time in 'getex' command\r\n");
  CHECK(run("GETEX", "k", "EXAT", "1") == Bulk("2"));
  CHECK(run("EXISTS", "k") == ":0\r\n");
  CHECK(run("GETEX", "k", "EX", "x") == kNull);
  CHECK(run("GETDEL", "k") == kNull);
  run("SET", "k", "3");
  CHECK(run("GETDEL", "k") == Bulk("3"));
  CHECK(run("EXISTS", "k") == ":0\r\n");
  CHECK(run.effects == Strings{"PEXPIREAT k 1700000010000", "PEXPIREAT k 1800000000000",
                               "PERSIST k", "DEL k", "SET k 3", "DEL k"});
  CHECK(run.events ==
        Strings{"set k", "set k", "expire k", "expire k", "persist k", "del k", "set k", "del k"});
}

TEST_CASE("mget and mset: any number of keys", "[command]") {
  CommandFixture run;
  std::vector<std::string> words = {"MSET"};
  for (int i = 0; i < 100; ++i) {  // several prefetch batches
    words.push_back("k" + std::to_string(i));
    words.push_back("v" + std::to_string(i));
  }
  CHECK(run.Run({words.begin(), words.end()}) == kOk);
  std::vector<std::string> get = {"MGET"};
  std::string expected = "*101\r\n";
  for (int i = 0; i < 100; ++i) {
    get.push_back("k" + std::to_string(i));
    expected += Bulk("v" + std::to_string(i));
  }
  get.push_back("none");
  CHECK(run.Run({get.begin(), get.end()}) == expected + kNull);
  CHECK(run("MSET", "a", "1", "a") == "-ERR wrong number of arguments for 'mset' command\r\n");
  CHECK(run("MSET", "a", "1", "a", "2") == kOk);
  CHECK(run("GET", "a") == Bulk("2"));
  run.effects.clear();
  CHECK(run("MSETNX", "b", "1", "a", "3") == ":0\r\n");
  CHECK(run("EXISTS", "b") == ":0\r\n");
  CHECK(run.effects.empty());
}

TEST_CASE("incr and its kin: the edges of 64 bits", "[command]") {
  CommandFixture run;
  const std::string overflow = "-ERR increment or decrement would overflow\r\n";
  CHECK(run("INCR", "n") == ":1\r\n");
  CHECK(run("DECRBY", "n", "3") == ":-2\r\n");
  run("SET", "n", "9223372036854775806", "EX", "100");
  CHECK(run("INCR", "n") == ":9223372036854775807\r\n");
  CHECK(run("INCR", "n") == overflow);
  CHECK(run("TTL", "n") == ":100\r\n");
  run("SET", "n", "-9223372036854775807");
  CHECK(run("DECR", "n") == ":-9223372036854775808\r\n");
  CHECK(run("DECR", "n") == overflow);
  CHECK(run("DECRBY", "n", "-9223372036854775808") == "-ERR decrement would overflow\r\n");
  for (const char* text : {"", " 1", "1 ", "+1", "01", "-0", "1.0", "9223372036854775808", "x"}) {
    run("SET", "n", text);
    CHECK(run("INCR", "n") == kNotIntegerError);
    CHECK(run("INCRBY", "zero", text) == kNotIntegerError);
  }
  run("SET", "n", std::string(10000, '1'));  // a rope
  CHECK(run("INCR", "n") == kNotIntegerError);
  CHECK(run("INCRBYFLOAT", "n", "1") == "-ERR value is not a valid float\r\n");
  CHECK(run("EXISTS", "zero") == ":0\r\n");
}

TEST_CASE("incrbyfloat: seventeen digits, no exponent", "[command]") {
  CommandFixture run;
  CHECK(run("INCRBYFLOAT", "f", "10.50") == Bulk("10.5"));
  CHECK(run("INCRBYFLOAT", "f", "0.1") == Bulk("10.6"));
  CHECK(run("INCRBYFLOAT", "f", "-5") == Bulk("5.6"));
  CHECK(run("SET", "f", "5.0e3") == kOk);
  CHECK(run("INCRBYFLOAT", "f", "2.0e2") == Bulk("5200"));
  CHECK(run("SET", "f", "3.0e-10") == kOk);
  CHECK(run("INCRBYFLOAT", "f", "0") == Bulk("0.0000000003"));
  CHECK(run("INCRBYFLOAT", "f", "inf") == "-ERR increment would produce NaN or Infinity\r\n");
  CHECK(run("INCRBYFLOAT", "f", "nan") == "-ERR value is not a valid float\r\n");
  CHECK(run("INCRBYFLOAT", "f", "") == "-ERR value is not a valid float\r\n");
  CHECK(run.effects.back() == "SET f 0.0000000003 KEEPTTL");
}
