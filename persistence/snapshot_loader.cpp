#include "persistence/snapshot_loader.h"

#include <unistd.h>

#include <cerrno>
#include <vector>

#include "persistence/space_map.h"
#include "persistence/store_db.h"
#include "storage/memory/save_walk.h"

namespace verso::persistence {

namespace {

constexpr uint64_t kBatchBytes = 16 << 20;  // progress is shown so often

// Collects pages that lie side by side and writes them with one call.
class ArenaOutput {
 public:
  explicit ArenaOutput(int fd) : fd_(fd) { buffer_.reserve(kBufferBytes); }

  Status Put(Cell cell, ByteView page) {
    if (fd_ < 0) return {};
    const uint64_t at = cell * storage::kCellBytes;
    const size_t run_bytes = storage::RunBytes(page.size());
    if (at != start_ + buffer_.size() || buffer_.size() + run_bytes > kBufferBytes) {
      VERSO_TRY_STATUS(Flush());
      start_ = at;
    }
    buffer_.append(page);
    buffer_.append(run_bytes - page.size(), '\0');
    return {};
  }

  Status Flush() {
    size_t done = 0;
    while (done < buffer_.size()) {
      const ssize_t n = pwrite(fd_, buffer_.data() + done, buffer_.size() - done,
                               static_cast<off_t>(start_ + done));
      if (n < 0 && errno == EINTR) continue;
      if (n < 0) return OsError("arena");
      done += static_cast<size_t>(n);
    }
    buffer_.clear();
    return {};
  }

 private:
  static constexpr size_t kBufferBytes = 256 * 1024;
  int fd_;
  uint64_t start_ = 0;
  std::string buffer_;
};

class SnapshotLoader {
 public:
  SnapshotLoader(const LoadTask& task, ChildReport* report)
      : task_(task), report_(report), output_(task.arena != nullptr ? task.arena->fd() : -1) {}

  Status Run();

 private:
  // A slab of the space map, and which of its runs are still to be filled.
  struct SlabState {
    uint8_t size_class = kSlabUnused;
    std::unique_ptr<uint64_t[]> missing;
  };

  Status CheckEntry();
  Status ReadSpace();
  Status ReadPages();
  Status TakePage(ByteView key, ByteView value);
  Error Refuse(const std::string& why) const {
    return Error{ErrorCode::kCorruption, task_.paths.store + ": " + why};
  }

