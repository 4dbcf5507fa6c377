#include "persistence/log/log_flusher.h"

#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <system_error>

#include "persistence/shared_memory.h"
#include "storage/base/clock.h"
#include "storage/base/monotonic_time.h"

namespace verso::persistence {

namespace {

constexpr uint64_t kSecondUs = 1'000'000;
constexpr uint64_t kDropRetryUs = 5 * kSecondUs;
constexpr int kPiecesMax = 64;
// Segments come and go without allocating up to here (W6): a save a minute, retained for three
// weeks.
constexpr size_t kSegmentsReserved = 32768;

// Overwriting written blocks syncs faster than appending: fdatasync has no size to record.
constexpr uint64_t kZeroBytes = uint64_t{1} << 20;
constexpr uint64_t kZeroLowIdle = kZeroBytes / 2;
constexpr uint64_t kZeroLowBusy = uint64_t{64} << 10;
alignas(4096) const char kZeros[uint64_t{64} << 10] = {};

}  // namespace

LogFlusher::LogFlusher(FlusherStart start)
    : place_(start.place),
      event_fd_(start.event_fd),
      retry_us_(start.retry_us),
      segments_(std::move(start.segments)),
      policy_(start.policy),
      written_(start.sequence),
      durable_(start.sequence) {
  current_.fd = std::move(start.segment);
  current_.index = start.index;
  current_.end = current_.zeroed = kSegmentDataOffset + kMarkBytes;
  cursor_.chunk = start.chunk;
  mark_durable_ = start.sequence;
  segments_.reserve(segments_.size() + kSegmentsReserved);
  uint64_t bytes = 0;
  for (const auto& segment : segments_) bytes += segment.bytes;
  bytes_total_ = bytes;
  segment_count_ = segments_.size();
  last_durable_us_ = MonotonicUs();
}

Status LogFlusher::Start() {
  sigset_t all, old;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &old);
  Status started;
  try {
    helper_ = std::thread([this] { RunHelper(); });
    flusher_ = std::thread([this] { Run(); });
  } catch (const std::system_error& error) {
    started = Error{ErrorCode::kIo, std::string("operation log: thread: ") + error.what()};
  }
  pthread_sigmask(SIG_SETMASK, &old, nullptr);
  // W7
  for (uint32_t seen; started && (seen = threads_up_.load(std::memory_order_acquire)) < 2;) {
    FutexWait(&threads_up_, seen, -1);
  }
  return started;
}

void LogFlusher::TellUp() {
  threads_up_.fetch_add(1, std::memory_order_release);
  FutexWake(&threads_up_);
}

LogFlusher::~LogFlusher() {
  stop_.store(true, std::memory_order_release);
  Wake();
  if (flusher_.joinable()) flusher_.join();
  chore_state_.store(kQuit, std::memory_order_release);
  FutexWake(&chore_state_);
  if (helper_.joinable()) helper_.join();
}

// ---- the loop's side

void LogFlusher::Wake() {
  // Either this add is seen by FutexWait, or asleep_ is seen here: both are in one order.
  wake_.fetch_add(1, std::memory_order_seq_cst);
  if (asleep_.load(std::memory_order_seq_cst) != 0) FutexWake(&wake_);
}

void LogFlusher::SetPolicy(SyncPolicy policy) {
  policy_.store(policy, std::memory_order_relaxed);
  Wake();
}

void LogFlusher::DropThrough(uint64_t sequence) {
  drop_through_.store(std::max(sequence, drop_through_.load(std::memory_order_relaxed)),
                      std::memory_order_relaxed);
  Wake();
}

void LogFlusher::KeepSince(uint64_t unix_ms) {
  if (keep_since_ms_.exchange(unix_ms, std::memory_order_relaxed) != unix_ms) Wake();
}

void LogFlusher::SyncThrough(uint64_t sequence) {
  sync_through_.store(sequence, std::memory_order_relaxed);
  Wake();
}

