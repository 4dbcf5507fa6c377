// What combines several sorted sets, or sets with a score of 1 for each member: ZUNION, ZINTER,
// ZDIFF, their STORE forms, ZINTERCARD.
//
//             goes through      keeps a member that is
//   inter     the smallest      in all others
//   diff      the first         in none of the others
//   union     each              there: scores are added up, or the lowest or highest is taken
//
// The result is in order of its scores, which are known at the end only: so its members are put in
// order first (string_order.h), where they stand.
#include <algorithm>
#include <cmath>
#include <string>
#include <utility>
#include <vector>

#include "server/command/command_families.h"
#include "server/command/element_reply.h"
#include "server/command/element_walk.h"
#include "server/command/string_order.h"
#include "server/command/string_reply.h"
#include "server/command/zset_elements.h"
#include "storage/memory/subtree.h"
#include "storage/types/set_value.h"

namespace verso::server {
namespace {

using storage::Access;
using storage::Key;
using storage::KeyEvent;
using storage::ReadView;
using storage::ValueType;
using storage::ValueView;
using storage::WriteView;
using storage::ZsetWriter;

enum class Algebra : uint8_t { kInter, kUnion, kDiff };
enum class Aggregate : uint8_t { kSum, kMin, kMax };

// ---- one source: a sorted set, a set, or nothing

using Source = std::optional<ValueView>;

uint64_t CountOf(const ReadView& view, const Source& source) {
  return source ? ElementCount(view, *source) : 0;
}

// At least what its members have together; looks no further once it is more than `enough`.
uint64_t BytesOf(const ReadView& view, const Source& source, uint64_t enough) {
  if (!source) return 0;
  constexpr uint64_t kIntegerBytes = 20;  // of a member of an integer pack, when written out
  return kIntegerBytes * CountOf(view, source) +
         (source->external ? storage::SubtreeBytes(view.arena(), source->ref, enough)
                           : source->bytes.size());
}

std::optional<double> ScoreIn(const ReadView& view, const Source& source, const Key& member) {
  if (!source) return std::nullopt;
  if (source->type == ValueType::kZset) {
    return storage::ZsetScoreKey(view.arena(), *source, member);
  }
  return storage::SetContainsKey(view.arena(), *source, member) ? std::optional(1.0) : std::nullopt;
}

// ---- what a command asks for

struct Query {
  Algebra algebra = Algebra::kUnion;
  Aggregate aggregate = Aggregate::kSum;
  bool with_scores = false;
  bool only_count = false;
  uint64_t limit = 0;    // of the count; 0: none
  size_t first_key = 0;  // index of the first key among the arguments
  std::vector<double> weights;

  double Weighted(size_t source, double score) const {
    if (algebra == Algebra::kDiff) return score;
    const double product = weights[source] * score;
    return std::isnan(product) ? 0 : product;
  }
  double Joined(double a, double b) const {
    switch (aggregate) {
      case Aggregate::kMin:
        return std::min(a, b);
      case Aggregate::kMax:
        return std::max(a, b);
      case Aggregate::kSum:
        break;
    }
    return std::isnan(a + b) ? 0 : a + b;
  }
};

// Collects the result, a few members at a time, and shows it in order.
class Collector {
 public:
  explicit Collector(const Query& query) : query_(query) {}

