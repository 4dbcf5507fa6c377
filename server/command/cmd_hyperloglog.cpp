// PFADD, PFCOUNT, PFMERGE and the two that look inside. A HyperLogLog is a string (hyperloglog.h);
// reading one changes nothing, so no count is ever cached in it.
#include <cmath>

#include "server/command/arg_reader.h"
#include "server/command/command_families.h"
#include "server/command/hyperloglog.h"
#include "server/command/string_reply.h"
#include "storage/index/rope.h"

namespace verso::server {
namespace {

using storage::Key;
using storage::KeyEvent;
using storage::ReadView;
using storage::ValueView;
using storage::WriteView;

constexpr KeyEvent kPfaddEvent{"pfadd", '$'};
constexpr std::string_view kNotHll = "WRONGTYPE Key is not a valid HyperLogLog string value.";
constexpr std::string_view kCorrupted = "INVALIDOBJ Corrupted HLL object detected";

// False: the value is no HyperLogLog, and the error is replied. A missing one is empty. `header`:
// nothing but that is asked for.
bool Read(CommandContext& context, const storage::PageArena& arena,
          const std::optional<ValueView>& value, HyperLogLog* hll, bool header = false) {
  if (!value.has_value()) return true;
  if (IsWrongType(value)) {
    context.reply().Error(error::kWrongType);
    return false;
  }
  // A string that is longer than the longest form is none: it is not copied to find that out.
  const bool fits = storage::StringLength(arena, *value) <= 2 * HyperLogLog::kDenseBytes;
  const HyperLogLog::Form form =
      fits ? hll->Parse(storage::StringCopy(arena, *value)) : HyperLogLog::Form::kNone;
  if (form == HyperLogLog::Form::kValid) return true;
  if (form == HyperLogLog::Form::kCorrupted && header) return true;
  context.reply().Error(form == HyperLogLog::Form::kNone ? kNotHll : kCorrupted);
  return false;
}

void Store(WriteView& view, CommandContext& context, const Key& key, const HyperLogLog& hll) {
  storage::SetOptions options;
  options.keep_deadline = true;
  options.hint = storage::kStringRaw;
  view.SetString(key, hll.Bytes(context.environment().hll_sparse_bytes_max), options, kPfaddEvent);
}

size_t HllReserve(const ReadView&, const CommandContext&) {
  return storage::RopeEstimate(0, HyperLogLog::kDenseBytes);
}

Outcome Pfadd(WriteView& view, CommandContext& context) {
  const Key key = context.KeyAt(view, 1);
  const std::optional<ValueView> old = view.FindForWrite(key);
  HyperLogLog hll;
  if (!Read(context, view.arena(), old, &hll, context.size() == 2)) return Outcome::kDone;
  bool changed = !old.has_value();
  for (size_t i = 2; i < context.size(); ++i) changed |= hll.Add(context[i]);
  if (changed) Store(view, context, key, hll);
  context.reply().Integer(changed ? 1 : 0);
  return Outcome::kDone;
}

Outcome Pfcount(const ReadView& view, CommandContext& context) {
  HyperLogLog all;
  bool valid = true;
  ForEachKey(view, context, 1, 1, [&](size_t, const Key& key) {
    if (!valid) return;
    const std::optional<ValueView> value = context.Lookup(view, key);
    HyperLogLog hll;
    valid = Read(context, view.arena(), value, &hll);
    if (valid && value.has_value()) all.Merge(hll);
  });
  if (valid) context.reply().Integer(static_cast<int64_t>(all.Count()));
  return Outcome::kDone;
}

Outcome Pfmerge(WriteView& view, CommandContext& context) {
  HyperLogLog all;
  const Key target = context.KeyAt(view, 1);
  for (size_t i = 1; i < context.size(); ++i) {
    const Key key = context.KeyAt(view, i);
    const std::optional<ValueView> value = i == 1 ? view.FindForWrite(key) : view.Find(key);
    HyperLogLog hll;
    if (!Read(context, view.arena(), value, &hll)) return Outcome::kDone;
    if (value.has_value()) all.Merge(hll);
  }
  Store(view, context, target, all);
  context.reply().Ok();
  return Outcome::kDone;
}

Outcome Pfdebug(WriteView& view, CommandContext& context) {
  const ByteView what = context[1];
  const Key key = context.KeyAt(view, 2);
  const std::optional<ValueView> value = view.FindForWrite(key);
  if (!value.has_value()) return context.Fail("ERR The specified key does not exist");
  HyperLogLog hll;
  if (!Read(context, view.arena(), value, &hll)) return Outcome::kDone;
  ReplyWriter& reply = context.reply();
  if (EqualsIgnoreCase(what, "getreg")) {
    reply.Array(HyperLogLog::kRegisters);
    for (size_t i = 0; i < HyperLogLog::kRegisters; ++i) reply.Integer(hll.reg(i));
  } else if (EqualsIgnoreCase(what, "encoding")) {
    reply.SimpleString(hll.dense() ? "dense" : "sparse");
  } else if (EqualsIgnoreCase(what, "decode")) {
    if (hll.dense()) return context.Fail("ERR HLL encoding is not sparse");
    reply.SimpleString(hll.DescribeRuns());
  } else if (EqualsIgnoreCase(what, "todense")) {
    reply.Integer(hll.dense() ? 0 : 1);
    if (!hll.dense()) {
      hll.MakeDense();
      Store(view, context, key, hll);
    }
  } else {
    return context.Fail("ERR Unknown PFDEBUG subcommand '" + std::string(what) + "'");
  }
  return Outcome::kDone;
}

// Are registers kept, and are counts within four standard errors, up to a hundred thousand?
Outcome Pfselftest(CommandContext& context) {
  constexpr double kStandardError = 1.04 / 128;  // 1.04 / sqrt(16,384)
  HyperLogLog hll;
  for (uint64_t i = 1; i <= 100'000; ++i) {
    hll.Add(ByteView(reinterpret_cast<const char*>(&i), sizeof(i)));
    if (i % 10'000 != 0 && i != 10 && i != 100 && i != 1'000) continue;
    const double off = std::abs(static_cast<double>(hll.Count()) - static_cast<double>(i));
    if (off > 4 * kStandardError * static_cast<double>(i) + 1) {
      return context.Fail("TESTFAILED Too big error at " + std::to_string(i));
    }
    for (const size_t sparse_bytes_max : {size_t{0}, HyperLogLog::kRegisters}) {
      HyperLogLog copy;
      const bool parsed = copy.Parse(hll.Bytes(sparse_bytes_max)) == HyperLogLog::Form::kValid;
      for (size_t n = 0; n < HyperLogLog::kRegisters; ++n) {
        if (!parsed || copy.reg(n) != hll.reg(n)) {
          return context.Fail("TESTFAILED Register " + std::to_string(n) + " is not kept");
        }
      }
    }
  }
  context.reply().Ok();
  return Outcome::kDone;
}

constexpr ArgSpec kPfaddArgs[] = {{.name = "key", .type = ArgType::kKey},
                                  {.name = "element", .flags = kOptional | kMultiple}};
constexpr ArgSpec kPfcountArgs[] = {{.name = "key", .type = ArgType::kKey, .flags = kMultiple}};
constexpr ArgSpec kPfmergeArgs[] = {
    {.name = "destkey", .type = ArgType::kKey},
    {.name = "sourcekey", .type = ArgType::kKey, .flags = kOptional | kMultiple, .key_spec = 1}};
constexpr ArgSpec kPfdebugArgs[] = {{.name = "subcommand"}, {.name = "key", .type = ArgType::kKey}};

constexpr CommandSpec kRows[] = {
    {.name = "pfadd",
     .arity = -2,
     .flags = kWrite | kDenyOom | kFast,
     .group = Group::kHyperLogLog,
     .keys = {Keys::At(1).Access(kKeyRw | kKeyInsert)},
     .args = kPfaddArgs,
     .since = "0.1.0",
     .complexity = "O(1) per element, and the 12 KiB of registers",
     .summary = "Adds elements to a HyperLogLog; 1 if its count may have changed.",
     .run = &Pfadd,
     .reserve = &HllReserve},
    {.name = "pfcount",
     .arity = -2,
     .flags = kReadonly,
     .group = Group::kHyperLogLog,
     .keys = {Keys::At(1).To(-1).Access(kKeyRo | kKeyAccess)},
     .args = kPfcountArgs,
     .since = "0.1.0",
     .complexity = "O(N) with N keys",
     .summary = "Returns how many distinct elements HyperLogLogs have seen together, about.",
     .run = &Pfcount},
    {.name = "pfmerge",
     .arity = -2,
     .flags = kWrite | kDenyOom,
     .group = Group::kHyperLogLog,
     .keys = {Keys::At(1).Access(kKeyRw | kKeyAccess | kKeyInsert),
              Keys::At(2).To(-1).Access(kKeyRo | kKeyAccess)},
     .args = kPfmergeArgs,
     .since = "0.1.0",
     .complexity = "O(N) with N keys",
     .summary = "Merges HyperLogLogs into the first one.",
     .run = &Pfmerge,
     .reserve = &HllReserve},
    {.name = "pfdebug",
     .arity = 3,
     .flags = kWrite | kDenyOom | kAdmin,
     .group = Group::kHyperLogLog,
     .keys = {Keys::At(2).Access(kKeyRw | kKeyAccess)},
     .args = kPfdebugArgs,
     .since = "0.1.0",
     .complexity = "O(1)",
     .summary = "Shows a HyperLogLog's registers, encoding or runs, or makes it dense.",
     .run = &Pfdebug,
     .reserve = &HllReserve},
    {.name = "pfselftest",
     .arity = 1,
     .flags = kAdmin,
     .group = Group::kHyperLogLog,
     .since = "0.1.0",
     .complexity = "O(1)",
     .summary = "Checks that HyperLogLogs count and keep their registers.",
     .run = &Pfselftest},
};
static_assert(CommandRowsProblem(kRows) == nullptr);

}  // namespace

const CommandFamily kHyperLogLogCommands = kRows;

}  // namespace verso::server
