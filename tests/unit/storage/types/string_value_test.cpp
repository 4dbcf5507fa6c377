// Goal: a string reads the same whether it lies in a leaf, in a run or in a rope, and its encoding
// has the names that Redis users know.
// Method: each representation is made by hand around its thresholds and compared with a
// std::string; encodings are checked on both sides of each of their rules.
#include "storage/types/string_value.h"

#include <catch2/catch.hpp>
#include <memory>
#include <string>
#include <utility>

#include "storage/index/rope.h"
#include "storage/memory/store.h"
#include "tests/support/test_store.h"

namespace verso::storage {
namespace {

class Fixture {
 public:
  Fixture() {
    store_ = FreshStore(&clock_, 1);
    REQUIRE(store_->ReserveForWrite(8 << 20, 16));
  }

  const PageArena& arena() { return store_->arena(); }

  static ValueView Inline(ByteView bytes, uint8_t hint = 0) {
    ValueView value;
    value.bytes = bytes;
    value.hint = hint;
    return value;
  }
  ValueView Run(ByteView bytes, uint8_t hint = 0) {
    ValueView value = Inline({}, hint);
    value.external = true;
    value.ref = store_->main().NewPage(PageKind::kValue, bytes.size());
    bytes.copy(store_->arena().ResolveMutable(value.ref), bytes.size());
    return value;
  }
  ValueView Rope(ByteView bytes, uint8_t hint = 0) {
    ValueView value = Inline({}, hint);
    value.external = true;
    value.ref = RopeBuild(store_->main(), bytes);
    return value;
  }
  std::string Encoding(ByteView bytes, uint8_t hint = 0) {
    return StringEncoding(arena(), Inline(bytes, hint));
  }

 private:
  ManualClock clock_;
  std::unique_ptr<Store> store_;
};

std::string Pattern(size_t length) {
  std::string bytes(length, '\0');
  for (size_t i = 0; i < length; ++i) bytes[i] = static_cast<char>(i * 31 + i / 251);
  return bytes;
}

std::string ReadPieces(Fixture& fixture, const ValueView& value, size_t offset, size_t count) {
  std::string read;
  StringForEachPiece(fixture.arena(), value, offset, count, [&](ByteView piece) {
    REQUIRE(!piece.empty());
    read.append(piece);
  });
  return read;
}

}  // namespace

TEST_CASE("A string reads the same in each of its representations", "[string]") {
  Fixture fixture;
  const auto compare = [&](const ValueView& value, const std::string& bytes) {
    REQUIRE(StringLength(fixture.arena(), value) == bytes.size());
    REQUIRE(StringCopy(fixture.arena(), value) == bytes);
    const size_t length = bytes.size();
    for (const auto& [offset, count] : {std::pair<size_t, size_t>{0, length},
                                        {0, 0},
                                        {0, 1},
                                        {length / 2, length},
                                        {length / 3, length / 3},
                                        {length, 1},
                                        {length + 5, 5},
                                        {0, ~size_t{0}},
                                        {1, ~size_t{0}}}) {
      const std::string expected = offset > length ? "" : bytes.substr(offset, count);
      REQUIRE(ReadPieces(fixture, value, offset, count) == expected);
    }
  };
  for (const size_t length : {size_t{0}, size_t{1}, size_t{44}, kInlineBytesMax}) {
    const std::string bytes = Pattern(length);
    const ValueView value = Fixture::Inline(bytes);
    compare(value, bytes);
    REQUIRE(StringContiguous(fixture.arena(), value) == ByteView(bytes));
  }
  for (const size_t length : {kInlineBytesMax + 1, size_t{300}, kRunBytesMax}) {
    const std::string bytes = Pattern(length);
    const ValueView value = fixture.Run(bytes);
    compare(value, bytes);
    REQUIRE(StringContiguous(fixture.arena(), value) == ByteView(bytes));
  }
  for (const size_t length : {kRunBytesMax + 1, size_t{100'000}, size_t{2} << 20}) {
    const std::string bytes = Pattern(length);
    const ValueView value = fixture.Rope(bytes);
    compare(value, bytes);
    REQUIRE(StringContiguous(fixture.arena(), value) == std::nullopt);
  }
}

TEST_CASE("Integers are those that print as the same bytes", "[string]") {
  Fixture fixture;
  for (const char* bytes : {"0", "1", "-1", "42", "9223372036854775807", "-9223372036854775808"}) {
    INFO(bytes);
    REQUIRE(fixture.Encoding(bytes) == "int");
    REQUIRE(fixture.Encoding(bytes, kStringRaw) == "raw");
  }
  for (const char* bytes :
       {"", "-", "-0", "+1", "01", "-01", "1 ", " 1", "1.0", "1e3", "0x10", "9223372036854775808",
        "-9223372036854775809", "18446744073709551616", "000000000000000000001"}) {
    INFO(bytes);
    REQUIRE(fixture.Encoding(bytes) == "embstr");
    REQUIRE(fixture.Encoding(bytes, kStringRaw) == "raw");
  }
  REQUIRE(fixture.Encoding(ByteView("1\0", 2)) == "embstr");
}

TEST_CASE("Short strings are embstr, all others raw", "[string]") {
  Fixture fixture;
  REQUIRE(fixture.Encoding(Pattern(44)) == "embstr");
  REQUIRE(fixture.Encoding(Pattern(45)) == "raw");
  REQUIRE(fixture.Encoding(Pattern(44), kStringRaw) == "raw");
  REQUIRE(std::string(StringEncoding(fixture.arena(), fixture.Run(Pattern(200)))) == "raw");
  REQUIRE(std::string(StringEncoding(fixture.arena(), fixture.Rope(Pattern(9'000)))) == "raw");
}

TEST_CASE("Types have the names that TYPE answers", "[string]") {
  REQUIRE(std::string(TypeName(ValueType::kString)) == "string");
  REQUIRE(std::string(TypeName(ValueType::kList)) == "list");
  REQUIRE(std::string(TypeName(ValueType::kSet)) == "set");
  REQUIRE(std::string(TypeName(ValueType::kZset)) == "zset");
  REQUIRE(std::string(TypeName(ValueType::kHash)) == "hash");
  REQUIRE(std::string(TypeName(ValueType::kStream)) == "stream");
}

}  // namespace verso::storage
