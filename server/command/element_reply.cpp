#include "server/command/element_reply.h"

#include <algorithm>
#include <set>
#include <utility>
#include <vector>

#include "server/command/glob.h"
#include "server/command/string_reply.h"
#include "storage/types/element_trie.h"
#include "storage/types/hash_value.h"
#include "storage/types/set_value.h"

namespace verso::server {

using storage::Access;
using storage::ElementName;
using storage::ElementTrie;
using storage::Key;
using storage::PageArena;
using storage::ReadView;
using storage::TrieEntry;
using storage::ValueType;
using storage::ValueView;

namespace {

// visit(const ValueView& field, const ValueView& value) for each element of one that is not large.
// Views are valid during the call.
template <typename Visit>
void SmallForEach(const PageArena& arena, const ValueView& value, Visit&& visit) {
  if (value.type == ValueType::kHash) {
    storage::HashForEach(arena, value, [&](ByteView field, const ValueView& content) {
      visit(storage::PackedString(field), content);
    });
  } else {
    storage::SmallSetForEach(
        arena, value, [&](ByteView member) { visit(storage::PackedString(member), ValueView()); });
  }
}

uint64_t CountOf(const PageArena& arena, const ValueView& value) {
  return value.type == ValueType::kHash ? storage::HashCount(arena, value)
                                        : storage::SetCount(arena, value);
}

void ReplyParts(ReplyWriter& reply, const PageArena& arena, const ValueView& field,
                const ValueView& value, ElementPart part) {
  if (part != ElementPart::kValue) ReplyString(reply, arena, field);
  if (part != ElementPart::kField) ReplyString(reply, arena, value);
}

size_t PartBytes(const PageArena& arena, const TrieEntry& entry, ElementPart part) {
  size_t bytes = 0;
  if (part != ElementPart::kValue) bytes += entry.KeyLength(arena);
  if (part != ElementPart::kField) bytes += storage::StringLength(arena, entry.value);
  return bytes;
}

void WriteHeader(ReplyWriter& reply, ElementHeader header, size_t count) {
  switch (header) {
    case ElementHeader::kArray:
      return reply.Array(count);
    case ElementHeader::kMap:
      return reply.Map(count);
    case ElementHeader::kSet:
      return reply.Set(count);
  }
}

// Elements of a large hash or set, leaf by leaf; a long field or value goes out in slices of its
// own.
class ElementsContinuation final : public Continuation {
 public:
  ElementsContinuation(const Key& key, ElementPart part, ElementHeader header)
      : key_(key.bytes), part_(part), header_(header) {}

  bool Run(const ReadView& view, Slice& slice) override {
    const std::optional<ValueView> value = view.Find(view.MakeKey(key_), Access::kPeek);
    if (!begun_) {
      // Nothing, if it has expired between the command and the pin.
      WriteHeader(slice.reply(), header_, value ? CountOf(view.arena(), *value) : 0);
      begun_ = true;
    }
    if (!value) return true;
    const ElementTrie elements(view.arena(), *value);
    while (!slice.Spent()) {
      if (next_ < leaf_.size()) {
        if (Emit(view.arena(), slice)) ++next_;
        continue;
      }
      if (last_leaf_) return true;
      leaf_.clear();
      next_ = 0;
      cursor_ = elements.trie().Scan(cursor_, 1, view.secret(),
                                     [this](const TrieEntry& entry) { leaf_.push_back(entry); });
      last_leaf_ = cursor_ == 0;
    }
    return false;
  }

 private:
  // True: the element is through.
  bool Emit(const PageArena& arena, Slice& slice) {
    const TrieEntry& entry = leaf_[next_];
    if (!half_begun_ && PartBytes(arena, entry, part_) <= kReplyBytesAtOnce) {
      ReplyParts(slice.reply(), arena, ElementName(entry), entry.value, part_);
      return true;
    }
    if (!half_begun_) {
      on_value_ = part_ == ElementPart::kValue;
      Begin(arena, entry);
    }
    if (!bulk_.Run(arena, on_value_ ? entry.value : ElementName(entry), slice)) return false;
    half_begun_ = false;
    if (on_value_ || part_ == ElementPart::kField) return true;
    on_value_ = true;
    Begin(arena, entry);
    return false;
  }
  void Begin(const PageArena& arena, const TrieEntry& entry) {
    half_begun_ = true;
    bulk_ = SlicedBulk(
        0, on_value_ ? storage::StringLength(arena, entry.value) : entry.KeyLength(arena));
  }

  std::string key_;
  ElementPart part_;
  ElementHeader header_;
  bool begun_ = false;
  bool last_leaf_ = false;
  uint64_t cursor_ = 0;
  // The entries of one leaf: views into the pinned version.
  std::vector<TrieEntry> leaf_;
  size_t next_ = 0;
  SlicedBulk bulk_;
  bool half_begun_ = false;
  bool on_value_ = false;
};

// xorshift64*, seeded by the command.
class Chance {
 public:
  explicit Chance(uint64_t seed) : state_(seed | 1) {}
  uint64_t Next() {
    state_ ^= state_ >> 12;
    state_ ^= state_ << 25;
    state_ ^= state_ >> 27;
    return state_ * 0x2545F4914F6CDD1D;
  }

