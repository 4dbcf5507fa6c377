#include "persistence/rdb/rdb_input.h"

#include <catch2/catch.hpp>
#include <cmath>
#include <limits>

#include "storage/types/string_value.h"
#include "tests/support/rdb_samples.h"

namespace verso::persistence {
namespace {

// In memory of exactly this size, so that the sanitizer sees a step outside.
struct Exact {
  explicit Exact(const std::string& from) : size(from.size()), bytes(new char[from.size()]) {
    from.copy(bytes.get(), size);
  }
  operator ByteView() const { return {bytes.get(), size}; }  // NOLINT
  size_t size;
  std::unique_ptr<char[]> bytes;
};

std::string ReadString(const std::string& from) {
  const Exact exact(from);
  RdbInput in(exact);
  RdbString string;
  if (!in.String(&string)) return "<fault>";
  if (in.left() != 0) return "<rest>";
  return std::string(string.bytes());
}

TEST_CASE("lengths of every form are read back, and no part of one") {
  for (const uint64_t length :
       {uint64_t{0}, uint64_t{63}, uint64_t{64}, uint64_t{16383}, uint64_t{16384},
        uint64_t{0xFFFFFFFF}, uint64_t{0x100000000}, ~uint64_t{0}}) {
    const std::string written = RdbCount(length);
    for (size_t bytes = 0; bytes <= written.size(); ++bytes) {
      const Exact exact(written.substr(0, bytes));
      RdbInput in(exact);
      const Result<uint64_t> read = in.Length();
      REQUIRE(read.has_value() == (bytes == written.size()));
      if (read) CHECK(*read == length);
    }
  }
  for (const char* none : {"\x82", "\xBF", "\xC0\x01"}) {
    RdbInput in{ByteView(none)};
    CHECK_FALSE(in.Length().has_value());
  }
}

TEST_CASE("strings of every form are read back, and no part of one") {
  const std::string text = std::string(500, 'x') + "y";
  const std::string packed = RdbLzf(text);
  const std::pair<std::string, std::string> cases[] = {
      {RdbText(""), ""},
      {RdbText("abc"), "abc"},
      {RdbText(text), text},
      {packed, text},
      {std::string("\xC0\x80", 2), "-128"},
      {std::string("\xC1\x39\x30", 3), "12345"},
      {std::string("\xC2\x00\x00\x00\x80", 5), "-2147483648"},
  };
  for (const auto& [written, expected] : cases) {
    CHECK(ReadString(written) == expected);
    for (size_t bytes = 0; bytes < written.size(); ++bytes) {
      CHECK(ReadString(written.substr(0, bytes)) == "<fault>");
    }
  }
  CHECK(ReadString("\xC4") == "<fault>");  // no such form
}

TEST_CASE("no memory is taken for what the bytes cannot hold") {
  CHECK(ReadString(std::string("\x81\x00\x00\x00\x40\x00\x00\x00\x00", 9)) == "<fault>");
  CHECK(ReadString("\x80\x7F\xFF\xFF\xFF"
                   "abc") == "<fault>");
  // Announced longer than three bytes can become.
  const std::string packed(3, '\xE0');
  CHECK(ReadString("\xC3" + RdbCount(3) + RdbCount(3 * kLzfGrowthMax + 1) + packed) == "<fault>");
  CHECK(ReadString("\xC3" + RdbCount(3) + RdbCount(storage::kStringBytesMax + 1) + packed) ==
        "<fault>");
  // Announced longer or shorter than it is.
  const std::string text(300, 'z');
  const std::string whole = RdbLzf(text);
  const std::string bytes = whole.substr(1 + 1 + 2);  // behind both lengths
  REQUIRE(ReadString("\xC3" + RdbCount(bytes.size()) + RdbCount(300) + bytes) == text);
  CHECK(ReadString("\xC3" + RdbCount(bytes.size()) + RdbCount(299) + bytes) == "<fault>");
  CHECK(ReadString("\xC3" + RdbCount(bytes.size()) + RdbCount(301) + bytes) == "<fault>");
  CHECK(ReadString("\xC3" + RdbCount(0) + RdbCount(0)) == "<fault>");
}

TEST_CASE("scores are numbers") {
  const auto text = [](const std::string& bytes) {
    RdbInput in(bytes);
    return in.TextDouble();
  };
  CHECK(*text("\x04-1.5") == -1.5);
  CHECK(*text("\xFE") == std::numeric_limits<double>::infinity());
  CHECK(*text("\xFF") == -std::numeric_limits<double>::infinity());
  CHECK_FALSE(text("\xFD").has_value());
  CHECK_FALSE(text("\x03nan").has_value());
  CHECK_FALSE(text("\x04"
                   "1.5x")
                  .has_value());
  CHECK_FALSE(text("\x04"
                   "1.5")
                  .has_value());
  CHECK_FALSE(text(std::string(1, '\0')).has_value());
  const auto binary = [](double value) {
    const std::string bytes = RdbFixed(value);
    RdbInput in(bytes);
    return in.BinaryDouble();
  };
  CHECK(*binary(2.25) == 2.25);
  CHECK(std::signbit(*binary(-0.0)));
  CHECK_FALSE(binary(std::nan("")).has_value());
  for (const char* no : {"", " 1", "1 ", "nan", "-nan", "0x", "1e", "--1"}) {
    CHECK_FALSE(ParseScore(no).has_value());
  }
  CHECK(*ParseScore("-inf") == -std::numeric_limits<double>::infinity());
  CHECK_FALSE(ParseScore(std::string(300, '1')).has_value());
}

}  // namespace
}  // namespace verso::persistence
