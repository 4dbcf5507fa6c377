#include "persistence/rdb/crc64.h"

#include <catch2/catch.hpp>
#include <string>

namespace verso::persistence {
namespace {

TEST_CASE("the CRC is the one that RDB has") {
  CHECK(Crc64(0, "") == 0);
  CHECK(Crc64(0, "123456789") == 0xE9C6D914C4B8D9CA);
}

TEST_CASE("the CRC of pieces is that of the whole") {
  std::string bytes;
  for (int i = 0; i < 100; ++i) bytes.push_back(static_cast<char>(i * 37));
  const uint64_t whole = Crc64(0, bytes);
  for (size_t cut = 0; cut <= bytes.size(); ++cut) {
    const ByteView all = bytes;
    CHECK(Crc64(Crc64(0, all.substr(0, cut)), all.substr(cut)) == whole);
  }
}

}  // namespace
}  // namespace verso::persistence
