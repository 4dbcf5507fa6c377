// Streams of the first or the third version (rdb_stream_reader.cpp has the drawing). The number of
// nodes stands in front of them, so entries are divided into nodes in a pass of their own.
#include <string>
#include <utility>
#include <vector>

#include "persistence/rdb/listpack_writer.h"
#include "persistence/rdb/rdb_output.h"
#include "persistence/rdb/rdb_value_writer.h"
#include "storage/types/stream_value.h"
#include "storage/types/string_value.h"

namespace verso::persistence {

using storage::ItemCursor;
using storage::ItemView;
using storage::PageArena;
using storage::StreamConsumerView;
using storage::StreamFieldReader;
using storage::StreamGroupView;
using storage::StreamId;
using storage::StreamView;

namespace {

// A node ends with so many entries, or before they have so many bytes: what Redis does by default.
constexpr uint64_t kNodeEntries = 100;
constexpr uint64_t kNodeBytes = 4096;
// Of one entry; Redis takes no listpack that is larger.
constexpr uint64_t kEntryBytesMax = uint64_t{1} << 30;

void AppendIdNumbers(std::string* out, StreamId id) {
  AppendRdbLength(out, id.ms);
  AppendRdbLength(out, id.seq);
}

void AppendId(std::string* out, StreamId id) {
  AppendLe(out, __builtin_bswap64(id.ms));
  AppendLe(out, __builtin_bswap64(id.seq));
}

// Decides where a node ends, entry by entry.
class NodeDivider {
 public:
  // Does this entry begin a node?
  bool Begins(uint64_t bytes) {
    const bool begins = entries_ == 0 || entries_ == kNodeEntries || bytes_ + bytes > kNodeBytes;
    if (begins) entries_ = bytes_ = 0;
    ++entries_;
    bytes_ += bytes;
    return begins;
  }

 private:
  uint64_t entries_ = 0;
  uint64_t bytes_ = 0;
};

// The fields and values of an entry.
class EntryFields {
 public:
  EntryFields(const PageArena& arena, const ItemView& item) : reader_(arena, item) {
    texts_.reserve(reader_.count());
    while (!reader_.AtEnd()) texts_.push_back(reader_.Next());
  }
  size_t count() const { return texts_.size() / 2; }
  ByteView field(size_t index) const { return texts_[2 * index]; }
  ByteView value(size_t index) const { return texts_[2 * index + 1]; }

 private:
  StreamFieldReader reader_;
  std::vector<ByteView> texts_;
};

// One node as a listpack.
class NodeWriter {
 public:
  NodeWriter(const PageArena& arena, const ItemView& first, uint64_t entries)
      : first_(storage::StreamIdOf(first)), master_(arena, first) {
    pack_.AppendInteger(static_cast<int64_t>(entries));
    pack_.AppendInteger(0);  // deleted ones
    AppendCount(master_.count());
    for (size_t i = 0; i < master_.count(); ++i) pack_.AppendString(master_.field(i));
    pack_.AppendInteger(0);
  }

  void Append(const PageArena& arena, const ItemView& item) {
    const EntryFields entry(arena, item);
    const StreamId id = storage::StreamIdOf(item);
    const bool same = SameFields(entry);
    pack_.AppendInteger(same ? kStreamEntrySameFields : 0);
    pack_.AppendInteger(static_cast<int64_t>(id.ms - first_.ms));
    pack_.AppendInteger(static_cast<int64_t>(id.seq - first_.seq));
    if (!same) AppendCount(entry.count());
    for (size_t i = 0; i < entry.count(); ++i) {
      if (!same) pack_.AppendString(entry.field(i));
      pack_.AppendString(entry.value(i));
    }
    AppendCount(same ? entry.count() + 3 : 2 * entry.count() + 4);
  }

  void Finish(std::string* out) {
    AppendRdbLength(out, kStreamIdBytes);
    AppendId(out, first_);
    AppendRdbString(out, pack_.Finish());
  }

 private:
  void AppendCount(size_t count) { pack_.AppendInteger(static_cast<int64_t>(count)); }
  bool SameFields(const EntryFields& entry) const {
    if (entry.count() != master_.count()) return false;
    for (size_t i = 0; i < entry.count(); ++i) {
      if (entry.field(i) != master_.field(i)) return false;
    }
    return true;
  }

  const StreamId first_;
  const EntryFields master_;
  ListpackWriter pack_;
};

class StreamWriter final : public RdbValueWriter {
 public:
  StreamWriter(const storage::ReadView& view, const storage::ValueView& value, RdbStreams streams)
      : arena_(view.arena()),
        stream_(view.arena(), value),
        whole_(streams == RdbStreams::kThirdVersion) {}

  RdbType type() const override {
    return whole_ ? RdbType::kStreamListpacks3 : RdbType::kStreamListpacks;
  }
  bool failed() const override { return failed_; }

  //   kDivide -> kNodes -> (kGroup -> kGroupPending -> (kConsumer -> kConsumerPending)*)* -> kEnd
  bool Next(std::string* out) override {
    piece_end_ = out->size() + kPieceBytes;
    switch (stage_) {
      case Stage::kDivide:
        Divide(out);
        break;
      case Stage::kNodes:
        WriteNodes(out);
        break;
      default:
        while (stage_ != Stage::kEnd && out->size() < piece_end_) WriteGroups(out);
        break;
    }
    return stage_ != Stage::kEnd && !failed_;
  }

 private:
  enum class Stage : uint8_t {
    kDivide,
    kNodes,
    kGroup,
    kGroupPending,
    kConsumer,
    kConsumerPending,
    kEnd,
  };

