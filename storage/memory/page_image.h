// PageImage: the pages of a saved version that a restart brings back while the data are served
// already (DESIGN 7). It knows of each run of the image whether its page is there, whether it has
// been judged, and whether it is still wanted; the pages lie in their own cells of the arena.
//
//   absent --loader writes the bytes--> resident --first Resolve: CheckPage--> judged
//      |                                   |                                     |
//      +------------------------- Free: the run is given up ---------------------+
//
// Three bits a run, in words of 64 runs of one slab; words are numbered in the order in which the
// slabs were added, so the loader counts them as the server does. The table lies in a shared
// mapping (A5): 4 MB for 10 GB of pages of 1 KiB.
//
//   resident   set by the loader (release) after the bytes are in the arena; read with acquire
//   judged     the server's own
//   occupied   the server's own: cleared by Free
//
// G1 While the image is here, its slabs are sealed: no run in them is handed out, freed ones are
//    neither reused nor punched. So a page that comes late never overwrites a new one, and a second
//    loader may write again what the first one wrote.
// G2 Pages of the image are never changed in place: they were born at or before the version that
//    was saved, which freezes them (V3: Line::UpdateFrozen takes the newest save in). Checked in
//    ResolveMutable.
// G3 Nobody reads a page before its checksum fits (the loader), its reference leads to an occupied
//    run of the right class, and CheckPage finds it sound with the reference's kind and size. What
//    fails ends the process with the reason (PageSource::Damaged): a wrong value is never served.
//
// A forked child other than the loader would wait for pages that nobody brings it: none is forked
// while pages are pending (checked where they are).
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>

#include "storage/base/result.h"
#include "storage/memory/page.h"
#include "storage/memory/size_class.h"

namespace verso::storage {

// Who brings pages: persistence.
class PageSource {
 public:
  virtual ~PageSource() = default;
  // Returns when the page is resident. If it cannot be had, does not return.
  virtual void Fetch(const Ref& ref) = 0;
  // It will be wanted soon. Never waits.
  virtual void Ask(const Ref& ref) = 0;
  // Ends the process with the reason.
  [[noreturn]] virtual void Damaged(const Ref& ref, const char* why) = 0;
};

class PageImage {
 public:
  // For an arena of so many slabs, which begins at `base`. Reserves address space only.
  static Result<std::unique_ptr<PageImage>> Create(uint64_t slabs_max, const char* base);
  ~PageImage();
  PageImage(const PageImage&) = delete;
  PageImage& operator=(const PageImage&) = delete;

  void AddSlab(uint64_t slab, int size_class, const uint64_t* occupied);
  uint32_t words() const { return words_used_; }
  static size_t WordsOf(int size_class) { return (ClassRuns(size_class) + 63) / 64; }

  // ---- the server's side
  // From now on pages born at or before `epoch` are the image's.
  void Serve(Epoch epoch, PageSource* source) { epoch_ = epoch, source_ = source; }
  // Returns when the page may be read (G3).
  [[gnu::cold, gnu::noinline]] void Await(const Ref& ref);
  [[gnu::cold, gnu::noinline]] void Ask(const Ref& ref);
  [[gnu::cold, gnu::noinline]] void CheckMutable(const Ref& ref) const;  // G2
  bool IsResident(const Ref& ref) const;
  // Await would not wait, though it may find that the page is no good.
  bool IsThere(const Ref& ref) const;
  void Free(Cell cell);  // Requires: a page of the image
  bool IsOccupied(uint64_t slab, size_t run) const;
  size_t OccupiedRuns(uint64_t slab) const;

  // ---- the loader's side, in any of its threads: run r of a slab whose first word is w has bit
  // r % 64 of word w + r / 64.
  bool IsResident(uint32_t word, uint64_t bit) const {
    return (words_[word].resident.load(std::memory_order_acquire) & bit) != 0;
  }
  void SetResident(uint32_t word, uint64_t bits) {
    words_[word].resident.fetch_or(bits, std::memory_order_release);
  }

 private:
  struct Slab {
    uint32_t first_word;  // + 1; 0: not of the image
    uint8_t size_class;
    uint8_t padding[3];
  };
  struct Word {
    std::atomic<uint64_t> resident;
    uint64_t judged;
    uint64_t occupied;
  };
  struct Place {
    Word* word = nullptr;  // null: no run of the image
    uint64_t bit = 0;
  };

  PageImage() = default;
  Place Find(Cell cell, size_t bytes) const;
  bool IsOurs(const Ref& ref) const;

  void* mapped_ = nullptr;
  size_t mapped_bytes_ = 0;
  uint64_t slabs_max_ = 0;
  const char* base_ = nullptr;
  Slab* slabs_ = nullptr;
  Word* words_ = nullptr;
  uint32_t words_used_ = 0;
  Epoch epoch_ = 0;
  PageSource* source_ = nullptr;
};

}  // namespace verso::storage
