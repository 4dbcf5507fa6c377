// Streams in RDB form:
//
//   nodes                  length; of each: its first id (a string of 16 bytes), a listpack
//   entries                length; last id: two lengths
//   from version 2 on      first id, highest deleted id: two lengths each; entries ever added
//   groups                 length; of each: name, last id, (from version 2 on) entries read,
//     pending              length; of each: id (16 bytes), delivered at (8 bytes), deliveries
//     consumers            length; of each: name, seen at, (in version 3) active at,
//       pending            length; ids
//
// A node's listpack begins with a master entry; ids count on from the node's first id, and entries
// with the master's fields hold their values only:
//
//   master   count | deleted | n | n fields | 0
//   entry    flags | ms | seq | (other fields: n) | fields and values, or values | items of it
#include <algorithm>
#include <limits>
#include <string>
#include <vector>

#include "persistence/rdb/rdb_packed.h"
#include "persistence/rdb/rdb_value_reader.h"

namespace verso::persistence {
namespace {

using storage::StreamId;

constexpr uint64_t kNumberMax = std::numeric_limits<int64_t>::max();

Error Damaged(const char* what) { return {ErrorCode::kCorruption, what}; }

StreamId IdOf(ByteView bytes) {
  return {__builtin_bswap64(LoadLe<uint64_t>(bytes.data())),
          __builtin_bswap64(LoadLe<uint64_t>(bytes.data() + sizeof(uint64_t)))};
}

Result<StreamId> ReadId(RdbInput& in) {
  VERSO_TRY(const ByteView bytes, in.Raw(kStreamIdBytes));
  return IdOf(bytes);
}

Result<StreamId> ReadIdNumbers(RdbInput& in) {
  VERSO_TRY(const uint64_t ms, in.Length());
  VERSO_TRY(const uint64_t seq, in.Length());
  return StreamId{ms, seq};
}

// Counts and times are signed for commands.
Result<uint64_t> Signed(RdbInput& in, const Result<uint64_t>& number) {
  if (number && *number > kNumberMax) return in.Fault("a number of a stream that is too large");
  return number;
}

// What has come of all nodes so far.
struct StreamProgress {
  std::optional<StreamId> newest;
  uint64_t count = 0;
  uint64_t bytes_left = 0;  // that fields and values may still have
};

// A master's fields come again with each entry. So few bytes can stand for many; for so many more
// they never do, unless somebody wants to fill the memory.
constexpr uint64_t kGrowthMax = 1024;

// The entries of one node.
class NodeReader {
 public:
  NodeReader(ListpackReader items, StreamId first) : items_(items), first_(first) {}

  // Entries that are there go to the sink.
  Status Run(StreamProgress* progress, RdbValueSink& sink) {
    VERSO_TRY_STATUS(ReadMaster());
    const uint64_t count_before = progress->count;
    for (uint64_t i = 0; i < live_ + deleted_; ++i) {
      VERSO_TRY(const bool live, ReadEntry());
      if (!live) continue;
      if (progress->newest.has_value() && id_ <= *progress->newest) {
        return Damaged("stream ids out of order");
      }
      progress->newest = id_;
      ++progress->count;
      for (const ByteView field : fields_) {
        if (field.size() > progress->bytes_left) return Damaged("a stream that is all names");
        progress->bytes_left -= field.size();
      }
      VERSO_TRY_STATUS(sink.StreamEntry(id_, fields_));
    }
    if (progress->count - count_before != live_) {
      return Damaged("a stream's node with a wrong count");
    }
    PackedItem beyond;
    VERSO_TRY(const bool more, items_.Next(&beyond));
    if (more) return Damaged("a stream's node with something behind its entries");
    return {};
  }

 private:
  Result<int64_t> Integer() {
    VERSO_TRY(const bool more, items_.Next(&number_));
    if (!more || !number_.is_integer) return Damaged("a stream's node without a number");
    return number_.integer;
  }
  Result<uint64_t> Count() {
    VERSO_TRY(const int64_t number, Integer());
    if (number < 0) return Damaged("a stream's node with a negative count");
    return static_cast<uint64_t>(number);
  }
  // Texts are kept one behind the other: integers among them have their digits in the item.
  Status TakeText(std::string* texts, std::vector<size_t>* ends) {
    VERSO_TRY(const bool more, items_.Next(&text_));
    if (!more) return Damaged("a stream's node that ends too early");
    texts->append(text_.bytes);
    ends->push_back(texts->size());
    return {};
  }