bool LogFlusher::WaitProgress(uint32_t seen, int64_t timeout_us) {
  waiters_.fetch_add(1, std::memory_order_seq_cst);
  if (progress_.load(std::memory_order_seq_cst) == seen) FutexWait(&progress_, seen, timeout_us);
  waiters_.fetch_sub(1, std::memory_order_seq_cst);
  return progress() != seen;
}

LogHealth LogFlusher::health() const {
  return static_cast<LogHealth>(failure_.load(std::memory_order_acquire) >> 62);
}

LogFailure LogFlusher::failure() const {
  const uint64_t word = failure_.load(std::memory_order_acquire);
  return {static_cast<LogStep>((word >> 54) & 0xff), static_cast<int>((word >> 38) & 0xffff),
          word & ((uint64_t{1} << 38) - 1)};
}

// ---- the flusher's thread

void LogFlusher::Run() {
  pthread_setname_np(pthread_self(), "log-flusher");
  TellUp();
  while (true) {
    const uint32_t seen = wake_.load(std::memory_order_seq_cst);
    if (stop_.load(std::memory_order_acquire)) break;
    RunOnce();
    if (!Failed() && !batch_.any && ring_.Front() != nullptr) continue;
    const int64_t timeout_us = WaitUs(MonotonicUs());
    asleep_.store(1, std::memory_order_seq_cst);
    if (timeout_us != 0) FutexWait(&wake_, seen, timeout_us);
    asleep_.store(0, std::memory_order_seq_cst);
  }
  Finish();
}

void LogFlusher::RunOnce() {
  CollectChore();
  if (Failed()) return;
  const uint64_t written_before = Written();
  const uint64_t durable_before = Durable();
  const uint64_t failure_before = failure_.load(std::memory_order_relaxed);
  TakeBatch();
  if (batch_.any && MonotonicUs() >= retry_at_us_) WriteBatch();
  if (!Failed() && SyncNow()) {
    if (Policy() == SyncPolicy::kAlways && current_.zeroed < current_.end + kZeroLowBusy) {
      ZeroAhead();
    }
    if (!Failed()) SyncHere();
  }
  if (Written() != written_before || Durable() != durable_before ||
      failure_.load(std::memory_order_relaxed) != failure_before) {
    Signal();
  }
  if (Failed()) return;
  if (Policy() == SyncPolicy::kAlways && may_zero_ && !batch_.any && ring_.Front() == nullptr &&
      current_.end > kSegmentDataOffset + kMarkBytes &&
      current_.zeroed < current_.end + kZeroLowIdle) {
    ZeroAhead();
    if (!Failed()) SyncHere();
    if (Failed()) return Signal();
  }
  StartChores(MonotonicUs());
}

void LogFlusher::TakeBatch() {
  if (batch_.any) return;
  while (const Handover* next = ring_.Front()) {
    if (next->new_segment && batch_.any) break;
    batch_.any = true;
    batch_.new_segment = batch_.new_segment || next->new_segment;
    batch_.bytes_end = next->bytes_end;
    batch_.sequence_end = next->sequence_end;
    ring_.Pop();
  }
}

uint16_t LogFlusher::MarkFlags() const {
  uint16_t flags = 0;
  if (current_.end == kSegmentDataOffset) flags |= kMarkOpens;
  if (Policy() == SyncPolicy::kAlways || current_.zeroed > current_.end) flags |= kMarkZerosAhead;
  return flags;
}

void LogFlusher::WriteBatch() {
  if (batch_.new_segment) {
    if (!SwitchSegment()) return;
    batch_.new_segment = false;
  }
  char mark[kMarkBytes];
  EncodeMark(Written(), Durable(), MarkFlags(), SegmentSeed(place_.store_id, current_.index), mark);
  uint64_t offset = current_.end;
  Cursor cursor = cursor_;
  while (const LogFailure failure = WritePieces(mark, &offset, &cursor)) {
    if (!failure.MayPass()) return Fail(failure);
    if (!CutBack()) return;
    if (!GiveUpOldest(failure)) return NoSpace(failure);  // W5
    offset = current_.end;
    cursor = cursor_;
  }
  AddBytes(static_cast<int64_t>(offset - current_.end));
  current_.end = offset;
  current_.zeroed = std::max(current_.zeroed, offset);
  cursor_ = cursor;
  mark_durable_ = Durable();
  written_.store(batch_.sequence_end, std::memory_order_release);
  consumed_.store(batch_.bytes_end, std::memory_order_release);
  batch_ = Batch();
  if (health() == LogHealth::kNoSpace) failure_.store(0, std::memory_order_release);
}

