#include "persistence/snapshot_writer.h"

#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cinttypes>
#include <cstdlib>
#include <thread>

#include "persistence/space_map.h"
#include "persistence/store_compaction.h"
#include "persistence/store_db.h"
#include "persistence/store_sst.h"
#include "storage/memory/save_walk.h"

namespace verso::persistence {

namespace {

using storage::PageOrder;

constexpr size_t kBatchBytes = 1 << 20;  // the watermark moves so often
constexpr size_t kProbeBatches = 16;     // and own memory is looked at so often
constexpr size_t kBytesPerRefGuess =
    64;  // data per page reference reserved for; unused address space costs nothing

// Anonymous memory of this process, from the kernel: an upper bound of what the child added.
uint64_t AnonymousBytes() {
  const auto text = ReadSmallFile("/proc/self/status", 16 * 1024);
  if (!text) return 0;
  const size_t at = text->find("RssAnon:");
  return at == std::string::npos ? 0 : std::strtoull(text->c_str() + at + 8, nullptr, 10) * 1024;
}

// Backs and clears memory that the parent will need for its copies (PageArena::BackAhead) in a
// thread of its own: the parent copies fastest in the first moments, while this process collects.
class MemoryAhead {
 public:
  explicit MemoryAhead(const storage::PageArena* arena)
      : thread_([this, arena] {
          while (!stop_.load(std::memory_order_relaxed)) {
            if (!arena->BackAhead()) std::this_thread::sleep_for(std::chrono::milliseconds(2));
          }
        }) {}
  ~MemoryAhead() { Stop(); }
  void Stop() {
    stop_.store(true, std::memory_order_relaxed);
    if (thread_.joinable()) thread_.join();
  }

 private:
  std::atomic<bool> stop_{false};
  std::thread thread_;
};

class SnapshotWriter {
 public:
  SnapshotWriter(const SaveTask& task, ChildReport* report)
      : task_(task),
        report_(report),
        control_(*task.control),
        space_([this](uint32_t group) { return ReadGroup(group); }) {}

  Status Run();

 private:
  Status Prepare();
  Status Collect();
  Status ApplyDeletions();
  Status WritePages();
  Status WriteDeletions();
  Status WriteSpace();
  Status WriteCatalogue();
  Status Commit();
  Result<GroupSpace> ReadGroup(uint32_t group);
  void Compact(uint64_t live_bytes);
  void NoteMemory();

