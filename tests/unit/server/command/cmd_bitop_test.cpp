// BITOP against a plain computation, on inline strings, runs and ropes of unequal lengths; BITFIELD
// against integers kept beside it, with every kind of overflow.
#include <algorithm>
#include <catch2/catch.hpp>
#include <random>
#include <string>
#include <vector>

#include "command_fixture.h"

using namespace verso::server;

namespace {

std::string Integer(int64_t value) { return ":" + std::to_string(value) + "\r\n"; }
std::string Combined(const std::string& operation, const std::vector<std::string>& sources) {
  size_t length = 0;
  for (const std::string& source : sources) length = std::max(length, source.size());
  std::string result(length, '\0');
  for (size_t i = 0; i < length; ++i) {
    const auto byte = [i](const std::string& s) {
      return i < s.size() ? static_cast<unsigned char>(s[i]) : 0u;
    };
    unsigned all = byte(sources[0]);
    for (size_t n = 1; n < sources.size(); ++n) {
      const unsigned next = byte(sources[n]);
      all = operation == "AND" ? all & next : operation == "OR" ? all | next : all ^ next;
    }
    result[i] = static_cast<char>(operation == "NOT" ? ~all : all);
  }
  return result;
}

}  // namespace

TEST_CASE("BITOP stores what a plain computation gives", "[command]") {
  CommandFixture run(false);
  std::mt19937 random(1);
  for (int round = 0; round < 120; ++round) {
    const size_t count = 1 + random() % 3;
    std::vector<std::string> sources;
    for (size_t i = 0; i < count; ++i) {
      constexpr size_t kLengths[] = {0, 1, 100, 129, 8192, 8193, 40'000, 200'000};
      std::string source(kLengths[random() % 8], '\0');
      for (char& c : source) c = static_cast<char>(random());
      run("DEL", "s" + std::to_string(i));
      if (!source.empty()) run("SET", "s" + std::to_string(i), source);
      sources.push_back(source);
    }
    const std::string operation = count == 1 && round % 2 == 0 ? "NOT"
                                  : round % 3 == 0             ? "AND"
                                  : round % 3 == 1             ? "OR"
                                                               : "XOR";
    const std::string expected = Combined(operation, sources);
    const std::string target = round % 4 == 0 ? "s0" : "to";  // the target may be a source
    std::vector<verso::ByteView> arguments = {"BITOP", operation, target};
    const std::string names[] = {"s0", "s1", "s2"};
    arguments.insert(arguments.end(), names, names + count);
    CHECK(run.Run(arguments) == Integer(static_cast<int64_t>(expected.size())));
    CHECK(run("STRLEN", target) == Integer(static_cast<int64_t>(expected.size())));
    CHECK(run("EXISTS", target) == Integer(expected.empty() ? 0 : 1));
    if (!expected.empty()) CHECK(run("GET", target) == Bulk(expected));
  }
}

TEST_CASE("BITOP refuses what it cannot do and changes nothing", "[command]") {
  CommandFixture run;
  run("SET", "s", "a");
  run("RPUSH", "list", "x");
  CHECK(run("BITOP", "NOT", "to", "s", "s") ==
        "-ERR BITOP NOT must be called with a single source key.\r\n");
  CHECK(run("BITOP", "NAND", "to", "s") == "-ERR syntax error\r\n");
  CHECK(run("BITOP", "OR", "to", "s", "list").starts_with("-WRONGTYPE"));
  CHECK(run("EXISTS", "to") == ":0\r\n");
  run("EXPIRE", "s", "100");
  run.effects.clear();
  CHECK(run("BITOP", "OR", "s", "s") == ":1\r\n");
  CHECK(run("TTL", "s") == ":-1\r\n");
  CHECK(run.effects == std::vector<std::string>{"BITOP OR s s"});
}