// The mark, then the stream from *cursor to the batch's end, at *offset; both move on.
LogFailure LogFlusher::WritePieces(const char* mark, uint64_t* offset, Cursor* cursor) {
  // The next bytes of the stream in one piece. `used` may have grown meanwhile: what was handed
  // over is in it, and no more than that is taken.
  const auto piece = [](Cursor* at, uint64_t left) {
    while (at->offset == at->chunk->used.load(std::memory_order_relaxed)) {
      at->chunk = at->chunk->next.load(std::memory_order_acquire);
      VERSO_CHECK(at->chunk != nullptr);
      at->offset = 0;
    }
    return std::min(at->chunk->used.load(std::memory_order_relaxed) - at->offset, left);
  };
  const auto advance = [](Cursor* at, uint64_t bytes) {
    at->offset += bytes;
    at->place += bytes;
  };
  uint64_t mark_left = kMarkBytes;
  while (mark_left > 0 || cursor->place < batch_.bytes_end) {
    iovec pieces[kPiecesMax];
    int count = 0;
    if (mark_left > 0) {
      pieces[count++] = {const_cast<char*>(mark) + kMarkBytes - mark_left, mark_left};
    }
    for (Cursor ahead = *cursor; count < kPiecesMax && ahead.place < batch_.bytes_end; ++count) {
      const uint64_t bytes = piece(&ahead, batch_.bytes_end - ahead.place);
      pieces[count] = {ahead.chunk->bytes() + ahead.offset, bytes};
      advance(&ahead, bytes);
    }
    const ssize_t n = Uninterrupted(
        [&] { return place_.system->WriteAt(current_.fd.get(), pieces, count, *offset); });
    if (n <= 0) return {LogStep::kWrite, n < 0 ? errno : EIO, current_.index};
    auto left = static_cast<uint64_t>(n);
    *offset += left;
    const uint64_t of_mark = std::min(left, mark_left);
    mark_left -= of_mark;
    left -= of_mark;
    while (left > 0) {
      const uint64_t bytes = piece(cursor, left);
      advance(cursor, bytes);
      left -= bytes;
    }
  }
  return {};
}

bool LogFlusher::SwitchSegment() {
  if (before_.fd) {  // W3
    AwaitChore();
    if (Failed() || (before_.fd && !SyncHere())) return false;
  }
  if (!prepared_) {
    AwaitChore();
    if (Failed()) return false;
  }
  while (!prepared_) {
    const LogFailure failure =
        CreateSegment(place_, current_.index + 1, current_.index, nullptr, &prepared_);
    if (!failure || GiveUpOldest(failure)) continue;
    failure.MayPass() ? NoSpace(failure) : Fail(failure);
    return false;
  }
  CutZeros(&current_);
  if (Failed()) return false;
  before_ = std::move(current_);
  current_ = Segment();
  current_.fd = std::move(prepared_);
  current_.index = before_.index + 1;
  current_.end = current_.zeroed = kSegmentDataOffset;
  opening_synced_ = false;
  may_zero_ = true;
  segments_.back().ended_ms = SystemClock().NowMs();
  segments_.push_back({current_.index, Written(), 0, 0});
  segment_count_.store(segments_.size(), std::memory_order_relaxed);
  AddBytes(kSegmentDataOffset);
  return true;
}

bool LogFlusher::SyncNow() const {
  const bool behind = Durable() < Written();
  if (Policy() == SyncPolicy::kAlways) return behind || before_.fd || !opening_synced_;
  return behind && sync_through_.load(std::memory_order_relaxed) > Durable();
}