  // Redis' order, in which scores are added up: the smallest first, but of a difference.
  static std::vector<size_t> Order(const ReadView& view, const Query& query,
                                   const std::vector<Source>& sources) {
    std::vector<size_t> order(sources.size());
    for (size_t i = 0; i < order.size(); ++i) order[i] = i;
    if (query.algebra == Algebra::kDiff) return order;
    std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) {
      return CountOf(view, sources[a]) < CountOf(view, sources[b]);
    });
    return order;
  }
  // Members it goes through, at most, and what they have together, in bytes.
  static uint64_t Candidates(const ReadView& view, const Query& query,
                             const std::vector<Source>& sources) {
    const std::vector<size_t> order = Order(view, query, sources);
    uint64_t sum = 0;
    for (size_t i = 0; i < End(query, order); ++i) sum += CountOf(view, sources[order[i]]);
    return sum;
  }
  static uint64_t CandidateBytes(const ReadView& view, const Query& query,
                                 const std::vector<Source>& sources,
                                 uint64_t enough = ~uint64_t{0}) {
    const std::vector<size_t> order = Order(view, query, sources);
    uint64_t sum = 0;
    for (size_t i = 0; i < End(query, order) && sum <= enough; ++i) {
      sum += BytesOf(view, sources[order[i]], enough - sum);
    }
    return sum;
  }

  // False: that was the end, and the result can be taken. Always with the same sources of the same
  // version.
  bool Step(const ReadView& view, const std::vector<Source>& sources) {
    if (order_.empty()) {
      order_ = Order(view, query_, sources);
      BeginSource(view, sources);
    }
    while (at_ < End(query_, order_) && walk_.done()) {
      ++at_;
      BeginSource(view, sources);
    }
    const bool enough = query_.limit != 0 && count_ >= query_.limit;
    if (at_ >= End(query_, order_) || enough) {
      result_.Close(view.arena());
      return false;
    }
    walk_.Step(view, *sources[order_[at_]], [&](const ValueView& member, double score) {
      const std::optional<ByteView> whole = storage::StringContiguous(view.arena(), member);
      const std::string copy = whole ? std::string() : storage::StringCopy(view.arena(), member);
      Take(view, sources, member, view.MakeKey(whole ? *whole : ByteView(copy)), score);
    });
    return true;
  }
  uint64_t count() const { return query_.limit != 0 ? std::min(count_, query_.limit) : count_; }

  // After the last step.
  bool empty() const { return result_.empty(); }
  ValueView Lowest() const { return result_.First(); }
  double lowest_score() const { return result_.first_score(); }
  void DropLowest(const ReadView& view) { result_.DropFirst(view.arena()); }

 private:
  static size_t End(const Query& query, const std::vector<size_t>& order) {
    return query.algebra == Algebra::kUnion ? order.size() : std::min<size_t>(order.size(), 1);
  }
  void BeginSource(const ReadView& view, const std::vector<Source>& sources) {
    if (at_ < order_.size()) walk_.Begin(0, CountOf(view, sources[order_[at_]]), false);
  }

  void Take(const ReadView& view, const std::vector<Source>& sources, const ValueView& member,
            const Key& hashed, double score) {
    double result = query_.Weighted(order_[at_], score);
    if (query_.algebra == Algebra::kUnion) {
      for (size_t i = 0; i < at_; ++i) {
        if (ScoreIn(view, sources[order_[i]], hashed)) return;  // it is there already
      }
    }
    for (size_t i = at_ + 1; i < order_.size(); ++i) {
      const std::optional<double> other = ScoreIn(view, sources[order_[i]], hashed);
      if (query_.algebra == Algebra::kUnion) {
        if (other) result = query_.Joined(result, query_.Weighted(order_[i], *other));
        continue;
      }
      if (other.has_value() == (query_.algebra == Algebra::kDiff)) return;
      // A product that is no number is 0 in the sum only, as in Redis.
      if (other) result = query_.Joined(result, query_.weights[order_[i]] * *other);
    }
    ++count_;
    if (!query_.only_count) result_.Add(view.arena(), member, result);
  }

  const Query& query_;
  std::vector<size_t> order_;
  size_t at_ = 0;
  uint64_t count_ = 0;
  ElementWalk walk_;
  StringOrder result_{StringOrder::By::kScore, false};
};

