#include "storage/memory/store.h"

#include <algorithm>
#include <cstring>

#include "storage/base/check.h"
#include "storage/base/unforked_memory.h"
#include "storage/memory/branches.h"
#include "storage/memory/page_kinds.h"
#include "storage/memory/snapshots.h"

namespace verso::storage {

namespace {

// Scratch lines come and go with commands and transactions; nobody looks for one by its id.
constexpr LineId kScratchLineId = ~LineId{0} - 1;

}  // namespace

// ---- PinHandle

PinHandle& PinHandle::operator=(PinHandle&& other) noexcept {
  if (this != &other) {
    Release();
    store_ = other.store_;
    line_ = other.line_;
    epoch_ = other.epoch_;
    root_ = other.root_;
    moment_ms_ = other.moment_ms_;
    other.store_ = nullptr;
  }
  return *this;
}

void PinHandle::Release() {
  if (store_ == nullptr) return;
  store_->Unpin(*line_, epoch_);
  store_ = nullptr;
}

// ---- making and ending

Result<std::unique_ptr<Store>> Store::Create(const StoreOptions& options) {
  VERSO_CHECK(options.clock != nullptr);
  std::unique_ptr<Store> store(new Store);
  VERSO_TRY(store->arena_, PageArena::Create(options.arena));
  store->clock_ = options.clock;
  store->secret_ = options.secret;
  store->garbage_ = std::make_unique<RefList>(store->arena_.get());
  store->garbage_taken_ = std::make_unique<RefList>(store->arena_.get());
  store->reclaimer_ = std::make_unique<Reclaimer>(store.get());
  store->snapshots_ = std::make_unique<Snapshots>(store.get());
  store->next_line_id_ = 0;
  store->meta_ = store->NewLine(nullptr, 0, false);
  store->main_ = store->NewLine(nullptr, 0, false);
  store->branches_ = std::make_unique<Branches>(store.get(), store->main_);
  return store;
}

Store::~Store() = default;

Line* Store::NewLine(Line* parent, Epoch fork, bool scratch) {
  std::unique_ptr<Line> line(new Line);
  line->store_ = this;
  line->arena_ = arena_.get();
  line->epoch_ = &epoch_;
  line->written_ = &written_;
  line->id_ = scratch ? kScratchLineId : next_line_id_++;
  line->fork_ = fork;
  line->scratch_ = scratch;
  line->parent_ = parent;
  line->UpdateFrozen();
  if (parent != nullptr) parent->children_.push_back(line.get());
  lines_.push_back(std::move(line));
  return lines_.back().get();
}

Line* Store::FindLine(LineId id) {
  const auto at =
      std::find_if(lines_.begin(), lines_.end(), [id](const auto& l) { return l->id() == id; });
  return at != lines_.end() ? at->get() : nullptr;
}

void Store::DeleteLine(Line* line) {
  const auto at =
      std::find_if(lines_.begin(), lines_.end(), [line](const auto& l) { return l.get() == line; });
  VERSO_CHECK(at != lines_.end());
  lines_.erase(at);
}

// ---- versions

Epoch Store::Pin(Line& line, uint64_t moment_ms, bool kept) {
  VERSO_CHECK(!line.headless_);
  VERSO_CHECK(!line.scratch_);  // V6: its dead lists would be chunks that no save contains
  if (written_) {               // V1
    ++epoch_;
    written_ = false;
  }
  const Epoch named = epoch_ - 1;
  if (line.pins_.empty() || line.pins_.back().epoch != named) {
    storage::Pin& pin = line.pins_.emplace_back();
    pin.epoch = named;
    pin.root = line.head_;
    pin.moment_ms = moment_ms;
    line.UpdateFrozen();
    arena_->set_copying(true);
  }
  storage::Pin& pin = line.pins_.back();
  ++pin.holders;
  if (kept) ++pin.kept;
  return named;
}

PinHandle Store::PinForRead(Line& line, uint64_t moment_ms) {
  const Epoch epoch = Pin(line, moment_ms);
  return PinHandle(this, &line, epoch, line.pins_.back().root, moment_ms);
}

Ref Store::HoldPin(Line& line, Epoch epoch, bool kept) {
  storage::Pin* pin = line.FindPin(epoch);
  VERSO_CHECK(pin != nullptr);
  ++pin->holders;
  if (kept) ++pin->kept;
  return pin->root;
}

void Store::Unpin(Line& line, Epoch epoch, bool kept) {
  storage::Pin* pin = line.FindPin(epoch);
  VERSO_CHECK(pin != nullptr && pin->holders > 0);
  if (kept) {
    VERSO_CHECK(pin->kept > 0);
    --pin->kept;
  }
  if (--pin->holders == 0) UnpinIndex(line, static_cast<size_t>(pin - line.pins_.data()));
  AfterDrop(&line);
}

// V5: what only this pin needed is free; what earlier pins need as well passes to the pin before
// it.
void Store::UnpinIndex(Line& line, size_t index) {
  const Ref root = line.pins_[index].root;
  DeadBuckets dead = std::move(line.pins_[index].dead);
  const bool newest = index + 1 == line.pins_.size();
  line.pins_.erase(line.pins_.begin() + static_cast<ptrdiff_t>(index));
  line.UpdateFrozen();
  storage::Pin* before = index > 0 ? &line.pins_[index - 1] : nullptr;

  if (line.headless_ && newest) {  // V10: it stood in for the head
    Discard(line, &dead);
    if (before != nullptr) {
      Discard(line, &before->dead);
    } else {
      reclaimer_->AddDiscard(line, line.inherited_.chunks);
      line.inherited_ = DeadBucket{};
    }
    const Epoch below = before != nullptr ? before->epoch : line.fork_;
    reclaimer_->LineBeheaded(&line, below);
    reclaimer_->AddSubtree(&line, root, epoch_, below);
    return;
  }
  if (before == nullptr) {
    for (const DeadBucket& bucket : dead) {
      ForgetPinned(line, bucket);
      reclaimer_->AddChain(&line, bucket.chunks);
    }
    return;
  }
  while (!dead.empty() && dead.back().first > before->epoch) {
    ForgetPinned(line, dead.back());
    reclaimer_->AddChain(&line, dead.back().chunks);
    dead.pop_back();
  }
  MergeBuckets(line, &before->dead, dead);
}

void Store::MergeBuckets(const Line& line, DeadBuckets* to, const DeadBuckets& from) {
  if (from.empty()) return;
  DeadBuckets merged(UnforkedMemory());
  merged.reserve(to->size() + from.size());
  std::merge(to->begin(), to->end(), from.begin(), from.end(), std::back_inserter(merged),
             [](const DeadBucket& a, const DeadBucket& b) { return a.first < b.first; });
  // The first live pin at or after `first` is what a bucket means; inherited entries stay apart.
  size_t pin = 0;
  size_t kept = 0;
  for (size_t i = 0; i < merged.size(); ++i) {
    DeadBucket& bucket = merged[i];
    const bool own = bucket.first > line.fork_;
    size_t meaning = pin;
    while (meaning < line.pins_.size() && line.pins_[meaning].epoch < bucket.first) ++meaning;
    const bool same = kept > 0 && meaning == pin && (merged[kept - 1].first > line.fork_) == own;
    pin = meaning;
    if (same) {
      DeadBucket& target = merged[kept - 1];
      AppendEntry(&target, bucket.chunks.WithFlag(kChainFlag));
      target.pages += bucket.pages;
      target.bytes += bucket.bytes;
    } else {
      merged[kept++] = bucket;
    }
  }
  merged.resize(kept);
  *to = std::move(merged);
}

void Store::Discard(const Line& line, DeadBuckets* buckets) {
  for (const DeadBucket& bucket : *buckets) {
    ForgetPinned(line, bucket);
    reclaimer_->AddDiscard(line, bucket.chunks);
  }
  buckets->clear();
}

Line* Store::Fork(Line& from, Epoch epoch, bool scratch) {
  storage::Pin* pin = from.FindPin(epoch);
  VERSO_CHECK(pin != nullptr);
  ++pin->holders;
  if (!scratch) ++pin->kept;
  const Ref root = pin->root;
  Line* line = NewLine(&from, epoch, scratch);
  line->head_ = root;
  return line;
}

bool Store::SetNextLineId(LineId id) {
  if (id < next_line_id_ || id >= kScratchLineId) return false;
  next_line_id_ = id;
  return true;
}

void Store::DropHead(Line* line) {
  VERSO_CHECK(!line->headless_ && line != main_ && line != meta_);
  if (saving_ && line->FindPin(save_epoch_) != nullptr) {
    // The save's pin would become the head, and what was released behind the writer is missing in
    // its tree.
    save_condemned_.push_back(line);
    return;
  }
  const Epoch newest = line->pins_.empty() ? line->fork_ : line->pins_.back().epoch;
  const Ref head = line->head_;
  line->headless_ = true;
  line->head_ = kNullRef;
  if (!line->pins_.empty()) {  // V10: entries of the last interval are in the tree of the pin that
                               // is the head now
    Discard(*line, &line->pins_.back().dead);
  } else {
    reclaimer_->AddDiscard(*line, line->inherited_.chunks);
    line->inherited_ = DeadBucket{};
  }
  reclaimer_->LineBeheaded(line, newest);
  reclaimer_->AddSubtree(line, head, epoch_, newest);
  AfterDrop(line);
}

void Store::ExchangeMain(Line* line) {
  VERSO_CHECK(!line->headless_ && !line->scratch_);
  main_ = line;
  branches_->main().line = line;
}

void Store::AfterDrop(Line* line) {
  if (!line->headless_) return;
  if (!line->pins_.empty()) {
    TakeOver(line);
    return;
  }
  VERSO_CHECK(line->children_.empty());
  reclaimer_->AddDiscard(*line, line->inherited_.chunks);
  reclaimer_->LineGone(line);
  Line* const parent = line->parent_;
  const Epoch fork = line->fork_;
  const bool kept = !line->scratch_;
  DeleteLine(line);
  if (parent != nullptr) {
    std::erase(parent->children_, line);
    Unpin(*parent, fork, kept);
  }
}

// V10: a headless line whose only pin is the fork of its only child hands everything to the child.
void Store::TakeOver(Line* line) {
  if (line->pins_.size() != 1 || line->children_.size() != 1) return;
  storage::Pin& pin = line->pins_.front();
  Line* const child = line->children_.front();
  if (pin.holders != 1 || child->fork_ != pin.epoch || child->scratch_) return;
  // What died here before the pin and is needed by it is in the child's tree or on its lists: the
  // entries are void.
  Discard(*line, &pin.dead);
  reclaimer_->LineTakenOver(line, child);
  const DeadBucket inherited = child->inherited_;
  child->inherited_ = line->inherited_;
  const Epoch forked = child->fork_;
  child->fork_ = line->fork_;
  for (const storage::Pin& held : child->pins_) {  // what was the line's is the child's own now
    for (const DeadBucket& bucket : held.dead) {
      if (bucket.first == forked && forked > child->fork_) bytes_pinned_ += bucket.bytes;
    }
  }
  child->parent_ = line->parent_;
  child->UpdateFrozen();
  reclaimer_->AddChain(
      child,
      inherited.chunks);  // what was this line's own is free now, the rest goes back on the list
  Line* const parent = line->parent_;
  if (parent != nullptr) {
    std::erase(parent->children_, line);
    parent->children_.push_back(child);
  }
  DeleteLine(line);
}

// ---- pages

bool Store::DropDead(Line& line, const Ref& ref, Epoch died) {
  const Epoch birth = ref.birth();
  if (birth <= line.fork_) {
    AddInherited(line, ref, died);
    return false;
  }
  const auto by_epoch = [](const storage::Pin& pin, Epoch epoch) { return pin.epoch < epoch; };
  const auto first = std::lower_bound(line.pins_.begin(), line.pins_.end(), birth, by_epoch);
  const auto end = std::lower_bound(first, line.pins_.end(), died, by_epoch);
  if (first == end) {
    FreePage(ref);
    return true;
  }
  storage::Pin& last = *(end - 1);
  if (saving_ && last.epoch == save_epoch_ && first == end - 1 && last.holders == 1 &&
      WrittenBySave(ref)) {
    ++pages_released_early_;
    FreePage(ref);
    return true;
  }
  AddDead(line, &last.dead, first->epoch, ref);
  return false;
}

void Store::AddInherited(Line& line, const Ref& ref, Epoch died) {
  // A scratch line never takes over, and a list of its own would be chunks that no save contains.
  if (line.scratch_) return;
  const auto end =
      std::lower_bound(line.pins_.begin(), line.pins_.end(), died,
                       [](const storage::Pin& pin, Epoch epoch) { return pin.epoch < epoch; });
  if (end == line.pins_.begin()) {
    AppendEntry(&line.inherited_, ref);
  } else {
    AddDead(line, &(end - 1)->dead, line.fork_, ref);
  }
}

void Store::ForgetPinned(const Line& line, const DeadBucket& bucket) {
  if (bucket.first > line.fork_) bytes_pinned_ -= bucket.bytes;
}

void Store::AddDead(const Line& line, DeadBuckets* buckets, Epoch first, const Ref& ref) {
  auto at =
      std::lower_bound(buckets->begin(), buckets->end(), first,
                       [](const DeadBucket& bucket, Epoch epoch) { return bucket.first < epoch; });
  if (at == buckets->end() || at->first != first) {
    at = buckets->insert(at, DeadBucket{.first = first, .chunks = {}, .pages = 0, .bytes = 0});
  }
  ++at->pages;
  at->bytes += RunBytes(ref.size());
  if (first > line.fork_) bytes_pinned_ += RunBytes(ref.size());
  AppendEntry(&*at, ref);
}

// Chunks are pages of the meta line. Writable() may copy one, and so add to the dead list of the
// meta line itself; that list's newest chunk is younger than every pin, so this ends at once and
// never touches *bucket.
void Store::AppendEntry(DeadBucket* bucket, const Ref& entry) {
  size_t bytes = kDeadChunkSmall;
  if (bucket->chunks) {
    char* page = meta_->Writable(&bucket->chunks);
    uint32_t count = bucket->newest_count;
    if (count == 0) count = LoadLe<uint32_t>(page + 16);
    if (count < DeadChunkCapacity(bucket->chunks.size())) {
      StoreLe<Ref>(page + kDeadChunkHeader + count * sizeof(Ref), entry);
      StoreLe<uint32_t>(page + 16, count + 1);
      bucket->newest_count = count + 1;
      return;
    }
    bytes = kDeadChunkLarge;
  }
  const Ref chunk = meta_->NewPage(PageKind::kDeadChunk, bytes);
  char* page = arena_->ResolveMutable(chunk);
  std::memset(page, 0, bytes);
  StoreLe<Ref>(page, bucket->chunks);
  StoreLe<uint32_t>(page + 16, 1);
  StoreLe<Ref>(page + kDeadChunkHeader, entry);
  bucket->chunks = chunk;
  bucket->newest_count = 1;
}

void Store::FreePage(const Ref& ref) {
  if (ref.birth() <= maybe_saved_)
    garbage_->Append(ref);  // V6, DESIGN 6: the next commit deletes it from the store
  arena_->Free(ref.cell(), ref.size());
}

// ---- background

// Giving memory back costs a third of getting it: what copies took is kept for the next save.
constexpr uint64_t kTrimAfterMs = 5 * 60 * 1000;

bool Store::Background(uint64_t budget_us) {
  if (saving_) SweepSaveLists();
  // It would ask for pages that others have not touched for long; those who read come first.
  bool more = !arena_->pending() && reclaimer_->Run(budget_us);
  bool pinned = false;
  for (const auto& line : lines_) pinned = pinned || !line->pins_.empty();
  arena_->set_copying(pinned);
  more = arena_->Tick(pinned, saving_) || more;
  if (pinned) {
    last_pinned_ms_ = clock_->NowMs();
  } else if (!more && clock_->NowMs() - last_pinned_ms_ > kTrimAfterMs) {
    more = arena_->Trim(1, false) > 0;
  }
  return more;
}

void Store::DrainBackground() {
  if (saving_) SweepSaveLists();
  while (reclaimer_->Run(1'000'000)) {
  }
  while (!arena_->pending() && arena_->Unseal(1024)) {
  }
}

bool Store::reclaiming() const { return reclaimer_->backlog() != 0; }

Store::PinPlace Store::LargestPin() const {
  PinPlace largest;
  for (const auto& line : lines_) {
    for (const storage::Pin& pin : line->pins_) {
      uint64_t bytes = 0;
      for (const DeadBucket& bucket : pin.dead) {
        if (bucket.first > line->fork_) bytes += bucket.bytes;
      }
      if (bytes > largest.bytes) largest = {line.get(), pin.epoch, bytes};
    }
  }
  return largest;
}

StoreStats Store::stats() const {
  StoreStats stats;
  stats.pages_copied = pages_copied_;
  stats.bytes_copied = bytes_copied_;
  stats.pages_released_early = pages_released_early_;
  stats.lines = lines_.size() - 1;
  stats.reclaim_backlog = reclaimer_->backlog();
  stats.garbage_pages = garbage_->count();
  stats.pin_bytes = bytes_pinned_;
  for (const auto& line : lines_) {
    if (line.get() == meta_) continue;
    stats.pins += line->pins_.size();
    if (line->pins_.empty()) continue;
    const uint64_t moment = line->pins_.front().moment_ms;
    if (stats.pin_oldest_moment_ms == 0 || moment < stats.pin_oldest_moment_ms)
      stats.pin_oldest_moment_ms = moment;
  }
  return stats;
}

}  // namespace verso::storage
