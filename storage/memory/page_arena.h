// PageArena: one shared, sparse, growing region that holds every page, and the allocator of runs
// in it.
//
//   reserve (PROT_NONE, aligned to 2 MiB by hand)
//   +--------------------------------------------------------------------------+
//   | slab 0 | slab 1 | slab 2 | ...            holes of the file               |
//   +--------------------------------------------------------------------------+
//     64 KiB each. Cell n lies at base + 16 n. Slab 0 is never used: cell 0 means null.
//
// Life of a slab, with the function that moves it:
//
//   hole --Grow--> ready --Allocate--> used --Free of the last run--> ready
//     ^              |
//     +---- Trim ----+
//
//   ready  the kernel has given the memory (fallocate) and it has been touched (populated)
//   ahead  a hole promised to the next Grow: while a save runs, its child makes the kernel give and
//          clear it (BackAhead), so that the loop has only to map it
//   used   one pool (size class; values apart), bump index, list of free runs
//   sealed used, of the image that a restart on demand brings back: nothing is handed out of it and
//          nothing given back (page_image.h, G1) before Unseal has made its list of free runs
//
// A1 The file grows by fallocate, checked, never by touching: touching past a tmpfs or cgroup limit
//    is SIGBUS.
// A2 A slab holds runs of one class only and leaves it at once when the last run is freed. Values
//    (kValue) have slabs apart from structures: leaves come and go as they grow, values stay, and
//    access clocks are touched for slabs of leaves only.
// A3 Reserve(n) makes sure that n bytes in runs of any classes can be allocated without failing; a
//    write command calls it before it changes anything. Allocate after it cannot fail.
// A4 Counters are exact: bytes_allocated() is the sum of RunBytes over all runs handed out.
// A5 Everything that grows with the data is in shared mappings: pages in the arena file, slab
//    tables and access clocks in a second memfd. fork() copies no page table of either. A child may
//    only read.
//
// Access clocks (V7): two bytes for each 64 bytes of arena in an unversioned side table: reading a
// key stamps the clock and changes no page.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "storage/base/result.h"
#include "storage/memory/page.h"
#include "storage/memory/page_image.h"
#include "storage/memory/size_class.h"

namespace verso::storage {

struct ArenaOptions {
  size_t bytes_max = size_t{1} << 40;      // address space reserved; rounded to 2 MiB
  std::string directory;                   // arena-dir: a tmpfs (huge=advise); empty: memfd
  size_t reserve_bytes = 8 << 20;          // backed slabs kept ready by Tick()
  size_t reserve_bytes_pinned = 16 << 20;  // the same while something is pinned: copies are coming
};

struct ArenaStats {
  size_t bytes_allocated = 0;  // in runs handed out (A4)
  size_t bytes_used_slabs = 0;
  size_t bytes_backed = 0;  // used slabs + ready ones: what the kernel has given
  size_t bytes_ready = 0;
  uint64_t slabs_grown = 0;
  uint64_t slabs_trimmed = 0;
};

// One slab as the space map sees it (persistence) and as a restart puts it back.
struct SlabImage {
  uint64_t slab;
  int size_class;
  const uint64_t* occupied;  // ClassRuns(size_class) bits
};

class PageArena {
 public:
  // Reserves address space only; memory comes with Reserve, Tick and Restore.
  static Result<std::unique_ptr<PageArena>> Create(const ArenaOptions& options);
  ~PageArena();
  PageArena(const PageArena&) = delete;
  PageArena& operator=(const PageArena&) = delete;

