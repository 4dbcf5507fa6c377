// What was appended to the log and is not written yet: a stream of bytes in linked chunks, from the
// loop's thread to the flusher, copied once and without a lock.
//
//    oldest_                                     newest_
//   +---------+ next  +---------+ next  +------------------+
//   | written |------>| written |------>| published | new   |
//   +---------+       +----^----+       +-----------^-------+
//        freed by the      | flusher's cursor       | `used` as of the last Publish()
//        loop when the cursor is beyond it
//
// Only the loop allocates and frees; a chunk is freed when the flusher's cursor has gone *beyond*
// its end, for at its end the flusher still needs `next`. Hand-overs (HandoverRing) say how far the
// flusher may read; everything before is published by the ring's release.
#pragma once

#include <array>
#include <atomic>
#include <memory_resource>

#include "storage/base/bytes.h"
#include "storage/base/check.h"

namespace verso::persistence {

struct LogChunk {
  std::atomic<LogChunk*> next{nullptr};
  std::atomic<uint64_t> used{0};
  uint64_t capacity = 0;
  uint64_t end = 0;  // place in the stream; loop's, once there is a next one

  char* bytes() { return reinterpret_cast<char*>(this + 1); }
};

class LogBuffer {
 public:
  static constexpr size_t kChunkBytes = size_t{256} << 10;
  static constexpr size_t kChunkBytesMax = size_t{16} << 20;
  static constexpr size_t kSparesMax = 2;

  // May throw std::bad_alloc, like everything here that appends.
  explicit LogBuffer(std::pmr::memory_resource* memory) : memory_(memory) {
    oldest_ = newest_ = Allocate(kChunkBytes);
  }
  ~LogBuffer() {
    while (oldest_ != nullptr) {
      LogChunk* next = oldest_->next.load(std::memory_order_relaxed);
      Free(oldest_);
      oldest_ = next;
    }
    for (size_t i = 0; i < spares_; ++i) Free(spare_[i]);
  }
  LogBuffer(const LogBuffer&) = delete;
  LogBuffer& operator=(const LogBuffer&) = delete;

  uint64_t bytes() const { return bytes_; }
  uint64_t memory_bytes() const { return memory_bytes_; }
  LogChunk* first() { return oldest_; }

  // Room for `count` bytes in one piece, which belong to the stream from now on.
  char* Reserve(size_t count) {
    if (newest_->capacity - used_ < count) NextChunk(count);
    char* at = newest_->bytes() + used_;
    used_ += count;
    bytes_ += count;
    return at;
  }

  // At least one byte of room, at most `wanted`; *granted says how many.
  char* ReserveSome(size_t wanted, size_t* granted) {
    if (newest_->capacity == used_) NextChunk(wanted);
    *granted = std::min<size_t>(wanted, newest_->capacity - used_);
    return Reserve(*granted);
  }

  // Of what the last Reserve gave, so many bytes at its end are not used.
  void GiveBack(size_t count) {
    used_ -= count;
    bytes_ -= count;
  }

  // Before every hand-over.
  void Publish() { newest_->used.store(used_, std::memory_order_relaxed); }

  // `consumed`: the flusher's cursor in the stream.
  void FreeThrough(uint64_t consumed) {
    while (oldest_ != newest_ && consumed > oldest_->end) {
      LogChunk* next = oldest_->next.load(std::memory_order_relaxed);
      if (oldest_->capacity == kChunkBytes && spares_ < kSparesMax) {
        spare_[spares_++] = oldest_;
      } else {
        Free(oldest_);
      }
      oldest_ = next;
    }
  }

 private:
  LogChunk* Allocate(size_t capacity) {
    void* at = memory_->allocate(sizeof(LogChunk) + capacity, alignof(LogChunk));
    memory_bytes_ += sizeof(LogChunk) + capacity;
    auto* chunk = new (at) LogChunk;
    chunk->capacity = capacity;
    return chunk;
  }
  void Free(LogChunk* chunk) {
    const size_t bytes = sizeof(LogChunk) + chunk->capacity;
    chunk->~LogChunk();
    memory_->deallocate(chunk, bytes, alignof(LogChunk));
    memory_bytes_ -= bytes;
  }

  void NextChunk(size_t wanted) {
    LogChunk* chunk = nullptr;
    if (wanted <= kChunkBytes && spares_ > 0) {
      chunk = spare_[--spares_];
      chunk->next.store(nullptr, std::memory_order_relaxed);
      chunk->used.store(0, std::memory_order_relaxed);
    } else {
      // Large arguments get large chunks: fewer pieces to write.
      chunk = Allocate(std::max(kChunkBytes, std::min(AlignUp(wanted, 4096), kChunkBytesMax)));
    }
    VERSO_CHECK(chunk->capacity > 0);
    newest_->end = bytes_;
    newest_->used.store(used_, std::memory_order_relaxed);
    newest_->next.store(chunk, std::memory_order_release);
    newest_ = chunk;
    used_ = 0;
  }

  std::pmr::memory_resource* memory_;
  LogChunk* oldest_ = nullptr;
  LogChunk* newest_ = nullptr;
  uint64_t used_ = 0;   // of newest_
  uint64_t bytes_ = 0;  // of the stream
  uint64_t memory_bytes_ = 0;
  std::array<LogChunk*, kSparesMax> spare_{};
  size_t spares_ = 0;
};

// "The stream up to bytes_end is yours; its last record is sequence_end."
struct Handover {
  uint64_t bytes_end = 0;
  uint64_t sequence_end = 0;
  bool new_segment = false;  // it begins the next segment; may be empty then
};

// One writer (the loop), one reader (the flusher).
class HandoverRing {
 public:
  bool Push(const Handover& handover) {
    const uint64_t head = head_.load(std::memory_order_relaxed);
    if (head - tail_.load(std::memory_order_acquire) == slots_.size()) return false;
    slots_[head % slots_.size()] = handover;
    head_.store(head + 1, std::memory_order_release);
    return true;
  }
  const Handover* Front() const {
    const uint64_t tail = tail_.load(std::memory_order_relaxed);
    if (tail == head_.load(std::memory_order_acquire)) return nullptr;
    return &slots_[tail % slots_.size()];
  }
  void Pop() { tail_.store(tail_.load(std::memory_order_relaxed) + 1, std::memory_order_release); }

 private:
  std::array<Handover, 256> slots_;
  std::atomic<uint64_t> head_{0};
  std::atomic<uint64_t> tail_{0};
};

}  // namespace verso::persistence
