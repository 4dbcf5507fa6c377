#include "persistence/log/log_reader.h"

#include <algorithm>

namespace verso::persistence {

namespace {

constexpr size_t kJoinedBytesKept = size_t{1} << 20;

std::string RecoverAdvice(uint64_t sequence) {
  return "start with --log-recover-to " + std::to_string(sequence) + " to go on without them";
}

}  // namespace

Result<LogReader> LogReader::Open(const std::string& directory, const Id& store_id, uint64_t after,
                                  const LogReaderOptions& options) {
  LogReader reader;
  reader.store_id_ = store_id;
  if (options.stop_at > 0) reader.stop_at_ = options.stop_at;
  if (options.stop_behind_after) reader.stop_at_ = after;
  reader.after_ = reader.last_ = reader.sequence_ = after;
  const std::string path = reader.log_directory_ = LogDirectory(directory);
  VERSO_TRY(const auto newest, ReadNewest(path, store_id));
  VERSO_TRY(reader.files_, ListSegments(path));
  auto& files = reader.files_;
  if (newest) reader.newest_ = newest->index;
  if (files.empty()) {
    if (reader.newest_ > 0) {
      return reader.Refuse(path + ": there are no segments; " + SegmentName(reader.newest_).data() +
                               " is the newest that was there",
                           0);
    }
    reader.ended_ = true;
    return reader;
  }

  // R3, from the end: before it there may be many that are only retained.
  size_t start = files.size();
  std::optional<Opening> first;
  for (size_t i = files.size(); i-- > 0 && start == files.size();) {
    VERSO_TRY(const auto opening, ReadOpening(files[i], store_id));
    if (i == 0) first = opening;
    if (opening && opening->continues <= after) {
      start = i;
      reader.sequence_ = opening->continues;
    }
  }
  if (start == files.size()) {
    start = 0;
    if (first && !first->fresh_start) {
      return reader.Refuse(files[0].path + ": the log begins behind record " +
                               std::to_string(first->continues) + ", the data ends with record " +
                               std::to_string(after),
                           first->continues);
    }
    VERSO_TRY(const auto begin, SegmentReader::Open(files[0], store_id));
    if (!first && begin.header() == HeaderState::kGood && begin.prepared()) {
      // L4: nothing is removed before the mark that is not here.
      return reader.Refuse(files[0].path + ": the log begins with it, but it does not say where",
                           0);
    }
  }
  files.erase(files.begin(), files.begin() + static_cast<ptrdiff_t>(start));
  for (const SegmentFile& file : files) reader.bytes_total_ += file.bytes;
  if (!newest) {
    // L3: without it nothing was ever written behind the first opening mark.
    VERSO_TRY(auto begin, SegmentReader::Open(files[0], store_id));
    RecordHeader header;
    ByteView payload;
    RecordState state = RecordState::kRecord;
    bool units = files.size() > 1;
    while (!units && state == RecordState::kRecord) {
      VERSO_TRY(state, begin.Next(&header, &payload));
      units = state == RecordState::kRecord && header.kind == RecordKind::kUnit;
    }
    if (units) {
      return Error{ErrorCode::kCorruption,
                   path + "/" + kNewestName +
                       ": is missing, so nobody knows whether segments are; " +
                       "start with --log-recover-to and a large number to take what is there"};
    }
  }
  return reader;
}

uint64_t LogReader::bytes_done() const {
  return bytes_before_ + (open_ ? std::min(reader_->offset(), reader_->bytes()) : 0);
}

Error LogReader::Refuse(const std::string& what, uint64_t last) const {
  const uint64_t first = sequence_ + 1;
  std::string lost = last > first ? "records " + std::to_string(first) + ".." + std::to_string(last)
                                  : "records from " + std::to_string(first) + " on";
  return Error{ErrorCode::kCorruption,
               what + "; " + lost + " are lost: " + RecoverAdvice(sequence_)};
}

Result<bool> LogReader::Next(LogRecord* record) {
  if (error_) return *error_;
  while (!ended_) {
    bool found = false;
    auto stepped = Step(record, &found);
    if (!stepped) {
      error_ = stepped.error();
      return *error_;
    }
    if (!*stepped) ended_ = true;
    if (found) return true;
  }
  return false;
}

void LogReader::Leave() {
  bytes_before_ += files_[segment_].bytes;
  open_ = false;
  zeros_ahead_ = false;
  ++segment_;
}

void LogReader::SetUnbased(size_t segment, uint64_t continues) {
  unbased_index_ = files_[segment].index;
  unbased_text_ = files_[segment].path + ": the log was switched on behind record " +
                  std::to_string(continues) +
                  ", and the save it was to build on was not finished: what it holds is not used";
}

Result<bool> LogReader::Step(LogRecord* record, bool* found) {
  if (!open_) return OpenSegment();
  if (joined_.capacity() > kJoinedBytesKept) joined_ = std::string();
  joined_.clear();
  const uint64_t begin = reader_->offset();
  uint64_t sequence = sequence_;
  while (true) {
    RecordHeader header;
    ByteView payload;
    VERSO_TRY(const RecordState state, reader_->Next(&header, &payload));
    const bool joined = sequence != sequence_;
    if (state == RecordState::kEnd && !joined) {
      Leave();
      return true;
    }
    if (state != RecordState::kRecord) return EndAt(segment_, begin);  // R1
    if (header.kind == RecordKind::kMark) {
      const bool fits = !joined && header.sequence == sequence_ &&
                        (header.flags & kMarkOpens) == 0 && MarkDurable(payload) <= sequence_;
      if (!fits) return EndAt(segment_, begin);
      zeros_ahead_ = (header.flags & kMarkZerosAhead) != 0;
      return true;
    }
    if (header.sequence != ++sequence) return EndAt(segment_, begin);
    if ((header.flags & kRecordMore) != 0) {
      joined_.append(payload);
      continue;
    }
    if (joined) {
      joined_.append(payload);
      payload = joined_;
    }
    if (sequence > stop_at_) return false;
    sequence_ = sequence;
    place_ = {segment_, reader_->offset()};
    if (sequence <= after_) return true;
    last_ = sequence;
    if (units_++ == 0) first_ = sequence;
    *record = LogRecord{sequence, header.time_ms, header.line, header.db, payload};
    *found = true;
    return true;
  }
}

Result<bool> LogReader::OpenSegment() {
  if (segment_ == files_.size()) {
    if (newest_ > files_.back().index) {
      return Refuse(log_directory_ + "/" + SegmentName(newest_).data() + ": is missing", 0);
    }
    return false;
  }
  const SegmentFile& file = files_[segment_];
  VERSO_TRY(SegmentReader opened, SegmentReader::Open(file, store_id_));
  reader_ = std::make_unique<SegmentReader>(std::move(opened));
  open_ = true;
  if (reader_->header() == HeaderState::kEmpty) {
    Leave();
    return true;
  }
  if (reader_->header() == HeaderState::kDamaged) return EndAt(segment_, 0);
  const std::string broken = Broken(*reader_, segment_);
  if (!broken.empty()) return Refuse(broken, 0);
  RecordHeader header;
  ByteView payload;
  VERSO_TRY(const RecordState state, reader_->Next(&header, &payload));
  if (state == RecordState::kEnd) {
    Leave();
    return true;
  }
  if (state != RecordState::kRecord || header.kind != RecordKind::kMark ||
      (header.flags & kMarkOpens) == 0) {
    return EndAt(segment_, kSegmentDataOffset);
  }
  if ((header.flags & kMarkFreshStart) != 0 && header.sequence > after_) {
    SetUnbased(segment_, header.sequence);
    return false;
  }
  if (header.sequence < sequence_) {
    return Error{ErrorCode::kCorruption,
                 file.path + ": continues record " + std::to_string(header.sequence) +
                     ", but the segments before it end with record " + std::to_string(sequence_)};
  }
  if (header.sequence > sequence_) {
    // The end of the segment before is not there.
    if (segment_ == 0) return EndAt(0, kSegmentDataOffset);
    return EndAt(segment_ - 1, files_[segment_ - 1].bytes);
  }
  zeros_ahead_ = (header.flags & kMarkZerosAhead) != 0;
  place_ = {segment_, reader_->offset()};
  return true;
}

Result<bool> LogReader::EndAt(size_t segment, uint64_t offset) {
  if (segment == segment_ && zeros_ahead_ && offset >= kSegmentDataOffset) {
    reader_->Seek(offset);
    VERSO_TRY(const bool zeros, reader_->OnlyZeros());
    if (zeros) {
      Leave();
      return true;
    }
  }
  VERSO_TRY(const Proof proof, FindProof(segment, offset));
  const std::string where = files_[segment].path + ", offset " + std::to_string(offset);
  // L3: a header is there before anything behind it, so a record without one is damage too.
  const bool proven = proof.durable > sequence_ || proof.later_record ||
                      (offset == 0 && (proof.any || proof.last_segment > segment));
  if (proven) {
    return Refuse(
        where + ": damaged" +
            (proof.durable > sequence_ ? ", though records up to " + std::to_string(proof.durable) +
                                             " were written safely"
                                       : ", though it was written safely"),
        std::max(proof.last, proof.durable));
  }
  if (!proof.broken.empty()) return Refuse(proof.broken, proof.last);
  if (proof.fresh_segment > 0) SetUnbased(proof.fresh_segment, proof.fresh_continues);
  torn_tail_ =
      TornTail{files_[segment].path, offset, proof.bytes, files_[proof.last_segment].index};
  return false;
}

// Why a segment cannot be the next one behind the one before it; empty: it can.
std::string LogReader::Broken(const SegmentReader& reader, size_t segment) const {
  if (reader.header() == HeaderState::kForeign) {
    return files_[segment].path + ": has the name of another segment";
  }
  if (segment == 0 || reader.header() != HeaderState::kGood ||
      reader.follows() == files_[segment - 1].index) {
    return "";
  }
  return log_directory_ + "/" + SegmentName(reader.follows()).data() + ": is missing";
}

Result<LogReader::Proof> LogReader::FindProof(size_t segment, uint64_t offset) const {
  Proof proof;
  proof.last_segment = segment;
  for (size_t i = segment; i < files_.size(); ++i) {
    VERSO_TRY(SegmentReader reader, SegmentReader::Open(files_[i], store_id_));
    if (i > segment) {
      if (proof.broken.empty()) proof.broken = Broken(reader, i);
      VERSO_TRY(const auto opening, ReadOpening(files_[i], store_id_));
      if (opening && opening->fresh_start) {
        proof.fresh_segment = i;
        proof.fresh_continues = opening->continues;
        break;
      }
    }
    // Of a later one without a good header nothing is kept.
    const uint64_t kept = reader.header() == HeaderState::kGood ? kSegmentDataOffset : 0;
    const uint64_t begin = i == segment ? offset : kept;
    if (reader.bytes() > begin) {
      proof.bytes += reader.bytes() - begin;
      proof.last_segment = i;
    }
    reader.Seek(std::max<uint64_t>(begin, kSegmentDataOffset));
    while (true) {
      VERSO_TRY(const bool mark, reader.FindMark());
      if (!mark) break;
      RecordHeader header;
      ByteView payload;
      while (true) {
        VERSO_TRY(const RecordState state, reader.Next(&header, &payload));
        if (state != RecordState::kRecord) break;
        proof.any = true;
        proof.later_record = proof.later_record || i >= segment + 2;
        proof.last = std::max(proof.last, header.sequence);
        if (header.kind != RecordKind::kMark) continue;
        const uint64_t durable = MarkDurable(payload);
        if (durable <= header.sequence) proof.durable = std::max(proof.durable, durable);
      }
    }
  }
  if (proof.fresh_segment == 0 && newest_ > files_.back().index && proof.broken.empty()) {
    proof.broken = log_directory_ + "/" + SegmentName(newest_).data() + ": is missing";
  }
  return proof;
}

}  // namespace verso::persistence
