// Sets, member by member and as a whole: SADD, SREM, SISMEMBER, SMEMBERS, SPOP and their relatives.
// What combines several sets is in cmd_set_algebra.cpp.
#include <limits>
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

using storage::Key;
using storage::KeyEvent;
using storage::ReadView;
using storage::SetWriter;
using storage::ValueType;
using storage::ValueView;
using storage::WriteView;

KeyEvent SetEvent(const char* name, size_t changes = 1) { return {name, 's', changes}; }

// visit(const Key&) for the members from argument `first` on; those of a large set are hashed and
// prefetched in batches.
template <typename Visit>
void ForEachMember(const ReadView& view, const CommandContext& context, const ValueView& set,
                   size_t first, Visit&& visit) {
  constexpr size_t kBatch = ReadView::kPrefetchBatch;
  const bool large = bool{storage::CollectionRef(set)};
  Key members[kBatch];
  for (size_t at = first; at < context.size();) {
    size_t count = 0;
    for (; at < context.size() && count < kBatch; ++at) {
      members[count++] = large ? view.MakeKey(context[at]) : Key{context[at], 0};
    }
    if (large && count > 1) storage::SetPrefetch(view.arena(), set, members, count);
    for (size_t i = 0; i < count; ++i) visit(members[i]);
  }
}

// ---- writing

size_t MembersReserve(const ReadView& view, const CommandContext& context) {
  return ElementsReserve(view, context, 2);
}

Outcome Sadd(WriteView& view, CommandContext& context) {
  const Key key = context.KeyAt(view, 1);
  const std::optional<ValueView> old = view.FindForWrite(key);
  if (IsWrongType(old, ValueType::kSet)) return context.Fail(error::kWrongType);
  SetWriter set(view, key, old, context.environment().limits);
  size_t added = 0;
  for (size_t i = 2; i < context.size(); ++i) added += set.Add(context[i]) ? 1 : 0;
  if (added > 0) set.Finish(SetEvent("sadd", added));
  context.reply().Integer(static_cast<int64_t>(added));
  return Outcome::kDone;
}

Outcome Srem(WriteView& view, CommandContext& context) {
  const Key key = context.KeyAt(view, 1);
  const std::optional<ValueView> old = view.FindForWrite(key);
  if (IsWrongType(old, ValueType::kSet)) return context.Fail(error::kWrongType);
  size_t removed = 0;
  if (old) {
    SetWriter set(view, key, old, context.environment().limits);
    for (size_t i = 2; i < context.size() && set.count() > 0; ++i) {
      removed += set.Remove(context[i]) ? 1 : 0;
    }
    if (removed > 0) set.Finish(SetEvent("srem", removed));
  }
  context.reply().Integer(static_cast<int64_t>(removed));
  return Outcome::kDone;
}

Outcome Smove(WriteView& view, CommandContext& context) {
  const Key from = context.KeyAt(view, 1);
  const Key to = context.KeyAt(view, 2);
  const ByteView member = context[3];
  const std::optional<ValueView> target = view.FindForWrite(to);
  const std::optional<ValueView> source = view.FindForWrite(from);
  if (!source) {
    context.reply().Integer(0);
    return Outcome::kDone;
  }
  if (IsWrongType(source, ValueType::kSet) || IsWrongType(target, ValueType::kSet)) {
    return context.Fail(error::kWrongType);
  }
  const bool there = storage::SetContains(view, *source, member);
  if (there && from.bytes != to.bytes) {
    const auto& limits = context.environment().limits;
    SetWriter taken(view, from, source, limits);
    taken.Remove(member);
    taken.Finish(SetEvent("srem"));
    // The first change may have moved the other entry.
    SetWriter given(view, to, view.FindForWrite(to), limits);
    if (given.Add(member)) given.Finish(SetEvent("sadd"));
  }
  context.reply().Integer(there ? 1 : 0);
  return Outcome::kDone;
}

size_t MoveReserve(const ReadView& view, const CommandContext& context) {
  const size_t bytes = context[3].size();
  return 2 * storage::ElementsEstimate(view.arena(), 1, bytes);
}

// Emits SREM of members, in commands of limited length.
class RemovalEffects {
 public:
  RemovalEffects(CommandContext& context, ByteView key) : context_(context), key_(key) {}
  ~RemovalEffects() { Flush(); }
  RemovalEffects(const RemovalEffects&) = delete;
  RemovalEffects& operator=(const RemovalEffects&) = delete;

