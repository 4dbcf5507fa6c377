#include "server/buffer_pool.h"

#include <catch2/catch.hpp>
#include <cstring>

namespace verso::server {
namespace {

TEST_CASE("buffer pool: blocks are apart, free chunks go back") {
  BufferPool pool;
  std::vector<char*> blocks;
  for (int i = 0; i < 200; ++i) {
    blocks.push_back(pool.Take());
    std::memset(blocks.back(), i, BufferPool::kBlockBytes);
  }
  for (int i = 0; i < 200; ++i) {
    CHECK(static_cast<unsigned char>(blocks[static_cast<size_t>(i)][BufferPool::kBlockBytes - 1]) ==
          static_cast<unsigned char>(i));
  }
  CHECK(pool.bytes_used() == 200 * BufferPool::kBlockBytes);
  const size_t mapped = pool.bytes_mapped();
  for (char* block : blocks) pool.Give(block);
  CHECK(pool.bytes_used() == 0);
  pool.Trim(64);
  CHECK(pool.bytes_mapped() < mapped);
  CHECK(pool.bytes_mapped() >= 64 * BufferPool::kBlockBytes);
  std::memset(pool.Take(), 1, BufferPool::kBlockBytes);
}

TEST_CASE("piece pool: what is given back is unmapped a few at a time, or taken again") {
  PiecePool pool;
  std::vector<char*> pieces;
  for (int i = 0; i < 10; ++i) {
    pieces.push_back(pool.Take());
    std::memset(pieces.back(), i, PiecePool::kPieceBytes);
  }
  CHECK(pieces[3][PiecePool::kPieceBytes - 1] == 3);
  CHECK(pool.bytes() == 10 * PiecePool::kPieceBytes);
  CHECK_FALSE(pool.Trim(4));  // all are in use
  for (char* piece : pieces) pool.Give(piece);
  CHECK(pool.bytes() == 10 * PiecePool::kPieceBytes);
  CHECK(pool.Trim(4));
  CHECK(pool.bytes() == 6 * PiecePool::kPieceBytes);
  CHECK_FALSE(pool.Trim(4));
  const size_t kept = pool.bytes();
  CHECK(kept > 0);
  pool.Take();
  CHECK(pool.bytes() == kept);
}

TEST_CASE("large buffer: keeps its bytes while it grows") {
  LargeBuffer buffer;
  REQUIRE(buffer.Grow(32 * 1024));
  std::memset(buffer.data(), 'a', buffer.capacity());
  REQUIRE(buffer.Grow(8 << 20));
  CHECK(buffer.capacity() >= size_t{8} << 20);
  CHECK(buffer.data()[0] == 'a');
  CHECK(buffer.data()[32 * 1024 - 1] == 'a');
  buffer.data()[(8 << 20) - 1] = 'z';
  buffer.Reset();
  CHECK(buffer.capacity() == 0);
}

}  // namespace
}  // namespace verso::server