 private:
  uint64_t state_;
};

// Elements by chance, in slices.
class RandomContinuation final : public Continuation {
 public:
  RandomContinuation(const Key& key, int64_t count, ElementPart part, uint64_t seed)
      : key_(key.bytes),
        wanted_(count < 0 ? 0 - static_cast<uint64_t>(count) : static_cast<uint64_t>(count)),
        distinct_(count > 0),
        part_(part),
        chance_(seed) {}

  bool Run(const ReadView& view, Slice& slice) override {
    const std::optional<ValueView> value = view.Find(view.MakeKey(key_), Access::kPeek);
    if (!begun_) Begin(view, value, slice);
    if (!value) return true;
    while (left_ > 0 && !slice.Spent()) Step(view, *value, slice);
    return left_ == 0;
  }

 private:
  // Picks that are remembered, so that none comes twice, take memory: for few of many only.
  static constexpr uint64_t kPicksMax = kElementsAtOnce;

  void Begin(const ReadView& view, const std::optional<ValueView>& value, Slice& slice) {
    begun_ = true;
    const uint64_t count = value ? CountOf(view.arena(), *value) : 0;
    unseen_ = count;
    left_ = count == 0 ? 0 : distinct_ ? std::min(wanted_, count) : wanted_;
    large_ = value && storage::CollectionRef(*value);
    picks_ = distinct_ && large_ && left_ <= kPicksMax && left_ * 3 <= count;
    const bool nested = part_ == ElementPart::kBoth && slice.reply().resp3();
    slice.reply().Array(part_ == ElementPart::kBoth && !nested ? 2 * left_ : left_);
  }

  void Emit(const ReadView& view, Slice& slice, const ValueView& field, const ValueView& value) {
    if (part_ == ElementPart::kBoth && slice.reply().resp3()) slice.reply().Array(2);
    ReplyParts(slice.reply(), view.arena(), field, value, part_);
    --left_;
  }

  void Step(const ReadView& view, const ValueView& value, Slice& slice) {
    if (!distinct_ || picks_) {
      Pick(view, value, slice);
    } else if (large_) {
      // One pass, each element with the chance that makes all choices equal: left of unseen.
      cursor_ = ElementTrie(view.arena(), value)
                    .trie()
                    .Scan(cursor_, 1, view.secret(), [&](const TrieEntry& entry) {
                      if (Chosen()) Emit(view, slice, ElementName(entry), entry.value);
                    });
    } else {
      SmallForEach(view.arena(), value, [&](const ValueView& field, const ValueView& content) {
        if (Chosen()) Emit(view, slice, field, content);
      });
    }
  }
  bool Chosen() { return left_ > 0 && chance_.Next() % unseen_-- < left_; }

  void Pick(const ReadView& view, const ValueView& value, Slice& slice) {
    if (large_) {
      const ElementTrie elements(view.arena(), value);
      const std::optional<TrieEntry> entry = elements.trie().Random(chance_.Next());
      if (!entry) {
        left_ = 0;
      } else if (!distinct_ || seen_.insert({entry->place.leaf.cell(), entry->place.slot}).second) {
        Emit(view, slice, ElementName(*entry), entry->value);
      }
      return;
    }
    uint64_t skip = chance_.Next() % unseen_;
    SmallForEach(view.arena(), value, [&](const ValueView& field, const ValueView& content) {
      if (skip-- == 0) Emit(view, slice, field, content);
    });
  }

