// Encodings go there and back, and every flipped byte is noticed.
#include "persistence/store_format.h"

#include <catch2/catch.hpp>
#include <map>
#include <set>

namespace verso::persistence {

TEST_CASE("page keys sort by birth, then by cell, and come back") {
  const std::vector<PageAddress> ascending = {
      {0, 1}, {1, 0},   {1, 255}, {1, 256},
      {2, 0}, {255, 7}, {256, 3}, {storage::kEpochMax, storage::kCellMax}};
  std::string last;
  for (const PageAddress& at : ascending) {
    const PageKey key = EncodePageKey(at.birth, at.cell);
    CHECK(std::string(key.view()) > last);
    last = key.view();
    const PageAddress back = DecodePageKey(key.bytes.data());
    CHECK(back.birth == at.birth);
    CHECK(back.cell == at.cell);
  }
}

TEST_CASE("a page's checksum depends on its place") {
  const std::string page = "the same bytes";
  std::set<uint32_t> seen;
  for (Epoch birth = 1; birth < 20; ++birth) {
    for (Cell cell = 1; cell < 20; ++cell) seen.insert(PageChecksum(birth, cell, page));
  }
  CHECK(seen.size() == 19 * 19);
}

TEST_CASE("key hashes of neighbours differ in their sums") {
  std::set<uint64_t> sums;
  for (Epoch birth = 1; birth < 40; ++birth) {
    for (Cell cell = 1; cell < 40; ++cell) {
      sums.insert(KeyHash(birth, cell) + KeyHash(birth + 1, cell + 1));
    }
  }
  CHECK(sums.size() == 39 * 39);
}

namespace {

GroupSpace SomeGroup() {
  GroupSpace space;
  space.slabs[3].size_class = 0;
  space.slabs[3].occupied = std::make_unique<uint64_t[]>(OccupiedWords(0));
  space.slabs[3].occupied[5] = 0xf0;
  space.slabs[3].occupied_runs = 4;
  space.slabs[31].size_class = storage::kSizeClasses - 1;
  space.slabs[31].occupied = std::make_unique<uint64_t[]>(1);
  space.slabs[31].occupied[0] = 1;
  space.slabs[31].occupied_runs = 1;
  return space;
}

}  // namespace

TEST_CASE("a group of the space map comes back") {
  const std::string bytes = EncodeGroup(7, SomeGroup());
  const auto back = DecodeGroup(7, bytes);
  REQUIRE(back.has_value());
  CHECK(back->slabs[3].size_class == 0);
  CHECK(back->slabs[3].occupied_runs == 4);
  CHECK(back->slabs[3].occupied[5] == 0xf0);
  CHECK(back->slabs[31].occupied_runs == 1);
  CHECK(back->slabs[4].size_class == kSlabUnused);
  CHECK_FALSE(back->empty());
  CHECK(GroupSpace{}.empty());
}

TEST_CASE("a group under another number, cut or changed is refused") {
  const std::string bytes = EncodeGroup(7, SomeGroup());
  CHECK_FALSE(DecodeGroup(8, bytes).has_value());
  for (size_t length = 0; length < bytes.size(); ++length) {
    CHECK_FALSE(DecodeGroup(7, ByteView(bytes).substr(0, length)).has_value());
  }
  for (size_t i = 0; i < bytes.size(); ++i) {
    std::string changed = bytes;
    changed[i] = static_cast<char>(changed[i] ^ 0x10);
    CHECK_FALSE(DecodeGroup(7, changed).has_value());
  }
}

namespace {

CatalogueEntry SomeEntry() {
  CatalogueEntry entry;
  entry.store_id = Id::Random();
  entry.save_id = Id::Random();
  entry.super_root = Ref::Make(77, storage::PageKind::kSuperRoot, 16, 9);
  entry.epoch = 9;
  entry.epoch_next = 12;
  entry.base = 8;
  entry.live_pages = 3;
  entry.live_bytes = 48;
  entry.key_sum = 0x1234;
  entry.secret = HashSecret::FromSeed(5);
  return entry;
}

Result<CatalogueEntry> Decode(Epoch epoch, const std::string& bytes) {
  const auto key = EncodeCatalogueKey(epoch);
  return DecodeCatalogue({key.data(), key.size()}, bytes);
}

}  // namespace

TEST_CASE("a catalogue entry comes back") {
  const CatalogueEntry entry = SomeEntry();
  const auto back = Decode(9, EncodeCatalogue(entry));
  REQUIRE(back.has_value());
  CHECK(back->store_id == entry.store_id);
  CHECK(back->save_id == entry.save_id);
  CHECK(back->super_root == entry.super_root);
  CHECK(back->epoch_next == 12);
  CHECK(back->live_bytes == 48);
  CHECK(back->key_sum == 0x1234);
  CHECK(back->secret.bytes == entry.secret.bytes);
}

TEST_CASE("a damaged catalogue entry is refused, a newer one by its number") {
  const std::string bytes = EncodeCatalogue(SomeEntry());
  CHECK_FALSE(Decode(10, bytes).has_value());
  for (size_t i = 0; i < bytes.size(); ++i) {
    std::string changed = bytes;
    changed[i] = static_cast<char>(changed[i] ^ 1);
    CHECK_FALSE(Decode(9, changed).has_value());
    CHECK_FALSE(Decode(9, bytes.substr(0, i)).has_value());
  }
  std::string newer = bytes;
  StoreLe<uint32_t>(newer.data(), 2);
  StoreLe<uint64_t>(newer.data() + newer.size() - 8,
                    Checksum64(ByteView(newer).substr(0, newer.size() - 8), 9));
  const auto refused = Decode(9, newer);
  REQUIRE_FALSE(refused.has_value());
  CHECK(refused.error().code == ErrorCode::kIncompatible);
  CHECK(refused.error().context.find("version 2") != std::string::npos);
}

}  // namespace verso::persistence
