#include "server/resp/output_chain.h"

#include <algorithm>

#include "storage/base/check.h"

namespace verso::server {

void OutputChain::AddBlock() {
  Block* block = reinterpret_cast<Block*>(pool_->Take());
  block->next = nullptr;
  block->begin = 0;
  block->end = 0;
  if (last_ == nullptr) {
    first_ = block;
  } else {
    last_->end = static_cast<size_t>(cursor_ - Data(last_));
    last_->next = block;
  }
  last_ = block;
  ++blocks_;
  cursor_ = Data(block);
  limit_ = cursor_ + kRoomMax;
}

void OutputChain::AppendSlow(std::string_view bytes) {
  while (!bytes.empty()) {
    if (cursor_ == limit_) AddBlock();
    const size_t piece = std::min(bytes.size(), static_cast<size_t>(limit_ - cursor_));
    std::memcpy(cursor_, bytes.data(), piece);
    Advance(piece);
    bytes.remove_prefix(piece);
  }
}

size_t OutputChain::Gather(struct iovec* pieces, size_t max, size_t bytes_max) const {
  size_t count = 0;
  for (Block* block = first_; block != nullptr && count < max && bytes_max > 0;
       block = block->next) {
    const size_t end = block == last_ ? static_cast<size_t>(cursor_ - Data(block)) : block->end;
    const size_t bytes = std::min(end - block->begin, bytes_max);
    if (bytes == 0) continue;
    pieces[count++] = {Data(block) + block->begin, bytes};
    bytes_max -= bytes;
  }
  return count;
}

void OutputChain::Pop() {
  Block* block = first_;
  first_ = block->next;
  if (first_ == nullptr) {
    last_ = nullptr;
    cursor_ = nullptr;
    limit_ = nullptr;
  }
  --blocks_;
  pool_->Give(reinterpret_cast<char*>(block));
}

void OutputChain::Consume(size_t bytes) {
  VERSO_CHECK(bytes <= bytes_pending());
  consumed_ += bytes;
  while (first_ != nullptr) {
    Block* block = first_;
    const size_t end = block == last_ ? static_cast<size_t>(cursor_ - Data(block)) : block->end;
    const size_t taken = std::min(bytes, end - block->begin);
    block->begin += taken;
    bytes -= taken;
    if (block->begin < end) return;
    // The last block goes back too: an idle connection holds no memory.
    Pop();
  }
}

void OutputChain::TruncateTo(uint64_t mark) {
  VERSO_CHECK(mark >= consumed_ && mark <= written_);
  uint64_t keep = mark - consumed_;
  written_ = mark;
  if (keep == 0) {
    Clear();
    return;
  }
  Block* block = first_;
  while (true) {
    const size_t end = block == last_ ? static_cast<size_t>(cursor_ - Data(block)) : block->end;
    const size_t bytes = end - block->begin;
    if (keep <= bytes) break;
    keep -= bytes;
    block = block->next;
  }
  Block* rest = block->next;
  block->next = nullptr;
  last_ = block;
  cursor_ = Data(block) + block->begin + keep;
  limit_ = Data(block) + kRoomMax;
  while (rest != nullptr) {
    Block* next = rest->next;
    --blocks_;
    pool_->Give(reinterpret_cast<char*>(rest));
    rest = next;
  }
}

void OutputChain::Clear() {
  while (first_ != nullptr) Pop();
  consumed_ = written_;
}

}  // namespace verso::server
