#include "persistence/snapshot_loader.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <exception>
#include <thread>
#include <utility>
#include <vector>

#include "persistence/space_map.h"
#include "persistence/store_db.h"
#include "storage/base/monotonic_time.h"
#include "storage/memory/page_kinds.h"
#include "storage/memory/save_walk.h"

namespace verso::persistence {

namespace {

constexpr uint64_t kBatchBytes = 16 << 20;  // progress is shown so often

Status WriteToArena(int fd, ByteView bytes, uint64_t at) {
  size_t done = 0;
  while (done < bytes.size()) {
    const ssize_t n =
        pwrite(fd, bytes.data() + done, bytes.size() - done, static_cast<off_t>(at + done));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return OsError("arena");
    done += static_cast<size_t>(n);
  }
  return {};
}

// Which bit of the image's table says that a run is there.
struct RunBit {
  uint32_t word = 0;
  uint64_t bit = 0;
};

// Collects pages that lie side by side and writes them with one call; only then they are resident.
class ArenaOutput {
 public:
  explicit ArenaOutput(storage::PageArena* arena) : arena_(arena) { buffer_.reserve(kBufferBytes); }

  Status Put(Cell cell, ByteView page, const RunBit& run) {
    const uint64_t at = cell * storage::kCellBytes;
    const size_t run_bytes = storage::RunBytes(page.size());
    if (at != start_ + buffer_.size() || buffer_.size() + run_bytes > kBufferBytes) {
      VERSO_TRY_STATUS(Flush());
      start_ = at;
    }
    buffer_.append(page);
    buffer_.append(run_bytes - page.size(), '\0');
    if (!runs_.empty() && runs_.back().word == run.word) {
      runs_.back().bit |= run.bit;
    } else {
      runs_.push_back(run);
    }
    return {};
  }

  Status Flush() {
    if (buffer_.empty()) return {};
    VERSO_TRY_STATUS(WriteToArena(arena_->fd(), buffer_, start_));
    buffer_.clear();
    for (const RunBit& run : runs_) arena_->image()->SetResident(run.word, run.bit);
    runs_.clear();
    return {};
  }

 private:
  static constexpr size_t kBufferBytes = 256 * 1024;
  storage::PageArena* arena_;
  uint64_t start_ = 0;
  std::string buffer_;
  std::vector<RunBit> runs_;
};

class SnapshotLoader {
 public:
  SnapshotLoader(const LoadTask& task, ChildReport* report)
      : task_(task), report_(report), output_(task.arena) {}
  ~SnapshotLoader() { EndRequests(); }

  Status Run();

 private:
  // A slab of the space map, and which of its runs the stream has still to fill.
  struct SlabState {
    uint8_t size_class = kSlabUnused;
    uint32_t first_word = 0;  // of the image's table
    std::unique_ptr<uint64_t[]> missing;
  };
  // A page of the store that fits its key and its slab.
  struct FoundPage {
    ByteView bytes;
    SlabState* slab = nullptr;
    size_t run = 0;
    RunBit bit() const {
      return {slab->first_word + static_cast<uint32_t>(run / 64), uint64_t{1} << run % 64};
    }
  };

  Status CheckEntry();
  Status ReadSpace();
  Status BringRoots();
  Status ReadPages();
  void GiveWay();
  Status TakePage(ByteView key, ByteView value);
  Result<FoundPage> Judge(const PageAddress& at, ByteView value);
  Status Bring(const PageAddress& at);
  void ServeRequests();
  void EndRequests();
  Error Bad(const PageAddress& at, const std::string& why) const {
    return Refuse("page of birth " + std::to_string(at.birth) + " at cell " +
                  std::to_string(at.cell) + ": " + why);
  }
  Error Refuse(const std::string& why) const {
    return Error{ErrorCode::kCorruption, task_.paths.store + ": " + why};
  }