// Is it too much to be done at once?
bool IsLong(const ReadView& view, const Query& query, const std::vector<Source>& sources) {
  return Collector::Candidates(view, query, sources) * sources.size() > kElementsAtOnce ||
         Collector::CandidateBytes(view, query, sources, kReplyBytesAtOnce) > kReplyBytesAtOnce;
}

std::vector<std::string> KeysOf(const CommandContext& context, const Query& query) {
  std::vector<std::string> keys;
  for (size_t i = 0; i < query.weights.size(); ++i) {
    keys.emplace_back(context[query.first_key + i]);
  }
  return keys;
}

std::vector<Source> SourcesAt(const ReadView& view, const std::vector<std::string>& keys) {
  std::vector<Source> sources;
  sources.reserve(keys.size());
  for (const std::string& key : keys) {
    sources.push_back(view.Find(view.MakeKey(key), Access::kPeek));
  }
  return sources;
}

class AlgebraContinuation final : public Continuation {
 public:
  AlgebraContinuation(Query query, std::vector<std::string> keys)
      : query_(std::move(query)), keys_(std::move(keys)), collector_(query_) {}

  bool Run(const ReadView& view, Slice& slice) override {
    if (collecting_) {
      const std::vector<Source> sources = SourcesAt(view, keys_);
      while (collector_.Step(view, sources)) {
        if (slice.SpentNow()) return false;
      }
      collecting_ = false;
      if (query_.only_count) {
        slice.reply().Integer(static_cast<int64_t>(collector_.count()));
        return true;
      }
      slice.reply().Array(ZsetArrayLength(slice.reply(), collector_.count(), query_.with_scores));
    }
    for (; !collector_.empty(); collector_.DropLowest(view)) {
      if (slice.Spent()) return false;
      const ValueView member = collector_.Lowest();
      storage::ItemView item;
      item.bytes = member.bytes;
      if (member.external) item.ref = member.ref;
      ReplyMember(slice.reply(), view.arena(), item,
                  query_.with_scores ? std::optional(collector_.lowest_score()) : std::nullopt);
    }
    return true;
  }

 private:
  Query query_;
  std::vector<std::string> keys_;
  Collector collector_;
  bool collecting_ = true;
};

// ---- arguments

// numkeys from argument `first` on. False: the error has been written.
bool ReadKeys(CommandContext& context, size_t first, Query* query) {
  ArgReader args(context, first);
  const int64_t count = args.Integer();
  if (args.ok() && count < 1) {
    context.reply().Error(error::NoInputKeys(context.spec().name));
    return false;
  }
  if (args.ok() && static_cast<uint64_t>(count) > args.remaining()) args.SetError(error::kSyntax);
  if (!args.ok()) {
    context.reply().Error(args.error());
    return false;
  }
  query->first_key = first + 1;
  query->weights.assign(static_cast<size_t>(count), 1);
  return true;
}

// The values at the keys. nullopt, with the error replied: one is neither a sorted set nor a set.
template <typename FindSource>
std::optional<std::vector<Source>> FindSources(CommandContext& context, const ReadView& view,
                                               const Query& query, FindSource&& find) {
  std::vector<Source> sources;
  for (size_t i = 0; i < query.weights.size(); ++i) {
    sources.push_back(find(context.KeyAt(view, query.first_key + i)));
    if (IsWrongType(sources.back(), ValueType::kZset) && sources.back()->type != ValueType::kSet) {
      context.reply().Error(error::kWrongType);
      return std::nullopt;
    }
  }
  return sources;
}

