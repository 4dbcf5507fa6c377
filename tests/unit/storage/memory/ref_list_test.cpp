// Goal: a list of references gives back what was appended, in whatever pieces, and frees its
// chunks.
#include "storage/memory/ref_list.h"

#include <algorithm>
#include <catch2/catch.hpp>
#include <vector>

namespace verso::storage {
namespace {

std::vector<Cell> Cells(const PageArena& arena, const RefListView& view) {
  std::vector<Cell> cells;
  view.ForEach(arena, [&cells](const Ref& ref) { cells.push_back(ref.cell()); });
  std::sort(cells.begin(), cells.end());
  return cells;
}

void Append(RefList* list, Cell first, size_t count) {
  for (Cell cell = first; cell < first + count; ++cell) {
    list->Append(Ref::Make(cell, PageKind::kValue, 10, 7));
  }
}

TEST_CASE("lists of references append, join and clear") {
  ArenaOptions options;
  options.bytes_max = size_t{64} << 20;
  auto created = PageArena::Create(options);
  REQUIRE(created);
  PageArena& arena = **created;
  REQUIRE(arena.Reserve(1 << 20));
  {
    RefList list(&arena);
    RefList other(&arena);
    Append(&list, 1, 1000);
    const RefListView before = list.view();
    CHECK(Cells(arena, before).size() == 1000);
    CHECK(list.bytes() == 4 * RefList::kChunkBytes);

    list.Splice(&other);  // from an empty one
    CHECK(list.count() == 1000);
    Append(&other, 1001, 600);
    list.Splice(&other);
    CHECK(other.count() == 0);
    CHECK(other.bytes() == 0);
    CHECK(list.count() == 1600);
    Append(&list, 1601, 50);
    Append(&other, 1651, 5);  // an emptied list can be used again
    list.Splice(&other);
    const std::vector<Cell> cells = Cells(arena, list.view());
    REQUIRE(cells.size() == 1655);
    for (size_t i = 0; i < cells.size(); ++i) CHECK(cells[i] == i + 1);

    other.Splice(&list);  // into an empty one
    CHECK(list.count() == 0);
    CHECK(Cells(arena, other.view()).size() == 1655);
    CHECK(arena.bytes_allocated() == other.bytes());
    other.Clear();
    CHECK(other.count() == 0);
    CHECK(arena.bytes_allocated() == 0);
    Append(&list, 1, 1);
  }
  CHECK(arena.bytes_allocated() == 0);  // the destructor clears
}

}  // namespace
}  // namespace verso::storage
