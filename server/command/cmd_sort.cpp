// SORT and SORT_RO: the elements of a list, set or sorted set in the order of themselves or of
// other keys (sorter.h), replied in slices if they are many, or stored as a list.
#include <deque>
#include <string>
#include <utility>
#include <vector>

#include "server/command/command_families.h"
#include "server/command/element_reply.h"
#include "server/command/sorter.h"
#include "server/command/string_reply.h"
#include "storage/types/list.h"

namespace verso::server {
namespace {

using storage::Access;
using storage::Key;
using storage::ListBuilder;
using storage::ReadView;
using storage::ValueType;
using storage::ValueView;
using storage::WriteView;

constexpr std::string_view kNotScores = "ERR One or more scores can't be converted into double";

// ---- arguments

struct SortArgs {
  SortQuery query;
  size_t target = 0;  // index of the key to store at; 0: none
};

// Empty: good, else the error.
std::string_view ReadArgs(const CommandContext& context, bool may_store, SortArgs* sort) {
  SortQuery& query = sort->query;
  ArgReader args(context, 2);
  while (args.ok() && !args.AtEnd()) {
    if (args.Take("asc")) {
      query.descending = false;
    } else if (args.Take("desc")) {
      query.descending = true;
    } else if (args.Take("alpha")) {
      query.alpha = true;
    } else if (args.remaining() >= 3 && args.Take("limit")) {
      query.offset = args.Integer();
      query.count = args.Integer();
    } else if (may_store && args.remaining() >= 2 && args.Take("store")) {
      sort->target = args.position();
      args.Next();
    } else if (args.remaining() >= 2 && args.Take("by")) {
      query.by.emplace(args.Next());
      // Of a constant nothing can be looked up: then there is no order. Once said it stays so.
      query.unsorted |= !query.by->varies();
    } else if (args.remaining() >= 2 && args.Take("get")) {
      query.gets.emplace_back(args.Next());
    } else {
      args.SetError(error::kSyntax);
    }
  }
  return args.error();
}

bool CanBeSorted(const std::optional<ValueView>& value) {
  return !value || value->type == ValueType::kList || value->type == ValueType::kSet ||
         value->type == ValueType::kZset;
}

// visit(const std::optional<ValueView>&) for what the result has of an element.
template <typename Visit>
void ForEachPart(const ReadView& view, const SortQuery& query, const ValueView& element,
                 Visit&& visit) {
  if (query.gets.empty()) visit(std::optional(element));
  for (const SortPattern& get : query.gets) visit(get.Lookup(view, element));
}

// At least the bytes of the result: of all elements, whatever LIMIT says of an order that is not
// yet known.
uint64_t ResultBytes(const ReadView& view, const ValueView& value, SortQuery query) {
  if (!query.unsorted) {
    query.offset = 0;
    query.count = -1;
    query.unsorted = true;
  }
  Sorter sorter(std::move(query));
  uint64_t bytes = 0;
  sorter.Prepare(view, value);
  for (ValueView element; sorter.Next(view, value, &element);) {
    ForEachPart(view, sorter.query(), element, [&](const std::optional<ValueView>& part) {
      if (part) bytes += storage::StringLength(view.arena(), *part);
    });
  }
  return bytes;
}

// Is it too much to be done at once?
bool IsLong(const ReadView& view, const ValueView& value, const SortQuery& query) {
  const uint64_t lookups = query.parts() + (query.by ? 1 : 0);
  return ElementCount(view, value) * lookups > kElementsAtOnce ||
         ResultBytes(view, value, query) > kReplyBytesAtOnce;
}

// ---- replying

class SortContinuation final : public Continuation {
 public:
  SortContinuation(const Key& key, SortQuery query) : key_(key.bytes), sorter_(std::move(query)) {}

