// Parts of strings and bits, below and above the lengths where a string becomes a run and a rope,
// against a plain std::string; long replies that go on as continuations.
#include <catch2/catch.hpp>
#include <random>

#include "command_fixture.h"

using namespace verso::server;

namespace {

std::string Integer(size_t value) { return ":" + std::to_string(value) + "\r\n"; }

uint64_t OnesBetween(const std::string& text, size_t first_bit, size_t last_bit) {
  uint64_t ones = 0;
  for (size_t bit = first_bit; bit <= last_bit; ++bit) {
    ones += (static_cast<unsigned char>(text[bit / 8]) >> (7 - bit % 8)) & 1;
  }
  return ones;
}

}  // namespace

TEST_CASE("append, setrange, setbit and getrange against a std::string", "[command]") {
  CommandFixture run(false);
  std::mt19937 random(1);
  const auto below = [&random](size_t bound) { return random() % bound; };
  for (const size_t length_max : {200u, 10000u, 300000u}) {
    run("DEL", "k");
    std::string model;
    for (int step = 0; step < 400; ++step) {
      const std::string bytes(1 + below(length_max / 50), static_cast<char>(below(256)));
      const size_t place = below(std::min(length_max, model.size() + length_max / 20));
      switch (below(4)) {
        case 0:
          if (model.size() + bytes.size() > length_max) break;
          model += bytes;
          CHECK(run("APPEND", "k", bytes) == Integer(model.size()));
          break;
        case 1:
          if (model.size() < place + bytes.size()) model.resize(place + bytes.size());
          model.replace(place, bytes.size(), bytes);
          CHECK(run("SETRANGE", "k", std::to_string(place), bytes) == Integer(model.size()));
          break;
        case 2: {
          const size_t bit = place * 8 + below(8);
          if (model.size() <= place) model.resize(place + 1);
          const auto mask = static_cast<char>(0x80 >> (bit % 8));
          const bool was = (model[place] & mask) != 0;
          const bool on = below(2) != 0;
          model[place] = static_cast<char>(on ? model[place] | mask : model[place] & ~mask);
          CHECK(run("SETBIT", "k", std::to_string(bit), on ? "1" : "0") == Integer(was));
          CHECK(run("GETBIT", "k", std::to_string(bit)) == Integer(on));
          break;
        }
        default: {
          const size_t first = below(model.size() + 1);
          const size_t last = first + below(length_max / 4);
          const std::string part =
              first < model.size() ? model.substr(first, last - first + 1) : "";
          CHECK(run("GETRANGE", "k", std::to_string(first), std::to_string(last)) == Bulk(part));
          if (!model.empty()) {
            const size_t end = std::min(last, model.size() - 1);
            const uint64_t ones = first <= end && first < model.size()
                                      ? OnesBetween(model, first * 8, end * 8 + 7)
                                      : 0;
            CHECK(run("BITCOUNT", "k", std::to_string(first), std::to_string(last)) ==
                  Integer(ones));
            const size_t bits = model.size() * 8;
            const size_t a = below(bits), b = below(bits);
            CHECK(run("BITCOUNT", "k", std::to_string(a), std::to_string(b), "BIT") ==
                  Integer(a <= b ? OnesBetween(model, a, b) : 0));
          }
        }
      }
      if (step % 40 == 0 && !model.empty()) {
        REQUIRE(run("GET", "k") == Bulk(model));
        REQUIRE(run("STRLEN", "k") == Integer(model.size()));
      }
    }
  }
}

TEST_CASE("getrange: places counted from the end", "[command]") {
  CommandFixture run(false);
  run("SET", "k", "This is a string");
  CHECK(run("GETRANGE", "k", "0", "3") == Bulk("This"));
  CHECK(run("GETRANGE", "k", "-3", "-1") == Bulk("ing"));
  CHECK(run("GETRANGE", "k", "0", "-1") == Bulk("This is a string"));
  CHECK(run("GETRANGE", "k", "10", "100") == Bulk("string"));
  CHECK(run("GETRANGE", "k", "5", "3") == Bulk(""));
  CHECK(run("GETRANGE", "k", "-1", "-5") == Bulk(""));
  CHECK(run("GETRANGE", "k", "-100", "-99") == Bulk("T"));
  CHECK(run("GETRANGE", "k", "-99", "-100") == Bulk(""));
  CHECK(run("GETRANGE", "k", "-9223372036854775808", "9223372036854775807") ==
        Bulk("This is a string"));
  CHECK(run("SUBSTR", "k", "0", "0") == Bulk("T"));
  CHECK(run("GETRANGE", "none", "0", "-1") == Bulk(""));
  CHECK(run("GETRANGE", "none", "x", "-1") == kNotIntegerError);
}