bool LogFlusher::SyncHere() {
  // The helper may be at the very descriptor that is closed here.
  if (before_.fd) AwaitChore();
  if (Failed()) return false;
  const uint64_t begun = MonotonicUs();
  const uint64_t sequence = Written();
  sync_since_us_.store(begun, std::memory_order_relaxed);
  for (Segment* segment : {&before_, &current_}) {
    if (!segment->fd) continue;
    if (Uninterrupted([&] { return place_.system->DataSync(segment->fd.get()); }) != 0) {
      Fail({LogStep::kSync, errno, segment->index});
      break;
    }
  }
  sync_since_us_.store(0, std::memory_order_relaxed);
  if (Failed()) return false;
  before_.fd.Reset();
  opening_synced_ = true;
  Synced(sequence, begun);
  return true;
}

void LogFlusher::Synced(uint64_t sequence, uint64_t begun_us) {
  const uint64_t now = MonotonicUs();
  syncs_.fetch_add(1, std::memory_order_relaxed);
  sync_us_last_.store(now - begun_us, std::memory_order_relaxed);
  last_durable_us_.store(now, std::memory_order_relaxed);
  if (sequence > Durable()) durable_.store(sequence, std::memory_order_release);  // W2
}

void LogFlusher::ZeroAhead() {
  if (!may_zero_) return;
  const uint64_t end = std::max(current_.zeroed, current_.end) + kZeroBytes;
  while (current_.zeroed < end) {
    size_t done = 0;
    const int error = WriteFully(place_.system, current_.fd.get(), {kZeros, sizeof(kZeros)},
                                 current_.zeroed, &done);
    current_.zeroed += done;
    if (error == 0) continue;
    const LogFailure failure{LogStep::kWrite, error, current_.index};
    if (!failure.MayPass()) return Fail(failure);
    // No room to be fast in: records may still fit. What the disk lacks is not held by zeros.
    may_zero_ = false;
    return CutZeros(&current_);
  }
}

void LogFlusher::CutZeros(Segment* segment) {
  if (segment->zeroed <= segment->end) return;
  if (Uninterrupted([&] { return place_.system->Truncate(segment->fd.get(), segment->end); }) !=
      0) {
    return Fail({LogStep::kTruncate, errno, segment->index});
  }
  segment->zeroed = segment->end;
}

// Part of a batch may be there: back to the end of the last whole one.
bool LogFlusher::CutBack() {
  current_.zeroed = UINT64_MAX;
  CutZeros(&current_);
  return !Failed();
}

void LogFlusher::NoSpace(const LogFailure& failure) {
  if (!CutBack()) return;
  retry_at_us_ = MonotonicUs() + retry_us_;
  may_zero_ = false;
  failure_.store(static_cast<uint64_t>(LogHealth::kNoSpace) << 62 |
                     static_cast<uint64_t>(failure.step) << 54 |
                     static_cast<uint64_t>(failure.error & 0xffff) << 38 |
                     (failure.index & ((uint64_t{1} << 38) - 1)),
                 std::memory_order_release);
}

void LogFlusher::Fail(const LogFailure& failure) {
  if (Failed()) return;  // the first reason counts
  failure_.store(static_cast<uint64_t>(LogHealth::kFailed) << 62 |
                     static_cast<uint64_t>(failure.step) << 54 |
                     static_cast<uint64_t>(failure.error & 0xffff) << 38 |
                     (failure.index & ((uint64_t{1} << 38) - 1)),
                 std::memory_order_release);
}

void LogFlusher::Signal() {
  progress_.fetch_add(1, std::memory_order_seq_cst);
  if (waiters_.load(std::memory_order_seq_cst) != 0) FutexWake(&progress_);
  if (signalled_.exchange(true, std::memory_order_acq_rel)) return;
  const uint64_t one = 1;
  // An eventfd takes this unless it is at its limit, and then it is readable anyway.
  [[maybe_unused]] const ssize_t n = write(event_fd_, &one, sizeof(one));
}

void LogFlusher::AddBytes(int64_t bytes) {
  segments_.back().bytes += static_cast<uint64_t>(bytes);
  bytes_total_.fetch_add(static_cast<uint64_t>(bytes), std::memory_order_relaxed);
}