  bool Run(const ReadView& view, Slice& slice) override {
    const std::optional<ValueView> value = view.Find(view.MakeKey(key_), Access::kPeek);
    if (!value) {  // it expired between the command and the pin
      slice.reply().Array(0);
      return true;
    }
    while (!begun_) {
      if (slice.SpentNow()) return false;
      if (!sorter_.Prepare(view, *value)) continue;
      if (sorter_.failed()) {
        slice.reply().Error(kNotScores);
        return true;
      }
      begun_ = true;
      slice.reply().Array(sorter_.count() * sorter_.query().parts());
    }
    while (!slice.Spent()) {
      if (parts_.empty()) {
        ValueView element;
        if (!sorter_.Next(view, *value, &element)) return true;
        ForEachPart(view, sorter_.query(), element,
                    [this](const std::optional<ValueView>& part) { parts_.push_back(part); });
      }
      if (ReplyPart(view, slice)) parts_.pop_front();
    }
    return false;
  }

 private:
  // False: it is long, and the slice ended within it.
  bool ReplyPart(const ReadView& view, Slice& slice) {
    const std::optional<ValueView>& part = parts_.front();
    if (!part) {
      slice.reply().Null();
      return true;
    }
    const size_t length = storage::StringLength(view.arena(), *part);
    if (length <= kReplyBytesAtOnce) {
      ReplyString(slice.reply(), view.arena(), *part);
      return true;
    }
    if (!bulk_) bulk_ = SlicedBulk(0, length);
    if (!bulk_->Run(view.arena(), *part, slice)) return false;
    bulk_.reset();
    return true;
  }

  std::string key_;
  Sorter sorter_;
  bool begun_ = false;
  std::deque<std::optional<ValueView>> parts_;  // of the element that is being replied
  std::optional<SlicedBulk> bulk_;
};

Outcome ReplySorted(const ReadView& view, CommandContext& context, SortQuery query) {
  const Key key = context.KeyAt(view, 1);
  const std::optional<ValueView> value = context.Lookup(view, key);
  if (!CanBeSorted(value)) return context.Fail(error::kWrongType);
  if (!value) {
    context.reply().Array(0);
    return Outcome::kDone;
  }
  const bool at_once = !IsLong(view, *value, query);
  auto work = std::make_unique<SortContinuation>(key, std::move(query));
  if (!at_once) return context.Yield(std::move(work));
  return RunAtOnce(view, context, *work);
}

// ---- storing

// What is recorded of a result that other keys have shaped: the list itself, in pieces.
class StoredEffect {
 public:
  StoredEffect(CommandContext& context, const Key& target, bool wanted)
      : effects_(context.effects()), target_(target), wanted_(wanted && effects_.wanted()) {
    if (wanted_) effects_.Emit({"DEL", target_.bytes});
  }
  void Add(ByteView element) {
    if (!wanted_) return;
    if (words_.empty()) words_ = {"RPUSH", target_.bytes};
    words_.push_back(copies_.emplace_back(element));
    if (words_.size() == kWordsMax) Flush();
  }
  void Flush() {
    if (!words_.empty()) effects_.Emit(words_);
    words_.clear();
    copies_.clear();
  }

 private:
  static constexpr size_t kWordsMax = 1024;

  EffectUnit& effects_;
  const Key& target_;
  const bool wanted_;
  std::vector<ByteView> words_;
  std::deque<std::string> copies_;
};

// Without an order of its own a set is sorted all the same: what is stored must be the same
// wherever the command runs again.
SortQuery QueryToStore(const ValueView& source, SortQuery query) {
  if (query.unsorted && source.type == ValueType::kSet) {
    query.unsorted = false;
    query.alpha = true;
    query.by.reset();
  }
  return query;
}

// What of the result is to be stored for an element: views into pages, or into `copies`.
void AppendParts(const ReadView& view, const SortQuery& query, const ValueView& element,
                 std::vector<ByteView>* parts, std::deque<std::string>* copies) {
  ForEachPart(view, query, element, [&](const std::optional<ValueView>& part) {
    if (!part) {
      parts->emplace_back();
    } else if (const auto whole = storage::StringContiguous(view.arena(), *part)) {
      parts->push_back(*whole);
    } else {
      parts->push_back(copies->emplace_back(storage::StringCopy(view.arena(), *part)));
    }
  });
}

class StoreBuild final : public AsideStore {
 public:
  StoreBuild(SortQuery query, const SortArgs& args, const ReadView& view, CommandContext& context)
      : AsideStore(context[args.target], view, {"sortstore", 'l'}, context.environment().limits),
        source_(context[1]),
        sorter_(std::move(query)) {}

