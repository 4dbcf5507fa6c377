// Goal: while a restart brings pages back, nobody reads one that is not there or not what its
// reference says, nothing new is put where one may still come, and the accounting is exact.
// Method: an arena restored from a map of runs, and a source that writes pages when they are
// fetched, as a loader does.
#include "storage/memory/page_image.h"

#include <catch2/catch.hpp>
#include <cstring>
#include <map>
#include <random>
#include <stdexcept>
#include <string>
#include <vector>

#include "storage/memory/page_arena.h"

namespace verso::storage {
namespace {

constexpr Epoch kSaved = 7;

std::unique_ptr<PageArena> Make() {
  ArenaOptions options;
  options.bytes_max = size_t{1} << 30;
  options.reserve_bytes = 0;
  options.reserve_bytes_pinned = 0;
  auto arena = PageArena::Create(options);
  REQUIRE(arena);
  return std::move(*arena);
}

// An image of value pages, each filled with a byte of its own.
class Image final : public PageSource {
 public:
  explicit Image(PageArena* arena, int pages = 3000) : arena_(arena) {
    std::mt19937_64 random(5);
    auto before = Make();
    REQUIRE(before->Reserve(64 << 20));
    for (int i = 0; i < pages; ++i) {
      const size_t bytes = 1 + random() % 3000;
      const Cell cell = before->Allocate(bytes);
      if (random() % 4 == 0) continue;  // a hole
      refs.push_back(Ref::Make(cell, PageKind::kValue, bytes, 1 + random() % kSaved));
      Slab& slab = slabs_[cell / kSlabCells];
      slab.size_class = ClassFor(bytes);
      slab.occupied.resize(kSlabCells / 64);
      const size_t run = cell % kSlabCells * kCellBytes / ClassBytes(slab.size_class);
      slab.occupied[run / 64] |= uint64_t{1} << (run % 64);
    }
    REQUIRE(arena->BeginImage());
    for (auto& [number, slab] : slabs_) {
      slab.first_word = arena->image()->words();
      REQUIRE(arena->Restore({number, slab.size_class, slab.occupied.data()}));
    }
    arena->ServeImage(kSaved, this);
  }

  static char FillOf(const Ref& ref) { return static_cast<char>(ref.cell() % 251 + 1); }

  void Bring(const Ref& ref) {
    const std::string bytes(ref.size(), FillOf(ref));
    REQUIRE(pwrite(arena_->fd(), bytes.data(), bytes.size(),
                   static_cast<off_t>(ref.cell() * kCellBytes)) ==
            static_cast<ssize_t>(bytes.size()));
    const Slab& slab = slabs_.at(ref.cell() / kSlabCells);
    const size_t run = ref.cell() % kSlabCells * kCellBytes / ClassBytes(slab.size_class);
    arena_->image()->SetResident(slab.first_word + static_cast<uint32_t>(run / 64),
                                 uint64_t{1} << run % 64);
  }

  void Fetch(const Ref& ref) override {
    ++fetched;
    Bring(ref);
  }
  void Ask(const Ref& ref) override { asked.push_back(ref); }
  void Damaged(const Ref&, const char* why) override { throw std::runtime_error(why); }

  std::vector<Ref> refs;
  std::vector<Ref> asked;
  int fetched = 0;

