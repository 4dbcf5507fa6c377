// Goal: the arena's counters are exact, memory that was freed comes back, running out is an answer
// and not a signal, and a restart puts every run where it was.
// Method: random allocations against a map of what is out; each run is filled and compared, so two
// runs that overlap show.
#include "storage/memory/page_arena.h"

#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <cstring>
#include <map>
#include <random>
#include <string>
#include <vector>

namespace verso::storage {
namespace {

std::unique_ptr<PageArena> Make(size_t bytes_max, const std::string& directory = "") {
  ArenaOptions options;
  options.bytes_max = bytes_max;
  options.directory = directory;
  options.reserve_bytes = 0;
  options.reserve_bytes_pinned = 0;
  auto arena = PageArena::Create(options);
  REQUIRE(arena);
  return std::move(*arena);
}

char* At(PageArena* arena, Cell cell) {
  return arena->ResolveMutable(Ref::Make(cell, PageKind::kNone, 0, 0));
}

TEST_CASE("the smallest class that holds a page is chosen") {
  for (size_t bytes = 1; bytes <= kPageBytesMax; ++bytes) {
    const int c = ClassFor(bytes);
    const bool fits = ClassBytes(c) >= bytes && (c == 0 || ClassBytes(c - 1) < bytes);
    if (!fits) FAIL("class of " << bytes << " bytes");
  }
  for (int c = 0; c < kSizeClasses; ++c) {
    CHECK(ClassBytes(c) % kCellBytes == 0);
    CHECK(ClassRuns(c) * ClassBytes(c) <= kSlabBytes);
  }
}

TEST_CASE("runs of all classes keep their bytes, and all of it comes back") {
  auto arena = Make(size_t{1} << 30);
  std::mt19937_64 random(1);
  std::map<Cell, std::pair<size_t, char>> out;
  size_t expected = 0;
  for (int i = 0; i < 60000; ++i) {
    REQUIRE(arena->Reserve(kPageBytesMax));
    if (out.empty() || random() % 100 < (i < 30000 ? 60 : 40)) {
      const size_t bytes = 1 + random() % (size_t{1} << (1 + random() % 15));
      const Cell cell = arena->Allocate(bytes);
      const char fill = static_cast<char>(random());
      REQUIRE(out.emplace(cell, std::pair(bytes, fill)).second);
      std::memset(At(arena.get(), cell), fill, bytes);
      expected += RunBytes(bytes);
    } else {
      auto at = out.lower_bound(random() % (arena->slabs_end() * kSlabCells));
      if (at == out.end()) at = out.begin();
      const auto [bytes, fill] = at->second;
      const std::string content(At(arena.get(), at->first), bytes);
      REQUIRE(content == std::string(bytes, fill));
      arena->Free(at->first, bytes);
      expected -= RunBytes(bytes);
      out.erase(at);
    }
    REQUIRE(arena->bytes_allocated() == expected);
    if (i % 5000 == 0) REQUIRE(arena->CheckCounters() == "");
  }
  const std::vector<bool> runs = arena->AllocatedRuns();
  size_t counted = 0;
  for (const bool run : runs) counted += run;
  CHECK(counted == out.size());
  for (const auto& [cell, run] : out) arena->Free(cell, run.first);
  CHECK(arena->bytes_allocated() == 0);
  CHECK(arena->stats().bytes_used_slabs == 0);  // A2
  CHECK(arena->CheckCounters() == "");
}

TEST_CASE("an arena at its limit refuses a reserve and still serves what it promised") {
  auto arena = Make(size_t{16} << 20);
  REQUIRE(arena->Reserve(4 << 20));
  const size_t backed = arena->stats().bytes_backed;
  CHECK_FALSE(arena->Reserve(64 << 20));
  CHECK(arena->bytes_allocated() == 0);
  CHECK(arena->stats().bytes_backed >= backed);
  for (size_t bytes = 0; bytes < (4 << 20); bytes += 1000) arena->Allocate(1000);  // A3
  CHECK(arena->CheckCounters() == "");
}

TEST_CASE("memory given back is no longer backed and can be had again") {
  auto arena = Make(size_t{1} << 30);
  REQUIRE(arena->Reserve(32 << 20));
  std::vector<Cell> cells;
  for (int i = 0; i < 400; ++i) cells.push_back(arena->Allocate(kPageBytesMax));
  for (const Cell cell : cells) arena->Free(cell, kPageBytesMax);
  struct stat before {};
  REQUIRE(fstat(arena->fd(), &before) == 0);
  const size_t backed = arena->stats().bytes_backed;
  const size_t trimmed = arena->Trim(300, false);
  REQUIRE(trimmed > 200);
  CHECK(arena->stats().bytes_backed == backed - trimmed * kSlabBytes);
  struct stat after {};
  REQUIRE(fstat(arena->fd(), &after) == 0);
  CHECK(after.st_blocks * 512 <=
        before.st_blocks * 512 - static_cast<int64_t>(trimmed * kSlabBytes));
  REQUIRE(arena->Reserve(32 << 20));
  std::memset(At(arena.get(), arena->Allocate(kPageBytesMax)), 1, kPageBytesMax);
  CHECK(arena->CheckCounters() == "");
}

size_t FileBytes(const PageArena& arena) {
  struct stat info = {};
  REQUIRE(fstat(arena.fd(), &info) == 0);
  return static_cast<size_t>(info.st_blocks) * 512;
}

// A forked child that backs at most `pieces` of what the arena has promised. Returns how many.
int BackInChild(const PageArena& arena, int pieces) {
  const pid_t child = fork();
  if (child == 0) {
    if (!const_cast<PageArena&>(arena).ProtectForChild()) _exit(255);
    int done = 0;
    while (done < pieces && arena.BackAhead()) ++done;
    _exit(done);
  }
  int status = 0;
  REQUIRE(waitpid(child, &status, 0) == child);
  REQUIRE(WIFEXITED(status));
  return WEXITSTATUS(status);
}

TEST_CASE("a save's child backs the memory that its parent grows into") {
  auto arena = Make(size_t{1} << 30);
  const size_t slab_count = 64;
  const size_t before = FileBytes(*arena);
  arena->Tick(true, true);
  const int pieces = BackInChild(*arena, 250);
  REQUIRE(pieces > 100);
  CHECK(FileBytes(*arena) >= before + (size_t{16} << 20));
  CHECK(arena->stats().bytes_backed == FileBytes(*arena));

  // Grown into in the promised order, writable, and nothing more asked of the kernel.
  const size_t backed = FileBytes(*arena);
  REQUIRE(arena->Reserve(slab_count * kSlabBytes));
  for (size_t i = 0; i < slab_count; ++i) {
    const Cell cell = arena->Allocate(kPageBytesMax);
    CHECK(At(arena.get(), cell)[0] == 0);
    std::memset(At(arena.get(), cell), 1, kPageBytesMax);
  }
  CHECK(FileBytes(*arena) == backed);

  // After the save: what is backed is ready, nothing is promised any more.
  while (arena->Tick(false)) {
  }
  CHECK(arena->stats().bytes_backed == FileBytes(*arena));
  CHECK(arena->CheckCounters().empty());
  while (arena->Trim(1000, false) > 0) {
  }
  CHECK(FileBytes(*arena) <= (slab_count + 256) * kSlabBytes);
  CHECK(arena->CheckCounters().empty());
}

TEST_CASE("memory promised to a child that does little or nothing is not lost") {
  auto arena = Make(size_t{64} << 20);
  for (const int pieces : {0, 3, 0, 1}) {
    arena->Tick(true, true);
    CHECK(BackInChild(*arena, pieces) == pieces);
    REQUIRE(arena->Reserve(kPageBytesMax));
    while (arena->Tick(false)) {
    }
    CHECK(arena->stats().bytes_backed == FileBytes(*arena));
  }
  // All of the address space can still be had.
  std::vector<Cell> cells;
  while (arena->Reserve(kPageBytesMax)) cells.push_back(arena->Allocate(kPageBytesMax));
  CHECK(cells.size() > 800);
  for (const Cell cell : cells) arena->Free(cell, kPageBytesMax);
  CHECK(arena->bytes_allocated() == 0);
  CHECK(arena->CheckCounters().empty());
}

TEST_CASE("a full file system under arena-dir is an answer, not a signal") {
  char directory[] = "/tmp/verso-arena-XXXXXX";
  REQUIRE(mkdtemp(directory) != nullptr);
  if (mount("tmpfs", directory, "tmpfs", 0, "size=12m") != 0) {
    rmdir(directory);
    WARN("mounting a tmpfs needs root: not tested here");
    return;
  }
  {
    auto arena = Make(size_t{1} << 30, directory);
    CHECK_FALSE(arena->Reserve(64 << 20));
    CHECK(arena->bytes_allocated() == 0);
    REQUIRE(arena->Reserve(2 << 20));
    for (int i = 0; i < 32; ++i) {
      std::memset(At(arena.get(), arena->Allocate(kPageBytesMax)), 1, kPageBytesMax);
    }
    CHECK(arena->CheckCounters() == "");
  }
  CHECK(umount(directory) == 0);
  rmdir(directory);
}

TEST_CASE("a restart puts every run back into its place") {
  auto old_arena = Make(size_t{1} << 30);
  std::mt19937_64 random(2);
  std::map<uint64_t, std::pair<int, std::vector<uint64_t>>> slabs;
  std::map<Cell, size_t> out;
  REQUIRE(old_arena->Reserve(64 << 20));
  for (int i = 0; i < 20000; ++i) {
    const size_t bytes = 1 + random() % 3000;
    out[old_arena->Allocate(bytes)] = bytes;
  }
  for (auto at = out.begin(); at != out.end();) {
    if (random() % 3 != 0) {
      ++at;
      continue;
    }
    old_arena->Free(at->first, at->second);
    at = out.erase(at);
  }
  for (const auto& [cell, bytes] : out) {
    auto& [size_class, bits] = slabs[cell / kSlabCells];
    size_class = ClassFor(bytes);
    bits.resize(kSlabCells / 64);
    const size_t run = cell % kSlabCells * kCellBytes / ClassBytes(size_class);
    bits[run / 64] |= uint64_t{1} << (run % 64);
  }
  auto arena = Make(size_t{1} << 30);
  for (auto at = slabs.rbegin(); at != slabs.rend(); ++at) {  // in any order
    REQUIRE(arena->Restore({at->first, at->second.first, at->second.second.data()}));
  }
  CHECK(arena->bytes_allocated() == old_arena->bytes_allocated());
  CHECK(arena->CheckCounters() == "");
  const std::vector<bool> runs = arena->AllocatedRuns();
  for (size_t cell = 0; cell < runs.size(); ++cell) {
    if (runs[cell] != (out.count(cell) != 0)) FAIL("cell " << cell);
  }
  REQUIRE(arena->Reserve(16 << 20));
  for (int i = 0; i < 5000; ++i) {
    const size_t bytes = 1 + random() % 3000;
    if (!out.emplace(arena->Allocate(bytes), bytes).second) FAIL("a run was handed out twice");
  }
  for (const auto& [cell, bytes] : out) arena->Free(cell, bytes);
  CHECK(arena->bytes_allocated() == 0);
  CHECK(arena->stats().bytes_used_slabs == 0);
  CHECK(arena->CheckCounters() == "");
}

TEST_CASE("a damaged space map is refused") {
  auto arena = Make(size_t{16} << 20);
  const uint64_t some[kSlabCells / 64] = {1};
  const uint64_t none[kSlabCells / 64] = {};
  CHECK_FALSE(arena->Restore({0, 5, some}));
  CHECK_FALSE(arena->Restore({256, 5, some}));
  CHECK_FALSE(arena->Restore({1, kSizeClasses, some}));
  CHECK_FALSE(arena->Restore({1, -1, some}));
  CHECK_FALSE(arena->Restore({1, 5, none}));
  REQUIRE(arena->Restore({1, 5, some}));
  CHECK_FALSE(arena->Restore({1, 5, some}));
  CHECK(arena->bytes_allocated() == ClassBytes(5));
}

}  // namespace
}  // namespace verso::storage