  void Add(const std::string& member) {
    members_.push_back(member);
    if (members_.size() == 1024) Flush();
  }

 private:
  void Flush() {
    if (members_.empty()) return;
    std::vector<ByteView> words = {"SREM", key_};
    words.insert(words.end(), members_.begin(), members_.end());
    context_.effects().Emit(words);
    members_.clear();
  }

  CommandContext& context_;
  ByteView key_;
  std::vector<std::string> members_;
};

Outcome SpopMany(WriteView& view, CommandContext& context, const Key& key, uint64_t wanted) {
  const std::optional<ValueView> old = view.FindForWrite(key);
  if (IsWrongType(old, ValueType::kSet)) return context.Fail(error::kWrongType);
  const uint64_t count = old ? storage::SetCount(view.arena(), *old) : 0;
  const uint64_t taken = std::min(wanted, count);
  context.reply().Set(taken);
  if (taken == 0) return Outcome::kDone;
  if (taken == count) {
    storage::SetForEach(view.arena(), *old, [&](ByteView member) { context.reply().Bulk(member); });
    view.Erase(key, {"del", 'g', static_cast<uint32_t>(taken)});
    context.effects().Emit({"DEL", key.bytes});
    return Outcome::kDone;
  }
  SetWriter set(view, key, old, context.environment().limits);
  RemovalEffects effects(context, key.bytes);
  for (uint64_t i = 0; i < taken; ++i) {
    const std::string member = set.TakeRandom(context.Random());
    context.reply().Bulk(member);
    effects.Add(member);
  }
  set.Finish(SetEvent("spop", taken));
  return Outcome::kDone;
}

Outcome Spop(WriteView& view, CommandContext& context) {
  const Key key = context.KeyAt(view, 1);
  if (context.size() > 3) return context.Fail(error::kSyntax);
  if (context.size() == 3) {
    int64_t wanted = 0;
    if (!ParseInteger(context[2], &wanted) || wanted < 0) {
      return context.Fail(error::kNotPositive);
    }
    return SpopMany(view, context, key, static_cast<uint64_t>(wanted));
  }
  const std::optional<ValueView> old = view.FindForWrite(key);
  if (IsWrongType(old, ValueType::kSet)) return context.Fail(error::kWrongType);
  if (!old) {
    context.reply().Null();
    return Outcome::kDone;
  }
  SetWriter set(view, key, old, context.environment().limits);
  const std::string member = set.TakeRandom(context.Random());
  set.Finish(SetEvent("spop"));
  context.reply().Bulk(member);
  context.effects().Emit({"SREM", key.bytes, member});
  return Outcome::kDone;
}

size_t PopReserve(const ReadView& view, const CommandContext& context) {
  int64_t wanted = 1;
  if (context.size() > 2 && (!ParseInteger(context[2], &wanted) || wanted < 0)) wanted = 0;
  const std::optional<ValueView> set = view.Find(context.KeyAt(view, 1), storage::Access::kPeek);
  if (!set || set->type != ValueType::kSet) return 0;
  const uint64_t count = storage::SetCount(view.arena(), *set);
  // All of them: the key goes.
  const uint64_t removed = static_cast<uint64_t>(wanted) >= count && count > 1 ? 0 : wanted;
  return storage::ElementsEstimate(view.arena(), removed, 0);
}

// ---- reading

// The set at argument 1; nullopt: there is none, or *wrong says that it is something else.
std::optional<ValueView> LookupSet(const ReadView& view, CommandContext& context, bool* wrong) {
  std::optional<ValueView> set = context.Lookup(view, context.KeyAt(view, 1));
  *wrong = IsWrongType(set, ValueType::kSet);
  if (*wrong) context.reply().Error(error::kWrongType);
  return *wrong ? std::nullopt : set;
}

Outcome Sismember(const ReadView& view, CommandContext& context) {
  bool wrong = false;
  const std::optional<ValueView> set = LookupSet(view, context, &wrong);
  if (wrong) return Outcome::kDone;
  context.reply().Integer(set && storage::SetContains(view, *set, context[2]) ? 1 : 0);
  return Outcome::kDone;
}

