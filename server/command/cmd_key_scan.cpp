// Finding keys: KEYS, SCAN, RANDOMKEY.
#include <string>

#include "server/command/arg_reader.h"
#include "server/command/command_families.h"
#include "server/command/element_reply.h"
#include "server/command/glob.h"
#include "server/command/string_reply.h"

namespace verso::server {
namespace {

using storage::ReadView;
using storage::ValueView;

// Databases up to this size are searched at once, without a pin.
constexpr uint64_t kKeysAtOnce = 4096;
// KEYS: counts the matches, since their number comes first, then goes through all keys again to
// reply them.
class KeysContinuation final : public Continuation {
 public:
  explicit KeysContinuation(ByteView pattern) : pattern_(pattern), all_(pattern == "*") {}

  bool Run(const ReadView& view, Slice& slice) override {
    while (!slice.Spent()) {
      cursor_ = view.Scan(cursor_, kStepEntries, [&](ByteView key, const ValueView&) {
        if (!all_ && !GlobMatch(pattern_, key)) return;
        if (counting_) {
          ++matches_;
        } else {
          slice.reply().Bulk(key);
        }
      });
      if (cursor_ != 0) continue;
      if (!counting_) return true;
      counting_ = false;
      slice.reply().Array(matches_);
      if (matches_ == 0) return true;
    }
    return false;
  }

 private:
  static constexpr size_t kStepEntries = 32;

  std::string pattern_;
  bool all_;
  bool counting_ = true;
  uint64_t cursor_ = 0;
  size_t matches_ = 0;
};

Outcome MatchKeys(const ReadView& view, CommandContext& context) {
  auto keys = std::make_unique<KeysContinuation>(context[1]);
  if (view.Count() > kKeysAtOnce) return context.Yield(std::move(keys));
  return RunAtOnce(view, context, *keys);
}

Outcome Scan(const ReadView& view, CommandContext& context) {
  uint64_t cursor = 0;
  if (!ReadScanCursor(context, context[1], &cursor)) return Outcome::kDone;
  uint64_t count = 10;
  std::optional<ByteView> pattern;
  std::optional<ByteView> type;
  ArgReader args(context, 2);
  while (!args.AtEnd()) {
    if (args.remaining() < 2) return context.Fail(error::kSyntax);
    if (args.Take("count")) {
      const int64_t wanted = args.Integer();
      if (!args.ok()) return context.Fail(args.error());
      if (wanted < 1) return context.Fail(error::kSyntax);
      count = std::min(static_cast<uint64_t>(wanted), kScanEntriesMax);
    } else if (args.Take("match")) {
      pattern = args.Next();
      if (pattern == "*") pattern.reset();
    } else if (args.Take("type")) {
      type = args.Next();
    } else {
      return context.Fail(error::kSyntax);
    }
  }

  // The cursor comes before the keys in the reply, but after them out of the scan.
  std::string found;
  size_t found_count = 0;
  cursor = view.Scan(cursor, count, [&](ByteView key, const ValueView& value) {
    if (type.has_value() && !EqualsIgnoreCase(*type, storage::TypeName(value.type))) return;
    if (pattern.has_value() && !GlobMatch(*pattern, key)) return;
    found += '$';
    found += Decimal(key.size());
    found += "\r\n";
    found += key;
    found += "\r\n";
    ++found_count;
  });
  ReplyWriter& reply = context.reply();
  reply.Array(2);
  reply.Bulk(Decimal(cursor));
  reply.Array(found_count);
  reply.Raw(found);
  return Outcome::kDone;
}

Outcome Randomkey(const ReadView& view, CommandContext& context) {
  const std::optional<std::string> key = view.RandomKey(context.Random());
  if (key.has_value()) {
    context.reply().Bulk(*key);
  } else {
    context.reply().Null();
  }
  return Outcome::kDone;
}

// ---- rows

constexpr ArgSpec kKeysArgs[] = {{.name = "pattern", .type = ArgType::kPattern}};
constexpr ArgSpec kScanArgs[] = {
    {.name = "cursor", .type = ArgType::kInteger},
    {.name = "pattern", .type = ArgType::kPattern, .token = "MATCH", .flags = kOptional},
    {.name = "count", .type = ArgType::kInteger, .token = "COUNT", .flags = kOptional},
    {.name = "type", .type = ArgType::kString, .token = "TYPE", .flags = kOptional},
};

constexpr CommandSpec kRows[] = {
    {.name = "keys",
     .arity = 2,
     .flags = kReadonly | kDangerous,
     .group = Group::kGeneric,
     .args = kKeysArgs,
     .since = "0.1.0",
     .complexity = "O(N) with N keys in the database, in slices that stall nobody",
     .summary = "Returns all keys that match a pattern.",
     .run = &MatchKeys,
     .tips = {"request_policy:all_shards", "nondeterministic_output_order"}},
    {.name = "scan",
     .arity = -2,
     .flags = kReadonly,
     .group = Group::kGeneric,
     .args = kScanArgs,
     .since = "0.1.0",
     .complexity = "O(1) a call, O(N) for all N keys",
     .summary = "Returns the keys a part at a time; what is there all the time comes exactly once.",
     .run = &Scan,
     .tips = {"nondeterministic_output", "request_policy:special", "response_policy:special"}},
    {.name = "randomkey",
     .arity = 1,
     .flags = kReadonly,
     .group = Group::kGeneric,
     .since = "0.1.0",
     .complexity = "O(1)",
     .summary = "Returns some key.",
     .run = &Randomkey,
     .tips = {"request_policy:all_shards", "response_policy:special", "nondeterministic_output"}},
};
static_assert(CommandRowsProblem(kRows) == nullptr);

}  // namespace

const CommandFamily kKeyScanCommands = kRows;

}  // namespace verso::server