  uint64_t EntryBytes(const ItemView& item) const {
    return storage::StringLength(arena_, item.value());
  }

  void Divide(std::string* out) {
    constexpr uint64_t kAtOnce = 500;
    auto at = ItemCursor::At(arena_, stream_.entries(), next_);
    for (uint64_t i = 0; i < kAtOnce && at.valid(); ++i, ++next_, at.Next()) {
      const uint64_t bytes = EntryBytes(at.item());
      failed_ |= bytes > kEntryBytesMax;
      nodes_ += divider_.Begins(bytes) ? 1 : 0;
    }
    if (next_ < stream_.count()) return;
    AppendRdbLength(out, nodes_);
    next_ = 0;
    stage_ = Stage::kNodes;
  }

  void WriteNodes(std::string* out) {
    while (next_ < stream_.count() && out->size() < piece_end_) WriteNode(out);
    if (next_ < stream_.count()) return;
    AppendRdbLength(out, stream_.count());
    AppendIdNumbers(out, stream_.last());
    if (whole_) {
      const auto first = ItemCursor::At(arena_, stream_.entries(), 0);
      AppendIdNumbers(out, first.valid() ? storage::StreamIdOf(first.item()) : StreamId());
      AppendIdNumbers(out, stream_.deleted());
      AppendRdbLength(out, stream_.entries_added());
    }
    stream_.ForEachGroup([this](ByteView name, const StreamGroupView& group) {
      groups_.emplace_back(std::string(name), group);
    });
    AppendRdbLength(out, groups_.size());
    stage_ = groups_.empty() ? Stage::kEnd : Stage::kGroup;
  }

  void WriteNode(std::string* out) {
    const auto first = ItemCursor::At(arena_, stream_.entries(), next_);
    // Each node begins with a divider of its own, so both passes divide alike.
    NodeDivider divider;
    divider.Begins(EntryBytes(first.item()));
    uint64_t entries = 1;
    for (auto at = first; entries <= kNodeEntries; ++entries) {
      at.Next();
      if (!at.valid() || divider.Begins(EntryBytes(at.item()))) break;
    }
    NodeWriter node(arena_, first.item(), entries);
    auto at = first;
    for (uint64_t i = 0; i < entries; ++i, at.Next()) node.Append(arena_, at.item());
    node.Finish(out);
    next_ += entries;
  }

  void WriteGroups(std::string* out) {
    const StreamGroupView& group = groups_[group_].second;
    switch (stage_) {
      case Stage::kGroup:
        AppendRdbString(out, groups_[group_].first);
        AppendIdNumbers(out, group.last);
        if (whole_) AppendRdbLength(out, group.entries_read);
        BeginPending(group.pending, Stage::kGroupPending, out);
        break;
      case Stage::kGroupPending:
        if (WritePending(group.pending, true, out)) BeginConsumers(group, out);
        break;
      case Stage::kConsumer:
        AppendRdbString(out, consumers_[consumer_].name);
        AppendLe(out, consumers_[consumer_].seen_ms);
        if (whole_) AppendLe(out, consumers_[consumer_].active_ms);
        BeginPending(consumers_[consumer_].pending, Stage::kConsumerPending, out);
        break;
      default:
        if (!WritePending(consumers_[consumer_].pending, false, out)) break;
        ++consumer_;
        NextConsumer();
        break;
    }
  }

  void BeginConsumers(const StreamGroupView& group, std::string* out) {
    consumers_.clear();
    consumer_ = 0;
    stream_.ForEachConsumer(
        group, [this](const StreamConsumerView& consumer) { consumers_.push_back(consumer); });
    AppendRdbLength(out, consumers_.size());
    NextConsumer();
  }
  void NextConsumer() {
    stage_ = Stage::kConsumer;
    if (consumer_ < consumers_.size()) return;
    stage_ = ++group_ < groups_.size() ? Stage::kGroup : Stage::kEnd;
  }

  void BeginPending(const storage::Ref& tree, Stage stage, std::string* out) {
    AppendRdbLength(out, storage::ItemsCount(arena_, tree));
    next_ = 0;
    stage_ = stage;
  }
  // True: all of them are written.
  bool WritePending(const storage::Ref& tree, bool of_group, std::string* out) {
    for (auto at = ItemCursor::At(arena_, tree, next_); at.valid() && out->size() < piece_end_;
         at.Next(), ++next_) {
      AppendId(out, storage::StreamIdOf(at.item()));
      if (!of_group) continue;
      const storage::StreamPending pending = storage::StreamPendingOf(arena_, at.item());
      AppendLe(out, pending.delivered_ms);
      AppendRdbLength(out, pending.deliveries);
    }
    return next_ >= storage::ItemsCount(arena_, tree);
  }

  const PageArena& arena_;
  const StreamView stream_;
  const bool whole_;
  Stage stage_ = Stage::kDivide;
  size_t piece_end_ = 0;  // where the string is to stop growing
  bool failed_ = false;
  NodeDivider divider_;
  uint64_t nodes_ = 0;
  uint64_t next_ = 0;  // of the entries, or of the pending entries, that are being written
  std::vector<std::pair<std::string, StreamGroupView>> groups_;
  size_t group_ = 0;
  std::vector<StreamConsumerView> consumers_;  // of the group
  size_t consumer_ = 0;
};

}  // namespace

std::unique_ptr<RdbValueWriter> MakeRdbStreamWriter(const storage::ReadView& view,
                                                    const storage::ValueView& value,
                                                    RdbStreams streams) {
  return std::make_unique<StreamWriter>(view, value, streams);
}

}  // namespace verso::persistence