// What follows the keys. False: the error has been written.
bool ReadOptions(CommandContext& context, bool store, Query* query) {
  const bool scored = query->algebra != Algebra::kDiff && !query->only_count;
  ArgReader args(context, query->first_key + query->weights.size());
  while (args.ok() && !args.AtEnd()) {
    if (scored && args.remaining() > query->weights.size() && args.Take("weights")) {
      for (double& weight : query->weights) weight = args.Double(error::kNotWeight);
    } else if (scored && args.remaining() >= 2 && args.Take("aggregate")) {
      if (args.Take("sum")) {
        query->aggregate = Aggregate::kSum;
      } else if (args.Take("min")) {
        query->aggregate = Aggregate::kMin;
      } else if (args.Take("max")) {
        query->aggregate = Aggregate::kMax;
      } else {
        args.SetError(error::kSyntax);
      }
    } else if (!store && !query->only_count && args.Take("withscores")) {
      query->with_scores = true;
    } else if (query->only_count && args.remaining() >= 2 && args.Take("limit")) {
      const int64_t limit = args.Integer(error::kLimitNegative);
      if (limit < 0) args.SetError(error::kLimitNegative);
      query->limit = static_cast<uint64_t>(limit);
    } else {
      args.SetError(error::kSyntax);
    }
  }
  if (!args.ok()) context.reply().Error(args.error());
  return args.ok();
}

// ---- commands

Outcome ReplyCombined(const ReadView& view, CommandContext& context, Query query) {
  if (!ReadKeys(context, 1, &query)) return Outcome::kDone;
  const auto sources =
      FindSources(context, view, query, [&](const Key& key) { return context.Lookup(view, key); });
  if (!sources || !ReadOptions(context, false, &query)) return Outcome::kDone;
  const bool at_once = !IsLong(view, query, *sources);
  std::vector<std::string> keys = KeysOf(context, query);
  auto work = std::make_unique<AlgebraContinuation>(std::move(query), std::move(keys));
  if (!at_once) return context.Yield(std::move(work));
  return RunAtOnce(view, context, *work);
}

template <Algebra kAlgebra>
Outcome Combine(const ReadView& view, CommandContext& context) {
  Query query;
  query.algebra = kAlgebra;
  return ReplyCombined(view, context, std::move(query));
}

Outcome Zintercard(const ReadView& view, CommandContext& context) {
  Query query;
  query.algebra = Algebra::kInter;
  query.only_count = true;
  return ReplyCombined(view, context, std::move(query));
}

KeyEvent StoreEvent(Algebra algebra, uint64_t count) {
  constexpr const char* kEvents[] = {"zinterstore", "zunionstore", "zdiffstore"};
  return ZsetEvent(kEvents[static_cast<size_t>(algebra)], count);
}

class StoreBuild final : public AsideStore {
 public:
  StoreBuild(Query query, const ReadView& view, CommandContext& context)
      : AsideStore(context[1], view, StoreEvent(query.algebra, 0), context.environment().limits),
        query_(std::move(query)),
        keys_(KeysOf(context, query_)),
        collector_(query_) {}

  AsideStep Build(const ReadView& view, WriteView& aside, Slice& slice) override {
    if (collecting_) {
      const std::vector<Source> sources = SourcesAt(view, keys_);
      while (collector_.Step(view, sources)) {
        if (slice.SpentNow()) return AsideStep::kMore;
      }
      collecting_ = false;
    }
    std::vector<Scored> members;
    while (!collector_.empty()) {
      if (slice.SpentNow()) return AsideStep::kMore;
      members.clear();
      constexpr size_t kStep = 16;
      for (; !collector_.empty() && members.size() < kStep; collector_.DropLowest(view)) {
        members.push_back(
            {storage::StringCopy(view.arena(), collector_.Lowest()), collector_.lowest_score()});
      }
      if (!PutScored(aside, members)) return AsideStep::kNoRoom;
    }
    CountChanges();
    return AsideStep::kDone;
  }

 private:
  Query query_;
  std::vector<std::string> keys_;
  Collector collector_;
  bool collecting_ = true;
};

