#include "server/buffer_pool.h"

#include <sys/mman.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>

namespace verso::server {
namespace {

constexpr size_t kOsPageBytes = 4096;

[[noreturn]] void OutOfClientMemory(size_t bytes) {
  std::fprintf(stderr, "the kernel refuses %zu bytes for client buffers\n", bytes);
  std::abort();
}

char* MapShared(size_t bytes) {
  void* memory = mmap(nullptr, bytes, PROT_READ | PROT_WRITE,
                      MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (memory == MAP_FAILED) OutOfClientMemory(bytes);
  madvise(memory, bytes, MADV_DONTFORK);
  madvise(memory, bytes, MADV_DONTDUMP);
  return static_cast<char*>(memory);
}

// What the small-object pool takes its chunks from: each chunk is a mapping of its own.
class MappedMemory final : public std::pmr::memory_resource {
 public:
  size_t bytes() const { return bytes_; }

 private:
  static size_t Rounded(size_t bytes) {
    return (bytes + kOsPageBytes - 1) / kOsPageBytes * kOsPageBytes;
  }
  void* do_allocate(size_t bytes, size_t) override {
    void* const memory = MapShared(Rounded(bytes));
    bytes_ += Rounded(bytes);
    return memory;
  }
  void do_deallocate(void* memory, size_t bytes, size_t) override {
    munmap(memory, Rounded(bytes));
    bytes_ -= Rounded(bytes);
  }
  bool do_is_equal(const std::pmr::memory_resource& other) const noexcept override {
    return this == &other;
  }

  size_t bytes_ = 0;
};

MappedMemory* MappedClientMemory() {
  // Never destroyed: clients of static lifetime may still give memory back while the process ends.
  static auto* mapped = new MappedMemory;
  return mapped;
}

}  // namespace

BufferPool::~BufferPool() {
  for (char* chunk : chunks_) munmap(chunk, kChunkBytes);
}

void BufferPool::Grow() {
  char* chunk = MapShared(kChunkBytes);
  chunks_.push_back(chunk);
  // Handed out in address order.
  for (size_t at = kChunkBytes; at > 0; at -= kBlockBytes) Give(chunk + at - kBlockBytes);
}

void BufferPool::Trim(size_t keep_blocks) {
  constexpr size_t kBlocksPerChunk = kChunkBytes / kBlockBytes;
  if (free_count_ < keep_blocks + kBlocksPerChunk) return;
  std::sort(chunks_.begin(), chunks_.end());
  std::vector<size_t> free_of_chunk(chunks_.size());
  const auto chunk_of = [this](const void* block) {
    const auto above = std::upper_bound(chunks_.begin(), chunks_.end(), block,
                                        [](const void* a, const char* b) { return a < b; });
    return static_cast<size_t>(above - chunks_.begin()) - 1;
  };
  for (FreeBlock* block = free_; block != nullptr; block = block->next) {
    ++free_of_chunk[chunk_of(block)];
  }
  // Unmapping a chunk takes 0.1 ms.
  constexpr size_t kSpareMax = 8;
  size_t spare = std::min(kSpareMax, (free_count_ - keep_blocks) / kBlocksPerChunk);
  for (size_t& blocks : free_of_chunk) {
    const bool goes = blocks == kBlocksPerChunk && spare > 0;
    if (goes) --spare;
    blocks = goes ? 1 : 0;
  }
  FreeBlock** link = &free_;
  while (*link != nullptr) {
    if (free_of_chunk[chunk_of(*link)] != 0) {
      *link = (*link)->next;
      --free_count_;
    } else {
      link = &(*link)->next;
    }
  }
  size_t kept = 0;
  for (size_t i = 0; i < chunks_.size(); ++i) {
    if (free_of_chunk[i] != 0) {
      munmap(chunks_[i], kChunkBytes);
    } else {
      chunks_[kept++] = chunks_[i];
    }
  }
  chunks_.resize(kept);
}

char* PiecePool::Take() {
  if (free_ == nullptr) {
    ++mapped_;
    return MapShared(kPieceBytes);
  }
  FreePiece* const piece = free_;
  free_ = piece->next;
  --free_count_;
  return reinterpret_cast<char*>(piece);
}

void PiecePool::Give(char* piece) {
  auto* const freed = reinterpret_cast<FreePiece*>(piece);
  freed->next = free_;
  free_ = freed;
  ++free_count_;
}

bool PiecePool::Trim(size_t count) {
  for (; count > 0 && free_count_ > kKept; --count, --mapped_) munmap(Take(), kPieceBytes);
  return free_count_ > kKept;
}

bool LargeBuffer::Grow(size_t capacity) {
  capacity = (capacity + kOsPageBytes - 1) / kOsPageBytes * kOsPageBytes;
  if (capacity <= capacity_) return true;
  void* memory;
  if (data_ == nullptr) {
    // Private, because a shared anonymous mapping cannot grow beyond the object it began with.
    memory = mmap(nullptr, capacity, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) return false;
    madvise(memory, capacity, MADV_DONTFORK);
    madvise(memory, capacity, MADV_DONTDUMP);
  } else {
    memory = mremap(data_, capacity_, capacity, MREMAP_MAYMOVE);
    if (memory == MAP_FAILED) return false;
  }
  data_ = static_cast<char*>(memory);
  bytes_of_all_ += capacity - capacity_;
  capacity_ = capacity;
  return true;
}

void LargeBuffer::Reset() {
  if (data_ != nullptr) munmap(data_, capacity_);
  bytes_of_all_ -= capacity_;
  data_ = nullptr;
  capacity_ = 0;
}

std::pmr::memory_resource* ClientMemory() {
  static auto* pool = new std::pmr::unsynchronized_pool_resource(
      std::pmr::pool_options{.max_blocks_per_chunk = 1024, .largest_required_pool_block = 4096},
      MappedClientMemory());
  return pool;
}

PiecePool* ClientPieces() {
  static auto* pool = new PiecePool;
  return pool;
}

size_t ClientMemoryBytes() { return MappedClientMemory()->bytes() + ClientPieces()->bytes(); }

}  // namespace verso::server
