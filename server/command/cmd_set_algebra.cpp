// What combines several sets: SINTER, SUNION, SDIFF, their STORE forms, SINTERCARD.
//
// All three go through members of some of the sets and keep those that the other sets allow, so
// nothing is collected on the way, however large they are:
//
//             goes through      keeps a member that is
//   inter     the smallest      in all others
//   diff      the first         in none of the others
//   union     each              in none of those before
#include <algorithm>
#include <string>
#include <vector>

#include "server/command/arg_reader.h"
#include "server/command/command_families.h"
#include "server/command/element_reply.h"
#include "server/command/string_reply.h"
#include "storage/memory/subtree.h"
#include "storage/types/set_value.h"

namespace verso::server {
namespace {

using storage::Access;
using storage::ElementTrie;
using storage::Key;
using storage::KeyEvent;
using storage::ReadView;
using storage::SetWriter;
using storage::TrieEntry;
using storage::ValueType;
using storage::ValueView;
using storage::WriteView;

enum class Algebra : uint8_t { kInter, kUnion, kDiff };

// The members of the combination, a step at a time. A set that is missing is empty.
class Combination {
 public:
  Combination(Algebra algebra, const ReadView& view, std::vector<std::optional<ValueView>> sets)
      : algebra_(algebra), view_(view), sets_(std::move(sets)) {
    const auto empty = [](const std::optional<ValueView>& set) { return !set.has_value(); };
    const bool nothing = algebra == Algebra::kInter ? std::any_of(sets_.begin(), sets_.end(), empty)
                                                    : algebra == Algebra::kDiff && empty(sets_[0]);
    if (nothing) sets_.clear();
    if (algebra == Algebra::kInter) {
      std::sort(sets_.begin(), sets_.end(),
                [this](const auto& a, const auto& b) { return CountOf(a) < CountOf(b); });
    }
    end_ = algebra == Algebra::kUnion ? sets_.size() : std::min<size_t>(sets_.size(), 1);
  }

  // Members it goes through, at most.
  uint64_t Candidates() const {
    uint64_t count = 0;
    for (size_t i = 0; i < end_; ++i) count += CountOf(sets_[i]);
    return count;
  }
  // Are the sets it goes through, with their pages, larger than this? Looks no further.
  bool LargerThan(uint64_t bytes) const {
    for (size_t i = 0; i < end_; ++i) {
      if (!sets_[i]) continue;
      const uint64_t size = sets_[i]->external
                                ? storage::SubtreeBytes(view_.arena(), sets_[i]->ref, bytes)
                                : sets_[i]->bytes.size();
      if (size > bytes) return true;
      bytes -= size;
    }
    return false;
  }
  // Of the sets it goes through, with their pages.
  uint64_t CandidateBytes() const {
    uint64_t bytes = 0;
    for (size_t i = 0; i < end_; ++i) {
      if (!sets_[i]) continue;
      bytes += sets_[i]->external ? storage::SubtreeBytes(view_.arena(), sets_[i]->ref)
                                  : sets_[i]->bytes.size();
    }
    return bytes;
  }

  // Where it stands; the beginning by default.
  struct Place {
    size_t set = 0;
    uint64_t cursor = 0;
  };
  // visit(ByteView member) for those of the next leaf or small set. False: that was the end.
  template <typename Visit>
  bool Step(Place* place, Visit&& visit) const {
    if (place->set >= end_) return false;
    const std::optional<ValueView>& set = sets_[place->set];
    const auto check = [&](ByteView member) {
      if (Kept(member, place->set)) visit(member);
    };
    if (set && storage::CollectionRef(*set)) {
      const ElementTrie elements(view_.arena(), *set);
      place->cursor = elements.trie().Scan(
          place->cursor, 1, view_.secret(),
          [&](const TrieEntry& entry) { storage::WithElement(view_.arena(), entry, check); });
    } else if (set) {
      storage::SmallSetForEach(view_.arena(), *set, check);
    }
    if (place->cursor == 0) ++place->set;
    return place->set < end_;
  }