  bool reads_unnamed_keys() const override { return sorter_.query().reads_other_keys(); }

  AsideStep Build(const ReadView& view, WriteView& aside, Slice& slice) override {
    const std::optional<ValueView> source = view.Find(view.MakeKey(source_), Access::kPeek);
    if (!source) return AsideStep::kDone;  // it expires at the moment of the pin
    while (!prepared_) {
      if (slice.SpentNow()) return AsideStep::kMore;
      prepared_ = sorter_.Prepare(view, *source);
    }
    if (sorter_.failed()) return AsideStep::kDone;
    std::vector<ByteView> parts;
    std::deque<std::string> copies;
    for (bool more = true; more;) {
      if (slice.SpentNow()) return AsideStep::kMore;
      parts.clear();
      copies.clear();
      constexpr int kStep = 16;
      for (int i = 0; i < kStep && more; ++i) {
        ValueView element;
        more = sorter_.Next(view, *source, &element);
        if (more) AppendParts(view, sorter_.query(), element, &parts, &copies);
      }
      if (!PutElements(aside, parts)) return AsideStep::kNoRoom;
    }
    CountChanges();
    return AsideStep::kDone;
  }

  void Commit(WriteView& view, CommandContext& context, AsideResult built) override {
    if (sorter_.failed()) {
      context.Fail(kNotScores);
      return;
    }
    const Key key = view.MakeKey(target());
    const bool replaces = view.Exists(key);
    AsideStore::Commit(view, context, built);
    if (!reads_unnamed_keys() || !context.effects().wanted()) return;
    StoredEffect effect(context, key, replaces || count() > 0);
    if (count() == 0) return;
    const std::optional<ValueView> list = view.Find(key, Access::kPeek);
    storage::ListForEach(view.arena(), *list, 0, count(), [&](const storage::ItemView& item) {
      effect.Add(storage::StringCopy(view.arena(), item.value()));
    });
    effect.Flush();
  }

