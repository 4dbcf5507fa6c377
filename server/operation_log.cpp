#include "server/operation_log.h"

#include <algorithm>

#include "persistence/log/log_repair.h"
#include "server/logging.h"
#include "server/server.h"
#include "storage/base/monotonic_time.h"

namespace verso::server {

using persistence::LogHealth;
using persistence::LogReader;
using persistence::LogRecord;
using persistence::LogWriter;
using persistence::SyncPolicy;

namespace {

constexpr uint64_t kReplayUs = 5000;  // of a turn, while nobody is served
constexpr uint64_t kSyncLateUs = 2'000'000;
constexpr uint64_t kWaitingMax = 64 << 20;  // O4

}  // namespace

// ---- at the start

void OperationLog::Configure(const std::string& dir, const persistence::Id& store_id) {
  directory_ = dir;
  store_id_ = store_id;
}

Status OperationLog::StartReplay(uint64_t position) {
  sequence_ = saved_position_ = position;
  VERSO_TRY(auto reader, LogReader::Open(directory_, store_id_, position));
  reader_.emplace(std::move(reader));
  replay_ = std::make_unique<EffectReplay>(&server_->dispatcher(), &server_->state());
  replay_began_ms_ = server_->clock().NowMs();
  return {};
}

Status OperationLog::ReplaySome() {
  const uint64_t until_us = MonotonicUs() + kReplayUs;
  LogRecord record;
  do {
    VERSO_TRY(const bool more, reader_->Next(&record));
    if (!more) return EndReplay();
    const Status applied = replay_->Apply(record.line, record.db, record.time_ms, record.payload);
    if (!applied) {
      return Error{applied.error().code,
                   "record " + std::to_string(record.sequence) +
                       " of the operation log cannot be applied: " + applied.error().context};
    }
    ++replayed_;
  } while (MonotonicUs() < until_us);
  server_->state().now_ms = server_->clock().NowMs();
  return {};
}

Status OperationLog::EndReplay() {
  ServerState& state = server_->state();
  state.now_ms = server_->clock().NowMs();
  if (const auto& tail = reader_->torn_tail()) {
    LogWarning("{}: {} bytes from {} on are no whole records: the last write was interrupted; cut",
               tail->path, tail->bytes, tail->offset);
    VERSO_TRY_STATUS(persistence::CutTornTail(*tail));
  }
  if (reader_->unbased()) {
    LogWarning("{}; set aside", reader_->unbased_text());
    VERSO_TRY_STATUS(persistence::SetUnbasedAside(directory_, store_id_, reader_->unbased_index()));
  }
  if (replayed_ != 0) {
    LogNotice("operation log: {} units after record {} repeated in {} ms", replayed_, sequence_,
              state.now_ms - replay_began_ms_);
  }
  sequence_ = reader_->last_sequence();
  carried_bytes_ = reader_->bytes_total();
  replay_->Finish();
  reader_.reset();
  replay_.reset();
  return {};
}

// ---- switching

Status OperationLog::SwitchOn(bool fresh) {
  persistence::LogWriterOptions options;
  options.directory = directory_;
  options.store_id = store_id_;
  options.policy = static_cast<SyncPolicy>(server_->state().settings.appendfsync);
  options.last_sequence = fresh ? sequence_ + 1 : sequence_;
  options.fresh_start = fresh;
  options.memory = ClientMemory();
  VERSO_TRY(writer_, LogWriter::Open(options));
  ServerState& state = server_->state();
  save_began_bytes_ = saved_bytes_ = 0;
  Retain();
  writer_->DropThrough(saved_position_);
  released_ = writer_->appended();
  caught_up_ms_ = state.now_ms;
  healthy_ = true;
  server_->loop().Add(writer_->event_fd(), EPOLLIN, this);
  state.effect_consumer = this;
  state.changes.set_consumer(this);
  return {};
}

void OperationLog::SwitchOff() {
  if (writer_ == nullptr) return;
  ServerState& state = server_->state();
  state.effect_consumer = nullptr;
  state.changes.set_consumer(nullptr);
  state.log_error.clear();
  server_->loop().Remove(writer_->event_fd());
  writer_->Submit();
  sequence_ = writer_->appended();
  writer_.reset();
  released_ = ~uint64_t{0};
  congested_ = false;
  healthy_ = true;
  server_->LogMoved();
}

void OperationLog::SetPolicy(SyncPolicy policy) {
  if (writer_ != nullptr) writer_->SetPolicy(policy);
}

// ---- EffectConsumer

void OperationLog::Begin(uint32_t line, int db) {
  writer_->Begin(line, db, server_->state().now_ms);
}

void OperationLog::Command(std::span<const ByteView> arguments) { writer_->Add(arguments); }

void OperationLog::End() { writer_->End(); }

// ---- turns

void OperationLog::EndTurn() {
  if (writer_ == nullptr) return;
  writer_->Submit();
  constexpr uint64_t kRetainMs = 1000;
  if (server_->state().now_ms >= retain_looked_ms_ + kRetainMs || held_) Retain();
  Look();
}

void OperationLog::Retain() {
  const ServerState& state = server_->state();
  retain_looked_ms_ = state.now_ms;
  const Settings& settings = state.settings;
  uint64_t since_ms = UINT64_MAX;
  if (settings.appendonly_retain_seconds != 0) {
    // The snapshot that a state of that time is made from lies a step before it.
    const int64_t seconds = settings.appendonly_retain_seconds + HistoryStep(settings) + 1;
    since_ms = state.now_ms - std::min(state.now_ms, static_cast<uint64_t>(seconds) * 1000);
  }
  if (held_) since_ms = 0;
  writer_->KeepSince(since_ms);
}

void OperationLog::OnReady(uint32_t) {
  if (writer_ == nullptr) return;  // switched off in the same turn
  writer_->Drain();
  writer_->Submit();
  Look();
  server_->LogMoved();
}

void OperationLog::Look() {
  uint64_t through = 0;
  switch (static_cast<SyncPolicy>(server_->state().settings.appendfsync)) {
    case SyncPolicy::kAlways:
      through = writer_->durable();
      break;
    case SyncPolicy::kEverySecond: {
      // A disk that hangs must not let more than these seconds get lost.
      const uint64_t since_us = writer_->sync_in_progress_since_us();
      const bool late = since_us != 0 && MonotonicUs() - since_us > kSyncLateUs;
      through = late ? writer_->durable() : writer_->written();
      break;
    }
    case SyncPolicy::kNo:
      through = writer_->written();
      break;
  }
  released_ = std::max(released_, through);
  if (writer_->durable() == writer_->appended()) caught_up_ms_ = server_->state().now_ms;
  const uint64_t waiting = writer_->bytes_waiting();
  congested_ = waiting > (congested_ ? kWaitingMax / 2 : kWaitingMax);
  LookAtHealth();
}

void OperationLog::LookAtHealth() {
  ServerState& state = server_->state();
  const LogHealth health = writer_->health();
  if ((health == LogHealth::kGood) == healthy_) return;
  healthy_ = health == LogHealth::kGood;
  if (healthy_) {
    LogNotice("the operation log is written again");
    state.log_error.clear();
    return;
  }
  state.log_error = writer_->error();
  LogWarning("the operation log cannot be written: {}", state.log_error);
  if (health == LogHealth::kFailed) {
    server_->LogFailed(state.settings.appendfsync == static_cast<int64_t>(SyncPolicy::kAlways));
  }
}

void OperationLog::WaitDurable(int timeout_ms) {
  if (writer_ == nullptr) return;
  if (!writer_->WaitDurable(timeout_ms)) {
    LogWarning("not everything is in the operation log; what is not was not acknowledged");
  }
  Look();
}

// ---- saving

uint64_t OperationLog::BeginSave() {
  if (writer_ == nullptr) return sequence_;
  save_began_bytes_ = writer_->bytes_appended();
  return writer_->Rotate();
}

void OperationLog::Saved(uint64_t position) {
  saved_position_ = position;
  carried_bytes_ = 0;
  saved_bytes_ = save_began_bytes_;
  if (writer_ != nullptr) writer_->DropThrough(position);
}

uint64_t OperationLog::bytes_since_save() const {
  return writer_ != nullptr ? carried_bytes_ + writer_->bytes_appended() - saved_bytes_ : 0;
}

OperationLog::Report OperationLog::report() const {
  Report report;
  report.sequence = appended();
  report.replayed = replayed_;
  if (writer_ == nullptr) return report;
  report.written = writer_->written();
  report.durable = writer_->durable();
  const uint64_t now_ms = server_->state().now_ms;
  if (report.durable != report.sequence) {
    report.durable_age_ms = now_ms - std::min(now_ms, caught_up_ms_);
  }
  report.bytes_waiting = writer_->bytes_waiting();
  report.bytes_total = writer_->bytes_total();
  report.syncs = writer_->syncs();
  return report;
}

}  // namespace verso::server
