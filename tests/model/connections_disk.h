// What is on the disk: the pages of committed saves, and what makes a store of them again.
#pragma once

#include <cstring>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "storage/base/clock.h"
#include "storage/memory/save_walk.h"
#include "storage/memory/size_class.h"
#include "storage/memory/store.h"
#include "tests/model/lines_content.h"
#include "tests/model/model_run.h"

namespace verso::server {

class ModelDisk {
 public:
  bool empty() const { return epoch_ == 0; }

  // The child reads everything late, and must find what stood there when the save began.
  void Commit(storage::Store& store, const storage::SaveStart& start) {
    const storage::PageArena& arena = store.arena();
    std::vector<storage::Ref> pages;
    if (!CollectSave(arena, start.super_root, start.base, &pages)) model::Fail("save: walk");
    for (const storage::Ref& ref : pages) {
      pages_[{ref.birth(), ref.cell()}] = std::string(arena.Resolve(ref), ref.size());
    }
    start.garbage.ForEach(arena, [this](const storage::Ref& ref) {
      pages_.erase({ref.birth(), ref.cell()});
    });
    root_ = start.super_root;
    epoch_ = start.epoch;
  }

  std::unique_ptr<storage::Store> Start(const Clock* clock, storage::Epoch epoch_next) const {
    std::unique_ptr<storage::Store> made = storage::NewModelStore(clock);
    std::map<uint64_t, std::pair<int, std::vector<uint64_t>>> slabs;
    for (const auto& [key, bytes] : pages_) {
      const int size_class = storage::ClassFor(bytes.size());
      auto& [slab_class, runs] = slabs[key.second / storage::kSlabCells];
      if (runs.empty()) {
        slab_class = size_class;
        runs.resize((storage::ClassRuns(size_class) + 63) / 64);
      }
      const size_t run = key.second % storage::kSlabCells /
                         (storage::ClassBytes(size_class) / storage::kCellBytes);
      runs[run / 64] |= uint64_t{1} << (run % 64);
    }
    for (const auto& [slab, image] : slabs) {
      if (!made->arena().Restore({slab, image.first, image.second.data()})) {
        model::Fail("restore: slab");
      }
    }
    for (const auto& [key, bytes] : pages_) {
      const storage::Ref ref =
          storage::Ref::Make(key.second, storage::PageKind::kValue, bytes.size(), key.first);
      std::memcpy(made->arena().ResolveMutable(ref), bytes.data(), bytes.size());
    }
    const Status finished = made->FinishRestore({root_, epoch_, epoch_next});
    if (!finished) model::Fail(finished.error().context);
    return made;
  }

 private:
  std::map<std::pair<storage::Epoch, storage::Cell>, std::string> pages_;
  storage::Ref root_;
  storage::Epoch epoch_ = 0;
};

}  // namespace verso::server
