// Goal: packed forms are read back item by item, and any damage is found without a step outside the
// bytes. Method: each form is made of the sample items; then it is cut at every place, and every
// byte is changed.
#include "persistence/rdb/rdb_packed.h"

#include <catch2/catch.hpp>
#include <memory>

#include "tests/support/rdb_samples.h"

namespace verso::persistence {
namespace {

// nullopt: refused.
template <typename Reader>
std::optional<std::vector<std::string>> ReadAll(const std::string& from) {
  const std::unique_ptr<char[]> exact(new char[from.size()]);
  from.copy(exact.get(), from.size());
  Result<Reader> reader = Reader::Open(ByteView(exact.get(), from.size()));
  if (!reader) return std::nullopt;
  std::vector<std::string> items;
  PackedItem item;
  while (true) {
    const Result<bool> more = reader->Next(&item);
    if (!more) return std::nullopt;
    if (!*more) return items;
    if (item.is_integer) CHECK(SampleInteger(std::string(item.bytes)) == item.integer);
    items.emplace_back(item.bytes);
  }
}

// What comes out of a changed byte is another value or a fault: both are right here.
template <typename Reader>
void Damage(const std::string& whole, size_t bytes_max) {
  for (size_t bytes = 0; bytes < std::min(whole.size(), bytes_max); ++bytes) {
    CHECK_FALSE(ReadAll<Reader>(whole.substr(0, bytes)).has_value());
    for (const int change : {1, 0x7F, 0x80, 0xFF}) {
      std::string changed = whole;
      changed[bytes] = static_cast<char>(changed[bytes] ^ change);
      ReadAll<Reader>(changed);
    }
  }
  CHECK_FALSE(ReadAll<Reader>(whole + '\xFF').has_value());
}

TEST_CASE("listpacks") {
  const std::vector<std::string>& items = SampleItems();
  CHECK(ReadAll<ListpackReader>(SampleListpack(items)) == items);
  CHECK(ReadAll<ListpackReader>(SampleListpack({})) == std::vector<std::string>());
  Damage<ListpackReader>(SampleListpack(SmallSampleItems()), 1000);
  // The length behind an item, and the count.
  std::string pack = SampleListpack({"abc"});
  pack[10] = 5;
  CHECK_FALSE(ReadAll<ListpackReader>(pack).has_value());
  pack = SampleListpack({"abc"});
  pack[4] = 2;
  CHECK_FALSE(ReadAll<ListpackReader>(pack).has_value());
  pack[4] = pack[5] = '\xFF';  // unknown
  CHECK(ReadAll<ListpackReader>(pack) == std::vector<std::string>{"abc"});
}

TEST_CASE("a listpack of more items than its header can count") {
  const std::vector<std::string> items(70'000, "7");
  CHECK(ReadAll<ListpackReader>(SampleListpack(items)) == items);
}

TEST_CASE("how long an item is stands behind it, in as many bytes as it takes") {
  char to[5];
  const std::pair<uint64_t, size_t> cases[] = {
      {0, 1},       {127, 1},     {128, 2},       {16382, 2},     {16383, 3},
      {2097150, 3}, {2097151, 4}, {268435454, 4}, {268435455, 5}, {600000000, 5}};
  for (const auto& [length, bytes] : cases) {
    REQUIRE(ListpackBacklen(length, to) == bytes);
    uint64_t read = 0;  // backwards, as lists are gone through from their end
    for (size_t i = bytes; i-- > 0;) {
      read |= uint64_t{static_cast<uint8_t>(to[i]) & 0x7Fu} << (7 * (bytes - 1 - i));
      CHECK(((to[i] & 0x80) != 0) == (i > 0));
    }
    CHECK(read == length);
  }
}

TEST_CASE("ziplists") {
  const std::vector<std::string>& items = SampleItems();
  CHECK(ReadAll<ZiplistReader>(SampleZiplist(items)) == items);
  CHECK(ReadAll<ZiplistReader>(SampleZiplist({})) == std::vector<std::string>());
  Damage<ZiplistReader>(SampleZiplist(SmallSampleItems()), 1000);
  const std::string whole = SampleZiplist({"abc", "de"});
  for (const size_t place : {size_t{4}, size_t{8}, size_t{10}, size_t{15}}) {  // said twice
    std::string changed = whole;
    ++changed[place];
    CHECK_FALSE(ReadAll<ZiplistReader>(changed).has_value());
  }
  std::string unknown = whole;
  unknown[8] = unknown[9] = '\xFF';
  CHECK(ReadAll<ZiplistReader>(unknown) == std::vector<std::string>{"abc", "de"});
}

TEST_CASE("intsets") {
  const std::vector<std::string> integers = {"-300", "-1", "0", "7", "32000"};
  CHECK(ReadAll<IntsetReader>(SampleIntset<int16_t>(integers)) == integers);
  CHECK(ReadAll<IntsetReader>(SampleIntset<int32_t>(integers)) == integers);
  CHECK(ReadAll<IntsetReader>(SampleIntset<int64_t>(integers)) == integers);
  Damage<IntsetReader>(SampleIntset<int32_t>(integers), 1000);
  CHECK_FALSE(ReadAll<IntsetReader>(SampleIntset<int16_t>({"1", "1"})).has_value());
  CHECK_FALSE(ReadAll<IntsetReader>(SampleIntset<int16_t>({"2", "1"})).has_value());
  CHECK_FALSE(ReadAll<IntsetReader>(SampleIntset<int8_t>({"1", "2"})).has_value());
}

TEST_CASE("zipmaps") {
  const std::vector<std::string>& items = SampleItems();
  CHECK(ReadAll<ZipmapReader>(SampleZipmap(items)) == items);
  CHECK(ReadAll<ZipmapReader>(SampleZipmap({})) == std::vector<std::string>());
  Damage<ZipmapReader>(SampleZipmap({"field", "value", "f", ""}), 1000);
  std::string map = SampleZipmap({"field", "value"});
  map[0] = 2;
  CHECK_FALSE(ReadAll<ZipmapReader>(map).has_value());
  map[0] = '\xFE';  // unknown
  CHECK(ReadAll<ZipmapReader>(map) == std::vector<std::string>{"field", "value"});
  CHECK_FALSE(ReadAll<ZipmapReader>(SampleZipmap({"field", "value", "half"})).has_value());
}

}  // namespace
}  // namespace verso::persistence
