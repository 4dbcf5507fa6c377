// What combines several sorted sets, or sets with a score of 1 for each member: ZUNION, ZINTER,
// ZDIFF, their STORE forms, ZINTERCARD.
//
//             goes through      keeps a member that is
//   inter     the smallest      in all others
//   diff      the first         in none of the others
//   union     each              there: scores are added up, or the lowest or highest is taken
//
// The result is in order of its scores, which are known at the end only: so it is collected in
// private memory first.
#include <algorithm>
#include <cmath>
#include <deque>
#include <functional>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "server/command/command_families.h"
#include "server/command/element_reply.h"
#include "server/command/string_reply.h"
#include "server/command/zset_elements.h"
#include "storage/memory/subtree.h"
#include "storage/types/set_value.h"

namespace verso::server {
namespace {

using storage::Access;
using storage::Key;
using storage::ReadView;
using storage::TrieEntry;
using storage::ValueType;
using storage::ValueView;
using storage::WriteView;
using storage::ZsetWriter;

enum class Algebra : uint8_t { kInter, kUnion, kDiff };
enum class Aggregate : uint8_t { kSum, kMin, kMax };

// ---- one source: a sorted set, a set, or nothing

using Source = std::optional<ValueView>;

uint64_t CountOf(const ReadView& view, const Source& source) {
  if (!source) return 0;
  return source->type == ValueType::kZset ? storage::ZsetCount(view.arena(), *source)
                                          : storage::SetCount(view.arena(), *source);
}

// At least what its members have together.
uint64_t BytesOf(const ReadView& view, const Source& source) {
  if (!source) return 0;
  if (source->type == ValueType::kZset) return storage::ZsetMemberBytes(view.arena(), *source);
  constexpr uint64_t kIntegerBytes = 20;  // of a member of an integer pack, when written out
  return kIntegerBytes * CountOf(view, source) +
         (source->external ? storage::SubtreeBytes(view.arena(), source->ref)
                           : source->bytes.size());
}

std::optional<double> ScoreIn(const ReadView& view, const Source& source, const Key& member) {
  if (!source) return std::nullopt;
  if (source->type == ValueType::kZset) {
    return storage::ZsetScoreKey(view.arena(), *source, member);
  }
  return storage::SetContainsKey(view.arena(), *source, member) ? std::optional(1.0) : std::nullopt;
}

// visit(ByteView member, double score) for the next leaf, or for a small one as a whole. Returns
// the next cursor, 0 at the end.
template <typename Visit>
uint64_t Scan(const ReadView& view, const ValueView& source, uint64_t cursor, Visit&& visit) {
  if (source.type == ValueType::kZset) return storage::ZsetScan(view, source, cursor, 1, visit);
  const auto member = [&visit](ByteView bytes) { visit(bytes, 1.0); };
  if (!storage::CollectionRef(source)) {
    storage::SmallSetForEach(view.arena(), source, member);
    return 0;
  }
  return storage::ElementTrie(view.arena(), source)
      .trie()
      .Scan(cursor, 1, view.secret(),
            [&](const TrieEntry& entry) { storage::WithElement(view.arena(), entry, member); });
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

// Collects the result, a leaf at a time.
class Collector {
 public:
  using Member = std::pair<double, std::string>;

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
  // Members it goes through, at most.
  static uint64_t Candidates(const ReadView& view, const Query& query,
                             const std::vector<Source>& sources, bool bytes) {
    const std::vector<size_t> order = Order(view, query, sources);
    const size_t end = query.algebra == Algebra::kUnion ? order.size() : 1;
    uint64_t sum = 0;
    for (size_t i = 0; i < end; ++i) {
      sum += bytes ? BytesOf(view, sources[order[i]]) : CountOf(view, sources[order[i]]);
    }
    return sum;
  }

  // False: that was the end. Always with the same sources of the same version.
  bool Step(const ReadView& view, const std::vector<Source>& sources) {
    if (order_.empty()) order_ = Order(view, query_, sources);
    const size_t end = query_.algebra == Algebra::kUnion ? order_.size() : 1;
    if (at_ >= end) return false;
    const size_t index = order_[at_];
    if (sources[index]) {
      cursor_ = Scan(view, *sources[index], cursor_, [&](ByteView member, double score) {
        Take(view, sources, index, member, score);
      });
    }
    if (cursor_ == 0) ++at_;
    return at_ < end && !(query_.limit != 0 && count_ >= query_.limit);
  }
  uint64_t count() const { return query_.limit != 0 ? std::min(count_, query_.limit) : count_; }

  // After the last step: the members in order, each once.
  void Sort() {
    places_.clear();
    std::make_heap(members_.begin(), members_.end(), std::greater<>());
  }
  Member TakeLowest() {
    std::pop_heap(members_.begin(), members_.end(), std::greater<>());
    Member lowest = std::move(members_.back());
    members_.pop_back();
    return lowest;
  }
  bool empty() const { return members_.empty(); }

 private:
  void Take(const ReadView& view, const std::vector<Source>& sources, size_t index, ByteView member,
            double score) {
    double result = query_.Weighted(index, score);
    if (query_.algebra == Algebra::kUnion) {
      const auto found = places_.find(member);
      if (found != places_.end()) {
        found->second->first = query_.Joined(found->second->first, result);
        return;
      }
    } else if (sources.size() > 1) {
      const Key hashed = view.MakeKey(member);
      for (size_t i = 1; i < order_.size(); ++i) {
        const std::optional<double> other = ScoreIn(view, sources[order_[i]], hashed);
        if (other.has_value() == (query_.algebra == Algebra::kDiff)) return;
        // A product that is no number is 0 in the sum only, as in Redis.
        if (other) result = query_.Joined(result, query_.weights[order_[i]] * *other);
      }
    }
    ++count_;
    if (query_.only_count) return;
    members_.emplace_back(result, member);
    if (query_.algebra == Algebra::kUnion)
      places_.emplace(members_.back().second, &members_.back());
  }

  const Query& query_;
  std::vector<size_t> order_;
  size_t at_ = 0;
  uint64_t cursor_ = 0;
  uint64_t count_ = 0;
  std::deque<Member> members_;  // places_ points into it
  std::unordered_map<std::string_view, Member*> places_;
};

class AlgebraContinuation final : public Continuation {
 public:
  AlgebraContinuation(Query query, std::vector<std::string> keys)
      : query_(std::move(query)), keys_(std::move(keys)), collector_(query_) {}

  bool Run(const ReadView& view, Slice& slice) override {
    if (collecting_) {
      std::vector<Source> sources;
      for (const std::string& key : keys_) {
        sources.push_back(view.Find(view.MakeKey(key), Access::kPeek));
      }
      while (collector_.Step(view, sources)) {
        if (slice.Spent()) return false;
      }
      collecting_ = false;
      if (query_.only_count) {
        slice.reply().Integer(static_cast<int64_t>(collector_.count()));
        return true;
      }
      collector_.Sort();
      slice.reply().Array(ZsetArrayLength(slice.reply(), collector_.count(), query_.with_scores));
    }
    while (!collector_.empty()) {
      if (slice.Spent()) return false;
      const auto [score, member] = collector_.TakeLowest();
      storage::ItemView item;
      item.bytes = member;
      ReplyMember(slice.reply(), view.arena(), item,
                  query_.with_scores ? std::optional(score) : std::nullopt);
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
  std::vector<std::string> keys;
  for (size_t i = 0; i < query.weights.size(); ++i) {
    keys.emplace_back(context[query.first_key + i]);
  }
  const bool few =
      Collector::Candidates(view, query, *sources, false) * keys.size() <= kElementsAtOnce &&
      Collector::Candidates(view, query, *sources, true) <= kReplyBytesAtOnce;
  auto work = std::make_unique<AlgebraContinuation>(std::move(query), std::move(keys));
  if (!few) return context.Yield(std::move(work));
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

template <Algebra kAlgebra>
Outcome Store(WriteView& view, CommandContext& context) {
  constexpr const char* kEvents[] = {"zinterstore", "zunionstore", "zdiffstore"};
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
  Collector collector(query);
  while (collector.Step(view, *sources)) {
  }
  const Key target = context.KeyAt(view, 1);
  const uint64_t count = collector.count();
  if (count > 0) {
    ZsetWriter result(view, target, std::nullopt, context.environment().limits);
    for (collector.Sort(); !collector.empty();) {
      const auto [score, member] = collector.TakeLowest();
      result.Set(member, score);
    }
    result.FinishAsNew(ZsetEvent(kEvents[static_cast<size_t>(kAlgebra)], count));
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
  return storage::ZsetEstimate(view.arena(), nullptr,
                               Collector::Candidates(view, query, sources, false),
                               Collector::Candidates(view, query, sources, true));
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