  std::string key_;
  uint64_t wanted_;
  bool distinct_;
  ElementPart part_;
  Chance chance_;
  bool begun_ = false;
  bool large_ = false;
  bool picks_ = false;
  uint64_t left_ = 0;    // to be replied
  uint64_t unseen_ = 0;  // elements the pass has not come to; all of them where there is no pass
  uint64_t cursor_ = 0;
  std::set<std::pair<storage::Cell, uint32_t>> seen_;
};

}  // namespace

Outcome ReplyAllElements(const ReadView& view, CommandContext& context, const Key& key,
                         const ValueView& value, ElementPart part, ElementHeader header) {
  const PageArena& arena = view.arena();
  const uint64_t count = CountOf(arena, value);
  if (!storage::CollectionRef(value)) {
    WriteHeader(context.reply(), header, count);
    SmallForEach(arena, value, [&](const ValueView& field, const ValueView& content) {
      ReplyParts(context.reply(), arena, field, content, part);
    });
    return Outcome::kDone;
  }
  const ElementTrie elements(arena, value);
  bool at_once = count <= kElementsAtOnce;
  if (at_once) {
    size_t bytes = 0;
    elements.trie().ForEach(
        [&](const TrieEntry& entry) { bytes += PartBytes(arena, entry, part); });
    at_once = bytes <= kReplyBytesAtOnce;
  }
  if (!at_once) return context.Yield(std::make_unique<ElementsContinuation>(key, part, header));
  WriteHeader(context.reply(), header, count);
  elements.trie().ForEach([&](const TrieEntry& entry) {
    ReplyParts(context.reply(), arena, ElementName(entry), entry.value, part);
  });
  return Outcome::kDone;
}

Outcome ReplyRandomElement(const ReadView& view, CommandContext& context, const ValueView& value) {
  const PageArena& arena = view.arena();
  ReplyWriter& reply = context.reply();
  const uint64_t random = context.Random();
  if (storage::CollectionRef(value)) {
    const std::optional<TrieEntry> entry = ElementTrie(arena, value).trie().Random(random);
    entry ? ReplyString(reply, arena, ElementName(*entry)) : reply.Null();
    return Outcome::kDone;
  }
  const uint64_t count = CountOf(arena, value);
  if (count == 0) reply.Null();
  uint64_t skip = count == 0 ? 0 : random % count;
  SmallForEach(arena, value, [&](const ValueView& field, const ValueView&) {
    if (skip-- == 0) ReplyString(reply, arena, field);
  });
  return Outcome::kDone;
}

Outcome ReplyRandomElements(const ReadView& view, CommandContext& context, const Key& key,
                            const ValueView& value, int64_t count, ElementPart part) {
  auto work = std::make_unique<RandomContinuation>(key, count, part, context.Random());
  const uint64_t size = CountOf(view.arena(), value);
  const auto most = static_cast<int64_t>(kElementsAtOnce);
  // Above the limit it goes by a pass over all elements.
  const bool few = count < 0 ? count >= -most : count <= most || size <= kElementsAtOnce;
  if (!few) return context.Yield(std::move(work));
  return RunAtOnce(view, context, *work);
}

bool ReadScanCursor(CommandContext& context, ByteView text, uint64_t* cursor) {
  const auto [end, fault] = std::from_chars(text.data(), text.data() + text.size(), *cursor);
  if (fault == std::errc() && end == text.data() + text.size()) return true;
  context.reply().Error(error::kInvalidCursor);
  return false;
}

bool ReadScanArgs(CommandContext& context, size_t first, ScanArgs* scan) {
  ArgReader args(context, first);
  while (!args.AtEnd()) {
    if (args.remaining() < 2) args.SetError(error::kSyntax);
    if (args.Take("count")) {
      const int64_t wanted = args.Integer();
      if (args.ok() && wanted < 1) args.SetError(error::kSyntax);
      scan->count = std::min(static_cast<uint64_t>(wanted), kScanEntriesMax);
    } else if (args.Take("match")) {
      scan->pattern = args.Next();
      if (scan->pattern == "*") scan->pattern.reset();
    } else {
      args.SetError(error::kSyntax);
    }
    if (!args.ok()) break;
  }
  if (args.ok()) return true;
  context.reply().Error(args.error());
  return false;
}

void ReplyScan(const ReadView& view, CommandContext& context, const ValueView* value,
               const ScanArgs& args, ElementPart part) {
  const PageArena& arena = view.arena();
  const auto matches = [&args](ByteView field) {
    return !args.pattern.has_value() || GlobMatch(*args.pattern, field);
  };
  const size_t parts = part == ElementPart::kBoth ? 2 : 1;
  ReplyWriter& reply = context.reply();
  reply.Array(2);
  if (value == nullptr || !storage::CollectionRef(*value)) {  // all of it, as Redis does
    size_t found = 0;
    const auto each = [&](auto&& visit) {
      if (value == nullptr) return;
      SmallForEach(arena, *value, [&](const ValueView& field, const ValueView& content) {
        if (matches(field.bytes)) visit(field, content);
      });
    };
    each([&](const ValueView&, const ValueView&) { ++found; });
    reply.Bulk("0");
    reply.Array(found * parts);
    each([&](const ValueView& field, const ValueView& content) {
      ReplyParts(reply, arena, field, content, part);
    });
    return;
  }
  std::vector<TrieEntry> found;
  const uint64_t next =
      ElementTrie(arena, *value)
          .trie()
          .Scan(args.cursor, args.count, view.secret(), [&](const TrieEntry& entry) {
            storage::WithElement(arena, entry, [&](ByteView field) {
              if (matches(field)) found.push_back(entry);
            });
          });
  reply.Bulk(Decimal(next));
  reply.Array(found.size() * parts);
  for (const TrieEntry& entry : found)
    ReplyParts(reply, arena, ElementName(entry), entry.value, part);
}

Outcome RunAtOnce(const ReadView& view, CommandContext& context, Continuation& work) {
  for (bool done = false; !done;) {
    Slice slice(&context.reply(), ~size_t{0});
    done = work.Run(view, slice);
  }
  return Outcome::kDone;
}

size_t ElementsReserve(const ReadView& view, const CommandContext& context, size_t first) {
  size_t bytes = 0;
  for (size_t i = first; i < context.size(); ++i) bytes += context[i].size();
  return storage::ElementsEstimate(view.arena(), context.size() - first, bytes);
}

}  // namespace verso::server
