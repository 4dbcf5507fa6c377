// Goal: packs and integer packs hold what was put into them, whatever the order of changes, and no
// bytes from a disk lead a reader out of them. Method: random edits against a vector and a set;
// random bytes, and whole packs cut and changed at every place, read under the sanitizers.
#include "storage/types/pack.h"

#include <catch2/catch.hpp>
#include <memory>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "storage/types/integer_pack.h"

namespace verso::storage {
namespace {

std::vector<std::string> Items(ByteView pack) {
  std::vector<std::string> items;
  PackReader reader(pack);
  for (PackItem item; reader.Next(&item);) items.emplace_back(item.bytes);
  return items;
}

PackItem ItemAt(ByteView pack, size_t index) {
  PackReader reader(pack);
  PackItem item;
  for (size_t i = 0; i <= index; ++i) REQUIRE(reader.Next(&item));
  return item;
}

TEST_CASE("A pack is edited like a vector of strings", "[pack]") {
  std::mt19937_64 random(1);
  const auto pack = std::make_unique<PackBuffer>();
  std::vector<std::string> model;
  for (int step = 0; step < 20'000; ++step) {
    static constexpr size_t kSizes[] = {0, 1, 16, 127, 128, 129, 300};
    const std::string item(kSizes[random() % 7], static_cast<char>(random()));
    const size_t index = model.empty() ? 0 : random() % model.size();
    const uint64_t what = random() % 4;
    if (what <= 1 && pack->Fits(PackItemBytes(item.size()))) {
      const size_t at = model.empty() ? pack->size() : ItemAt(pack->bytes(), index).begin;
      pack->Insert(at, item);
      model.insert(model.begin() + static_cast<long>(index), item);
    } else if (what == 2 && !model.empty() && pack->Fits(PackItemBytes(item.size()))) {
      pack->Replace(ItemAt(pack->bytes(), index), item);
      model[index] = item;
    } else if (!model.empty()) {
      pack->Erase(ItemAt(pack->bytes(), index));
      model.erase(model.begin() + static_cast<long>(index));
    }
    REQUIRE(pack->count() == model.size());
    if (step % 64 == 0) {
      REQUIRE(Items(pack->bytes()) == model);
      const PackBuffer again(pack->bytes());
      REQUIRE(again.bytes() == pack->bytes());
    }
  }
}

TEST_CASE("An item takes its bytes and its length, no more", "[pack]") {
  for (const size_t length : {0, 1, 127, 128, 8000}) {
    PackBuffer pack;
    pack.Append(std::string(length, 'x'));
    REQUIRE(pack.size() == kPackHeaderBytes + PackItemBytes(length));
    REQUIRE(PackItemBytes(length) == length + (length < 128 ? 1 : 2));
  }
  PackBuffer full;
  full.Append(std::string(kPackBytesMax - kPackHeaderBytes - 2, 'x'));
  REQUIRE(full.size() == kPackBytesMax);
  REQUIRE_FALSE(full.Fits(1));
}

TEST_CASE("Damaged packs are read within their bytes, with as many items as they announce",
          "[pack]") {
  PackBuffer pack;
  for (int i = 0; i < 20; ++i) pack.Append(std::string(static_cast<size_t>(i) * 20, 'x'));
  const std::string whole(pack.bytes());
  const auto walk = [](ByteView bytes) {
    // In memory of exactly this size: a sanitizer sees the first byte beyond.
    const std::vector<char> exact(bytes.begin(), bytes.end());
    const ByteView view(exact.data(), exact.size());
    size_t items = 0;
    PackReader reader(view);
    for (PackItem item; reader.Next(&item); ++items) {
      REQUIRE(item.begin <= item.end);
      REQUIRE(item.end <= std::max(view.size(), kPackHeaderBytes));
      REQUIRE(item.bytes.size() <= view.size());
    }
    REQUIRE(items == PackCount(view));
  };
  for (size_t cut = 0; cut < whole.size(); ++cut) walk(ByteView(whole).substr(0, cut));
  std::mt19937_64 random(2);
  for (int i = 0; i < 20'000; ++i) {
    std::string changed = whole;
    changed[random() % changed.size()] = static_cast<char>(random());
    changed[random() % 40] = static_cast<char>(random());
    walk(changed);
  }
}

TEST_CASE("Members are integers in their only spelling", "[integer-pack]") {
  for (const char* text : {"0", "7", "-1", "9223372036854775807", "-9223372036854775808"}) {
    const auto integer = ParseMember(text);
    REQUIRE(integer.has_value());
    char room[kIntegerTextMax];
    REQUIRE(FormatMember(*integer, room) == text);
  }
  for (const char* text : {"", "-", "-0", "00", "01", "-01", "+1", " 1", "1 ", "1.0", "x", "0x1",
                           "9223372036854775808", "-9223372036854775809", "111111111111111111111"})
    REQUIRE_FALSE(ParseMember(text).has_value());
}

TEST_CASE("An integer pack is a set in ascending order, as wide as it must be", "[integer-pack]") {
  std::mt19937_64 random(3);
  for (const int bits : {3, 15, 16, 31, 32, 63}) {
    IntegerBuffer buffer;
    std::set<int64_t> model;
    std::string room(kPackBytesMax, '\0');
    for (int step = 0; step < 3000; ++step) {
      const int64_t integer = static_cast<int64_t>(random()) >> (63 - bits);
      if (random() % 3 != 0 && buffer.count() < IntegerBuffer::kCountMax) {
        REQUIRE(buffer.Insert(integer) == model.insert(integer).second);
      } else {
        REQUIRE(buffer.Erase(integer) == (model.erase(integer) == 1));
      }
      if (step % 50 != 0) continue;
      const IntegerPack pack(buffer.Encode(room.data()));
      REQUIRE(pack.count() == model.size());
      REQUIRE(buffer.Encode(room.data()).size() <= 1 + model.size() * (bits < 16   ? 2
                                                                       : bits < 32 ? 4
                                                                                   : 8));
      size_t at = 0;
      for (const int64_t there : model) {
        REQUIRE(pack.At(at++) == there);
        REQUIRE(pack.Contains(there));
      }
      REQUIRE(pack.Contains(integer) == model.contains(integer));
      IntegerBuffer again(pack);
      REQUIRE(again.count() == model.size());
    }
  }
}

TEST_CASE("Damaged integer packs read as empty, or within their bytes", "[integer-pack]") {
  std::mt19937_64 random(4);
  for (int i = 0; i < 5000; ++i) {
    std::vector<char> bytes(random() % 40);
    for (char& c : bytes) c = static_cast<char>(random() % 12);
    const IntegerPack pack(ByteView(bytes.data(), bytes.size()));
    REQUIRE(pack.count() <= bytes.size() / 2);
    for (size_t at = 0; at < pack.count(); ++at) pack.At(at);
    pack.Contains(static_cast<int64_t>(random()));
  }
  REQUIRE(IntegerPack(ByteView("\x03"
                               "abcdef"))
              .count() == 0);
}

}  // namespace
}  // namespace verso::storage
