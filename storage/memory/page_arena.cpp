#include "storage/memory/page_arena.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstring>

#include "storage/base/check.h"

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_READ 22
#define MADV_POPULATE_WRITE 23
#endif

namespace verso::storage {

// One per 64 KiB of address space, in the side memfd. Zero is a slab never used.
struct PageArena::Slab {
  uint32_t next;
  uint32_t prev;       // 0: first of its list
  uint16_t free_head;  // index + 1 of the first free run below `bump`; 0: none
  uint16_t free_runs;  // on the list and above bump
  uint16_t bump;       // runs at or above it were never handed out since the slab was taken
  uint8_t pool;        // size class, plus kSizeClasses for values
  uint8_t list;        // SlabList
  uint8_t used;
  uint8_t sealed;  // its free runs are those that the image does not call occupied
  uint8_t padding[14];
};

// Pieces promised to the next calls of Grow, in their order, for a child to back them before. A
// ring: indices only grow. Whoever is faster with a piece, its work is not wasted: backing twice is
// harmless, and the parent never waits.
struct PageArena::Ahead {
  static constexpr uint32_t kPieces = 1024;
  std::atomic<uint32_t> promised;         // by the parent
  std::atomic<uint32_t> taken;            // by the parent
  std::atomic<uint32_t> backed;           // by the child
  std::atomic<uint64_t> pieces[kPieces];  // first slab << 16 | slabs

