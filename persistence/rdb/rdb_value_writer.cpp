#include "persistence/rdb/rdb_value_writer.h"

#include <algorithm>
#include <vector>

#include "persistence/rdb/rdb_output.h"
#include "storage/types/element_trie.h"
#include "storage/types/hash_value.h"
#include "storage/types/list.h"
#include "storage/types/set_value.h"
#include "storage/types/zset.h"

namespace verso::persistence {

using storage::PageArena;
using storage::ReadView;
using storage::TrieEntry;
using storage::ValueType;
using storage::ValueView;

namespace {

// A string that is written over several pieces if it is long.
class LongString {
 public:
  void Begin(const PageArena& arena, const ValueView& value, std::string* out) {
    value_ = value;
    offset_ = 0;
    left_ = storage::StringLength(arena, value);
    AppendRdbLength(out, left_);
    Continue(arena, out);
  }
  bool done() const { return left_ == 0; }
  void Continue(const PageArena& arena, std::string* out) {
    const size_t bytes = std::min(left_, RdbValueWriter::kPieceBytes);
    storage::StringForEachPiece(arena, value_, offset_, bytes,
                                [out](ByteView piece) { out->append(piece); });
    offset_ += bytes;
    left_ -= bytes;
  }

 private:
  ValueView value_;
  size_t offset_ = 0;
  size_t left_ = 0;
};

class StringWriter final : public RdbValueWriter {
 public:
  StringWriter(const ReadView& view, const ValueView& value)
      : arena_(view.arena()), value_(value) {}

  RdbType type() const override { return RdbType::kString; }
  bool Next(std::string* out) override {
    begun_ ? string_.Continue(arena_, out) : string_.Begin(arena_, value_, out);
    begun_ = true;
    return !string_.done();
  }

 private:
  const PageArena& arena_;
  const ValueView value_;
  LongString string_;
  bool begun_ = false;
};

RdbType PlainType(ValueType type) {
  switch (type) {
    case ValueType::kList:
      return RdbType::kList;
    case ValueType::kSet:
      return RdbType::kSet;
    case ValueType::kHash:
      return RdbType::kHash;
    default:
      return RdbType::kZset2;
  }
}

// A packed collection: one piece.
class PackWriter final : public RdbValueWriter {
 public:
  PackWriter(const ReadView& view, const ValueView& value) : arena_(view.arena()), value_(value) {}

  RdbType type() const override { return PlainType(value_.type); }
  bool Next(std::string* out) override {
    switch (value_.type) {
      case ValueType::kList:
        WritePack(out, storage::PackCount(storage::PackOf(arena_, value_)));
        break;
      case ValueType::kSet:
        AppendRdbLength(out, storage::SetCount(arena_, value_));
        storage::SmallSetForEach(arena_, value_,
                                 [out](ByteView member) { AppendRdbString(out, member); });
        break;
      case ValueType::kHash:
        WritePack(out, storage::HashCount(arena_, value_));
        break;
      default:
        WriteZset(out);
        break;
    }
    return false;
  }

 private:
  // Elements, or fields and values: what stands in the pack, one after the other.
  void WritePack(std::string* out, uint64_t count) {
    AppendRdbLength(out, count);
    storage::PackReader pack(storage::PackOf(arena_, value_));
    const uint64_t items = value_.type == ValueType::kHash ? 2 * count : count;
    for (uint64_t i = 0; i < items; ++i) AppendRdbString(out, pack.NextBytes());
  }
  void WriteZset(std::string* out) {
    storage::PackReader pack(storage::PackOf(arena_, value_));
    AppendRdbLength(out, pack.left() / 2);
    while (pack.left() >= 2) {
      AppendRdbString(out, pack.NextBytes());
      AppendLe(out, storage::UnpackScore(pack.NextBytes()));
    }
  }

  const PageArena& arena_;
  const ValueView value_;
};

class LargeListWriter final : public RdbValueWriter {
 public:
  LargeListWriter(const ReadView& view, const ValueView& value)
      : arena_(view.arena()), tree_(storage::ListTree(view.arena(), value)) {}

  RdbType type() const override { return RdbType::kList; }
  bool Next(std::string* out) override {
    const size_t end = out->size() + kPieceBytes;
    if (!begun_) AppendRdbLength(out, storage::ItemsCount(arena_, tree_));
    begun_ = true;
    if (!string_.done()) string_.Continue(arena_, out);
    for (auto at = storage::ItemCursor::At(arena_, tree_, next_);
         at.valid() && string_.done() && out->size() < end; at.Next()) {
      string_.Begin(arena_, at.item().value(), out);
      ++next_;
    }
    return !string_.done() || next_ < storage::ItemsCount(arena_, tree_);
  }

 private:
  const PageArena& arena_;
  const storage::Ref tree_;
  bool begun_ = false;
  uint64_t next_ = 0;
  LongString string_;
};

// A large hash, set or sorted set, leaf by leaf: a sorted set has no order here.
class ElementsWriter final : public RdbValueWriter {
 public:
  ElementsWriter(const ReadView& view, const ValueView& value)
      : arena_(view.arena()), secret_(view.secret()), value_(value) {}

  RdbType type() const override { return PlainType(value_.type); }
  bool Next(std::string* out) override {
    const size_t end = out->size() + kPieceBytes;
    const storage::ElementTrie elements(arena_, value_);
    if (!begun_) AppendRdbLength(out, elements.count());
    begun_ = true;
    while (out->size() < end) {
      if (!string_.done()) {
        string_.Continue(arena_, out);
      } else if (next_ < leaf_.size()) {
        WriteHalf(out);
      } else if (last_leaf_) {
        return false;
      } else {
        leaf_.clear();
        next_ = 0;
        cursor_ = elements.trie().Scan(cursor_, 1, secret_,
                                       [this](const TrieEntry& entry) { leaf_.push_back(entry); });
        last_leaf_ = cursor_ == 0;
      }
    }
    return true;
  }

 private:
  // Of an element first the field or member, then what belongs to it.
  void WriteHalf(std::string* out) {
    const TrieEntry& entry = leaf_[next_];
    if (!on_value_) {
      string_.Begin(arena_, storage::ElementName(entry), out);
      on_value_ = value_.type != ValueType::kSet;
      if (!on_value_) ++next_;
      return;
    }
    if (value_.type == ValueType::kHash) {
      string_.Begin(arena_, entry.value, out);
    } else {
      AppendLe(out, LoadLe<double>(entry.value.bytes.data()));
    }
    on_value_ = false;
    ++next_;
  }

  const PageArena& arena_;
  const HashSecret& secret_;
  const ValueView value_;
  bool begun_ = false;
  bool last_leaf_ = false;
  uint64_t cursor_ = 0;
  std::vector<TrieEntry> leaf_;
  size_t next_ = 0;
  bool on_value_ = false;
  LongString string_;
};

}  // namespace

std::unique_ptr<RdbValueWriter> MakeRdbValueWriter(const ReadView& view, const ValueView& value,
                                                   RdbStreams streams) {
  if (value.type == ValueType::kString) return std::make_unique<StringWriter>(view, value);
  if (value.type == ValueType::kStream) return MakeRdbStreamWriter(view, value, streams);
  if (!storage::CollectionRef(value)) return std::make_unique<PackWriter>(view, value);
  if (value.type == ValueType::kList) return std::make_unique<LargeListWriter>(view, value);
  return std::make_unique<ElementsWriter>(view, value);
}

}  // namespace verso::persistence
