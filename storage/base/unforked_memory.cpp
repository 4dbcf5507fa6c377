#include "storage/base/unforked_memory.h"

#include <sys/mman.h>

#include <new>

#include "storage/base/bytes.h"

namespace verso {
namespace {

class UnforkedPages final : public std::pmr::memory_resource {
 public:
  size_t bytes() const { return bytes_; }

 private:
  static constexpr size_t kStep = 4096;

  void* do_allocate(size_t bytes, size_t) override {
    const size_t rounded = AlignUp(bytes, kStep);
    void* at = mmap(nullptr, rounded, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (at == MAP_FAILED) throw std::bad_alloc();
    madvise(at, rounded, MADV_DONTFORK);
    bytes_ += rounded;
    return at;
  }
  void do_deallocate(void* at, size_t bytes, size_t) override {
    const size_t rounded = AlignUp(bytes, kStep);
    munmap(at, rounded);
    bytes_ -= rounded;
  }
  bool do_is_equal(const memory_resource& other) const noexcept override { return this == &other; }

  size_t bytes_ = 0;
};

UnforkedPages* Pages() {
  static auto* pages = new UnforkedPages;
  return pages;
}

}  // namespace

std::pmr::memory_resource* UnforkedMemory() {
  static auto* pool = new std::pmr::unsynchronized_pool_resource(
      std::pmr::pool_options{.max_blocks_per_chunk = 256, .largest_required_pool_block = 1 << 16},
      Pages());
  return pool;
}

size_t UnforkedBytes() { return Pages()->bytes(); }

}  // namespace verso