int64_t LogFlusher::WaitUs(uint64_t now) const {
  if (Failed()) return -1;
  uint64_t at = UINT64_MAX;
  if (batch_.any) at = std::min(at, retry_at_us_);
  // Without its opening mark the segment waits for room, and its chores with it.
  const bool opened = current_.end > kSegmentDataOffset;
  if (chore_state_.load(std::memory_order_relaxed) == kIdle && opened) {
    if (Policy() == SyncPolicy::kEverySecond && Durable() < Written()) {
      at = std::min(at, sync_begun_us_ + kSecondUs);
    }
    if (!prepared_) at = std::min(at, prepare_at_us_);
    if (OldestMayGo()) at = std::min(at, drop_at_us_);
  }
  if (at == UINT64_MAX) return -1;
  return at > now ? static_cast<int64_t>(at - now) : 0;
}

// ---- chores

// No save needs it: it is there for its age only.
bool LogFlusher::OldestIsRetained() const {
  return segments_.size() >= 2 &&
         segments_[1].continues <= drop_through_.load(std::memory_order_relaxed);
}

bool LogFlusher::OldestMayGo() const {
  return OldestIsRetained() &&
         segments_.front().ended_ms < keep_since_ms_.load(std::memory_order_relaxed);
}

// L4: a segment goes when the mark that says so is durable.
bool LogFlusher::SecondMayVanish() const {
  return !opening_synced_ && segments_[1].index + 1 >= current_.index;
}

// W5. True: there is one less.
bool LogFlusher::GiveUpOldest(const LogFailure& failure) {
  if (failure.error != ENOSPC && failure.error != EDQUOT) return false;
  if (!OldestIsRetained()) return false;  // whoever waits learns it at once
  AwaitChore();
  if (Failed() || !OldestIsRetained() || SecondMayVanish()) return false;
  const size_t before = segments_.size();
  Begin(Chore::Kind::kDrop);
  AwaitChore();
  return !Failed() && segments_.size() < before;
}

void LogFlusher::StartChores(uint64_t now) {
  if (chore_state_.load(std::memory_order_relaxed) != kIdle) return;
  // Without its opening mark the segment waits for room, and its chores with it.
  if (current_.end <= kSegmentDataOffset) return;
  const bool second_is_over = Policy() == SyncPolicy::kEverySecond && Durable() < Written() &&
                              now >= sync_begun_us_ + kSecondUs;
  const bool drops = OldestMayGo() && now >= drop_at_us_;
  const bool second_may_vanish = drops && SecondMayVanish();
  if (second_is_over || before_.fd || second_may_vanish) {
    sync_begun_us_ = now;
    return Begin(Chore::Kind::kSync);
  }
  if (!prepared_ && now >= prepare_at_us_) return Begin(Chore::Kind::kPrepare);
  if (drops && !second_may_vanish) return Begin(Chore::Kind::kDrop);
}

void LogFlusher::Begin(Chore::Kind kind) {
  chore_.kind = kind;
  chore_.failure = {};
  chore_.index = current_.index;
  if (kind == Chore::Kind::kPrepare) chore_.index = current_.index + 1;
  if (kind == Chore::Kind::kDrop) chore_.index = segments_.front().index;
  chore_.before_fd = before_.fd.get();
  chore_.fd = current_.fd.get();
  chore_.sequence = Written();
  chore_state_.store(kAsked, std::memory_order_release);
  FutexWake(&chore_state_);
}

void LogFlusher::AwaitChore() {
  while (chore_state_.load(std::memory_order_acquire) == kAsked) {
    FutexWait(&chore_state_, kAsked, -1);
  }
  CollectChore();
}

