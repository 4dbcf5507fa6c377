// Consumer groups of streams: XGROUP. What is pending in them: cmd_stream_pending.cpp.
#include <string>

#include "server/command/command_families.h"
#include "server/command/help_reply.h"
#include "server/command/stream_args.h"
#include "server/command/stream_groups.h"

namespace verso::server {
namespace {

using storage::Access;
using storage::Key;
using storage::ReadView;
using storage::StreamId;
using storage::StreamView;
using storage::StreamWriter;
using storage::ValueView;
using storage::WriteView;

constexpr std::string_view kKeyMustExist =
    "ERR The XGROUP subcommand requires the key to exist. Note that for CREATE you may want to use "
    "the MKSTREAM option to create an empty stream automatically.";
constexpr char kXgroup[] = "xgroup";

// ---- XGROUP: argument 2 is the key, 3 the group

// For what needs the key (and the group) to be there. nullopt: the error is replied.
std::optional<FoundGroup> FindForGroup(WriteView& view, CommandContext& context, bool needs_group) {
  const Key key = context.KeyAt(view, 2);
  auto found = FindGroup(view, context, view.FindForWrite(key), context[3]);
  if (!found) return std::nullopt;
  if (!found->value) {
    context.reply().Error(kKeyMustExist);
    return std::nullopt;
  }
  if (needs_group && !found->group) {
    context.reply().Error(NoGroupOfKey(context[3], key.bytes));
    return std::nullopt;
  }
  return found;
}

struct GroupOptions {
  bool make_stream = false;
  uint64_t entries_read = storage::kEntriesReadUnknown;
};

// MKSTREAM (of CREATE) and ENTRIESREAD. False: the error is replied.
bool ReadGroupOptions(CommandContext& context, bool creates, GroupOptions* options) {
  ArgReader args(context, 5);
  while (args.ok() && !args.AtEnd()) {
    if (creates && args.Take("mkstream")) {
      options->make_stream = true;
    } else if (args.remaining() > 1 && args.Take("entriesread")) {
      const int64_t entries = args.Integer();
      if (entries < -1) args.SetError("ERR value for ENTRIESREAD must be positive or -1");
      options->entries_read = static_cast<uint64_t>(entries);  // -1: unknown
    } else {
      context.reply().Error(UnknownSubcommandUse(context[1], "XGROUP"));
      return false;
    }
  }
  if (!args.ok()) context.reply().Error(args.error());
  return args.ok();
}
static_assert(static_cast<uint64_t>(int64_t{-1}) == storage::kEntriesReadUnknown);

// Where a group starts: an id, or "$", the last one. nullopt: the error is replied.
// `ends`: "-" and "+" will do, too.
std::optional<StreamId> ReadGroupStart(WriteView& view, CommandContext& context,
                                       const std::optional<ValueView>& value, bool ends) {
  if (context[4] == "$") return value ? StreamView(view.arena(), *value).last() : StreamId{};
  if (ends && context[4] == "-") return StreamId{};
  if (ends && context[4] == "+") return storage::kStreamIdMax;
  ArgReader args(context, 4);
  const StreamId id = ReadStreamId(args);
  if (args.ok()) return id;
  context.reply().Error(args.error());
  return std::nullopt;
}

Outcome XgroupCreate(WriteView& view, CommandContext& context) {
  GroupOptions options;
  if (!ReadGroupOptions(context, true, &options)) return Outcome::kDone;
  const Key key = context.KeyAt(view, 2);
  const auto found = FindGroup(view, context, view.FindForWrite(key), context[3]);
  if (!found) return Outcome::kDone;
  if (!found->value && !options.make_stream) return context.Fail(kKeyMustExist);
  const std::optional<StreamId> start = ReadGroupStart(view, context, found->value, false);
  if (!start) return Outcome::kDone;
  if (found->group) return context.Fail("BUSYGROUP Consumer Group name already exists");
  StreamWriter writer(view, key, found->value);
  writer.CreateGroup(context[3], *start, options.entries_read);
  writer.Finish(StreamEvent("xgroup-create"));
  context.reply().Ok();
  return Outcome::kDone;
}

Outcome XgroupSetid(WriteView& view, CommandContext& context) {
  GroupOptions options;
  if (!ReadGroupOptions(context, false, &options)) return Outcome::kDone;
  const auto found = FindForGroup(view, context, true);
  if (!found) return Outcome::kDone;
  const std::optional<StreamId> start = ReadGroupStart(view, context, found->value, true);
  if (!start) return Outcome::kDone;
  const Key key = context.KeyAt(view, 2);
  StreamWriter writer(view, key, found->value);
  writer.Group(context[3])->SetLast(*start, options.entries_read);
  writer.Finish(StreamEvent("xgroup-setid"));
  context.reply().Ok();
  return Outcome::kDone;
}

Outcome XgroupDestroy(WriteView& view, CommandContext& context) {
  const auto found = FindForGroup(view, context, false);
  if (!found) return Outcome::kDone;
  if (found->group) {
    const Key key = context.KeyAt(view, 2);
    StreamWriter writer(view, key, found->value);
    writer.EraseGroup(context[3]);
    writer.Finish(StreamEvent("xgroup-destroy"));
  }
  context.reply().Integer(found->group ? 1 : 0);
  return Outcome::kDone;
}

Outcome XgroupCreateconsumer(WriteView& view, CommandContext& context) {
  const auto found = FindForGroup(view, context, true);
  if (!found) return Outcome::kDone;
  const StreamView stream(view.arena(), *found->value);
  const bool is_new = !stream.FindConsumer(view.secret(), *found->group, context[4]);
  if (is_new) {
    const Key key = context.KeyAt(view, 2);
    StreamWriter writer(view, key, found->value);
    writer.Group(context[3])->CreateConsumer(context[4], view.moment_ms());
    writer.Finish(StreamEvent("xgroup-createconsumer"));
  }
  context.reply().Integer(is_new ? 1 : 0);
  return Outcome::kDone;
}

Outcome XgroupDelconsumer(WriteView& view, CommandContext& context) {
  const auto found = FindForGroup(view, context, true);
  if (!found) return Outcome::kDone;
  const StreamView stream(view.arena(), *found->value);
  uint64_t pending = 0;
  if (stream.FindConsumer(view.secret(), *found->group, context[4])) {
    const Key key = context.KeyAt(view, 2);
    StreamWriter writer(view, key, found->value);
    pending = writer.Group(context[3])->EraseConsumer(context[4]).value_or(0);
    writer.Finish(StreamEvent("xgroup-delconsumer"));
  }
  context.reply().Integer(static_cast<int64_t>(pending));
  return Outcome::kDone;
}

// All that is pending with the consumer goes.
size_t DelconsumerReserve(const ReadView& view, const CommandContext& context) {
  uint64_t pending = 0;
  const auto value = view.Find(context.KeyAt(view, 2), Access::kPeek);
  if (value && !IsWrongType(value, storage::ValueType::kStream)) {
    const StreamView stream(view.arena(), *value);
    const auto group = stream.FindGroup(view.secret(), context[3]);
    const auto consumer =
        group ? stream.FindConsumer(view.secret(), *group, context[4]) : std::nullopt;
    if (consumer) pending = storage::ItemsCount(view.arena(), consumer->pending);
  }
  return ReserveStreamArguments(view, context) + storage::StreamEstimate(view.arena(), pending, 0);
}

// ---- rows

constexpr ArgSpec kKeyAndGroup[] = {{.name = "key", .type = ArgType::kKey}, {.name = "group"}};
constexpr ArgSpec kKeyGroupConsumer[] = {
    {.name = "key", .type = ArgType::kKey}, {.name = "group"}, {.name = "consumer"}};
constexpr ArgSpec kStart[] = {{.name = "id"},
                              {.name = "new-id", .type = ArgType::kPureToken, .token = "$"}};
constexpr ArgSpec kCreateArgs[] = {
    {.name = "key", .type = ArgType::kKey},
    {.name = "group"},
    {.name = "id-selector", .type = ArgType::kOneOf, .args = kStart},
    {.name = "mkstream", .type = ArgType::kPureToken, .token = "MKSTREAM", .flags = kOptional},
    {.name = "entries-read",
     .type = ArgType::kInteger,
     .token = "ENTRIESREAD",
     .flags = kOptional}};
constexpr ArgSpec kSetidArgs[] = {{.name = "key", .type = ArgType::kKey},
                                  {.name = "group"},
                                  {.name = "id-selector", .type = ArgType::kOneOf, .args = kStart},
                                  {.name = "entries-read",
                                   .type = ArgType::kInteger,
                                   .token = "ENTRIESREAD",
                                   .flags = kOptional}};

constexpr CommandSpec kXgroupRows[] = {
    {.name = "create",
     .arity = -5,
     .flags = kWrite | kDenyOom,
     .group = Group::kStream,
     .keys = {Keys::At(2).Access(kKeyRw | kKeyInsert)},
     .args = kCreateArgs,
     .since = "0.1.0",
     .complexity = "O(1)",
     .summary = "Makes a group of consumers of a stream.",
     .run = &XgroupCreate,
     .reserve = &ReserveStreamArguments},
    {.name = "setid",
     .arity = -5,
     .flags = kWrite,
     .group = Group::kStream,
     .keys = {Keys::At(2).Access(kKeyRw | kKeyUpdate)},
     .args = kSetidArgs,
     .since = "0.1.0",
     .complexity = "O(1)",
     .summary = "Sets the id up to which a group has read.",
     .run = &XgroupSetid,
     .reserve = &ReserveStreamArguments},
    {.name = "destroy",
     .arity = 4,
     .flags = kWrite,
     .group = Group::kStream,
     .keys = {Keys::At(2).Access(kKeyRw | kKeyDelete)},
     .args = kKeyAndGroup,
     .since = "0.1.0",
     .complexity = "O(1); the memory is freed later, in slices",
     .summary = "Removes a group with all that is pending in it.",
     .run = &XgroupDestroy,
     .reserve = &ReserveStreamArguments},
    {.name = "createconsumer",
     .arity = 5,
     .flags = kWrite | kDenyOom,
     .group = Group::kStream,
     .keys = {Keys::At(2).Access(kKeyRw | kKeyInsert)},
     .args = kKeyGroupConsumer,
     .since = "0.1.0",
     .complexity = "O(1)",
     .summary = "Makes a consumer of a group.",
     .run = &XgroupCreateconsumer,
     .reserve = &ReserveStreamArguments},
    {.name = "delconsumer",
     .arity = 5,
     .flags = kWrite,
     .group = Group::kStream,
     .keys = {Keys::At(2).Access(kKeyRw | kKeyDelete)},
     .args = kKeyGroupConsumer,
     .since = "0.1.0",
     .complexity = "O(N log M) with N entries pending with the consumer",
     .summary = "Removes a consumer with what is pending with it; returns how much.",
     .run = &XgroupDelconsumer,
     .reserve = &DelconsumerReserve},
    {.name = "help",
     .arity = 2,
     .flags = kLoading | kStale,
     .group = Group::kStream,
     .since = "0.1.0",
     .complexity = "O(1)",
     .summary = "Says what the subcommands are.",
     .run = &Help<kXgroup>},
};

constexpr CommandSpec kRows[] = {
    {.name = "xgroup",
     .arity = -2,
     .group = Group::kStream,
     .since = "0.1.0",
     .complexity = "depends on the subcommand",
     .summary = "Makes, changes and removes groups of consumers.",
     .subcommands = kXgroupRows},
};
static_assert(CommandRowsProblem(kRows) == nullptr);

}  // namespace

const CommandFamily kStreamGroupCommands = kRows;

}  // namespace verso::server
