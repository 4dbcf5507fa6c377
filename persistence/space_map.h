// The space map while a save changes it: groups are read when first touched, and only those touched
// are written back.
#pragma once

#include <functional>
#include <unordered_map>

#include "persistence/store_format.h"

namespace verso::persistence {

class SpaceMap {
 public:
  // Reads one group from the store; an empty GroupSpace if it holds none.
  using GroupReader = std::function<Result<GroupSpace>(uint32_t group)>;
  explicit SpaceMap(GroupReader reader) : reader_(std::move(reader)) {}

  // Takes a page out. False: the store does not hold it (deleting what was never written is
  // harmless).
  Result<bool> Remove(Cell cell, size_t bytes);
  // Puts a page in. Fails: its place is taken. All removals of a commit come first.
  Status Add(Cell cell, size_t bytes);

  // Touched groups, ascending.
  std::vector<uint32_t> TouchedGroups() const;
  const GroupSpace& group(uint32_t number) const { return groups_.at(number); }

 private:
  Result<SlabSpace*> Touch(Cell cell);
  GroupReader reader_;
  std::unordered_map<uint32_t, GroupSpace> groups_;
  GroupSpace* last_ = nullptr;
  uint32_t last_number_ = 0;
};

// Index of the run that begins at this cell in a slab of the class, -1 if none does.
int RunAt(Cell cell, int size_class);

}  // namespace verso::persistence