 private:
  std::string source_;
  Sorter sorter_;
  bool prepared_ = false;
};

Outcome StoreSorted(WriteView& view, CommandContext& context, const SortArgs& args) {
  const std::optional<ValueView> source = view.FindForWrite(context.KeyAt(view, 1));
  if (!CanBeSorted(source)) return context.Fail(error::kWrongType);
  const Key target = context.KeyAt(view, args.target);
  ListBuilder list(view, context.environment().limits);
  if (source) {
    SortQuery query = QueryToStore(*source, args.query);
    if (!context.in_unit() && IsLong(view, *source, query)) {
      return context.BuildAside(
          std::make_unique<StoreBuild>(std::move(query), args, view, context));
    }
    Sorter sorter(std::move(query));
    while (!sorter.Prepare(view, *source)) {
    }
    if (sorter.failed()) return context.Fail(kNotScores);
    StoredEffect effect(context, target, sorter.query().reads_other_keys() && sorter.count() > 0);
    std::vector<ByteView> parts;
    std::deque<std::string> copies;
    for (ValueView element; sorter.Next(view, *source, &element);) {
      parts.clear();
      copies.clear();
      AppendParts(view, sorter.query(), element, &parts, &copies);
      for (const ByteView part : parts) {
        list.Append(part);
        effect.Add(part);
      }
    }
    effect.Flush();
  }
  const uint64_t count = list.count();
  if (count > 0) {
    list.FinishAsNew(target, {"sortstore", 'l', static_cast<uint32_t>(count)});
  } else if (view.Erase(target, {"del", 'g'})) {
    context.effects().Emit({"DEL", target.bytes});
  }
  context.reply().Integer(static_cast<int64_t>(count));
  return Outcome::kDone;
}

size_t StoreReserve(const ReadView& view, const CommandContext& context) {
  SortArgs args;
  if (!ReadArgs(context, true, &args).empty() || args.target == 0) return 0;
  const size_t target = context[args.target].size();
  const std::optional<ValueView> source = view.Find(context.KeyAt(view, 1), Access::kPeek);
  if (!source || !CanBeSorted(source)) return target;
  const SortQuery query = QueryToStore(*source, std::move(args.query));
  if (!context.in_unit() && IsLong(view, *source, query)) return 0;  // B4
  const uint64_t elements = query.Count(ElementCount(view, *source)) * query.parts();
  return target + storage::ListEstimate(elements, ResultBytes(view, *source, query));
}

// ---- commands

Outcome Sort(WriteView& view, CommandContext& context) {
  SortArgs args;
  if (const std::string_view fault = ReadArgs(context, true, &args); !fault.empty()) {
    return context.Fail(fault);
  }
  if (args.query.reads_other_keys()) context.ReadsUnnamedKeys();
  if (args.target == 0) return ReplySorted(view, context, std::move(args.query));
  return StoreSorted(view, context, args);
}

Outcome SortRo(const ReadView& view, CommandContext& context) {
  SortArgs args;
  if (const std::string_view fault = ReadArgs(context, false, &args); !fault.empty()) {
    return context.Fail(fault);
  }
  if (args.query.reads_other_keys()) context.ReadsUnnamedKeys();
  return ReplySorted(view, context, std::move(args.query));
}

// ---- rows

constexpr ArgSpec kLimit[] = {{.name = "offset", .type = ArgType::kInteger},
                              {.name = "count", .type = ArgType::kInteger}};
constexpr ArgSpec kOrder[] = {{.name = "asc", .type = ArgType::kPureToken, .token = "ASC"},
                              {.name = "desc", .type = ArgType::kPureToken, .token = "DESC"}};
constexpr ArgSpec kSortArgs[] = {
    {.name = "key", .type = ArgType::kKey},
    {.name = "by-pattern", .type = ArgType::kPattern, .token = "BY", .flags = kOptional},
    {.name = "limit",
     .type = ArgType::kBlock,
     .token = "LIMIT",
     .flags = kOptional,
     .args = kLimit},
    {.name = "get-pattern",
     .type = ArgType::kPattern,
     .token = "GET",
     .flags = kOptional | kMultiple | kMultipleToken},
    {.name = "order", .type = ArgType::kOneOf, .flags = kOptional, .args = kOrder},
    {.name = "sorting", .type = ArgType::kPureToken, .token = "ALPHA", .flags = kOptional},
    {.name = "destination",
     .type = ArgType::kKey,
     .token = "STORE",
     .flags = kOptional,
     .key_spec = 1}};
constexpr ArgSpec kSortRoArgs[] = {kSortArgs[0], kSortArgs[1], kSortArgs[2],
                                   kSortArgs[3], kSortArgs[4], kSortArgs[5]};

constexpr Keys kSource = Keys::At(1).Access(kKeyRo | kKeyAccess);
constexpr Keys kTarget = Keys::Behind("store", 2).Access(kKeyOw | kKeyUpdate);

constexpr CommandSpec kRows[] = {
    {.name = "sort",
     .arity = -2,
     .flags = kWrite | kDenyOom | kMovableKeys | kDangerous,
     .group = Group::kGeneric,
     .keys = {kSource, kTarget},
     .args = kSortArgs,
     .since = "0.1.0",
     .complexity = "O(N log N) with N elements, in slices that stall nobody",
     .summary = "Returns or stores the elements of a list, set or sorted set in order.",
     .run = &Sort,
     .reserve = &StoreReserve},
    {.name = "sort_ro",
     .arity = -2,
     .flags = kReadonly | kMovableKeys | kDangerous,
     .group = Group::kGeneric,
     .keys = {kSource},
     .args = kSortRoArgs,
     .since = "0.1.0",
     .complexity = "O(N log N) with N elements, in slices that stall nobody",
     .summary = "Returns the elements of a list, set or sorted set in order.",
     .run = &SortRo},
};
static_assert(CommandRowsProblem(kRows) == nullptr);

}  // namespace

const CommandFamily kSortCommands = kRows;

}  // namespace verso::server
