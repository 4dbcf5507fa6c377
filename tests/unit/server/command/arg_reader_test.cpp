#include "server/command/arg_reader.h"

#include <catch2/catch.hpp>
#include <string>

namespace verso::server {
namespace {

TEST_CASE("integers have one spelling") {
  int64_t value = 7;
  for (const char* good : {"0", "1", "-1", "9223372036854775807", "-9223372036854775808"}) {
    REQUIRE(ParseInteger(good, &value));
    CHECK(std::to_string(value) == good);
  }
  value = 7;
  for (const char* bad : {"", "-", "-0", "00", "01", "+1", " 1", "1 ", "1.0", "0x1", "abc",
                          "9223372036854775808", "-9223372036854775809", "111111111111111111111"}) {
    INFO(bad);
    CHECK_FALSE(ParseInteger(bad, &value));
  }
  CHECK_FALSE(ParseInteger(ByteView("1\0", 2), &value));
  CHECK(value == 7);
  uint64_t large = 0;
  REQUIRE(ParseUnsigned("18446744073709551615", &large));
  CHECK(large == ~uint64_t{0});
  CHECK_FALSE(ParseUnsigned("-1", &large));
  CHECK_FALSE(ParseUnsigned("18446744073709551616", &large));
}

TEST_CASE("floats: what strtod takes, but no spaces and no NaN") {
  double value = 0;
  REQUIRE(ParseDouble("3.0e3", &value));
  CHECK(value == 3000);
  REQUIRE(ParseDouble("-inf", &value));
  REQUIRE(ParseDouble("+Infinity", &value));
  REQUIRE(ParseDouble("-0X1.8p+1", &value));
  CHECK(value == -3);
  for (const char* bad : {"", " 1", "\t1", "1 ", "0x", "0x1p", "nan", "1e400", "1..2", "abc"}) {
    INFO(bad);
    CHECK_FALSE(ParseDouble(bad, &value));
  }
  CHECK_FALSE(ParseDouble(ByteView("1\0", 2), &value));
  char text[5200];
  long double sum = 0;
  REQUIRE(ParseLongDouble("10.50", &sum));
  CHECK(std::string(text, FormatLongDouble(sum + 0.1L, text)) == "10.6");
  CHECK(std::string(text, FormatLongDouble(5.0e3L, text)) == "5000");
  CHECK(std::string(text, FormatLongDouble(-0.0L, text)) == "0");
}

TEST_CASE("arguments are read from left to right and the first fault sticks") {
  const ByteView words[] = {"cmd", "10", "COUNT", "abc", "5"};
  const CommandSpec spec;
  CommandContext context(&spec, words, nullptr, nullptr, nullptr, nullptr);
  ArgReader args(context, 1);
  CHECK(args.Integer() == 10);
  CHECK_FALSE(args.Take("match"));
  CHECK(args.Take("count"));
  CHECK(args.Integer() == 0);
  CHECK(args.error() == error::kNotInteger);
  CHECK(args.Integer() == 0);  // sticks, though "5" is fine
  CHECK(args.AtEnd());
  args.Next();
  CHECK(args.error() == error::kNotInteger);
}

}  // namespace
}  // namespace verso::server
