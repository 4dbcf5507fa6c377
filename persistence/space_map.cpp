#include "persistence/space_map.h"

#include <algorithm>

namespace verso::persistence {

int RunAt(Cell cell, int size_class) {
  const size_t run_cells = storage::ClassBytes(size_class) / storage::kCellBytes;
  const size_t offset = cell % storage::kSlabCells;
  if (offset % run_cells != 0 || offset / run_cells >= storage::ClassRuns(size_class)) return -1;
  return static_cast<int>(offset / run_cells);
}

Result<SlabSpace*> SpaceMap::Touch(Cell cell) {
  const uint64_t slab = SlabOf(cell);
  const auto number = static_cast<uint32_t>(slab / kGroupSlabs);
  if (last_ == nullptr || last_number_ != number) {  // pages come in the order of cells
    auto at = groups_.find(number);
    if (at == groups_.end()) {
      VERSO_TRY(GroupSpace space, reader_(number));
      at = groups_.emplace(number, std::move(space)).first;
    }
    last_ = &at->second;
    last_number_ = number;
  }
  return &last_->slabs[slab % kGroupSlabs];
}

Result<bool> SpaceMap::Remove(Cell cell, size_t bytes) {
  const int size_class = storage::ClassFor(bytes);
  VERSO_TRY(SlabSpace* const slab, Touch(cell));
  if (slab->size_class != size_class) return false;
  const int run = RunAt(cell, size_class);
  if (run < 0) return false;
  uint64_t& word = slab->occupied[static_cast<size_t>(run) / 64];
  const uint64_t bit = uint64_t{1} << run % 64;
  if ((word & bit) == 0) return false;
  word &= ~bit;
  if (--slab->occupied_runs == 0) *slab = SlabSpace{};
  return true;
}

Status SpaceMap::Add(Cell cell, size_t bytes) {
  const int size_class = storage::ClassFor(bytes);
  const auto bad = [&](const char* what) {
    return Error{ErrorCode::kCorruption, "page of " + std::to_string(bytes) + " bytes at cell " +
                                             std::to_string(cell) + ": " + what};
  };
  VERSO_TRY(SlabSpace* const slab, Touch(cell));
  const int run = RunAt(cell, size_class);
  if (run < 0) return bad("not the beginning of a run");
  if (slab->size_class == kSlabUnused) {
    slab->size_class = static_cast<uint8_t>(size_class);
    slab->occupied = std::make_unique<uint64_t[]>(OccupiedWords(size_class));
  } else if (slab->size_class != size_class) {
    return bad("the store has another size class there");
  }
  uint64_t& word = slab->occupied[static_cast<size_t>(run) / 64];
  const uint64_t bit = uint64_t{1} << run % 64;
  if ((word & bit) != 0) return bad("the store holds another page there");
  word |= bit;
  ++slab->occupied_runs;
  return {};
}

std::vector<uint32_t> SpaceMap::TouchedGroups() const {
  std::vector<uint32_t> numbers;
  for (const auto& [number, space] : groups_) numbers.push_back(number);
  std::sort(numbers.begin(), numbers.end());
  return numbers;
}

}  // namespace verso::persistence