  const LoadTask& task_;
  ChildReport* report_;
  ArenaOutput output_;
  std::unique_ptr<StoreDb> store_;
  CatalogueEntry entry_;
  std::vector<SlabState> slabs_;  // by slab number; but for `missing` constant after ReadSpace
  uint32_t words_ = 0;
  uint64_t gave_way_us_ = 0;
  uint64_t occupied_ = 0;
  uint64_t pages_ = 0;
  uint64_t bytes_ = 0;
  uint64_t key_sum_ = 0;
  Epoch newest_birth_ = 0;
  std::thread requests_;
};

Status SnapshotLoader::Run() {
  if (task_.fault == FaultPoint::kHoldLoad) BlockHoldSignal();
  VERSO_TRY(store_, StoreDb::Open(task_.paths.store, StoreMode::kRead));
  VERSO_TRY(const std::optional<CatalogueEntry> newest, store_->ReadNewest());
  if (newest || task_.identity.epoch != 0) {
    if (!newest) return Refuse("the catalogue is empty, but a save was committed");
    entry_ = *newest;
    VERSO_TRY_STATUS(CheckEntry());
    VERSO_TRY_STATUS(ReadSpace());
    if (task_.arena != nullptr) {
      VERSO_TRY_STATUS(BringRoots());
      requests_ = std::thread([this] { ServeRequests(); });
      if (!task_.serving) {
        std::string words(sizeof(words_), '\0');
        StoreLe<uint32_t>(words.data(), words_);
        report_->Send(MessageType::kServe, words);
      }
    }
    HoldAt(task_.fault, FaultPoint::kHoldLoad);
    VERSO_TRY_STATUS(ReadPages());
    // So the epoch after a start, entry_.epoch_next, is above every birth in the store.
    if (newest_birth_ > entry_.epoch) return Refuse("a page is younger than the newest save");
    // The checksums say that these are the bytes that were saved; this, that no reader can be led
    // astray by them.
    if (task_.arena != nullptr) {
      EndRequests();  // everything is resident
      const Status sound = storage::VerifyPages(*task_.arena, entry_.super_root);
      if (!sound) return Refuse(sound.error().context);
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
  if (task_.serving) {
    if (entry_.save_id == task_.serving->save_id) return {};
    return Refuse("its newest save is no longer the one that is being served");
  }
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
      slabs_[uint64_t{number} * kGroupSlabs + i] = {slab.size_class, words_,
                                                    std::move(slab.occupied)};
      if (slab.size_class != kSlabUnused) {
        words_ += static_cast<uint32_t>(storage::PageImage::WordsOf(slab.size_class));
      }
    }
    if (task_.arena == nullptr || task_.serving) continue;
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
    GiveWay();
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

// N5: what is asked for comes first. The stream leaves the disk and the processor to it, though
// never for more than half of the time: asking must not keep it from its end.
void SnapshotLoader::GiveWay() {
  if (task_.requests == nullptr || !task_.requests->outstanding()) return;
  constexpr uint64_t kCreditUsMax = 5000;
  const uint64_t begin_us = MonotonicUs();
  const uint64_t credit_us = std::min(begin_us - gave_way_us_, kCreditUsMax);
  do {
    std::this_thread::sleep_for(std::chrono::microseconds(50));
    gave_way_us_ = MonotonicUs();
  } while (task_.requests->outstanding() && gave_way_us_ - begin_us < credit_us);
}

Result<SnapshotLoader::FoundPage> SnapshotLoader::Judge(const PageAddress& at, ByteView value) {
  if (value.size() <= kChecksumBytes || value.size() - kChecksumBytes > storage::kPageBytesMax) {
    return Bad(at, "impossible length");
  }
  FoundPage found;
  found.bytes = value.substr(0, value.size() - kChecksumBytes);
  if (LoadLe<uint32_t>(value.data() + found.bytes.size()) !=
      PageChecksum(at.birth, at.cell, found.bytes)) {
    return Bad(at, "checksum");
  }
  const uint64_t number = SlabOf(at.cell);
  if (number >= slabs_.size()) return Bad(at, "not in the space map");
  found.slab = &slabs_[number];
  if (found.slab->size_class != storage::ClassFor(found.bytes.size())) {
    return Bad(at, "its size does not fit its slab");
  }
  const int run = RunAt(at.cell, found.slab->size_class);
  if (run < 0) return Bad(at, "not the beginning of a run");
  found.run = static_cast<size_t>(run);
  return found;
}

Status SnapshotLoader::TakePage(ByteView key, ByteView value) {
  if (key.size() != kPageKeyBytes) return Refuse("pages: key of wrong length");
  const PageAddress at = DecodePageKey(key.data());
  VERSO_TRY(const FoundPage page, Judge(at, value));
  uint64_t& word = page.slab->missing[page.run / 64];
  const uint64_t bit = uint64_t{1} << page.run % 64;
  if ((word & bit) == 0) return Bad(at, "not in the space map, or there twice");
  word &= ~bit;

  pages_ += 1;
  bytes_ += page.bytes.size();
  key_sum_ += KeyHash(at.birth, at.cell);
  newest_birth_ = at.birth;  // keys ascend by birth
  if (task_.arena == nullptr) return {};
  const RunBit run = page.bit();
  if (task_.arena->image()->IsResident(run.word, run.bit)) return {};
  return output_.Put(at.cell, page.bytes, run);
}

// ---- pages that are asked for

// N3: one page, now. It may be in the stream's hands at the same time: both write the same bytes.
Status SnapshotLoader::Bring(const PageAddress& at) {
  const uint64_t number = SlabOf(at.cell);
  if (number < slabs_.size() && slabs_[number].size_class != kSlabUnused) {
    const int run = RunAt(at.cell, slabs_[number].size_class);
    const RunBit bit = FoundPage{{}, &slabs_[number], static_cast<size_t>(std::max(run, 0))}.bit();
    if (run >= 0 && task_.arena->image()->IsResident(bit.word, bit.bit)) return {};
  }
  const PageKey key = EncodePageKey(at.birth, at.cell);
  rocksdb::ReadOptions options;
  options.verify_checksums = true;
  rocksdb::PinnableSlice value;
  const rocksdb::Status got =
      store_->db()->Get(options, store_->pages(), ToSlice(key.view()), &value);
  if (got.IsNotFound()) return Bad(at, "missing");
  if (!got.ok()) return FromRocks(got, task_.paths.store + ": pages");
  VERSO_TRY(const FoundPage page, Judge(at, ToView(value)));
  std::string bytes(page.bytes);
  bytes.resize(storage::RunBytes(bytes.size()), '\0');
  VERSO_TRY_STATUS(WriteToArena(task_.arena->fd(), bytes, at.cell * storage::kCellBytes));
  const RunBit run = page.bit();
  task_.arena->image()->SetResident(run.word, run.bit);
  return {};
}

// What the serving process reads first. Damage in it refuses the start.
Status SnapshotLoader::BringRoots() {
  const Ref& root = entry_.super_root;
  const PageAddress root_at{root.birth(), root.cell()};
  VERSO_TRY_STATUS(Bring(root_at));
  const char* page = task_.arena->base() + root.cell() * storage::kCellBytes;
  if (!storage::CheckPage(page, root)) return Bad(root_at, "not what the catalogue says");
  Status brought;
  storage::VisitSuperRoot(page, root, [&](const Ref& ref) {
    if (brought) brought = Bring({ref.birth(), ref.cell()});
  });
  if (!brought) return brought;
  auto table = storage::ReadMeta(*task_.arena, root);
  if (!table) return Refuse(table.error().context);
  return {};
}

void SnapshotLoader::ServeRequests() {
  const auto fail = [this](const Error& error) {
    report_->Fail(error);
    _exit(kExitFailed);
  };
  try {
    PageAddress at{};
    while (task_.requests->Take(&at)) {
      const Status brought = Bring(at);
      if (!brought) fail(brought.error());
      task_.requests->Served();
      report_->Progress();  // whoever does not sleep for it looks again
    }
  } catch (const std::exception& failure) {  // RocksDB's, the standard library's
    fail(Error{ErrorCode::kIo, std::string("unexpected: ") + failure.what()});
  }
}

void SnapshotLoader::EndRequests() {
  if (!requests_.joinable()) return;
  task_.requests->Stop();
  requests_.join();
}

}  // namespace

int RunSnapshotLoader(const LoadTask& task, ChildReport* report) {
  if (task.arena != nullptr) task.arena->ForgetSource();
  SnapshotLoader loader(task, report);
  const Status status = loader.Run();
  if (status) return kExitDone;
  report->Fail(status.error());
  return kExitFailed;
}

}  // namespace verso::persistence