  Status ReadMaster() {
    VERSO_TRY(live_, Count());
    VERSO_TRY(deleted_, Count());
    VERSO_TRY(const uint64_t fields, Count());
    for (uint64_t i = 0; i < fields; ++i) {
      VERSO_TRY_STATUS(TakeText(&master_, &master_ends_));
    }
    VERSO_TRY(const int64_t end, Integer());
    if (end != 0) return Damaged("a stream's node with a damaged master entry");
    if (live_ > kNumberMax - deleted_) return Damaged("a stream's node with a wrong count");
    return {};
  }

  // True: the entry is there; id_ and fields_ are its. False: it was deleted.
  Result<bool> ReadEntry() {
    VERSO_TRY(const int64_t flags, Integer());
    if ((flags & ~(kStreamEntryDeleted | kStreamEntrySameFields)) != 0) {
      return Damaged("a stream entry with unknown flags");
    }
    VERSO_TRY(const int64_t ms, Integer());
    VERSO_TRY(const int64_t seq, Integer());
    id_ = {first_.ms + static_cast<uint64_t>(ms), first_.seq + static_cast<uint64_t>(seq)};
    const bool same = (flags & kStreamEntrySameFields) != 0;
    uint64_t fields = master_ends_.size();
    if (!same) {
      VERSO_TRY(fields, Count());
    }
    texts_.clear();
    ends_.clear();
    for (uint64_t i = 0; i < (same ? fields : 2 * fields); ++i) {
      VERSO_TRY_STATUS(TakeText(&texts_, &ends_));
    }
    VERSO_TRY(const uint64_t items, Count());
    if (items != ends_.size() + (same ? 3 : 4)) return Damaged("a stream entry of a wrong length");
    if ((flags & kStreamEntryDeleted) != 0) return false;
    if (fields == 0) return Damaged("a stream entry without fields");
    ShowFields(same);
    return true;
  }

  void ShowFields(bool same) {
    fields_.clear();
    for (size_t i = 0; i < ends_.size(); ++i) {
      if (same) fields_.push_back(TextAt(master_, master_ends_, i));
      fields_.push_back(TextAt(texts_, ends_, i));
    }
  }
  static ByteView TextAt(const std::string& texts, const std::vector<size_t>& ends, size_t i) {
    const size_t begin = i == 0 ? 0 : ends[i - 1];
    return ByteView(texts).substr(begin, ends[i] - begin);
  }

  ListpackReader items_;
  const StreamId first_;
  uint64_t live_ = 0;
  uint64_t deleted_ = 0;
  std::string master_;  // its fields
  std::vector<size_t> master_ends_;
  StreamId id_;
  std::string texts_;
  std::vector<size_t> ends_;
  std::vector<ByteView> fields_;  // field, value, field, value ...
  PackedItem number_;
  PackedItem text_;
};

// What a group says of a pending entry before it is known whose it is.
struct Pending {
  StreamId id;
  uint64_t delivered_ms = 0;
  uint64_t deliveries = 0;
  bool taken = false;
};

class StreamReader {
 public:
  StreamReader(RdbInput& in, RdbType type, RdbValueSink& sink)
      : in_(in), sink_(sink), version_(VersionOf(type)) {}

  Status Run() {
    VERSO_TRY(const uint64_t nodes, in_.Length());
    StreamProgress progress;
    progress.bytes_left = in_.left() * kGrowthMax;
    for (uint64_t i = 0; i < nodes; ++i) VERSO_TRY_STATUS(ReadNode(&progress));
    VERSO_TRY_STATUS(ReadNumbers(progress));
    VERSO_TRY(const uint64_t groups, in_.Length());
    for (uint64_t i = 0; i < groups; ++i) VERSO_TRY_STATUS(ReadGroup());
    return {};
  }

 private:
  static int VersionOf(RdbType type) {
    if (type == RdbType::kStreamListpacks) return 1;
    return type == RdbType::kStreamListpacks2 ? 2 : 3;
  }

  Status ReadNode(StreamProgress* progress) {
    RdbString first;
    RdbString listpack;
    VERSO_TRY_STATUS(in_.String(&first));
    if (first.bytes().size() != kStreamIdBytes) return in_.Fault("a stream's node without an id");
    VERSO_TRY_STATUS(in_.String(&listpack));
    VERSO_TRY(const ListpackReader items, ListpackReader::Open(listpack.bytes()));
    return NodeReader(items, IdOf(first.bytes())).Run(progress, sink_);
  }