Outcome Smismember(const ReadView& view, CommandContext& context) {
  bool wrong = false;
  const std::optional<ValueView> set = LookupSet(view, context, &wrong);
  if (wrong) return Outcome::kDone;
  context.reply().Array(context.size() - 2);
  if (!set) {
    for (size_t i = 2; i < context.size(); ++i) context.reply().Integer(0);
    return Outcome::kDone;
  }
  ForEachMember(view, context, *set, 2, [&](const Key& member) {
    context.reply().Integer(storage::SetContainsKey(view.arena(), *set, member) ? 1 : 0);
  });
  return Outcome::kDone;
}

Outcome Scard(const ReadView& view, CommandContext& context) {
  bool wrong = false;
  const std::optional<ValueView> set = LookupSet(view, context, &wrong);
  if (wrong) return Outcome::kDone;
  const uint64_t count = set ? storage::SetCount(view.arena(), *set) : 0;
  context.reply().Integer(static_cast<int64_t>(count));
  return Outcome::kDone;
}

Outcome Smembers(const ReadView& view, CommandContext& context) {
  bool wrong = false;
  const std::optional<ValueView> set = LookupSet(view, context, &wrong);
  if (wrong) return Outcome::kDone;
  if (set) {
    return ReplyAllElements(view, context, context.KeyAt(view, 1), *set, ElementPart::kField,
                            ElementHeader::kSet);
  }
  context.reply().Set(0);
  return Outcome::kDone;
}

Outcome Sscan(const ReadView& view, CommandContext& context) {
  ScanArgs args;
  if (!ReadScanCursor(context, context[2], &args.cursor)) return Outcome::kDone;
  bool wrong = false;
  const std::optional<ValueView> set = LookupSet(view, context, &wrong);
  if (wrong || (set && !ReadScanArgs(context, 3, &args))) return Outcome::kDone;
  ReplyScan(view, context, set ? &*set : nullptr, args, ElementPart::kField);
  return Outcome::kDone;
}

Outcome Srandmember(const ReadView& view, CommandContext& context) {
  const Key key = context.KeyAt(view, 1);
  if (context.size() > 3) return context.Fail(error::kSyntax);
  const bool counted = context.size() == 3;
  int64_t count = 0;
  if (counted) {
    constexpr int64_t kMax = std::numeric_limits<int64_t>::max();
    if (!ParseInteger(context[2], &count)) return context.Fail(error::kNotInteger);
    if (count < -kMax) {
      return context.Fail("ERR value is out of range, value must between " + std::to_string(-kMax) +
                          " and " + std::to_string(kMax));
    }
  }
  bool wrong = false;
  const std::optional<ValueView> set = LookupSet(view, context, &wrong);
  if (wrong) return Outcome::kDone;
  if (!set) {
    if (counted) {
      context.reply().Array(0);
    } else {
      context.reply().Null();
    }
    return Outcome::kDone;
  }
  if (!counted) return ReplyRandomElement(view, context, *set);
  return ReplyRandomElements(view, context, key, *set, count, ElementPart::kField);
}

// ---- rows

constexpr ArgSpec kKeyArg[] = {{.name = "key", .type = ArgType::kKey}};
constexpr ArgSpec kMemberArgs[] = {{.name = "key", .type = ArgType::kKey}, {.name = "member"}};
constexpr ArgSpec kMembersArgs[] = {{.name = "key", .type = ArgType::kKey},
                                    {.name = "member", .flags = kMultiple}};
constexpr ArgSpec kMoveArgs[] = {{.name = "source", .type = ArgType::kKey},
                                 {.name = "destination", .type = ArgType::kKey, .key_spec = 1},
                                 {.name = "member"}};
constexpr ArgSpec kCountArgs[] = {{.name = "key", .type = ArgType::kKey},
                                  {.name = "count", .type = ArgType::kInteger, .flags = kOptional}};
constexpr ArgSpec kScanArgs[] = {
    {.name = "key", .type = ArgType::kKey},
    {.name = "cursor", .type = ArgType::kInteger},
    {.name = "pattern", .type = ArgType::kPattern, .token = "MATCH", .flags = kOptional},
    {.name = "count", .type = ArgType::kInteger, .token = "COUNT", .flags = kOptional},
};