TEST_CASE("a string cannot pass its limit, and a refused write changes nothing", "[command]") {
  CommandFixture run;
  const std::string too_long = "-ERR string exceeds maximum allowed size (proto-max-bulk-len)\r\n";
  run.state().environment.bulk_bytes_max = 1 << 20;
  run("SET", "k", std::string((1 << 20) - 1, 'x'));
  run.effects.clear();
  CHECK(run("APPEND", "k", "ab") == too_long);
  CHECK(run("SETRANGE", "k", "1048575", "ab") == too_long);
  CHECK(run("SETRANGE", "none", "9223372036854775807", "a") == too_long);
  CHECK(run("SETRANGE", "k", "-1", "a") == "-ERR offset is out of range\r\n");
  const std::string bit_error = "-ERR bit offset is not an integer or out of range\r\n";
  CHECK(run("SETBIT", "k", "8388608", "1") == bit_error);
  CHECK(run("SETBIT", "k", "-1", "1") == bit_error);
  CHECK(run("GETBIT", "k", "8388608") == bit_error);
  CHECK(run("SETBIT", "k", "0", "2") == "-ERR bit is not an integer or out of range\r\n");
  CHECK(run.effects.empty());
  CHECK(run("APPEND", "k", "a") == ":1048576\r\n");
  CHECK(run("SETBIT", "k", "8388607", "1") == ":1\r\n");
}

TEST_CASE("empty pieces and bits that are set already change nothing", "[command]") {
  CommandFixture run;
  CHECK(run("SETRANGE", "k", "5", "") == ":0\r\n");
  CHECK(run("EXISTS", "k") == ":0\r\n");
  CHECK(run("APPEND", "k", "") == ":0\r\n");
  CHECK(run("EXISTS", "k") == ":1\r\n");
  run("SETBIT", "k", "7", "1");
  run.effects.clear();
  run.events.clear();
  CHECK(run("SETRANGE", "k", "0", "") == ":1\r\n");
  CHECK(run("SETBIT", "k", "7", "1") == ":1\r\n");
  CHECK(run("SETBIT", "k", "0", "0") == ":0\r\n");
  CHECK(run.effects.empty());
  CHECK(run.events.empty());
  CHECK(run("SETBIT", "k", "8", "0") == ":0\r\n");  // but this makes it longer
  CHECK(run("STRLEN", "k") == ":2\r\n");
}

TEST_CASE("append: nothing at the end is a change all the same, as in Redis", "[command]") {
  CommandFixture run;
  const std::string rope(100'000, 'x');
  for (const std::string& value : {std::string("12"), std::string(500, 'y'), rope}) {
    run("SET", "k", value, "EX", "100");
    run.effects.clear();
    run.events.clear();
    CHECK(run("APPEND", "k", "") == ":" + std::to_string(value.size()) + "\r\n");
    CHECK(run("GET", "k") == Bulk(value));
    CHECK(run("OBJECT", "ENCODING", "k") == Bulk("raw"));
    CHECK(run("TTL", "k") == ":100\r\n");
    CHECK(run.effects == std::vector<std::string>{"APPEND k "});
    CHECK(run.events == std::vector<std::string>{"append k"});
  }
}

TEST_CASE("long strings are replied and counted in slices", "[command]") {
  CommandFixture run(false);
  std::string text(40 << 20, 'a');
  for (size_t i = 0; i < text.size(); i += 4099) text[i] = static_cast<char>(i);
  run("SET", "k", text);
  CHECK(run("GET", "k") == Bulk(text));
  CHECK(run.slices() > 0);
  CHECK(run("GETRANGE", "k", "3", "-4") == Bulk(text.substr(3, text.size() - 6)));
  const uint64_t slices = run.slices();
  uint64_t ones = 0;
  for (const char c : text) {
    ones += static_cast<uint64_t>(__builtin_popcount(static_cast<unsigned char>(c)));
  }
  CHECK(run("BITCOUNT", "k") == Integer(ones));
  CHECK(run("BITCOUNT", "k", "5", "-6", "BIT") ==
        Integer(ones - OnesBetween(text, 0, 4) -
                OnesBetween(text, text.size() * 8 - 5, text.size() * 8 - 1)));
  CHECK(run.slices() > slices);
}

TEST_CASE("a bit far out costs a few pages, not the distance", "[command]") {
  CommandFixture run(false);
  const size_t before = run.store().arena().bytes_allocated();
  CHECK(run("SETBIT", "k", "4294967295", "1") == ":0\r\n");
  CHECK(run("STRLEN", "k") == ":536870912\r\n");
  CHECK(run.store().arena().bytes_allocated() - before < 64 * 1024);
  CHECK(run("GETBIT", "k", "4294967295") == ":1\r\n");
  CHECK(run("BITCOUNT", "k", "-8192", "-1") == ":1\r\n");
}