  const LoadTask& task_;
  ChildReport* report_;
  ArenaOutput output_;
  std::unique_ptr<StoreDb> store_;
  CatalogueEntry entry_;
  std::vector<SlabState> slabs_;  // by slab number
  uint64_t occupied_ = 0;
  uint64_t pages_ = 0;
  uint64_t bytes_ = 0;
  uint64_t key_sum_ = 0;
  Epoch newest_birth_ = 0;
};

Status SnapshotLoader::Run() {
  VERSO_TRY(store_, StoreDb::Open(task_.paths.store, StoreMode::kRead));
  VERSO_TRY(const std::optional<CatalogueEntry> newest, store_->ReadNewest());
  if (newest || task_.identity.epoch != 0) {
    if (!newest) return Refuse("the catalogue is empty, but a save was committed");
    entry_ = *newest;
    VERSO_TRY_STATUS(CheckEntry());
    VERSO_TRY_STATUS(ReadSpace());
    VERSO_TRY_STATUS(ReadPages());
    // So the epoch after a start, entry_.epoch_next, is above every birth in the store.
    if (newest_birth_ > entry_.epoch) return Refuse("a page is younger than the newest save");
    // The checksums say that these are the bytes that were saved; this, that no reader can be led
    // astray by them.
    if (task_.arena != nullptr) {
      VERSO_TRY_STATUS(storage::VerifyPages(*task_.arena, entry_.super_root));
    }
  }
  report_->Send(MessageType::kLoaded, {});
  return {};
}

Status SnapshotLoader::CheckEntry() {
  if (entry_.store_id != task_.identity.store_id) {
    return Error{ErrorCode::kIncompatible, task_.paths.store + ": belongs to another store (" +
                                               entry_.store_id.Hex() + ", " + task_.paths.identity +
                                               " says " + task_.identity.store_id.Hex() + ")"};
  }
  if (entry_.epoch < task_.identity.epoch) {
    return Refuse("its newest save is of epoch " + std::to_string(entry_.epoch) + ", but epoch " +
                  std::to_string(task_.identity.epoch) +
                  " was committed: the store was cut or replaced by an older one");
  }
  if (entry_.epoch == task_.identity.epoch && entry_.save_id != task_.identity.save_id) {
    return Refuse("its newest save is another one than " + task_.paths.identity + " names");
  }
  if (entry_.secret.bytes != task_.identity.secret.bytes) {
    return Refuse("the hash secret differs from that in " + task_.paths.identity);
  }
  task_.control->pages_total.store(entry_.live_pages, std::memory_order_relaxed);
  task_.control->bytes_total.store(entry_.live_bytes, std::memory_order_relaxed);
  report_->Send(MessageType::kCatalogue, EncodeCatalogue(entry_));
  return {};
}

Status SnapshotLoader::ReadSpace() {
  constexpr uint64_t kGroupsMax = (storage::kCellMax + 1) * storage::kCellBytes / kGroupBytes;
  const auto groups = store_->Iterate(store_->space());
  for (groups->SeekToFirst(); groups->Valid(); groups->Next()) {
    VERSO_TRY(const uint32_t number, DecodeGroupKey(ToView(groups->key())));
    if (number >= kGroupsMax) return Refuse("space map: group out of range");
    auto group = DecodeGroup(number, ToView(groups->value()));
    if (!group) return Refuse(group.error().context);
    slabs_.resize((uint64_t{number} + 1) * kGroupSlabs);
    for (size_t i = 0; i < kGroupSlabs; ++i) {
      SlabSpace& slab = group->slabs[i];
      occupied_ += slab.occupied_runs;
      slabs_[uint64_t{number} * kGroupSlabs + i] = {slab.size_class, std::move(slab.occupied)};
    }
    if (task_.arena == nullptr) continue;
    std::string payload(reinterpret_cast<const char*>(&number), sizeof(number));
    payload.append(ToView(groups->value()));
    report_->Send(MessageType::kGroup, payload);
  }
  if (!groups->status().ok()) return FromRocks(groups->status(), task_.paths.store + ": space map");
  if (occupied_ != entry_.live_pages) {
    return Refuse("the space map holds " + std::to_string(occupied_) + " pages, the catalogue " +
                  std::to_string(entry_.live_pages));
  }
  return {};
}

Status SnapshotLoader::ReadPages() {
  const auto pages = store_->Iterate(store_->pages());
  uint64_t shown = 0;
  for (pages->SeekToFirst(); pages->Valid(); pages->Next()) {
    VERSO_TRY_STATUS(TakePage(ToView(pages->key()), ToView(pages->value())));
    if (pages_ == entry_.live_pages / 2 + 1) DieAt(task_.fault, FaultPoint::kMidLoad);
    if (bytes_ - shown < kBatchBytes) continue;
    shown = bytes_;
    task_.control->pages_done.store(pages_, std::memory_order_relaxed);
    task_.control->bytes_done.store(bytes_, std::memory_order_relaxed);
    report_->Progress();
  }
  if (!pages->status().ok()) return FromRocks(pages->status(), task_.paths.store + ": pages");
  VERSO_TRY_STATUS(output_.Flush());
  task_.control->pages_done.store(pages_, std::memory_order_relaxed);
  task_.control->bytes_done.store(bytes_, std::memory_order_relaxed);
  // Every page found an empty occupied run, so equal counts mean that none is missing.
  if (pages_ != occupied_) {
    return Refuse(std::to_string(occupied_ - pages_) + " of " + std::to_string(occupied_) +
                  " pages are missing");
  }
  if (bytes_ != entry_.live_bytes || key_sum_ != entry_.key_sum) {
    return Refuse("the pages are not those of the newest save");
  }
  return {};
}

Status SnapshotLoader::TakePage(ByteView key, ByteView value) {
  if (key.size() != kPageKeyBytes) return Refuse("pages: key of wrong length");
  const PageAddress at = DecodePageKey(key.data());
  const auto bad = [&](const char* why) {
    return Refuse("page of birth " + std::to_string(at.birth) + " at cell " +
                  std::to_string(at.cell) + ": " + why);
  };
  if (value.size() < kChecksumBytes || value.size() - kChecksumBytes > storage::kPageBytesMax) {
    return bad("impossible length");
  }
  const ByteView page = value.substr(0, value.size() - kChecksumBytes);
  if (LoadLe<uint32_t>(page.data() + page.size()) != PageChecksum(at.birth, at.cell, page))
    return bad("checksum");

  const uint64_t number = SlabOf(at.cell);
  if (number >= slabs_.size()) return bad("not in the space map");
  SlabState& slab = slabs_[number];
  if (slab.size_class != storage::ClassFor(page.size()))
    return bad("its size does not fit its slab");
  const int run = RunAt(at.cell, slab.size_class);
  if (run < 0) return bad("not the beginning of a run");
  uint64_t& word = slab.missing[static_cast<size_t>(run) / 64];
  const uint64_t bit = uint64_t{1} << run % 64;
  if ((word & bit) == 0) return bad("not in the space map, or there twice");
  word &= ~bit;

  pages_ += 1;
  bytes_ += page.size();
  key_sum_ += KeyHash(at.birth, at.cell);
  newest_birth_ = at.birth;  // keys ascend by birth
  return output_.Put(at.cell, page);
}

}  // namespace

int RunSnapshotLoader(const LoadTask& task, ChildReport* report) {
  SnapshotLoader loader(task, report);
  const Status status = loader.Run();
  if (status) return kExitDone;
  report->Fail(status.error());
  return kExitFailed;
}

}  // namespace verso::persistence