template <Algebra kAlgebra>
Outcome Store(WriteView& view, CommandContext& context) {
  Query query;
  query.algebra = kAlgebra;
  if (!ReadKeys(context, 2, &query)) return Outcome::kDone;
  // Expired sources go first, so that the command means the same when it is replayed.
  for (size_t i = 0; i < query.weights.size(); ++i) {
    view.FindForWrite(context.KeyAt(view, query.first_key + i));
  }
  const auto sources =
      FindSources(context, view, query, [&](const Key& key) { return view.Find(key); });
  if (!sources || !ReadOptions(context, true, &query)) return Outcome::kDone;
  if (!context.in_unit() && IsLong(view, query, *sources)) {
    return context.BuildAside(std::make_unique<StoreBuild>(std::move(query), view, context));
  }
  Collector collector(query);
  while (collector.Step(view, *sources)) {
  }
  const Key target = context.KeyAt(view, 1);
  const uint64_t count = collector.count();
  if (count > 0) {
    ZsetWriter result(view, target, std::nullopt, context.environment().limits);
    for (; !collector.empty(); collector.DropLowest(view)) {
      const std::string member = storage::StringCopy(view.arena(), collector.Lowest());
      result.Set(member, collector.lowest_score());
    }
    result.FinishAsNew(StoreEvent(kAlgebra, count));
  } else {
    view.Erase(target, {"del", 'g'});
  }
  context.reply().Integer(static_cast<int64_t>(count));
  return Outcome::kDone;
}

template <Algebra kAlgebra>
size_t StoreReserve(const ReadView& view, const CommandContext& context) {
  int64_t count = 0;
  if (!ParseInteger(context[2], &count) || count < 1 ||
      static_cast<uint64_t>(count) > context.size() - 3) {
    return 0;
  }
  std::vector<Source> sources;
  for (size_t i = 3; i < 3 + static_cast<size_t>(count); ++i) {
    sources.push_back(view.Find(context.KeyAt(view, i), Access::kPeek));
    if (IsWrongType(sources.back(), ValueType::kZset) && sources.back()->type != ValueType::kSet)
      return 0;
  }
  Query query;
  query.algebra = kAlgebra;
  if (!context.in_unit() && IsLong(view, query, sources)) return 0;  // B4
  return storage::ZsetEstimate(view.arena(), nullptr, Collector::Candidates(view, query, sources),
                               Collector::CandidateBytes(view, query, sources));
}

// ---- rows

constexpr ArgSpec kAggregate[] = {{.name = "sum", .type = ArgType::kPureToken, .token = "SUM"},
                                  {.name = "min", .type = ArgType::kPureToken, .token = "MIN"},
                                  {.name = "max", .type = ArgType::kPureToken, .token = "MAX"}};
constexpr ArgSpec kCombineArgs[] = {
    {.name = "numkeys", .type = ArgType::kInteger},
    {.name = "key", .type = ArgType::kKey, .flags = kMultiple},
    {.name = "weight",
     .type = ArgType::kDouble,
     .token = "WEIGHTS",
     .flags = kOptional | kMultiple},
    {.name = "aggregate",
     .type = ArgType::kOneOf,
     .token = "AGGREGATE",
     .flags = kOptional,
     .args = kAggregate},
    {.name = "withscores", .type = ArgType::kPureToken, .token = "WITHSCORES", .flags = kOptional}};
constexpr ArgSpec kTargetArg = {.name = "destination", .type = ArgType::kKey};
constexpr ArgSpec kSourceArg = {
    .name = "key", .type = ArgType::kKey, .flags = kMultiple, .key_spec = 1};
constexpr ArgSpec kStoreArgs[] = {kTargetArg, kCombineArgs[0], kSourceArg, kCombineArgs[2],
                                  kCombineArgs[3]};
constexpr ArgSpec kDiffArgs[] = {kCombineArgs[0], kCombineArgs[1], kCombineArgs[4]};
constexpr ArgSpec kDiffStoreArgs[] = {kTargetArg, kCombineArgs[0], kSourceArg};
constexpr ArgSpec kCardArgs[] = {
    kCombineArgs[0],
    kCombineArgs[1],
    {.name = "limit", .type = ArgType::kInteger, .token = "LIMIT", .flags = kOptional}};

