// OutputChain: reply bytes that wait for the socket, as a chain of pool blocks. Pure memory.
//
//   begin                          end
//   [hdr|....sent|pending pending|] -> [hdr|pending        room]
//
// One chain per connection; it holds no block while nothing is pending.
#pragma once

#include <sys/uio.h>

#include <cstring>
#include <string_view>

#include "server/buffer_pool.h"

namespace verso::server {

class OutputChain {
 public:
  // What a block can take: the longest piece Room() may be asked for.
  static constexpr size_t kRoomMax = BufferPool::kBlockBytes - 24;

  explicit OutputChain(BufferPool* pool) : pool_(pool) {}
  ~OutputChain() { Clear(); }
  OutputChain(const OutputChain&) = delete;
  OutputChain& operator=(const OutputChain&) = delete;

  // At least `bytes` contiguous bytes to write to; Advance() makes them pending. Requires: bytes <=
  // kRoomMax.
  char* Room(size_t bytes) {
    if (static_cast<size_t>(limit_ - cursor_) < bytes) AddBlock();
    return cursor_;
  }
  void Advance(size_t bytes) {
    cursor_ += bytes;
    written_ += bytes;
  }
  void Append(std::string_view bytes) {
    if (static_cast<size_t>(limit_ - cursor_) >= bytes.size()) {
      std::memcpy(cursor_, bytes.data(), bytes.size());
      Advance(bytes.size());
    } else {
      AppendSlow(bytes);
    }
  }

  bool empty() const { return written_ == consumed_; }
  size_t bytes_pending() const { return written_ - consumed_; }
  // Position in the stream of all bytes ever written: held replies and marks are named by it.
  uint64_t written() const { return written_; }
  uint64_t consumed() const { return consumed_; }

  // Up to `max` pieces of the first `bytes_max` pending bytes. Returns how many were filled.
  size_t Gather(struct iovec* pieces, size_t max, size_t bytes_max = ~size_t{0}) const;
  // The first `bytes` have left. Blocks go back to the pool.
  void Consume(size_t bytes);
  // Takes back what was written after the position (CLIENT REPLY OFF, a failed slice). Requires:
  // mark >= consumed().
  void TruncateTo(uint64_t mark);
  void Clear();
  size_t blocks() const { return blocks_; }

 private:
  struct Block {
    Block* next;
    size_t begin;  // first byte not sent
    size_t end;    // first byte not written; of the last block the cursor says
  };
  static_assert(sizeof(Block) == BufferPool::kBlockBytes - kRoomMax);

  char* Data(Block* block) const { return reinterpret_cast<char*>(block) + sizeof(Block); }
  void AddBlock();
  void AppendSlow(std::string_view bytes);
  void Pop();

  char* cursor_ = nullptr;
  char* limit_ = nullptr;
  uint64_t written_ = 0;
  uint64_t consumed_ = 0;
  BufferPool* pool_;
  Block* first_ = nullptr;
  Block* last_ = nullptr;
  size_t blocks_ = 0;
};

}  // namespace verso::server