  Status ReadNumbers(const StreamProgress& progress) {
    VERSO_TRY(const uint64_t announced, in_.Length());
    if (announced != progress.count) return in_.Fault("a stream with a wrong count");
    RdbStreamNumbers numbers;
    VERSO_TRY(numbers.last, ReadIdNumbers(in_));
    if (progress.newest.has_value() && *progress.newest > numbers.last) {
      return in_.Fault("a stream entry behind the last id");
    }
    if (version_ >= 2) {
      VERSO_TRY_STATUS(ReadIdNumbers(in_));  // the first id: known already
      VERSO_TRY(numbers.deleted, ReadIdNumbers(in_));
      VERSO_TRY(numbers.entries_added, Signed(in_, in_.Length()));
      if (*numbers.entries_added < progress.count || numbers.deleted > numbers.last) {
        return in_.Fault("a stream whose numbers contradict its entries");
      }
    }
    return sink_.StreamNumbers(numbers);
  }

  Status ReadGroup() {
    RdbString name;
    VERSO_TRY_STATUS(in_.String(&name));
    RdbStreamGroup group;
    group.name = name.bytes();
    VERSO_TRY(group.last, ReadIdNumbers(in_));
    if (version_ >= 2) {
      VERSO_TRY(group.entries_read, in_.Length());
      if (*group.entries_read > kNumberMax && *group.entries_read != storage::kEntriesReadUnknown) {
        return in_.Fault("a group that has read too much");
      }
    }
    VERSO_TRY_STATUS(sink_.StreamGroup(group));
    VERSO_TRY_STATUS(ReadPending());
    VERSO_TRY(const uint64_t consumers, in_.Length());
    for (uint64_t i = 0; i < consumers; ++i) VERSO_TRY_STATUS(ReadConsumer());
    if (taken_ != pending_.size()) return in_.Fault("a pending entry with nobody");
    return {};
  }

  // Into pending_, by id.
  Status ReadPending() {
    pending_.clear();
    taken_ = 0;
    VERSO_TRY(const uint64_t count, in_.Length());
    for (uint64_t i = 0; i < count; ++i) {
      Pending entry;
      VERSO_TRY(entry.id, ReadId(in_));
      VERSO_TRY(entry.delivered_ms, Signed(in_, in_.Number64()));
      VERSO_TRY(entry.deliveries, Signed(in_, in_.Length()));
      pending_.push_back(entry);
    }
    const auto below = [](const Pending& a, const Pending& b) { return a.id < b.id; };
    if (!std::is_sorted(pending_.begin(), pending_.end(), below)) {
      std::sort(pending_.begin(), pending_.end(), below);
    }
    const auto same = [](const Pending& a, const Pending& b) { return a.id == b.id; };
    if (std::adjacent_find(pending_.begin(), pending_.end(), same) != pending_.end()) {
      return in_.Fault("an entry that is pending twice");
    }
    return {};
  }

  Status ReadConsumer() {
    RdbString name;
    VERSO_TRY_STATUS(in_.String(&name));
    RdbStreamConsumer consumer;
    consumer.name = name.bytes();
    VERSO_TRY(consumer.seen_ms, Signed(in_, in_.Number64()));
    consumer.active_ms = consumer.seen_ms;  // the best guess for older versions
    if (version_ >= 3) {
      VERSO_TRY(consumer.active_ms, in_.Number64());
      if (consumer.active_ms > kNumberMax && consumer.active_ms != storage::kNeverActive) {
        return in_.Fault("a consumer active at no time");
      }
    }
    VERSO_TRY_STATUS(sink_.StreamConsumer(consumer));
    VERSO_TRY(const uint64_t count, in_.Length());
    for (uint64_t i = 0; i < count; ++i) {
      VERSO_TRY(const StreamId id, ReadId(in_));
      const auto at = std::lower_bound(
          pending_.begin(), pending_.end(), id,
          [](const Pending& entry, const StreamId& wanted) { return entry.id < wanted; });
      if (at == pending_.end() || at->id != id || at->taken) {
        return in_.Fault("a consumer's entry that is not pending with it");
      }
      at->taken = true;
      ++taken_;
      VERSO_TRY_STATUS(sink_.StreamPending(id, at->delivered_ms, at->deliveries));
    }
    return {};
  }

  RdbInput& in_;
  RdbValueSink& sink_;
  const int version_;
  std::vector<Pending> pending_;  // of the group
  size_t taken_ = 0;              // of them those that have a consumer
};

}  // namespace

Status ReadRdbStream(RdbInput& in, RdbType type, RdbValueSink& sink) {
  return StreamReader(in, type, sink).Run();
}

}  // namespace verso::persistence