constexpr Keys kSources = Keys::At(1).Counted().Access(kKeyRo | kKeyAccess);
constexpr Keys kTarget = Keys::At(1).Access(kKeyOw | kKeyUpdate);
constexpr Keys kStoreSources = Keys::At(2).Counted().Access(kKeyRo | kKeyAccess);

constexpr CommandSpec kRows[] = {
    {.name = "zunion",
     .arity = -3,
     .flags = kReadonly | kMovableKeys,
     .group = Group::kSortedSet,
     .keys = {kSources},
     .args = kCombineArgs,
     .since = "0.1.0",
     .complexity = "O(N + M log M) with N members of all sets, M in the result",
     .summary = "Returns the members that any of the sorted sets has, with their joined scores.",
     .run = &Combine<Algebra::kUnion>},
    {.name = "zinter",
     .arity = -3,
     .flags = kReadonly | kMovableKeys,
     .group = Group::kSortedSet,
     .keys = {kSources},
     .args = kCombineArgs,
     .since = "0.1.0",
     .complexity = "O(N*K + M log M) with N members of the smallest of K sets, M in the result",
     .summary = "Returns the members that all sorted sets have, with their joined scores.",
     .run = &Combine<Algebra::kInter>},
    {.name = "zdiff",
     .arity = -3,
     .flags = kReadonly | kMovableKeys,
     .group = Group::kSortedSet,
     .keys = {kSources},
     .args = kDiffArgs,
     .since = "0.1.0",
     .complexity = "O(N*K + M log M) with N members of the first of K sets, M in the result",
     .summary = "Returns the members of the first sorted set that no other one has.",
     .run = &Combine<Algebra::kDiff>},
    {.name = "zintercard",
     .arity = -3,
     .flags = kReadonly | kMovableKeys,
     .group = Group::kSortedSet,
     .keys = {kSources},
     .args = kCardArgs,
     .since = "0.1.0",
     .complexity = "O(N*K) with N members of the smallest of K sets",
     .summary = "Returns how many members all sorted sets have in common.",
     .run = &Zintercard},
    {.name = "zunionstore",
     .arity = -4,
     .flags = kWrite | kDenyOom | kMovableKeys,
     .group = Group::kSortedSet,
     .keys = {kTarget, kStoreSources},
     .args = kStoreArgs,
     .since = "0.1.0",
     .complexity = "O(N + M log M) with N members of all sets, M in the result",
     .summary = "Stores what ZUNION returns.",
     .run = &Store<Algebra::kUnion>,
     .reserve = &StoreReserve<Algebra::kUnion>},
    {.name = "zinterstore",
     .arity = -4,
     .flags = kWrite | kDenyOom | kMovableKeys,
     .group = Group::kSortedSet,
     .keys = {kTarget, kStoreSources},
     .args = kStoreArgs,
     .since = "0.1.0",
     .complexity = "O(N*K + M log M) with N members of the smallest of K sets, M in the result",
     .summary = "Stores what ZINTER returns.",
     .run = &Store<Algebra::kInter>,
     .reserve = &StoreReserve<Algebra::kInter>},
    {.name = "zdiffstore",
     .arity = -4,
     .flags = kWrite | kDenyOom | kMovableKeys,
     .group = Group::kSortedSet,
     .keys = {kTarget, kStoreSources},
     .args = kDiffStoreArgs,
     .since = "0.1.0",
     .complexity = "O(N*K + M log M) with N members of the first of K sets, M in the result",
     .summary = "Stores what ZDIFF returns.",
     .run = &Store<Algebra::kDiff>,
     .reserve = &StoreReserve<Algebra::kDiff>},
};
static_assert(CommandRowsProblem(kRows) == nullptr);

}  // namespace

const CommandFamily kZsetAlgebraCommands = kRows;

}  // namespace verso::server
