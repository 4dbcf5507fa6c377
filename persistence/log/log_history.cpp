#include "persistence/log/log_history.h"

#include <utility>

namespace verso::persistence {

Result<LogHistory> LogHistory::Open(const std::string& directory, const Id& store_id,
                                    uint64_t through, uint64_t after) {
  LogHistory history;
  history.store_id_ = store_id;
  history.through_ = through;
  VERSO_TRY(history.files_, ListSegments(LogDirectory(directory)));
  for (size_t i = history.files_.size(); after > 0 && i-- > 0;) {
    VERSO_TRY(const auto opening, ReadOpening(history.files_[i], store_id));
    if (!opening || opening->continues > after) continue;
    history.segment_ = i;
    break;
  }
  return history;
}

Result<LogHistory::Step> LogHistory::Next(LogRecord* record) {
  while (true) {
    if (started_ && last_ >= through_) return Step::kEnd;  // H1
    if (reader_ == nullptr) {
      bool gap = false;
      VERSO_TRY(const bool opened, OpenSegment(&gap));
      if (!opened) {
        if (started_ && last_ < through_) {
          Lost(last_ + 1, through_);
          gap = true;
        }
        started_ = true;
        begins_ = last_ = through_;
      }
      if (gap) return Step::kGap;
      continue;
    }
    VERSO_TRY(const bool unit, ReadUnit(record));
    if (unit) return Step::kUnit;
    reader_.reset();
  }
}

void LogHistory::Lost(uint64_t from, uint64_t through) {
  gap_ = ended_at_ + ": records " + std::to_string(from) + ".." + std::to_string(through) +
         " are missing or damaged there";
  damaged_ = true;
}

Result<bool> LogHistory::OpenSegment(bool* gap) {
  for (; segment_ < files_.size(); ++segment_) {
    const SegmentFile& file = files_[segment_];
    VERSO_TRY(auto reader, SegmentReader::Open(file, store_id_));
    if (reader.header() != HeaderState::kGood) continue;
    RecordHeader header;
    ByteView payload;
    VERSO_TRY(const RecordState state, reader.Next(&header, &payload));
    if (state != RecordState::kRecord || header.kind != RecordKind::kMark ||
        (header.flags & kMarkOpens) == 0) {
      continue;
    }
    const bool fresh = (header.flags & kMarkFreshStart) != 0;
    if (started_ && fresh) {
      gap_ = file.path + ": the log was switched on again behind record " +
             std::to_string(header.sequence);
      *gap = true;
    } else if (started_ && header.sequence > last_) {
      Lost(last_ + 1, header.sequence);
      *gap = true;
    } else if (started_ && header.sequence < last_) {
      return Error{ErrorCode::kCorruption,
                   file.path + ": continues record " + std::to_string(header.sequence) +
                       ", but the segments before it end with record " + std::to_string(last_)};
    }
    if (!started_ || *gap) begins_ = header.sequence;
    started_ = true;
    last_ = header.sequence;
    ended_at_ = file.path;
    reader_ = std::make_unique<SegmentReader>(std::move(reader));
    ++segment_;
    return true;
  }
  return false;
}

Result<bool> LogHistory::ReadUnit(LogRecord* record) {
  constexpr size_t kJoinedBytesKept = size_t{1} << 20;
  if (joined_.capacity() > kJoinedBytesKept) joined_ = std::string();
  joined_.clear();
  uint64_t sequence = last_;
  while (true) {
    RecordHeader header;
    ByteView payload;
    VERSO_TRY(const RecordState state, reader_->Next(&header, &payload));
    if (state != RecordState::kRecord) return false;
    if (header.kind == RecordKind::kMark) {
      if (sequence != last_) return false;
      continue;
    }
    if (header.sequence != ++sequence) return false;
    if ((header.flags & kRecordMore) != 0) {
      joined_.append(payload);
      continue;
    }
    if (!joined_.empty()) {
      joined_.append(payload);
      payload = joined_;
    }
    last_ = sequence;
    ++units_;
    *record = LogRecord{sequence, header.time_ms, header.line, header.db, payload};
    return true;
  }
}

}  // namespace verso::persistence