constexpr CommandSpec kRows[] = {
    {.name = "sadd",
     .arity = -3,
     .flags = kWrite | kDenyOom | kFast,
     .group = Group::kSet,
     .keys = {Keys::At(1).Access(kKeyRw | kKeyInsert)},
     .args = kMembersArgs,
     .since = "0.1.0",
     .complexity = "O(N) with N members",
     .summary = "Adds members to a set; returns how many are new.",
     .run = &Sadd,
     .reserve = &MembersReserve},
    {.name = "srem",
     .arity = -3,
     .flags = kWrite | kFast,
     .group = Group::kSet,
     .keys = {Keys::At(1).Access(kKeyRw | kKeyDelete)},
     .args = kMembersArgs,
     .since = "0.1.0",
     .complexity = "O(N) with N members",
     .summary = "Removes members of a set; returns how many there were.",
     .run = &Srem,
     .reserve = &MembersReserve},
    {.name = "smove",
     .arity = 4,
     .flags = kWrite | kFast,
     .group = Group::kSet,
     .keys = {Keys::At(1).Access(kKeyRw | kKeyAccess | kKeyDelete),
              Keys::At(2).Access(kKeyRw | kKeyInsert)},
     .args = kMoveArgs,
     .since = "0.1.0",
     .complexity = "O(1)",
     .summary = "Moves a member from one set to another.",
     .run = &Smove,
     .reserve = &MoveReserve},
    {.name = "spop",
     .arity = -2,
     .flags = kWrite | kFast,
     .group = Group::kSet,
     .keys = {Keys::At(1).Access(kKeyRw | kKeyAccess | kKeyDelete)},
     .args = kCountArgs,
     .since = "0.1.0",
     .complexity = "O(N) with N members returned",
     .summary = "Removes and returns members of a set chosen by chance.",
     .run = &Spop,
     .reserve = &PopReserve,
     .tips = {"nondeterministic_output"}},
    {.name = "sismember",
     .arity = 3,
     .flags = kReadonly | kFast,
     .group = Group::kSet,
     .keys = {Keys::At(1).Access(kKeyRo)},
     .args = kMemberArgs,
     .since = "0.1.0",
     .complexity = "O(1)",
     .summary = "Tells whether a set has a member.",
     .run = &Sismember},
    {.name = "smismember",
     .arity = -3,
     .flags = kReadonly | kFast,
     .group = Group::kSet,
     .keys = {Keys::At(1).Access(kKeyRo)},
     .args = kMembersArgs,
     .since = "0.1.0",
     .complexity = "O(N) with N members",
     .summary = "Tells of each member whether a set has it.",
     .run = &Smismember},
    {.name = "scard",
     .arity = 2,
     .flags = kReadonly | kFast,
     .group = Group::kSet,
     .keys = {Keys::At(1).Access(kKeyRo)},
     .args = kKeyArg,
     .since = "0.1.0",
     .complexity = "O(1)",
     .summary = "Returns the number of members of a set.",
     .run = &Scard},
    {.name = "smembers",
     .arity = 2,
     .flags = kReadonly,
     .group = Group::kSet,
     .keys = {Keys::At(1).Access(kKeyRo | kKeyAccess)},
     .args = kKeyArg,
     .since = "0.1.0",
     .complexity = "O(N) with N members, in slices that stall nobody",
     .summary = "Returns all members of a set.",
     .run = &Smembers,
     .tips = {"nondeterministic_output_order"}},
    {.name = "sscan",
     .arity = -3,
     .flags = kReadonly,
     .group = Group::kSet,
     .keys = {Keys::At(1).Access(kKeyRo | kKeyAccess)},
     .args = kScanArgs,
     .since = "0.1.0",
     .complexity = "O(1) a call, O(N) for all N members",
     .summary = "Returns members a part at a time; what stays comes exactly once.",
     .run = &Sscan,
     .tips = {"nondeterministic_output"}},
    {.name = "srandmember",
     .arity = -2,
     .flags = kReadonly,
     .group = Group::kSet,
     .keys = {Keys::At(1).Access(kKeyRo | kKeyAccess)},
     .args = kCountArgs,
     .since = "0.1.0",
     .complexity = "O(N) with N members returned",
     .summary = "Returns members of a set chosen by chance.",
     .run = &Srandmember,
     .tips = {"nondeterministic_output"}},
};
static_assert(CommandRowsProblem(kRows) == nullptr);

}  // namespace

const CommandFamily kSetCommands = kRows;

}  // namespace verso::server