  // ---- access. The one door to a page's bytes: while a restart brings pages back, one that is
  // missing is waited for.
  const char* Resolve(const Ref& ref) const {
    if (pending_ != nullptr) [[unlikely]]
      pending_->Await(ref);
    return base_ + ref.cell() * kCellBytes;
  }
  // Requires: the page may be changed in place (V3); structures get it from Line::Writable.
  char* ResolveMutable(const Ref& ref) {
    if (pending_ != nullptr) [[unlikely]]
      pending_->CheckMutable(ref);
    return base_ + ref.cell() * kCellBytes;
  }
  // Pages of the image may be missing: reading can wait, and a forked child must not read.
  bool pending() const { return pending_ != nullptr; }
  // While pending: asks for a page that will be resolved soon, so that several are on their way at
  // once.
  void Ask(const Ref& ref) const {
    if (pending_ != nullptr) pending_->Ask(ref);
  }
  // Resolve would not wait for it.
  bool IsThere(const Ref& ref) const { return pending_ == nullptr || pending_->IsThere(ref); }
  void Prefetch(const Ref& ref, size_t offset = 0) const {
    __builtin_prefetch(base_ + ref.cell() * kCellBytes + offset);
  }

  // ---- runs
  // Requires: a Reserve that covers it. The bytes are not zeroed.
  Cell Allocate(size_t bytes, bool value = false);
  void Free(Cell cell, size_t bytes);
  // Brings what Free will touch into the cache.
  void PrefetchFree(Cell cell) const;
  // Fails (false, nothing changed): the kernel gives no more, or bytes_max is reached.
  bool Reserve(size_t bytes) { return ready_slabs_ >= SlabsFor(bytes) || ReserveSlow(bytes); }
  // When Reserve fails there is still this: slabs that only removals may use up (path copies under
  // a pin, lists of freed pages).
  bool HasLastSlabs() const { return ready_slabs_ >= 16; }
  // Copies are coming (something is pinned): take whole slabs, which are contiguous, rather than
  // holes, until these are an eighth.
  void set_copying(bool copying) { copying_ = copying; }
  // Off the request path: keeps the reserve of backed slabs full, one piece of at most 256 KiB a
  // call. True: call again soon. `saving`: a child calls BackAhead.
  bool Tick(bool pinned, bool saving = false);
  // Gives ready slabs beyond the reserve back to the kernel, at most `slabs` of them. Returns how
  // many.
  size_t Trim(size_t slabs, bool pinned);

  // ---- access clocks: `slot` is the entry's index in the leaf; slots beyond size / 64 share one
  // with another entry of the leaf.
  uint16_t* Clock(const Ref& leaf, size_t slot) {
    const size_t slots = leaf.size() / kBytesPerClock;
    return clocks_ + leaf.cell() / (kBytesPerClock / kCellBytes) +
           (slot < slots ? slot : slot % slots);  // NOLINT: no leaf is below kBytesPerClock
  }
  const uint16_t* Clock(const Ref& leaf, size_t slot) const {
    return const_cast<PageArena*>(this)->Clock(leaf, slot);
  }

  // When an entry comes to a slot. Of two that share a clock, the one used later decides.
  void SetClock(const Ref& leaf, size_t slot, uint16_t value) {
    uint16_t* clock = Clock(leaf, slot);
    const bool shared = slot >= leaf.size() / kBytesPerClock;
    if (!shared || static_cast<int16_t>(value - *clock) > 0) *clock = value;
  }
  // Clocks are no pages: reading a key may stamp one.
  void Touch(const Ref& leaf, size_t slot, uint16_t value) const {
    uint16_t* clock = const_cast<PageArena*>(this)->Clock(leaf, slot);
    if (*clock != value) *clock = value;
  }

  // ---- restart: marks runs as allocated; their bytes are written (by pwrite or through a mapping)
  // before or after, by whoever loads. A slab with free runs is backed here, a full one by who
  // fills it. Requires: nothing has been allocated yet. Fails: a slab out of range, twice, or a bad
  // class (bytes from a disk), or no memory.
  Status Restore(const SlabImage& image);

  // ---- restart on demand: BeginImage, Restore for each slab, ServeImage; the loader writes the
  // pages (PageImage::SetResident) while others are served; EndImage when all are in and sound.
  // Tick unseals the slabs then.
  Status BeginImage();
  void ServeImage(Epoch epoch, PageSource* source);
  void EndImage() { pending_ = nullptr; }
  PageImage* image() { return image_.get(); }  // null: none, or all of it unsealed
  // In the loader, forked while pages are pending: it is the source.
  void ForgetSource() { pending_ = nullptr; }
  // Unseals at most so many slabs with free runs. True: there are more. Requires: !pending().
  bool Unseal(size_t slabs);

