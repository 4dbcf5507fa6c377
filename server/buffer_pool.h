// BufferPool: the memory of everything that grows with clients: input buffers, output blocks,
// connection objects.
//
// Blocks of 16 KiB come from 1 MiB chunks of MAP_SHARED | MAP_ANONYMOUS memory that is
// MADV_DONTFORK too: a fork copies no page table for it and a child cannot touch it (DESIGN 1). The
// free list is last in, first out, so a turn works on the same warm blocks again and again; free
// chunks go back to the kernel from Trim(), which the cron calls.
//
// PiecePool: 256 KiB at a time for what one command collects, a sort of millions of elements. They
// are given back in O(1) and unmapped a few a turn, so that the end of such a command is as short
// as its slices.
//
// LargeBuffer: one growing argument above a block (a 512 MB SET). It grows by mremap: what has
// arrived is never copied.
//
// Who calls: the event loop's thread only.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory_resource>
#include <vector>

namespace verso::server {

class BufferPool {
 public:
  static constexpr size_t kBlockBytes = 16 * 1024;
  static constexpr size_t kChunkBytes = 1024 * 1024;

  BufferPool() = default;
  ~BufferPool();
  BufferPool(const BufferPool&) = delete;
  BufferPool& operator=(const BufferPool&) = delete;

  // Never null: memory that cannot be mapped ends the process with a message (the commit limit is
  // the machine's, not a client's).
  char* Take() {
    if (free_ == nullptr) Grow();
    FreeBlock* block = free_;
    free_ = block->next;
    --free_count_;
    return reinterpret_cast<char*>(block);
  }
  void Give(char* bytes) {
    FreeBlock* block = reinterpret_cast<FreeBlock*>(bytes);
    block->next = free_;
    free_ = block;
    ++free_count_;
  }

  // Gives some whole free chunks back, keeping `keep_blocks` free blocks at hand.
  void Trim(size_t keep_blocks);

  size_t bytes_mapped() const { return chunks_.size() * kChunkBytes; }
  size_t bytes_used() const { return bytes_mapped() - free_count_ * kBlockBytes; }

 private:
  struct FreeBlock {
    FreeBlock* next;
  };

  void Grow();

  FreeBlock* free_ = nullptr;
  size_t free_count_ = 0;
  std::vector<char*> chunks_;
};

class PiecePool {
 public:
  static constexpr size_t kPieceBytes = 256 * 1024;

  // Never null, like BufferPool::Take.
  char* Take();
  void Give(char* piece);
  // Unmaps at most `count` of the free ones, but for a few that stay at hand. True: there are more.
  bool Trim(size_t count);
  size_t bytes() const { return mapped_ * kPieceBytes; }

 private:
  static constexpr size_t kKept = 4;
  struct FreePiece {
    FreePiece* next;
  };

  FreePiece* free_ = nullptr;
  size_t free_count_ = 0;
  size_t mapped_ = 0;
};

// Bytes that grow in place as far as the kernel lets them.
class LargeBuffer {
 public:
  LargeBuffer() = default;
  ~LargeBuffer() { Reset(); }
  LargeBuffer(const LargeBuffer&) = delete;
  LargeBuffer& operator=(const LargeBuffer&) = delete;

  char* data() { return data_; }
  size_t capacity() const { return capacity_; }
  // False: the kernel gives no more; what is there stays.
  bool Grow(size_t capacity);
  void Reset();

  static size_t bytes_of_all() { return bytes_of_all_; }

 private:
  char* data_ = nullptr;
  size_t capacity_ = 0;
  static inline size_t bytes_of_all_ = 0;
};

// Where small objects that come and go with clients live: std::pmr over DONTFORK mappings. One per
// process.
std::pmr::memory_resource* ClientMemory();
// For what a command collects. One per process.
PiecePool* ClientPieces();
// What both have taken from the kernel.
size_t ClientMemoryBytes();

}  // namespace verso::server
