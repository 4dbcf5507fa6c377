#include "storage/memory/page_image.h"

#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "storage/base/check.h"
#include "storage/memory/page_kinds.h"

namespace verso::storage {

Result<std::unique_ptr<PageImage>> PageImage::Create(uint64_t slabs_max, const char* base) {
  std::unique_ptr<PageImage> image(new PageImage);
  const size_t slab_bytes = AlignUp(slabs_max * sizeof(Slab), 4096);
  const size_t words_max = slabs_max * WordsOf(0);  // the smallest runs are the most
  image->mapped_bytes_ = slab_bytes + AlignUp(words_max * sizeof(Word), 4096);
  const auto failed = [] {
    return Error{ErrorCode::kIo, std::string("table of pages: ") + std::strerror(errno)};
  };
  // Of a memfd only what is touched counts, whatever the kernel is told about overcommitting.
  const int fd = memfd_create("verso-image", MFD_CLOEXEC);
  if (fd < 0) return failed();
  if (ftruncate(fd, static_cast<off_t>(image->mapped_bytes_)) != 0) {
    const Error error = failed();
    close(fd);
    return error;
  }
  void* at = mmap(nullptr, image->mapped_bytes_, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE,
                  fd, 0);
  const Error error = failed();
  close(fd);
  if (at == MAP_FAILED) return error;
  madvise(at, image->mapped_bytes_, MADV_DONTDUMP);
  image->mapped_ = at;
  image->slabs_max_ = slabs_max;
  image->base_ = base;
  image->slabs_ = static_cast<Slab*>(at);
  image->words_ = reinterpret_cast<Word*>(static_cast<char*>(at) + slab_bytes);
  return image;
}

PageImage::~PageImage() {
  if (mapped_ != nullptr) munmap(mapped_, mapped_bytes_);
}

void PageImage::AddSlab(uint64_t slab, int size_class, const uint64_t* occupied) {
  VERSO_CHECK(slab < slabs_max_ && slabs_[slab].first_word == 0);
  slabs_[slab].first_word = words_used_ + 1;
  slabs_[slab].size_class = static_cast<uint8_t>(size_class);
  for (size_t i = 0; i < WordsOf(size_class); ++i) words_[words_used_++].occupied = occupied[i];
}

PageImage::Place PageImage::Find(Cell cell, size_t bytes) const {
  const uint64_t number = cell / kSlabCells;
  if (number >= slabs_max_) return {};
  const Slab& slab = slabs_[number];
  if (slab.first_word == 0) return {};
  if (bytes != 0 && ClassFor(bytes) != slab.size_class) return {};
  const size_t step = ClassBytes(slab.size_class) / kCellBytes;
  const size_t run = cell % kSlabCells / step;
  if (run * step != cell % kSlabCells || run >= ClassRuns(slab.size_class)) return {};
  return {&words_[slab.first_word - 1 + run / 64], uint64_t{1} << run % 64};
}

// A list outside of all versions (ref_list.h) has references without kind and birth.
bool PageImage::IsOurs(const Ref& ref) const {
  return ref.birth() <= epoch_ && (ref.birth() != 0 || ref.kind() != PageKind::kNone);
}

void PageImage::Await(const Ref& ref) {
  if (!IsOurs(ref)) return;
  const Place at = ref.size() == 0 ? Place{} : Find(ref.cell(), ref.size());
  if (at.word == nullptr || (at.word->occupied & at.bit) == 0) {
    source_->Damaged(ref, "a reference to it leads to no page of the save");
  }
  if ((at.word->judged & at.bit) != 0) return;
  if ((at.word->resident.load(std::memory_order_acquire) & at.bit) == 0) source_->Fetch(ref);
  if (!CheckPage(base_ + ref.cell() * kCellBytes, ref)) {
    source_->Damaged(ref, "not what its reference says");
  }
  at.word->judged |= at.bit;
}

void PageImage::Ask(const Ref& ref) {
  if (ref && !IsThere(ref)) source_->Ask(ref);
}

bool PageImage::IsThere(const Ref& ref) const {
  if (!IsOurs(ref) || ref.size() == 0) return true;
  const Place at = Find(ref.cell(), ref.size());
  if (at.word == nullptr || (at.word->occupied & at.bit) == 0) return true;
  return (at.word->resident.load(std::memory_order_acquire) & at.bit) != 0;
}

void PageImage::CheckMutable(const Ref& ref) const { VERSO_CHECK(!IsOurs(ref)); }  // G2

bool PageImage::IsResident(const Ref& ref) const {
  const Place at = Find(ref.cell(), ref.size());
  return at.word != nullptr && (at.word->resident.load(std::memory_order_acquire) & at.bit) != 0;
}

void PageImage::Free(Cell cell) {
  const Place at = Find(cell, 0);
  VERSO_CHECK(at.word != nullptr && (at.word->occupied & at.bit) != 0);
  at.word->occupied &= ~at.bit;
}

bool PageImage::IsOccupied(uint64_t slab, size_t run) const {
  return (words_[slabs_[slab].first_word - 1 + run / 64].occupied >> run % 64 & 1) != 0;
}

size_t PageImage::OccupiedRuns(uint64_t slab) const {
  size_t runs = 0;
  for (size_t i = 0; i < WordsOf(slabs_[slab].size_class); ++i) {
    runs +=
        static_cast<size_t>(__builtin_popcountll(words_[slabs_[slab].first_word - 1 + i].occupied));
  }
  return runs;
}

}  // namespace verso::storage
