#include "client/cli/split_args.h"

#include <catch2/catch.hpp>

#include "client/cli/formatter.h"

namespace verso::cli {
namespace {

using Args = std::vector<std::string>;

TEST_CASE("split args: words and quotes") {
  CHECK(SplitArgs("") == Args{});
  CHECK(SplitArgs("  \t ") == Args{});
  CHECK(SplitArgs(" set  k\tv ") == Args{"set", "k", "v"});
  CHECK(SplitArgs("set k \"two words\"") == Args{"set", "k", "two words"});
  CHECK(SplitArgs("set k ''") == Args{"set", "k", ""});
  CHECK(SplitArgs("a'b c'") == Args{"ab c"});
  CHECK(SplitArgs("\\x41") == Args{"\\x41"});
}

TEST_CASE("split args: escapes") {
  CHECK(SplitArgs(R"("\x41\xfF\n\r\t\b\a\"\\\q")") == Args{"A\xff\n\r\t\b\a\"\\q"});
  CHECK(SplitArgs(R"("\x00")") == Args{std::string(1, '\0')});
  CHECK(SplitArgs(R"("\xg1\x4")") == Args{"xg1x4"});
  CHECK(SplitArgs(R"('it\'s \n "raw"')") == Args{R"(it's \n "raw")"});
}

TEST_CASE("split args: what is refused") {
  for (const char* line : {"\"open", "'open", "\"a\"b", "'a'b", "\"a\\\"", "x \"", "\"a\"\"b\""}) {
    INFO(line);
    CHECK(!SplitArgs(line));
  }
}

TEST_CASE("split args: reads back what QuoteText writes, for every byte") {
  std::string all;
  for (int byte = 0; byte < 256; ++byte) all += static_cast<char>(byte);
  CHECK(SplitArgs(QuoteText(all)) == Args{all});
}

}  // namespace
}  // namespace verso::cli