void LogFlusher::CollectChore() {
  if (chore_state_.load(std::memory_order_acquire) != kDone) return;
  chore_state_.store(kIdle, std::memory_order_relaxed);
  if (Failed()) return;  // W4: durable() does not move any more
  const LogFailure& failure = chore_.failure;
  const uint64_t now = MonotonicUs();
  switch (chore_.kind) {
    case Chore::Kind::kSync:
      if (failure) return Fail(failure), Signal();
      if (before_.fd && before_.fd.get() == chore_.before_fd) before_.fd.Reset();
      if (chore_.index == current_.index) opening_synced_ = true;
      if (chore_.sequence > Durable()) {
        durable_.store(chore_.sequence, std::memory_order_release);  // W2
        Signal();
      }
      return;
    case Chore::Kind::kPrepare:
      if (!failure) {
        prepared_ = std::move(chore_.made);
      } else if (failure.MayPass()) {
        prepare_at_us_ = now + retry_us_;
      } else {
        Fail(failure), Signal();
      }
      return;
    case Chore::Kind::kDrop:
      if (failure.step == LogStep::kSyncDirectory) return Fail(failure), Signal();
      if (failure) {  // it stays, which costs room and nothing else
        drop_at_us_ = now + kDropRetryUs;
        return;
      }
      bytes_total_.fetch_sub(segments_.front().bytes, std::memory_order_relaxed);
      segments_.erase(segments_.begin());
      segment_count_.store(segments_.size(), std::memory_order_relaxed);
      return Signal();
  }
}

void LogFlusher::Finish() {
  AwaitChore();
  while (!Failed()) {
    TakeBatch();
    if (!batch_.any) break;
    WriteBatch();
    if (batch_.any) break;  // no room, and nobody will make any
  }
  if (!Failed()) CutZeros(&current_);
  if (!Failed()) SyncHere();
  if (!Failed() && Durable() == Written() && mark_durable_ < Durable()) {
    // The last records are proven too: without this, damage to them would look like a torn tail.
    char mark[kMarkBytes];
    EncodeMark(Written(), Durable(), MarkFlags(), SegmentSeed(place_.store_id, current_.index),
               mark);
    const int error =
        WriteFully(place_.system, current_.fd.get(), {mark, sizeof(mark)}, current_.end);
    if (error != 0) {
      current_.zeroed = UINT64_MAX;
      CutZeros(&current_);
    }
    if (!Failed()) SyncHere();
  }
  Signal();
}

// ---- the helper's thread

void LogFlusher::RunHelper() {
  pthread_setname_np(pthread_self(), "log-helper");
  TellUp();
  while (true) {
    const uint32_t state = chore_state_.load(std::memory_order_acquire);
    if (state == kQuit) return;
    if (state != kAsked) {
      FutexWait(&chore_state_, state, -1);
      continue;
    }
    Do(&chore_);
    chore_state_.store(kDone, std::memory_order_release);
    FutexWake(&chore_state_);
    Wake();
  }
}

void LogFlusher::Do(Chore* chore) {
  LogSystem* system = place_.system;
  if (chore->kind == Chore::Kind::kPrepare) {
    chore->failure = CreateSegment(place_, chore->index, chore->index - 1, nullptr, &chore->made);
  } else if (chore->kind == Chore::Kind::kDrop) {
    const auto name = SegmentName(chore->index);
    if (Uninterrupted([&] { return system->UnlinkAt(place_.directory, name.data()); }) != 0 &&
        errno != ENOENT) {
      chore->failure = {LogStep::kUnlink, errno, chore->index};
    } else if (Uninterrupted([&] { return system->Sync(place_.directory); }) != 0) {
      chore->failure = {LogStep::kSyncDirectory, errno, chore->index};
    }
  } else {
    const uint64_t begun = MonotonicUs();
    sync_since_us_.store(begun, std::memory_order_relaxed);
    for (const int fd : {chore->before_fd, chore->fd}) {
      if (fd < 0) continue;
      if (Uninterrupted([&] { return system->DataSync(fd); }) != 0) {
        chore->failure = {LogStep::kSync, errno, chore->index};
        break;
      }
    }
    const uint64_t now = MonotonicUs();
    sync_since_us_.store(0, std::memory_order_relaxed);
    if (chore->failure) return;
    syncs_.fetch_add(1, std::memory_order_relaxed);
    sync_us_last_.store(now - begun, std::memory_order_relaxed);
    last_durable_us_.store(now, std::memory_order_relaxed);
  }
}

}  // namespace verso::persistence