  // ---- audit: one bit per cell of the address space in use, set at the first cell of each
  // allocated run.
  std::vector<bool> AllocatedRuns() const;
  std::string CheckCounters() const;  // empty: sound

  ArenaStats stats() const;
  size_t bytes_allocated() const { return bytes_allocated_; }
  // What the kernel backs with huge pages (ShmemPmdMapped of smaps): madvise alone proves nothing.
  // Reads /proc.
  size_t HugeBytes() const;
  // Highest slab ever used + 1: the part of the address space worth walking.
  uint64_t slabs_end() const { return slabs_end_; }
  const char* base() const { return base_; }
  int fd() const { return fd_; }
  // In a forked child: from here on only reading (invariant of the fork function).
  Status ProtectForChild();
  // In a forked child: backs and clears the next piece that the parent will grow into. The first
  // touch of memory is the dearest part of a copy, and this takes it off the parent's loop. False:
  // nothing to do now. May run in a thread of its own.
  bool BackAhead() const;

 private:
  static constexpr size_t kBytesPerClock = 64;
  static constexpr int kPools = 2 * kSizeClasses;  // a size class of structures, the same of values
  struct Slab;                                     // page_arena.cpp
  struct Ahead;
  enum SlabList : uint8_t { kListNone, kListReady, kListHoles, kListMostlyFull, kListMostlyFree };

  PageArena() = default;
  // Every pool may need one more slab than its bytes fill (A3), and runs do not fill a slab
  // exactly.
  static size_t SlabsFor(size_t bytes) {
    return bytes / (kSlabBytes - kSlabBytes / 8) + kPools + 1;
  }
  Status Map(const ArenaOptions& options);
  bool ReserveSlow(size_t bytes);
  bool Grow();
  bool GrowAhead();
  void PromiseAhead();
  bool SettleAhead();
  bool Back(uint64_t first_slab, size_t count);
  void MapBacked(uint64_t first_slab, size_t count);
  void PickSlab(int pool);
  void ReleaseSlab(uint64_t slab);
  bool UnsealSlab(uint64_t slab);
  uint32_t* ListHead(SlabList list, int pool);
  void ListPush(SlabList list, uint64_t slab);
  void ListRemove(uint64_t slab);

  struct Pool {
    uint32_t current = 0;      // slab that runs are taken from; 0: none
    uint32_t mostly_free = 0;  // list heads: at least half free / less
    uint32_t mostly_full = 0;
    uint64_t free_runs = 0;  // in current and both lists
    uint64_t used_slabs = 0;
  };

  char* base_ = nullptr;
  PageImage* pending_ = nullptr;  // read by every Resolve, hence beside base_
  void* reserved_ = nullptr;      // constant after Create, as all of this group
  size_t reserved_bytes_ = 0;
  int fd_ = -1;
  int side_fd_ = -1;
  bool in_directory_ = false;
  uint64_t slabs_max_ = 0;
  Slab* slabs_ = nullptr;       // side memfd, one per slab of the address space
  uint16_t* clocks_ = nullptr;  // side memfd
  Ahead* ahead_ = nullptr;      // shared with the child
  void* side_base_ = nullptr;
  size_t side_bytes_ = 0;
  size_t reserve_slabs_ = 0;
  size_t reserve_slabs_pinned_ = 0;

  size_t ready_slabs_ = 0;
  size_t ahead_slabs_ = 0;
  uint64_t slabs_end_ = 1;
  size_t used_slabs_ = 0;
  size_t bytes_allocated_ = 0;
  uint64_t slabs_grown_ = 0;
  uint64_t slabs_trimmed_ = 0;
  uint32_t ready_ = 0;  // list heads
  uint32_t holes_ = 0;
  Pool pools_[kPools];
  bool copying_ = false;
  std::unique_ptr<PageImage> image_;
  uint64_t image_end_ = 0;
  uint64_t unsealed_ = 0;  // slabs below it are unsealed
};

}  // namespace verso::storage