 private:
  uint64_t CountOf(const std::optional<ValueView>& set) const {
    return set ? storage::SetCount(view_.arena(), *set) : 0;
  }
  bool Kept(ByteView member, size_t from) const {
    const size_t first = algebra_ == Algebra::kUnion ? 0 : 1;
    const size_t last = algebra_ == Algebra::kUnion ? from : sets_.size();
    const bool wanted = algebra_ == Algebra::kInter;
    if (first == last) return true;
    const Key hashed = view_.MakeKey(member);
    for (size_t i = first; i < last; ++i) {
      const bool there = sets_[i] && storage::SetContainsKey(view_.arena(), *sets_[i], hashed);
      if (there != wanted) return false;
    }
    return true;
  }

  Algebra algebra_;
  const ReadView& view_;
  std::vector<std::optional<ValueView>> sets_;
  size_t end_ = 0;
};

bool IsLong(const Combination& combination, size_t sets) {
  return combination.Candidates() * sets > kElementsAtOnce ||
         combination.LargerThan(kReplyBytesAtOnce);
}

std::vector<std::string> KeysFrom(const CommandContext& context, size_t first, size_t end) {
  std::vector<std::string> keys;
  for (size_t i = first; i < end; ++i) keys.emplace_back(context[i]);
  return keys;
}

std::vector<std::optional<ValueView>> SetsAt(const ReadView& view,
                                             const std::vector<std::string>& keys) {
  std::vector<std::optional<ValueView>> sets;
  sets.reserve(keys.size());
  for (const std::string& key : keys) {
    sets.push_back(view.Find(view.MakeKey(key), Access::kPeek));
  }
  return sets;
}

// What SINTERCARD wants instead of the members.
struct CountOnly {
  uint64_t limit = 0;  // 0: none
};

// Counts, then replies the members (or only the number).
class AlgebraContinuation final : public Continuation {
 public:
  AlgebraContinuation(Algebra algebra, std::vector<std::string> keys,
                      std::optional<CountOnly> count_only)
      : algebra_(algebra), keys_(std::move(keys)), count_only_(count_only) {}

  bool Run(const ReadView& view, Slice& slice) override {
    const Combination combination(algebra_, view, SetsAt(view, keys_));
    while (!slice.Spent()) {
      const bool more = combination.Step(&place_, [&](ByteView member) {
        if (counting_) {
          ++count_;
        } else {
          slice.reply().Bulk(member);
        }
      });
      if (counting_ && count_only_ && count_only_->limit != 0 && count_ >= count_only_->limit) {
        count_ = count_only_->limit;
      } else if (more) {
        continue;
      }
      if (!counting_) return true;
      counting_ = false;
      place_ = {};
      if (count_only_) {
        slice.reply().Integer(static_cast<int64_t>(count_));
        return true;
      }
      slice.reply().Set(count_);
      if (count_ == 0) return true;
    }
    return false;
  }

 private:
  Algebra algebra_;
  std::vector<std::string> keys_;
  std::optional<CountOnly> count_only_;
  Combination::Place place_;
  bool counting_ = true;
  uint64_t count_ = 0;
};

// The sets at the arguments [first, end); nullopt, with the error replied: one is no set.
template <typename FindSet>
std::optional<std::vector<std::optional<ValueView>>> FindSets(CommandContext& context,
                                                              const ReadView& view, size_t first,
                                                              size_t end, FindSet&& find) {
  std::vector<std::optional<ValueView>> sets;
  for (size_t i = first; i < end; ++i) {
    sets.push_back(find(context.KeyAt(view, i)));
    if (IsWrongType(sets.back(), ValueType::kSet)) {
      context.reply().Error(error::kWrongType);
      return std::nullopt;
    }
  }
  return sets;
}

Outcome ReplyCombined(const ReadView& view, CommandContext& context, Algebra algebra, size_t first,
                      size_t end, std::optional<CountOnly> count_only) {
  auto sets = FindSets(context, view, first, end,
                       [&](const Key& key) { return context.Lookup(view, key); });
  if (!sets) return Outcome::kDone;
  const Combination combination(algebra, view, *std::move(sets));
  auto work =
      std::make_unique<AlgebraContinuation>(algebra, KeysFrom(context, first, end), count_only);
  if (IsLong(combination, end - first)) return context.Yield(std::move(work));
  return RunAtOnce(view, context, *work);
}

template <Algebra kAlgebra>
Outcome Combine(const ReadView& view, CommandContext& context) {
  return ReplyCombined(view, context, kAlgebra, 1, context.size(), std::nullopt);
}

Outcome Sintercard(const ReadView& view, CommandContext& context) {
  ArgReader args(context, 1);
  const int64_t count = args.Integer(error::kNumkeysNotPositive);
  if (args.ok() && count < 1) args.SetError(error::kNumkeysNotPositive);
  if (args.ok() && static_cast<uint64_t>(count) > args.remaining()) {
    args.SetError(error::kTooManyKeys);
  }
  if (!args.ok()) return context.Fail(args.error());
  const size_t end = 2 + static_cast<size_t>(count);
  CountOnly count_only;
  for (ArgReader options(context, end); !options.AtEnd();) {
    if (options.remaining() < 2 || !options.Take("limit")) return context.Fail(error::kSyntax);
    const int64_t limit = options.Integer(error::kLimitNegative);
    if (!options.ok() || limit < 0) return context.Fail(error::kLimitNegative);
    count_only.limit = static_cast<uint64_t>(limit);
  }
  return ReplyCombined(view, context, Algebra::kInter, 2, end, count_only);
}

// ---- storing

KeyEvent StoreEvent(Algebra algebra) {
  constexpr const char* kEvents[] = {"sinterstore", "sunionstore", "sdiffstore"};
  return {kEvents[static_cast<size_t>(algebra)], 's'};
}

class StoreBuild final : public AsideStore {
 public:
  StoreBuild(Algebra algebra, const ReadView& view, CommandContext& context)
      : AsideStore(context[1], view, StoreEvent(algebra), context.environment().limits),
        algebra_(algebra),
        keys_(KeysFrom(context, 2, context.size())) {}