  bool empty() const {
    return taken.load(std::memory_order_relaxed) == promised.load(std::memory_order_relaxed);
  }
  bool FirstIsBacked() const {
    return static_cast<int32_t>(backed.load(std::memory_order_acquire) -
                                taken.load(std::memory_order_relaxed)) > 0;
  }
};

namespace {

constexpr size_t kAheadSlabs = 512;  // 32 MiB: 0.1 s of copies at full speed
constexpr size_t kHugeBytes = size_t{2} << 20;
constexpr size_t kGrowSlabs = 2;  // a piece of growth: 128 KiB, about 0.1 ms
constexpr size_t kGrowSlabsHuge = kHugeBytes / kSlabBytes;  // in arena-dir: one huge page

Error OsError(const char* what) {
  return Error{errno == ENOSPC ? ErrorCode::kNoSpace : ErrorCode::kIo,
               std::string(what) + ": " + std::strerror(errno)};
}

// offset / ClassBytes(c) without a division: exact for all offsets below 64 KiB.
struct Reciprocals {
  uint32_t by_class[kSizeClasses];
  constexpr Reciprocals() : by_class{} {
    for (int c = 0; c < kSizeClasses; ++c) {
      const auto cells = static_cast<uint32_t>(ClassBytes(c) / kCellBytes);
      by_class[c] = (uint32_t{1} << 24) / cells + 1;
    }
  }
};
constexpr Reciprocals kReciprocals;

inline uint32_t RunIndex(Cell cell, int c) {
  const auto offset_cells = static_cast<uint64_t>(cell % kSlabCells);
  return static_cast<uint32_t>(offset_cells * kReciprocals.by_class[c] >> 24);
}

constexpr bool ReciprocalsExact() {
  for (int c = 0; c < kSizeClasses; ++c) {
    for (uint32_t i = 0; i < ClassRuns(c); ++i) {
      const uint64_t cells = i * (ClassBytes(c) / kCellBytes);
      if ((cells * kReciprocals.by_class[c] >> 24) != i) return false;
    }
  }
  return true;
}
static_assert(ReciprocalsExact());

}  // namespace

Result<std::unique_ptr<PageArena>> PageArena::Create(const ArenaOptions& options) {
  std::unique_ptr<PageArena> arena(new PageArena);
  VERSO_TRY_STATUS(arena->Map(options));
  return arena;
}

PageArena::~PageArena() {
  if (reserved_ != nullptr) munmap(reserved_, reserved_bytes_);
  if (side_base_ != nullptr) munmap(side_base_, side_bytes_);
  if (ahead_ != nullptr) munmap(ahead_, sizeof(Ahead));
  if (fd_ >= 0) close(fd_);
  if (side_fd_ >= 0) close(side_fd_);
}

Status PageArena::Map(const ArenaOptions& options) {
  static_assert(sizeof(Slab) == 32);
  size_t bytes = AlignUp(options.bytes_max, kHugeBytes);
#ifdef __SANITIZE_THREAD__
  // Of the address space it leaves 1.5 TiB to programs, in pieces.
  bytes = std::min(bytes, size_t{64} << 30);
#endif
  slabs_max_ = bytes / kSlabBytes;
  reserve_slabs_ = options.reserve_bytes / kSlabBytes;
  reserve_slabs_pinned_ = options.reserve_bytes_pinned / kSlabBytes;
  in_directory_ = !options.directory.empty();

  if (in_directory_) {
    fd_ = open(options.directory.c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    if (fd_ < 0) return OsError(("arena-dir " + options.directory).c_str());
  } else {
    fd_ = memfd_create("verso-arena", MFD_CLOEXEC);
    if (fd_ < 0) return OsError("memfd_create");
  }
  if (ftruncate(fd_, static_cast<off_t>(bytes)) != 0) return OsError("arena: ftruncate");

  // mmap does not align a memfd to 2 MiB, so reserve more and map inside.
  reserved_bytes_ = bytes + kHugeBytes;
  void* reserved =
      mmap(nullptr, reserved_bytes_, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (reserved == MAP_FAILED) return OsError("arena: reserving address space");
  reserved_ = reserved;
  char* aligned =
      reinterpret_cast<char*>(AlignUp(reinterpret_cast<uintptr_t>(reserved), kHugeBytes));
  void* at =
      mmap(aligned, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED | MAP_NORESERVE, fd_, 0);
  if (at == MAP_FAILED) return OsError("arena: mmap");
  base_ = static_cast<char*>(at);
  madvise(base_, bytes, MADV_DONTDUMP);
  madvise(base_, bytes, MADV_HUGEPAGE);

  const size_t table_bytes = AlignUp(slabs_max_ * sizeof(Slab), 4096);
  side_bytes_ = table_bytes + bytes / kBytesPerClock * sizeof(uint16_t);
  side_fd_ = memfd_create("verso-tables", MFD_CLOEXEC);
  if (side_fd_ < 0) return OsError("memfd_create");
  if (ftruncate(side_fd_, static_cast<off_t>(side_bytes_)) != 0)
    return OsError("arena tables: ftruncate");
  void* side =
      mmap(nullptr, side_bytes_, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, side_fd_, 0);
  if (side == MAP_FAILED) return OsError("arena tables: mmap");
  side_base_ = side;
  madvise(side_base_, side_bytes_, MADV_DONTDUMP);
  slabs_ = static_cast<Slab*>(side);
  clocks_ = reinterpret_cast<uint16_t*>(static_cast<char*>(side) + table_bytes);
  void* ahead =
      mmap(nullptr, sizeof(Ahead), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (ahead == MAP_FAILED) return OsError("arena: mmap");
  ahead_ = static_cast<Ahead*>(ahead);
  return {};
}

// ---- runs

Cell PageArena::Allocate(size_t bytes, bool value) {
  const int c = ClassFor(bytes);
  Pool& state = pools_[value ? c + kSizeClasses : c];
  if (state.current == 0) PickSlab(value ? c + kSizeClasses : c);
  const uint64_t index = state.current;
  Slab& slab = slabs_[index];
  uint32_t run;
  if (slab.free_head != 0) {
    run = slab.free_head - 1u;
    slab.free_head = LoadLe<uint16_t>(base_ + index * kSlabBytes + run * ClassBytes(c));
  } else {
    run = slab.bump++;
  }
  VERSO_DCHECK(run < ClassRuns(c));
  --slab.free_runs;
  --state.free_runs;
  if (slab.free_runs == 0) state.current = 0;
  bytes_allocated_ += ClassBytes(c);
  return index * kSlabCells + run * (ClassBytes(c) / kCellBytes);
}

void PageArena::Free(Cell cell, size_t bytes) {
  const int c = ClassFor(bytes);
  const uint64_t index = cell / kSlabCells;
  Slab& slab = slabs_[index];
  VERSO_CHECK(slab.used != 0 && slab.pool % kSizeClasses == c);  // A2
  Pool& state = pools_[slab.pool];
  if (slab.sealed != 0) {  // G1
    image_->Free(cell);
    ++slab.free_runs;
    ++state.free_runs;
    bytes_allocated_ -= ClassBytes(c);
    return;
  }
  const uint32_t run = RunIndex(cell, c);
  StoreLe<uint16_t>(base_ + cell * kCellBytes, slab.free_head);
  slab.free_head = static_cast<uint16_t>(run + 1);
  ++slab.free_runs;
  ++state.free_runs;
  bytes_allocated_ -= ClassBytes(c);
  const size_t runs = ClassRuns(c);
  VERSO_CHECK(slab.free_runs <= runs);
  if (slab.free_runs == runs) {
    ReleaseSlab(index);
  } else if (index != state.current) {
    if (slab.list == kListNone) {
      ListPush(slab.free_runs * 2 >= runs ? kListMostlyFree : kListMostlyFull, index);
    } else if (slab.list == kListMostlyFull && slab.free_runs * 2 >= runs) {
      ListRemove(index);
      ListPush(kListMostlyFree, index);
    }
  }
}

void PageArena::PrefetchFree(Cell cell) const {
  __builtin_prefetch(slabs_ + cell / kSlabCells, 1);
  __builtin_prefetch(base_ + cell * kCellBytes, 1);
}

// Whole slabs are the better place for copies (contiguous, already touched), but holes must not
// pile up: while copies are expected, slabs that are mostly free come first, and any hole once they
// exceed an eighth of the pool; otherwise holes always come first.
void PageArena::PickSlab(int pool) {
  const int c = pool % kSizeClasses;
  Pool& state = pools_[pool];
  const bool any_hole = !copying_ || state.free_runs * 8 > state.used_slabs * ClassRuns(c);
  uint32_t index = state.mostly_free;
  if (index == 0 && any_hole) index = state.mostly_full;
  if (index == 0 && ready_ == 0 && !Grow()) index = state.mostly_full;
  if (index != 0) {
    ListRemove(index);
  } else {
    VERSO_CHECK(ready_ != 0);  // A3: the caller has reserved
    index = ready_;
    ListRemove(index);
    --ready_slabs_;
    Slab& slab = slabs_[index];
    slab.free_head = 0;
    slab.bump = 0;
    slab.free_runs = static_cast<uint16_t>(ClassRuns(c));
    slab.pool = static_cast<uint8_t>(pool);
    slab.used = 1;
    ++state.used_slabs;
    ++used_slabs_;
    state.free_runs += ClassRuns(c);
  }
  state.current = index;
}

void PageArena::ReleaseSlab(uint64_t index) {
  Slab& slab = slabs_[index];
  Pool& state = pools_[slab.pool];
  if (state.current == index) state.current = 0;
  if (slab.list != kListNone) ListRemove(index);
  state.free_runs -= slab.free_runs;
  --state.used_slabs;
  --used_slabs_;
  slab.used = 0;
  ListPush(kListReady, index);
  ++ready_slabs_;
}

// ---- growing and giving back

bool PageArena::ReserveSlow(size_t bytes) {
  const size_t wanted = SlabsFor(bytes);
  // The worst case of a command on thousands of elements is megabytes, of which mostly little is
  // used: the kernel gives the memory now, and clears each page when it is touched. Touching all of
  // it here would take 2 ms a megabyte.
  constexpr size_t kTouchedAtOnce = 16;
  while (ready_slabs_ + kTouchedAtOnce < wanted && ahead_->empty() && !in_directory_) {
    const bool hole = holes_ != 0;
    const uint64_t first = hole ? holes_ : slabs_end_;
    const size_t count = hole ? 1 : std::min(kTouchedAtOnce, slabs_max_ - slabs_end_);
    if (count == 0 || fallocate(fd_, 0, static_cast<off_t>(first * kSlabBytes),
                                static_cast<off_t>(count * kSlabBytes)) != 0) {
      break;
    }
    if (hole) {
      ListRemove(first);
    } else {
      slabs_end_ += count;
    }
    for (size_t i = count; i-- > 0;) ListPush(kListReady, first + i);
    ready_slabs_ += count;
    slabs_grown_ += count;
  }
  while (ready_slabs_ < wanted) {
    if (!Grow()) return false;
  }
  return true;
}

bool PageArena::Tick(bool pinned, bool saving) {
  if (saving) {
    PromiseAhead();
  } else if (SettleAhead()) {
    return true;
  }
  const size_t wanted = (pinned ? reserve_slabs_pinned_ : reserve_slabs_) + SlabsFor(0);
  if (image_ != nullptr && pending_ == nullptr && image_end_ != 0 && ready_slabs_ >= wanted / 2) {
    constexpr size_t kUnsealedAtOnce = 4;
    if (Unseal(kUnsealedAtOnce)) return true;
  }
  if (ready_slabs_ >= wanted) return false;
  const bool child_is_at_it = saving && !ahead_->empty() && !ahead_->FirstIsBacked();
  if (child_is_at_it && ready_slabs_ >= wanted / 2) return false;
  return Grow() && ready_slabs_ < wanted;
}

// ---- growing with a child's help

// Promises pieces until the child has enough to do. In arena-dir huge pages come through the
// parent's own mapping (Back).
void PageArena::PromiseAhead() {
  uint32_t promised = ahead_->promised.load(std::memory_order_relaxed);
  const uint32_t taken = ahead_->taken.load(std::memory_order_relaxed);
  while (!in_directory_ && ahead_slabs_ < kAheadSlabs && promised - taken < Ahead::kPieces) {
    uint64_t first = holes_;
    size_t count = 1;
    if (first != 0) {
      ListRemove(first);
    } else {
      first = slabs_end_;
      count = std::min<size_t>(kGrowSlabs, slabs_max_ - slabs_end_);
      if (count == 0) break;
      slabs_end_ += count;
    }
    ahead_->pieces[promised % Ahead::kPieces].store(first << 16 | count, std::memory_order_relaxed);
    ahead_->promised.store(++promised, std::memory_order_release);
    ahead_slabs_ += count;
  }
}

bool PageArena::BackAhead() const {
  const uint32_t taken = ahead_->taken.load(std::memory_order_relaxed);
  uint32_t next = ahead_->backed.load(std::memory_order_relaxed);
  if (static_cast<int32_t>(taken - next) > 0) next = taken;
  if (next == ahead_->promised.load(std::memory_order_acquire)) return false;
  const uint64_t piece = ahead_->pieces[next % Ahead::kPieces].load(std::memory_order_relaxed);
  const size_t offset = (piece >> 16) * kSlabBytes;
  const size_t bytes = (piece & 0xffff) * kSlabBytes;
  if (fallocate(fd_, 0, static_cast<off_t>(offset), static_cast<off_t>(bytes)) != 0) return false;
  // Reading is enough to have it cleared, and all that this process may do.
  madvise(base_ + offset, bytes, MADV_POPULATE_READ);
  ahead_->backed.store(next + 1, std::memory_order_release);
  return true;
}

// Takes the first promised piece, whether the child has been there or not.
bool PageArena::GrowAhead() {
  const uint32_t taken = ahead_->taken.load(std::memory_order_relaxed);
  const uint64_t piece = ahead_->pieces[taken % Ahead::kPieces].load(std::memory_order_relaxed);
  const uint64_t first = piece >> 16;
  const size_t count = piece & 0xffff;
  if (ahead_->FirstIsBacked()) {
    MapBacked(first, count);
  } else if (!Back(first, count)) {
    return false;
  }
  ahead_->taken.store(taken + 1, std::memory_order_relaxed);
  for (size_t i = count; i-- > 0;) ListPush(kListReady, first + i);
  ahead_slabs_ -= count;
  ready_slabs_ += count;
  slabs_grown_ += count;
  return true;
}

// After a save: what the child has backed is ready, the rest goes back to the holes. False: nothing
// was left.
bool PageArena::SettleAhead() {
  if (ahead_->empty()) return false;
  if (ahead_->FirstIsBacked() && GrowAhead()) return true;
  const uint32_t taken = ahead_->taken.load(std::memory_order_relaxed);
  const uint64_t piece = ahead_->pieces[taken % Ahead::kPieces].load(std::memory_order_relaxed);
  ahead_->taken.store(taken + 1, std::memory_order_relaxed);
  const uint64_t first = piece >> 16;
  const size_t count = piece & 0xffff;
  // A child that was killed may have begun with it.
  fallocate(fd_, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, static_cast<off_t>(first * kSlabBytes),
            static_cast<off_t>(count * kSlabBytes));
  for (size_t i = count; i-- > 0;) ListPush(kListHoles, first + i);
  ahead_slabs_ -= count;
  return true;
}

// Maps what the kernel has given; on an old kernel the first touch does. Populating for reading
// maps it for writing as well (a memfd has no pages to write back, so its mappings are never
// write-protected), and 16 cleared pages at a time.
void PageArena::MapBacked(uint64_t first, size_t count) {
  madvise(base_ + first * kSlabBytes, count * kSlabBytes, MADV_POPULATE_READ);
}

// Makes the kernel give the memory, so that touching it cannot fail (A1).
bool PageArena::Back(uint64_t first, size_t count) {
  char* at = base_ + first * kSlabBytes;
  const size_t bytes = count * kSlabBytes;
  // In arena-dir populating comes first: fallocate has no mapping to read the huge page advice
  // from, and would take small pages.
  if (in_directory_ && madvise(at, bytes, MADV_POPULATE_WRITE) == 0) return true;
  if (in_directory_ && errno != EINVAL) return false;
  if (fallocate(fd_, 0, static_cast<off_t>(first * kSlabBytes), static_cast<off_t>(bytes)) != 0)
    return false;
  MapBacked(first, count);
  return true;
}

bool PageArena::Grow() {
  if (!ahead_->empty()) return GrowAhead();
  if (holes_ != 0) {
    const uint32_t index = holes_;
    if (!Back(index, 1)) return false;
    ListRemove(index);
    ListPush(kListReady, index);
    ++ready_slabs_;
    ++slabs_grown_;
    return true;
  }
  size_t count = kGrowSlabs;
  if (in_directory_) count = kGrowSlabsHuge - slabs_end_ % kGrowSlabsHuge;
  if (slabs_end_ + count > slabs_max_) count = slabs_max_ - slabs_end_;
  if (count == 0) return false;
  if (!Back(slabs_end_, count)) {
    if (count == 1 || !Back(slabs_end_, 1)) return false;
    count = 1;
  }
  // Pushed in descending order: the list is taken from its front, so memory is used upwards.
  for (size_t i = count; i-- > 0;) ListPush(kListReady, slabs_end_ + i);
  slabs_end_ += count;
  ready_slabs_ += count;
  slabs_grown_ += count;
  return true;
}

size_t PageArena::Trim(size_t slabs, bool pinned) {
  // A little more than the reserve, so that growing and giving back do not take turns.
  const size_t keep = (pinned ? reserve_slabs_pinned_ : reserve_slabs_ * 3 / 2) + SlabsFor(0);
  size_t trimmed = 0;
  while (trimmed < slabs && ready_slabs_ > keep) {
    const uint32_t index = ready_;
    if (fallocate(fd_, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
                  static_cast<off_t>(index * kSlabBytes), static_cast<off_t>(kSlabBytes)) != 0) {
      break;
    }
    ListRemove(index);
    ListPush(kListHoles, index);
    --ready_slabs_;
    ++slabs_trimmed_;
    ++trimmed;
  }
  return trimmed;
}

// ---- lists of slabs

uint32_t* PageArena::ListHead(SlabList list, int pool) {
  switch (list) {
    case kListReady:
      return &ready_;
    case kListHoles:
      return &holes_;
    case kListMostlyFull:
      return &pools_[pool].mostly_full;
    case kListMostlyFree:
      return &pools_[pool].mostly_free;
    case kListNone:
      break;
  }
  VERSO_CHECK(false);
}

void PageArena::ListPush(SlabList list, uint64_t index) {
  Slab& slab = slabs_[index];
  uint32_t* head = ListHead(list, slab.pool);
  slab.list = list;
  slab.prev = 0;
  slab.next = *head;
  if (*head != 0) slabs_[*head].prev = static_cast<uint32_t>(index);
  *head = static_cast<uint32_t>(index);
}

void PageArena::ListRemove(uint64_t index) {
  Slab& slab = slabs_[index];
  if (slab.prev != 0) {
    slabs_[slab.prev].next = slab.next;
  } else {
    *ListHead(static_cast<SlabList>(slab.list), slab.pool) = slab.next;
  }
  if (slab.next != 0) slabs_[slab.next].prev = slab.prev;
  slab.list = kListNone;
}

// ---- restart

Status PageArena::Restore(const SlabImage& image) {
  const auto bad = [&image](const char* what) {
    return Error{ErrorCode::kCorruption,
                 "space map, slab " + std::to_string(image.slab) + ": " + what};
  };
  if (image.slab == 0 || image.slab >= slabs_max_) return bad("out of range");
  if (image.size_class < 0 || image.size_class >= kSizeClasses) return bad("unknown size class");
  Slab& slab = slabs_[image.slab];
  if (slab.used != 0) return bad("named twice");
  if (slab.list != kListNone) {
    if (slab.list == kListReady) --ready_slabs_;
    ListRemove(image.slab);
  }
  const int c = image.size_class;
  const auto runs = static_cast<uint32_t>(ClassRuns(c));
  uint32_t occupied = 0;
  for (uint32_t i = 0; i < runs; ++i) occupied += image.occupied[i / 64] >> (i % 64) & 1;
  if (occupied == 0) return bad("empty");
  slab = Slab{};
  slab.used = 1;
  // Which pool it was in is not stored: only its holes may mix.
  slab.pool = static_cast<uint8_t>(c);
  slab.free_runs = static_cast<uint16_t>(runs - occupied);
  slab.bump = static_cast<uint16_t>(runs);
  if (image_ != nullptr) {
    slab.sealed = 1;
    image_->AddSlab(image.slab, c, image.occupied);
  } else if (occupied < runs) {
    if (fallocate(fd_, 0, static_cast<off_t>(image.slab * kSlabBytes), kSlabBytes) != 0)
      return OsError("arena");
    for (uint32_t i = runs; i-- > 0;) {
      if (image.occupied[i / 64] >> (i % 64) & 1) continue;
      StoreLe<uint16_t>(base_ + image.slab * kSlabBytes + i * ClassBytes(c), slab.free_head);
      slab.free_head = static_cast<uint16_t>(i + 1);
    }
    ListPush(slab.free_runs * 2u >= runs ? kListMostlyFree : kListMostlyFull, image.slab);
  }
  pools_[c].free_runs += slab.free_runs;
  ++pools_[c].used_slabs;
  ++used_slabs_;
  bytes_allocated_ += occupied * ClassBytes(c);
  if (image.slab >= slabs_end_) {
    for (uint64_t gap = slabs_end_; gap < image.slab; ++gap) {
      if (slabs_[gap].used == 0 && slabs_[gap].list == kListNone) ListPush(kListHoles, gap);
    }
    slabs_end_ = image.slab + 1;
  }
  return {};
}

// ---- restart on demand

Status PageArena::BeginImage() {
  VERSO_CHECK(image_ == nullptr && bytes_allocated_ == 0);
  VERSO_TRY(image_, PageImage::Create(slabs_max_, base_));
  return {};
}

void PageArena::ServeImage(Epoch epoch, PageSource* source) {
  image_->Serve(epoch, source);
  image_end_ = slabs_end_;
  unsealed_ = 1;
  pending_ = image_.get();
}

bool PageArena::Unseal(size_t slabs) {
  VERSO_CHECK(pending_ == nullptr);
  if (image_ == nullptr) return false;
  constexpr size_t kLookedAt = 4096;  // full ones cost next to nothing
  for (size_t looked = 0; unsealed_ < image_end_; ++looked, ++unsealed_) {
    Slab& slab = slabs_[unsealed_];
    if (slab.sealed == 0) continue;
    if (slab.free_runs == 0) {
      slab.sealed = 0;
      continue;
    }
    if (slabs == 0 || looked >= kLookedAt) return true;
    if (!UnsealSlab(unsealed_)) return false;  // no memory now: a later call tries again
    --slabs;
  }
  image_.reset();
  return false;
}

// The loader has backed what holds pages of the image, and nothing else.
bool PageArena::UnsealSlab(uint64_t index) {
  Slab& slab = slabs_[index];
  const int c = slab.pool % kSizeClasses;
  if (fallocate(fd_, 0, static_cast<off_t>(index * kSlabBytes), kSlabBytes) != 0) return false;
  const size_t runs = ClassRuns(c);
  VERSO_CHECK(image_->OccupiedRuns(index) + slab.free_runs == runs);
  slab.sealed = 0;
  if (slab.free_runs == runs) {
    ReleaseSlab(index);
    return true;
  }
  for (size_t i = runs; i-- > 0;) {
    if (image_->IsOccupied(index, i)) continue;
    StoreLe<uint16_t>(base_ + index * kSlabBytes + i * ClassBytes(c), slab.free_head);
    slab.free_head = static_cast<uint16_t>(i + 1);
  }
  ListPush(slab.free_runs * 2u >= runs ? kListMostlyFree : kListMostlyFull, index);
  return true;
}

// ---- figures and checks

ArenaStats PageArena::stats() const {
  ArenaStats stats;
  stats.bytes_allocated = bytes_allocated_;
  stats.bytes_used_slabs = used_slabs_ * kSlabBytes;
  stats.bytes_ready = ready_slabs_ * kSlabBytes;
  stats.bytes_backed = stats.bytes_used_slabs + stats.bytes_ready;
  const uint32_t backed = ahead_->backed.load(std::memory_order_relaxed);
  for (uint32_t i = ahead_->taken.load(std::memory_order_relaxed);
       static_cast<int32_t>(backed - i) > 0; ++i) {
    stats.bytes_backed += (ahead_->pieces[i % Ahead::kPieces] & 0xffff) * kSlabBytes;
  }
  stats.slabs_grown = slabs_grown_;
  stats.slabs_trimmed = slabs_trimmed_;
  return stats;
}

std::vector<bool> PageArena::AllocatedRuns() const {
  std::vector<bool> runs(slabs_end_ * kSlabCells);
  for (uint64_t index = 1; index < slabs_end_; ++index) {
    const Slab& slab = slabs_[index];
    if (slab.used == 0) continue;
    const size_t step = ClassBytes(slab.pool % kSizeClasses) / kCellBytes;
    for (size_t i = 0; i < slab.bump; ++i) {
      runs[index * kSlabCells + i * step] = slab.sealed == 0 || image_->IsOccupied(index, i);
    }
    for (uint16_t head = slab.free_head; head != 0;) {
      runs[index * kSlabCells + (head - 1u) * step] = false;
      head = LoadLe<uint16_t>(base_ + index * kSlabBytes + (head - 1u) * step * kCellBytes);
    }
  }
  return runs;
}

std::string PageArena::CheckCounters() const {
  size_t bytes = 0;
  size_t used = 0;
  size_t ready = 0;
  uint64_t free_runs[kPools] = {};
  for (uint64_t index = 1; index < slabs_end_; ++index) {
    const Slab& slab = slabs_[index];
    if (slab.list == kListReady) ++ready;
    if (slab.used == 0) continue;
    const int c = slab.pool % kSizeClasses;
    ++used;
    size_t on_list = 0;
    for (uint16_t head = slab.free_head; head != 0; ++on_list) {
      if (head > slab.bump || on_list > slab.bump)
        return "slab " + std::to_string(index) + ": free list broken";
      head = LoadLe<uint16_t>(base_ + index * kSlabBytes + (head - 1u) * ClassBytes(c));
    }
    size_t free = on_list + ClassRuns(c) - slab.bump;
    if (slab.sealed != 0) free = ClassRuns(c) - image_->OccupiedRuns(index);
    if (free != slab.free_runs) return "slab " + std::to_string(index) + ": free runs miscounted";
    if (slab.sealed == 0 && free == ClassRuns(c) && pools_[slab.pool].current != index) {
      return "slab " + std::to_string(index) + ": empty but kept";  // A2
    }
    bytes += (ClassRuns(c) - free) * ClassBytes(c);
    free_runs[slab.pool] += free;
  }
  if (bytes != bytes_allocated_) return "allocated bytes miscounted";  // A4
  if (used != used_slabs_ || ready != ready_slabs_) return "slabs miscounted";
  for (int pool = 0; pool < kPools; ++pool) {
    if (free_runs[pool] != pools_[pool].free_runs)
      return "free runs of pool " + std::to_string(pool) + " miscounted";
  }
  return "";
}

Status PageArena::ProtectForChild() {
  if (mprotect(base_, slabs_max_ * kSlabBytes, PROT_READ) != 0) return OsError("arena: mprotect");
  if (mprotect(side_base_, side_bytes_, PROT_READ) != 0) return OsError("arena tables: mprotect");
  return {};
}

}  // namespace verso::storage