  const SaveTask& task_;
  ChildReport* report_;
  ControlBlock& control_;
  std::unique_ptr<StoreDb> store_;
  std::optional<CatalogueEntry> previous_;
  CatalogueEntry entry_;
  std::vector<Ref> pages_;
  std::vector<Ref> deletions_;
  SpaceMap space_;
  SstFiles page_files_;
  SstFiles space_files_;
  SstFiles catalogue_files_;
  uint64_t anonymous_at_start_ = 0;
};

Status SnapshotWriter::Run() {
  anonymous_at_start_ = AnonymousBytes();
  VERSO_TRY_STATUS(task_.arena->ProtectForChild());
  MemoryAhead memory_ahead(task_.arena);
  DieAt(task_.fault, FaultPoint::kBeforeOpen);
  control_.SetPhase(SavePhase::kOpening);
  VERSO_TRY_STATUS(Prepare());
  control_.SetPhase(SavePhase::kCollecting);
  DieAt(task_.fault, FaultPoint::kWhileCollecting);
  VERSO_TRY_STATUS(Collect());
  control_.SetPhase(SavePhase::kWriting);
  report_->Progress();
  VERSO_TRY_STATUS(ApplyDeletions());
  VERSO_TRY_STATUS(WritePages());
  VERSO_TRY_STATUS(WriteDeletions());
  VERSO_TRY_STATUS(WriteSpace());
  VERSO_TRY_STATUS(WriteCatalogue());
  pages_ = {};
  memory_ahead.Stop();  // with the commit the parent takes back what it had promised
  VERSO_TRY_STATUS(Commit());

  Compact(entry_.live_bytes);
  store_.reset();
  return {};
}

void SnapshotWriter::Compact(uint64_t live_bytes) {
  control_.SetPhase(SavePhase::kCompacting);
  const auto compacted = CompactIfWorth(store_.get(), live_bytes);
  if (!compacted) {
    report_->Log(LogLevel::kWarning, "compacting the store failed: " + compacted.error().context);
  } else if (!compacted->empty()) {
    report_->Log(LogLevel::kInfo, *compacted);
  }
}

// Opens the store and makes sure that this save continues what is in it.
Status SnapshotWriter::Prepare() {
  VERSO_TRY_STATUS(RemoveDirectoryOfFiles(task_.paths.ingest));
  VERSO_TRY_STATUS(MakeDirectory(task_.paths.ingest));
  if (task_.start.base != 0 && !PathExists(task_.paths.store)) {
    return Error{ErrorCode::kNotFound, task_.paths.store + ": the store is gone"};
  }
  VERSO_TRY(store_, StoreDb::Open(task_.paths.store, StoreMode::kWrite));
  VERSO_TRY(previous_, store_->ReadNewest());
  const Epoch newest = previous_ ? previous_->epoch : 0;
  if (newest != task_.start.base) {
    return Error{ErrorCode::kIncompatible, task_.paths.store + ": its newest save is of epoch " +
                                               std::to_string(newest) + ", expected " +
                                               std::to_string(task_.start.base)};
  }
  if (previous_ && previous_->store_id != task_.identity.store_id) {
    return Error{ErrorCode::kIncompatible, task_.paths.store + ": is another store"};
  }
  if (previous_) {
    entry_.live_pages = previous_->live_pages;
    entry_.live_bytes = previous_->live_bytes;
    entry_.key_sum = previous_->key_sum;
    if (task_.compact_first) Compact(entry_.live_bytes);
  }
  return {};
}

Status SnapshotWriter::Collect() {
  if (task_.start.base == 0) pages_.reserve(task_.start.bytes_allocated / kBytesPerRefGuess);
  VERSO_TRY_STATUS(
      storage::CollectSave(*task_.arena, task_.start.super_root, task_.start.base, &pages_));
  uint64_t bytes = 0;
  for (const Ref& page : pages_) bytes += page.size();
  control_.pages_total.store(pages_.size(), std::memory_order_relaxed);
  control_.bytes_total.store(bytes, std::memory_order_relaxed);
  entry_.pages_written = pages_.size();
  entry_.bytes_written = bytes;
  return {};
}

Status SnapshotWriter::ApplyDeletions() {
  task_.start.garbage.ForEach(*task_.arena, [this](const Ref& page) {
    if (page.birth() <= task_.start.base) deletions_.push_back(page);
  });
  std::sort(deletions_.begin(), deletions_.end(), PageOrder());
  size_t kept = 0;
  for (const Ref& page : deletions_) {
    VERSO_TRY(const bool held, space_.Remove(page.cell(), page.size()));
    if (!held) continue;
    entry_.live_pages -= 1;
    entry_.live_bytes -= page.size();
    entry_.key_sum -= KeyHash(page.birth(), page.cell());
    deletions_[kept++] = page;
  }
  deletions_.resize(kept);
  return {};
}

Status SnapshotWriter::WritePages() {
  SstOutput output(task_.paths.ingest + "/pages", store_->pages());
  std::string value;
  size_t batch = 0;
  size_t batches = 0;
  for (size_t i = 0; i < pages_.size(); ++i) {
    const Ref& page = pages_[i];
    VERSO_TRY_STATUS(space_.Add(page.cell(), page.size()));
    value.assign(task_.arena->Resolve(page), page.size());
    const uint32_t checksum = PageChecksum(page.birth(), page.cell(), value);
    value.append(reinterpret_cast<const char*>(&checksum), kChecksumBytes);
    VERSO_TRY_STATUS(output.Put(EncodePageKey(page.birth(), page.cell()).view(), value));
    entry_.live_pages += 1;
    entry_.live_bytes += page.size();
    entry_.key_sum += KeyHash(page.birth(), page.cell());
    if (i == pages_.size() / 2) DieAt(task_.fault, FaultPoint::kMidPages);

    batch += page.size();
    if (batch < kBatchBytes && i + 1 < pages_.size()) continue;
    control_.PublishWatermark(page);  // W2
    control_.pages_done.store(i + 1, std::memory_order_relaxed);
    control_.bytes_done.fetch_add(batch, std::memory_order_relaxed);
    batch = 0;
    if (batches++ % kProbeBatches == 0) NoteMemory();
    report_->Progress();
  }
  NoteMemory();
  VERSO_TRY(page_files_, output.Finish());
  return {};
}

Status SnapshotWriter::WriteDeletions() {
  SstOutput output(task_.paths.ingest + "/deletions", store_->pages());
  for (const Ref& page : deletions_) {
    VERSO_TRY_STATUS(output.Delete(EncodePageKey(page.birth(), page.cell()).view()));
  }
  VERSO_TRY(const SstFiles files, output.Finish());
  page_files_.insert(page_files_.end(), files.begin(), files.end());
  return {};
}

Status SnapshotWriter::WriteSpace() {
  SstOutput output(task_.paths.ingest + "/space", store_->space());
  for (const uint32_t number : space_.TouchedGroups()) {
    const auto key = EncodeGroupKey(number);
    const GroupSpace& group = space_.group(number);
    if (group.empty()) {
      VERSO_TRY_STATUS(output.Delete({key.data(), key.size()}));
    } else {
      VERSO_TRY_STATUS(output.Put({key.data(), key.size()}, EncodeGroup(number, group)));
    }
  }
  VERSO_TRY(space_files_, output.Finish());
  return {};
}

// The new entry takes the place of all older ones: named snapshots live inside the super-root.
Status SnapshotWriter::WriteCatalogue() {
  entry_.store_id = task_.identity.store_id;
  entry_.save_id = task_.save_id;
  entry_.secret = task_.identity.secret;
  entry_.super_root = task_.start.super_root;
  entry_.epoch = task_.start.epoch;
  entry_.epoch_next = task_.start.epoch + 1;
  if (previous_) entry_.epoch_next = std::max(entry_.epoch_next, previous_->epoch_next);
  entry_.base = task_.start.base;
  entry_.time_ms = task_.time_ms;
  entry_.log_position = task_.log_position;

  SstOutput output(task_.paths.ingest + "/catalogue", store_->snapshots());
  const auto entries = store_->Iterate(store_->snapshots());
  for (entries->SeekToFirst(); entries->Valid(); entries->Next()) {
    const ByteView key = ToView(entries->key());
    const auto own = EncodeCatalogueKey(entry_.epoch);
    if (key < ByteView(own.data(), own.size())) VERSO_TRY_STATUS(output.Delete(key));
  }
  if (!entries->status().ok()) return FromRocks(entries->status(), task_.paths.store);
  const auto key = EncodeCatalogueKey(entry_.epoch);
  VERSO_TRY_STATUS(output.Put({key.data(), key.size()}, EncodeCatalogue(entry_)));
  VERSO_TRY(catalogue_files_, output.Finish());
  return {};
}

Status SnapshotWriter::Commit() {
  rocksdb::IngestExternalFileOptions options;
  options.move_files = true;
  options.write_global_seqno = false;
  options.allow_blocking_flush = false;
  std::vector<rocksdb::IngestExternalFileArg> arguments;
  const auto add = [&](rocksdb::ColumnFamilyHandle* family, const SstFiles& files) {
    if (files.empty()) return;
    auto& argument = arguments.emplace_back();
    argument.column_family = family;
    argument.external_files = files;
    argument.options = options;
  };
  add(store_->pages(), page_files_);
  add(store_->space(), space_files_);
  add(store_->snapshots(), catalogue_files_);

  control_.SetPhase(SavePhase::kCommitting);
  control_.committing.store(1, std::memory_order_seq_cst);  // C1
  DieAt(task_.fault, FaultPoint::kBeforeIngest);
  const rocksdb::Status ingested = store_->db()->IngestExternalFiles(arguments);
  if (!ingested.ok()) return FromRocks(ingested, task_.paths.store + ": commit");  // W4
  DieAt(task_.fault, FaultPoint::kAfterIngest);
  StoreIdentity identity = task_.identity;
  identity.epoch = entry_.epoch;
  identity.save_id = entry_.save_id;
  VERSO_TRY_STATUS(WriteIdentity(task_.paths.identity, identity));
  DieAt(task_.fault, FaultPoint::kAfterIdentity);
  control_.committed.store(1, std::memory_order_seq_cst);
  report_->Send(MessageType::kCommitted, {});
  DieAt(task_.fault, FaultPoint::kAfterReport);
  return RemoveDirectoryOfFiles(task_.paths.ingest);
}

Result<GroupSpace> SnapshotWriter::ReadGroup(uint32_t group) {
  const auto key = EncodeGroupKey(group);
  std::string value;
  const rocksdb::Status status =
      store_->db()->Get(rocksdb::ReadOptions(), store_->space(), {key.data(), key.size()}, &value);
  if (status.IsNotFound()) return GroupSpace{};
  if (!status.ok()) return FromRocks(status, task_.paths.store);
  return DecodeGroup(group, value);
}

void SnapshotWriter::NoteMemory() {
  const uint64_t now = AnonymousBytes();
  const uint64_t own = now > anonymous_at_start_ ? now - anonymous_at_start_ : 0;
  if (own > control_.private_bytes.load(std::memory_order_relaxed)) {
    control_.private_bytes.store(own, std::memory_order_relaxed);
  }
}

}  // namespace

int RunSnapshotWriter(const SaveTask& task, ChildReport* report) {
  SnapshotWriter writer(task, report);
  const Status status = writer.Run();
  if (status) return kExitDone;
  report->Fail(status.error());
  return kExitFailed;
}

int RunResolver(const ResolveTask& task, ChildReport* report) {
  const auto resolve = [&]() -> Status {
    std::optional<CatalogueEntry> newest;
    if (PathExists(task.paths.store)) {
      VERSO_TRY(const auto store, StoreDb::Open(task.paths.store, StoreMode::kWrite));
      VERSO_TRY(newest, store->ReadNewest());
    }
    StoreIdentity identity = task.identity;
    identity.epoch = newest ? newest->epoch : 0;
    identity.save_id = newest ? newest->save_id : Id{};
    VERSO_TRY_STATUS(WriteIdentity(task.paths.identity, identity));
    DieAt(task.fault, FaultPoint::kMidResolve);
    std::string payload(reinterpret_cast<const char*>(identity.save_id.bytes.data()), 16);
    payload.append(reinterpret_cast<const char*>(&identity.epoch), sizeof(identity.epoch));
    report->Send(MessageType::kNewestSave, payload);
    return {};
  };
  const Status status = resolve();
  if (status) return kExitDone;
  report->Fail(status.error());
  return kExitFailed;
}

}  // namespace verso::persistence