TEST_CASE("BITFIELD keeps integers of every width", "[command]") {
  CommandFixture run(false);
  std::mt19937_64 random(2);
  std::string model;
  const auto bit = [&model](uint64_t at) {
    return at / 8 < model.size() ? static_cast<unsigned char>(model[at / 8]) >> (7 - at % 8) & 1
                                 : 0;
  };
  for (int round = 0; round < 3000; ++round) {
    const bool is_signed = random() % 2 == 0;
    const unsigned bits = 1 + static_cast<unsigned>(random() % (is_signed ? 64 : 63));
    const uint64_t offset = random() % 30 == 0 ? 70'000 + random() % 30'000 : random() % 2000;
    const std::string type = (is_signed ? "i" : "u") + std::to_string(bits);
    __int128 old = 0;
    for (unsigned i = 0; i < bits; ++i) old = old << 1 | bit(offset + i);
    const __int128 range = __int128{1} << bits;
    const __int128 low = is_signed ? -range / 2 : 0;
    const __int128 high = is_signed ? range / 2 - 1 : range - 1;
    if (is_signed && old > high) old -= range;
    CHECK(run("BITFIELD_RO", "k", "GET", type, std::to_string(offset)) ==
          "*1\r\n" + Integer(static_cast<int64_t>(old)));

    const bool set = random() % 2 == 0;
    const auto operand = static_cast<int64_t>(random()) >> (random() % 64);
    __int128 number = operand;
    if (set && !is_signed) number = static_cast<uint64_t>(operand);
    if (!set) number += old;
    const char* overflow = round % 3 == 0 ? "WRAP" : round % 3 == 1 ? "SAT" : "FAIL";
    const bool fits = number >= low && number <= high;
    if (!fits && round % 3 == 1) number = number < low ? low : high;
    if (!fits && round % 3 == 0) {
      number = ((number - low) % range + range) % range + low;
    }
    const bool fails = !fits && round % 3 == 2;
    const std::string expected =
        fails ? "$-1\r\n" : Integer(static_cast<int64_t>(set ? old : number));
    CHECK(run("BITFIELD", "k", "OVERFLOW", overflow, set ? "SET" : "INCRBY", type,
              std::to_string(offset), std::to_string(operand)) == "*1\r\n" + expected);
    const uint64_t end = (offset + bits - 1) / 8 + 1;
    if (model.size() < end) model.resize(end, '\0');
    if (!fails) {
      for (unsigned i = 0; i < bits; ++i) {
        const auto mask = static_cast<char>(0x80 >> ((offset + i) % 8));
        char& byte = model[(offset + i) / 8];
        byte = static_cast<char>((number >> (bits - 1 - i) & 1) != 0 ? byte | mask : byte & ~mask);
      }
    }
    if (round % 100 == 0) CHECK(run("GET", "k") == Bulk(model));
  }
}

TEST_CASE("BITFIELD runs its operations in order, as one change", "[command]") {
  CommandFixture run;
  CHECK(run("BITFIELD", "k", "SET", "u8", "#0", "255", "GET", "u8", "0", "INCRBY", "u8", "0", "10",
            "OVERFLOW", "SAT", "INCRBY", "i8", "#1", "200", "GET", "i8",
            "#1") == "*5\r\n:0\r\n:255\r\n:9\r\n:127\r\n:127\r\n");
  CHECK(run.events == std::vector<std::string>{"setbit k"});
  CHECK(run("GET", "k") == "$2\r\n\x09\x7f\r\n");
  run.events.clear();
  CHECK(run("BITFIELD", "missing", "GET", "u8", "0") == "*1\r\n:0\r\n");
  CHECK(run("BITFIELD", "missing") == "*0\r\n");
  CHECK(run("EXISTS", "missing") == ":0\r\n");
  CHECK(run.events.empty());
}

TEST_CASE("BITFIELD counts the operations that change something; none: nothing has happened",
          "[command]") {
  CommandFixture run;
  auto changes = [&run, last = uint64_t{0}](auto... words) mutable {
    run("BITFIELD", "k", words...);
    const uint64_t before = std::exchange(last, run.state().changes.changes());
    return last - before;
  };
  CHECK(changes("SET", "i5", "0", "0") == 1);  // a new key
  run.events.clear();
  CHECK(changes("SET", "i5", "0", "0", "INCRBY", "i5", "0", "0") == 0);
  CHECK(run.events.empty());
  CHECK(changes("SET", "i5", "0", "1", "SET", "i5", "0", "1", "SET", "i5", "0", "0") == 2);
  CHECK(changes("SET", "i5", "90", "0") == 1);  // it grows
}

TEST_CASE("BITFIELD refuses bad words and changes nothing", "[command]") {
  CommandFixture run;
  const std::string bad_type =
      "-ERR Invalid bitfield type. Use something like i16 u8. Note that u64 is not supported but "
      "i64 is.\r\n";
  for (const char* type : {"u64", "i65", "u0", "x8", "8", "", "u"}) {
    CHECK(run("BITFIELD", "k", "GET", type, "0") == bad_type);
  }
  const std::string bad_offset = "-ERR bit offset is not an integer or out of range\r\n";
  for (const char* offset : {"-1", "x", "#-1", "#x", "4294967296", "#536870912"}) {
    CHECK(run("BITFIELD", "k", "SET", "u8", offset, "1") == bad_offset);
  }
  CHECK(run("BITFIELD", "k", "SET", "u8", "0", "x") ==
        "-ERR value is not an integer or out of range\r\n");
  CHECK(run("BITFIELD", "k", "OVERFLOW", "x") == "-ERR Invalid OVERFLOW type specified\r\n");
  CHECK(run("BITFIELD", "k", "SET", "u8", "0") == "-ERR syntax error\r\n");
  CHECK(run("BITFIELD_RO", "k", "SET", "u8", "0", "1") ==
        "-ERR BITFIELD_RO only supports the GET subcommand\r\n");
  CHECK(run("EXISTS", "k") == ":0\r\n");
  run("RPUSH", "list", "x");
  CHECK(run("BITFIELD", "list", "SET", "u8", "0", "1").starts_with("-WRONGTYPE"));
  CHECK(run("BITFIELD_RO", "list", "GET", "u8", "0").starts_with("-WRONGTYPE"));
}