  AsideStep Build(const ReadView& view, WriteView& aside, Slice& slice) override {
    const Combination combination(algebra_, view, SetsAt(view, keys_));
    std::vector<std::string> members;
    for (bool more = true; more;) {
      if (slice.SpentNow()) return AsideStep::kMore;
      members.clear();
      more = combination.Step(&place_, [&](ByteView member) { members.emplace_back(member); });
      if (!PutMembers(aside, members)) return AsideStep::kNoRoom;
    }
    return AsideStep::kDone;
  }

 private:
  Algebra algebra_;
  std::vector<std::string> keys_;
  Combination::Place place_;
};

template <Algebra kAlgebra>
Outcome Store(WriteView& view, CommandContext& context) {
  // Expired sources go first, so that the command means the same when it is replayed.
  for (size_t i = 2; i < context.size(); ++i) view.FindForWrite(context.KeyAt(view, i));
  auto sets =
      FindSets(context, view, 2, context.size(), [&](const Key& key) { return view.Find(key); });
  if (!sets) return Outcome::kDone;
  const Key target = context.KeyAt(view, 1);
  const Combination combination(kAlgebra, view, *std::move(sets));
  if (!context.in_unit() && IsLong(combination, context.size() - 2)) {
    return context.BuildAside(std::make_unique<StoreBuild>(kAlgebra, view, context));
  }
  // Beside the target, which may be one of the sources.
  SetWriter result(view, target, std::nullopt, context.environment().limits);
  Combination::Place place;
  while (combination.Step(&place, [&](ByteView member) { result.Add(member); })) {
  }
  if (result.count() > 0) {
    result.FinishAsNew(StoreEvent(kAlgebra));
  } else {
    view.Erase(target, {"del", 'g'});
  }
  context.reply().Integer(static_cast<int64_t>(result.count()));
  return Outcome::kDone;
}

template <Algebra kAlgebra>
size_t StoreReserve(const ReadView& view, const CommandContext& context) {
  std::vector<std::optional<ValueView>> sets;
  for (size_t i = 2; i < context.size(); ++i) {
    std::optional<ValueView> set = view.Find(context.KeyAt(view, i), Access::kPeek);
    if (IsWrongType(set, ValueType::kSet)) return 0;
    sets.push_back(set);
  }
  const Combination combination(kAlgebra, view, std::move(sets));
  if (!context.in_unit() && IsLong(combination, context.size() - 2)) return 0;  // B4
  // Built anew: members of an integer pack take most when they become entries of a trie.
  constexpr uint64_t kEntryBytes = 64;
  return 2 * combination.CandidateBytes() + kEntryBytes * combination.Candidates() +
         storage::ElementsEstimate(view.arena(), 1, 0);
}

// ---- rows

constexpr ArgSpec kKeysArgs[] = {{.name = "key", .type = ArgType::kKey, .flags = kMultiple}};
constexpr ArgSpec kStoreArgs[] = {
    {.name = "destination", .type = ArgType::kKey},
    {.name = "key", .type = ArgType::kKey, .flags = kMultiple, .key_spec = 1}};
constexpr ArgSpec kCardArgs[] = {
    {.name = "numkeys", .type = ArgType::kInteger},
    {.name = "key", .type = ArgType::kKey, .flags = kMultiple},
    {.name = "limit", .type = ArgType::kInteger, .token = "LIMIT", .flags = kOptional}};

constexpr Keys kSources = Keys::At(1).To(-1).Access(kKeyRo | kKeyAccess);
constexpr Keys kTarget = Keys::At(1).Access(kKeyOw | kKeyUpdate);
constexpr Keys kStoreSources = Keys::At(2).To(-1).Access(kKeyRo | kKeyAccess);

constexpr CommandSpec kRows[] = {
    {.name = "sinter",
     .arity = -2,
     .flags = kReadonly,
     .group = Group::kSet,
     .keys = {kSources},
     .args = kKeysArgs,
     .since = "0.1.0",
     .complexity = "O(N*M) with N members of the smallest of M sets, in slices that stall nobody",
     .summary = "Returns the members that all sets have.",
     .run = &Combine<Algebra::kInter>,
     .tips = {"nondeterministic_output_order"}},
    {.name = "sunion",
     .arity = -2,
     .flags = kReadonly,
     .group = Group::kSet,
     .keys = {kSources},
     .args = kKeysArgs,
     .since = "0.1.0",
     .complexity = "O(N*M) with N members of M sets, in slices that stall nobody",
     .summary = "Returns the members that any of the sets has.",
     .run = &Combine<Algebra::kUnion>,
     .tips = {"nondeterministic_output_order"}},
    {.name = "sdiff",
     .arity = -2,
     .flags = kReadonly,
     .group = Group::kSet,
     .keys = {kSources},
     .args = kKeysArgs,
     .since = "0.1.0",
     .complexity = "O(N*M) with N members of the first of M sets, in slices that stall nobody",
     .summary = "Returns the members of the first set that no other set has.",
     .run = &Combine<Algebra::kDiff>,
     .tips = {"nondeterministic_output_order"}},
    {.name = "sintercard",
     .arity = -3,
     .flags = kReadonly | kMovableKeys,
     .group = Group::kSet,
     .keys = {Keys::At(1).Counted().Access(kKeyRo | kKeyAccess)},
     .args = kCardArgs,
     .since = "0.1.0",
     .complexity = "O(N*M) with N members of the smallest of M sets, in slices that stall nobody",
     .summary = "Returns how many members all sets have in common.",
     .run = &Sintercard},
    {.name = "sinterstore",
     .arity = -3,
     .flags = kWrite | kDenyOom,
     .group = Group::kSet,
     .keys = {kTarget, kStoreSources},
     .args = kStoreArgs,
     .since = "0.1.0",
     .complexity = "O(N*M) with N members of the smallest of M sets",
     .summary = "Stores the members that all sets have in a key.",
     .run = &Store<Algebra::kInter>,
     .reserve = &StoreReserve<Algebra::kInter>},
    {.name = "sunionstore",
     .arity = -3,
     .flags = kWrite | kDenyOom,
     .group = Group::kSet,
     .keys = {kTarget, kStoreSources},
     .args = kStoreArgs,
     .since = "0.1.0",
     .complexity = "O(N*M) with N members of M sets",
     .summary = "Stores the members that any of the sets has in a key.",
     .run = &Store<Algebra::kUnion>,
     .reserve = &StoreReserve<Algebra::kUnion>},
    {.name = "sdiffstore",
     .arity = -3,
     .flags = kWrite | kDenyOom,
     .group = Group::kSet,
     .keys = {kTarget, kStoreSources},
     .args = kStoreArgs,
     .since = "0.1.0",
     .complexity = "O(N*M) with N members of the first of M sets",
     .summary = "Stores the members of the first set that no other set has in a key.",
     .run = &Store<Algebra::kDiff>,
     .reserve = &StoreReserve<Algebra::kDiff>},
};
static_assert(CommandRowsProblem(kRows) == nullptr);

}  // namespace

const CommandFamily kSetAlgebraCommands = kRows;

}  // namespace verso::server
