// LCS: computed in slices between other clients' requests when the strings are long.
#include <algorithm>
#include <memory>
#include <string>

#include "server/command/arg_reader.h"
#include "server/command/command_families.h"
#include "server/command/longest_common.h"
#include "server/command/string_reply.h"

namespace verso::server {
namespace {

using storage::ReadView;
using storage::ValueView;

constexpr uint64_t kCellsAtOnce = 256 * 1024;  // below half a millisecond
constexpr uint64_t kCellsAStep = 4 * 1024;     // the clock is looked at every 16 steps

struct LcsOptions {
  bool length_only = false;
  bool matches = false;
  bool with_lengths = false;
  int64_t length_min = 0;
};

void ReplyMatches(ReplyWriter& reply, const LongestCommon& common, const LcsOptions& options) {
  const auto counts = [&options](const LongestCommon::Match& match) {
    return match.length() >= options.length_min;
  };
  const auto matches = common.Matches();
  reply.Map(2);
  reply.Bulk("matches");
  reply.Array(static_cast<size_t>(std::count_if(matches.begin(), matches.end(), counts)));
  for (const LongestCommon::Match& match : matches) {
    if (!counts(match)) continue;
    reply.Array(options.with_lengths ? 3 : 2);
    reply.Array(2);
    reply.Integer(match.a_first);
    reply.Integer(match.a_last);
    reply.Array(2);
    reply.Integer(match.b_first);
    reply.Integer(match.b_last);
    if (options.with_lengths) reply.Integer(match.length());
  }
  reply.Bulk("len");
  reply.Integer(common.length());
}

void Reply(ReplyWriter& reply, const LongestCommon& common, const LcsOptions& options) {
  if (options.matches) {
    ReplyMatches(reply, common, options);
  } else if (options.length_only) {
    reply.Integer(common.length());
  } else {
    reply.Bulk(common.Text());
  }
}

class LcsContinuation final : public Continuation {
 public:
  LcsContinuation(std::unique_ptr<LongestCommon> common, const LcsOptions& options)
      : common_(std::move(common)), options_(options) {}

  bool Run(const ReadView&, Slice& slice) override {
    while (!common_->Step(kCellsAStep)) {
      if (slice.Spent()) return false;
    }
    Reply(slice.reply(), *common_, options_);
    return true;
  }

 private:
  std::unique_ptr<LongestCommon> common_;
  LcsOptions options_;
};

Outcome Lcs(const ReadView& view, CommandContext& context) {
  std::string texts[2];
  uint64_t lengths[2] = {};
  std::optional<ValueView> values[2];
  for (size_t i = 0; i < 2; ++i) {
    values[i] = context.Lookup(view, context.KeyAt(view, i + 1));
    if (IsWrongType(values[i])) {
      return context.Fail("ERR The specified keys must contain string values");
    }
    if (values[i]) lengths[i] = storage::StringLength(view.arena(), *values[i]);
  }

  LcsOptions options;
  ArgReader args(context, 3);
  while (!args.AtEnd()) {
    if (args.Take("idx")) {
      options.matches = true;
    } else if (args.Take("len")) {
      options.length_only = true;
    } else if (args.Take("withmatchlen")) {
      options.with_lengths = true;
    } else if (args.remaining() >= 2 && args.Take("minmatchlen")) {
      options.length_min = std::max<int64_t>(args.Integer(), 0);
      if (!args.ok()) return context.Fail(args.error());
    } else {
      return context.Fail(error::kSyntax);
    }
  }
  if (options.matches && options.length_only) {
    return context.Fail("ERR If you want both the length and indexes, please just use IDX.");
  }
  if (LongestCommon::BytesFor(lengths[0], lengths[1]) > StringBytesMax(context)) {
    return context.Fail(
        "ERR Insufficient memory, transient memory for LCS exceeds proto-max-bulk-len");
  }

  for (size_t i = 0; i < 2; ++i) {
    if (values[i]) texts[i] = storage::StringCopy(view.arena(), *values[i]);
  }
  auto common = std::make_unique<LongestCommon>(texts[0], texts[1]);
  if (!common->Step(kCellsAtOnce)) {
    return context.Yield(std::make_unique<LcsContinuation>(std::move(common), options));
  }
  Reply(context.reply(), *common, options);
  return Outcome::kDone;
}

constexpr ArgSpec kLcsArgs[] = {
    {.name = "key1", .type = ArgType::kKey},
    {.name = "key2", .type = ArgType::kKey},
    {.name = "len", .type = ArgType::kPureToken, .token = "LEN", .flags = kOptional},
    {.name = "idx", .type = ArgType::kPureToken, .token = "IDX", .flags = kOptional},
    {.name = "min-match-len",
     .type = ArgType::kInteger,
     .token = "MINMATCHLEN",
     .flags = kOptional},
    {.name = "withmatchlen",
     .type = ArgType::kPureToken,
     .token = "WITHMATCHLEN",
     .flags = kOptional},
};

constexpr CommandSpec kRows[] = {
    {.name = "lcs",
     .arity = -3,
     .flags = kReadonly,
     .group = Group::kString,
     .keys = {Keys::At(1).To(1).Access(kKeyRo | kKeyAccess)},
     .args = kLcsArgs,
     .since = "0.1.0",
     .complexity = "O(N*M) with N and M bytes of the strings, in slices that stall nobody",
     .summary = "Returns the longest common subsequence of two strings, or where it stands.",
     .run = &Lcs},
};
static_assert(CommandRowsProblem(kRows) == nullptr);

}  // namespace

const CommandFamily kLcsCommands = kRows;

}  // namespace verso::server