 private:
  struct Slab {
    int size_class = 0;
    uint32_t first_word = 0;
    std::vector<uint64_t> occupied;
  };
  PageArena* arena_;
  std::map<uint64_t, Slab> slabs_;
};

TEST_CASE("a page is fetched once, when it is read first") {
  auto arena = Make();
  Image image(arena.get());
  CHECK(arena->pending());
  for (int round = 0; round < 2; ++round) {
    for (const Ref& ref : image.refs) {
      const std::string content(arena->Resolve(ref), ref.size());
      REQUIRE(content == std::string(ref.size(), Image::FillOf(ref)));
    }
    CHECK(image.fetched == static_cast<int>(image.refs.size()));
  }
}

TEST_CASE("what is resident already is not fetched, what is missing can be asked for") {
  auto arena = Make();
  Image image(arena.get());
  for (size_t i = 0; i < image.refs.size(); i += 2) image.Bring(image.refs[i]);
  for (const Ref& ref : image.refs) arena->Ask(ref);
  CHECK(image.asked.size() == image.refs.size() / 2);
  for (const Ref& ref : image.asked) CHECK_FALSE(arena->image()->IsResident(ref));
  for (const Ref& ref : image.refs) arena->Resolve(ref);
  CHECK(image.fetched == static_cast<int>(image.refs.size() / 2));
}

TEST_CASE(
    "nothing new is put into the image's slabs before its end, then into all of their holes") {
  auto arena = Make();
  Image image(arena.get());
  std::mt19937_64 random(6);
  std::map<Cell, size_t> young;
  std::vector<Ref> left;
  size_t bytes = arena->bytes_allocated();
  const uint64_t image_end = arena->slabs_end();
  std::vector<bool> is_image(image_end);
  for (const Ref& ref : image.refs) is_image[ref.cell() / kSlabCells] = true;
  for (const Ref& ref : image.refs) {
    REQUIRE(arena->Reserve(4096));
    if (random() % 2 == 0) {
      arena->Free(ref.cell(), ref.size());
      bytes -= RunBytes(ref.size());
    } else {
      left.push_back(ref);
    }
    const size_t size = 1 + random() % 3000;
    const Cell cell = arena->Allocate(size);
    young[cell] = size;
    bytes += RunBytes(size);
    const uint64_t slab = cell / kSlabCells;
    if (slab < image_end && is_image[slab]) FAIL("a run of the image was handed out");  // G1
    std::memset(arena->ResolveMutable(Ref::Make(cell, PageKind::kValue, size, kSaved + 1)), 0,
                size);
    CHECK(arena->bytes_allocated() == bytes);
  }
  CHECK(arena->CheckCounters() == "");
  const std::vector<bool> runs = arena->AllocatedRuns();
  size_t allocated = 0;
  for (const bool run : runs) allocated += run;
  CHECK(allocated == young.size() + left.size());

  for (const Ref& ref : image.refs) image.Bring(ref);  // freed ones, too: nobody minds
  arena->EndImage();
  CHECK_FALSE(arena->pending());
  for (int i = 0; arena->Unseal(3); ++i) REQUIRE(i < 10'000);
  CHECK(arena->image() == nullptr);
  CHECK(arena->bytes_allocated() == bytes);
  CHECK(arena->CheckCounters() == "");
  CHECK(arena->AllocatedRuns() == runs);
  for (const Ref& ref : left) {
    REQUIRE(std::string(arena->Resolve(ref), ref.size()) ==
            std::string(ref.size(), Image::FillOf(ref)));
  }
  // Holes and freed runs are used now: without new memory.
  const size_t used = arena->stats().bytes_used_slabs;
  REQUIRE(arena->Reserve(1 << 20));
  for (int i = 0; i < 500; ++i) {
    const size_t size = 1 + random() % 3000;
    const Cell cell = arena->Allocate(size);
    for (const Ref& ref : left) {
      if (ref.cell() == cell) FAIL("a run was handed out twice");
    }
    REQUIRE(young.emplace(cell, size).second);
  }
  CHECK(arena->stats().bytes_used_slabs <= used + 8 * kSlabBytes);
  for (const auto& [cell, size] : young) arena->Free(cell, size);
  for (const Ref& ref : left) arena->Free(ref.cell(), ref.size());
  CHECK(arena->bytes_allocated() == 0);
  CHECK(arena->stats().bytes_used_slabs == 0);
  CHECK(arena->CheckCounters() == "");
}

TEST_CASE("a reference that leads to no page of the save, and a page that is not what it says") {
  auto arena = Make();
  Image image(arena.get());
  const Ref good = image.refs.front();
  // Elsewhere than at the beginning of a run, of another class, far outside, null.
  CHECK_THROWS(arena->Resolve(Ref::Make(good.cell() + 1, PageKind::kValue, good.size(), 1)));
  CHECK_THROWS(arena->Resolve(Ref::Make(good.cell(), PageKind::kValue, 60'000, 1)));
  CHECK_THROWS(arena->Resolve(Ref::Make(kCellMax, PageKind::kValue, 16, 1)));
  CHECK_THROWS(arena->Resolve(Ref::Make(good.cell(), PageKind::kValue, 0, 1)));
  arena->Free(good.cell(), good.size());
  CHECK_THROWS(arena->Resolve(good));
  // Bytes of a value are no directory (CheckPage).
  for (const Ref& ref : image.refs) {
    if (ref.size() != 512 && ref.size() < 600) continue;
    CHECK_THROWS(
        arena->Resolve(Ref::Make(ref.cell(), PageKind::kTrieLeaf, ref.size(), ref.birth())));
    break;
  }
}

TEST_CASE("an image without pages ends at once") {
  auto arena = Make();
  REQUIRE(arena->BeginImage());
  arena->EndImage();
  CHECK_FALSE(arena->Unseal(1));
  CHECK(arena->image() == nullptr);
}

}  // namespace
}  // namespace verso::storage
