// Strings as bits: SETBIT, GETBIT, BITCOUNT. Bit 0 is the highest one of the first byte.
// What is beyond the end reads as zeros.
#include <bit>
#include <cstring>
#include <string>

#include "server/command/arg_reader.h"
#include "server/command/bit_string.h"
#include "server/command/command_families.h"
#include "server/command/string_reply.h"
#include "storage/base/check.h"
#include "storage/index/rope.h"

namespace verso::server {
namespace {

using storage::Access;
using storage::Key;
using storage::KeyEvent;
using storage::ReadView;
using storage::ValueView;
using storage::WriteView;

constexpr KeyEvent kSetBitEvent{"setbit", '$'};

// Ranges up to this many bytes are counted at once, longer ones in slices of a continuation.
constexpr uint64_t kCountAtOnce = 4 << 20;
constexpr uint64_t kCountStep = 64 * 1024;

// False: the error is replied.
bool ReadBitOffset(CommandContext& context, ByteView text, uint64_t* offset) {
  int64_t number = 0;
  if (!ParseInteger(text, &number) || number < 0 ||
      static_cast<uint64_t>(number) >> 3 >= StringBytesMax(context)) {
    context.reply().Error(error::kBitOffset);
    return false;
  }
  *offset = static_cast<uint64_t>(number);
  return true;
}

Outcome Setbit(WriteView& view, CommandContext& context) {
  uint64_t offset = 0;
  if (!ReadBitOffset(context, context[2], &offset)) return Outcome::kDone;
  if (context[3] != "0" && context[3] != "1") return context.Fail(error::kBitValue);
  const bool bit = context[3] == "1";
  const Key key = context.KeyAt(view, 1);
  const std::optional<ValueView> old = view.Find(key);
  if (IsWrongType(old)) return context.Fail(error::kWrongType);
  const uint64_t at = offset / 8;
  const uint64_t length = old.has_value() ? storage::StringLength(view.arena(), *old) : 0;
  unsigned char byte = at < length ? ByteAt(view.arena(), *old, at) : 0;
  const auto mask = static_cast<unsigned char>(0x80 >> (offset % 8));
  const bool was = (byte & mask) != 0;
  if (was != bit || at >= length) {
    byte = static_cast<unsigned char>(bit ? byte | mask : byte & ~mask);
    view.SetRange(key, at, ByteView(reinterpret_cast<const char*>(&byte), 1), kSetBitEvent);
  }
  context.reply().Integer(was ? 1 : 0);
  return Outcome::kDone;
}

size_t SetbitReserve(const ReadView&, const CommandContext& context) {
  int64_t offset = 0;
  if (!ParseInteger(context[2], &offset) || offset < 0 ||
      static_cast<uint64_t>(offset) / 8 > storage::kStringBytesMax) {
    return 0;  // refused by the handler
  }
  // A rope may have to be made of what is one run now, besides what is written.
  return 2 * storage::kRunBytesMax + storage::RopeEstimate(static_cast<uint64_t>(offset) / 8, 1);
}

Outcome Getbit(const ReadView& view, CommandContext& context) {
  uint64_t offset = 0;
  if (!ReadBitOffset(context, context[2], &offset)) return Outcome::kDone;
  const std::optional<ValueView> value = context.Lookup(view, context.KeyAt(view, 1));
  if (IsWrongType(value)) return context.Fail(error::kWrongType);
  const bool bit =
      value.has_value() && (ByteAt(view.arena(), *value, offset / 8) & (0x80 >> (offset % 8))) != 0;
  context.reply().Integer(bit ? 1 : 0);
  return Outcome::kDone;
}

// ---- BITCOUNT

uint64_t CountOnes(ByteView bytes) {
  uint64_t ones = 0;
  size_t at = 0;
  for (; at + 8 <= bytes.size(); at += 8) {
    ones += static_cast<uint64_t>(std::popcount(LoadLe<uint64_t>(bytes.data() + at)));
  }
  for (; at < bytes.size(); ++at) {
    ones += static_cast<uint64_t>(std::popcount(static_cast<unsigned char>(bytes[at])));
  }
  return ones;
}

uint64_t CountOnes(const ReadView& view, const ValueView& value, uint64_t first, uint64_t count) {
  uint64_t ones = 0;
  storage::StringForEachPiece(view.arena(), value, first, count,
                              [&ones](ByteView piece) { ones += CountOnes(piece); });
  return ones;
}

class CountContinuation final : public Continuation {
 public:
  // `surplus`: ones in the bytes that do not count.
  CountContinuation(ByteView key, uint64_t first, uint64_t count, uint64_t surplus)
      : key_(key), next_(first), left_(count), ones_(-static_cast<int64_t>(surplus)) {}

  bool Run(const ReadView& view, Slice& slice) override {
    const std::optional<ValueView> value = view.Find(view.MakeKey(key_), Access::kPeek);
    if (!value.has_value()) {  // it expired between the command and the pin
      slice.reply().Integer(0);
      return true;
    }
    // Spent() looks at the clock each 16th time: 1 MiB, about 0.1 ms.
    while (left_ > 0 && !slice.Spent()) {
      const uint64_t bytes = std::min(left_, kCountStep);
      ones_ += static_cast<int64_t>(CountOnes(view, *value, next_, bytes));
      next_ += bytes;
      left_ -= bytes;
    }
    if (left_ > 0) return false;
    slice.reply().Integer(ones_);
    return true;
  }

 private:
  std::string key_;
  uint64_t next_;
  uint64_t left_;
  int64_t ones_;
};

Outcome Bitcount(const ReadView& view, CommandContext& context) {
  BitRange range;
  if (context.size() == 3 || context.size() > 5) return context.Fail(error::kSyntax);
  if (context.size() > 2) {
    ArgReader args(context, 2);
    range.start = args.Integer();
    range.end = args.Integer();
    if (!args.ok()) return context.Fail(args.error());
    if (context.size() == 5) {
      if (args.Take("bit")) {
        range.in_bits = true;
      } else if (!args.Take("byte")) {
        return context.Fail(error::kSyntax);
      }
    }
  }
  const Key key = context.KeyAt(view, 1);
  const std::optional<ValueView> value = context.Lookup(view, key);
  if (IsWrongType(value)) return context.Fail(error::kWrongType);
  if (!value.has_value() || (range.start < 0 && range.end < 0 && range.start > range.end) ||
      !range.Clip(storage::StringLength(view.arena(), *value))) {
    context.reply().Integer(0);
    return Outcome::kDone;
  }
  const uint64_t first = range.first_bit() / 8;
  const uint64_t last = range.last_bit() / 8;
  const auto before = static_cast<unsigned char>(~(0xFF >> (range.first_bit() % 8)));
  const auto after = static_cast<unsigned char>(0x7F >> (range.last_bit() % 8));
  const auto surplus = static_cast<uint64_t>(
      std::popcount(static_cast<unsigned char>(ByteAt(view.arena(), *value, first) & before)) +
      std::popcount(static_cast<unsigned char>(ByteAt(view.arena(), *value, last) & after)));
  if (last - first >= kCountAtOnce) {
    return context.Yield(
        std::make_unique<CountContinuation>(key.bytes, first, last - first + 1, surplus));
  }
  const uint64_t ones = CountOnes(view, *value, first, last - first + 1);
  context.reply().Integer(static_cast<int64_t>(ones - surplus));
  return Outcome::kDone;
}

// ---- rows

constexpr ArgSpec kSetbitArgs[] = {{.name = "key", .type = ArgType::kKey},
                                   {.name = "offset", .type = ArgType::kInteger},
                                   {.name = "value", .type = ArgType::kInteger}};
constexpr ArgSpec kGetbitArgs[] = {{.name = "key", .type = ArgType::kKey},
                                   {.name = "offset", .type = ArgType::kInteger}};
constexpr ArgSpec kUnit[] = {
    {.name = "byte", .type = ArgType::kPureToken, .token = "BYTE"},
    {.name = "bit", .type = ArgType::kPureToken, .token = "BIT"},
};
constexpr ArgSpec kCountRange[] = {
    {.name = "start", .type = ArgType::kInteger},
    {.name = "end", .type = ArgType::kInteger},
    {.name = "unit", .type = ArgType::kOneOf, .flags = kOptional, .args = kUnit},
};
constexpr ArgSpec kBitcountArgs[] = {
    {.name = "key", .type = ArgType::kKey},
    {.name = "range", .type = ArgType::kBlock, .flags = kOptional, .args = kCountRange},
};

constexpr CommandSpec kRows[] = {
    {.name = "setbit",
     .arity = 4,
     .flags = kWrite | kDenyOom,
     .group = Group::kBitmap,
     .keys = {Keys::At(1).Access(kKeyRw | kKeyAccess | kKeyUpdate)},
     .args = kSetbitArgs,
     .since = "0.1.0",
     .complexity = "O(1), however long the string is or becomes",
     .summary = "Sets or clears one bit of the string that a key holds; returns what it was.",
     .run = &Setbit,
     .reserve = &SetbitReserve},
    {.name = "getbit",
     .arity = 3,
     .flags = kReadonly | kFast,
     .group = Group::kBitmap,
     .keys = {Keys::At(1).Access(kKeyRo | kKeyAccess)},
     .args = kGetbitArgs,
     .since = "0.1.0",
     .complexity = "O(1)",
     .summary = "Returns one bit of the string that a key holds.",
     .run = &Getbit},
    {.name = "bitcount",
     .arity = -2,
     .flags = kReadonly,
     .group = Group::kBitmap,
     .keys = {Keys::At(1).Access(kKeyRo | kKeyAccess)},
     .args = kBitcountArgs,
     .since = "0.1.0",
     .complexity = "O(N) with N bytes, in slices that stall nobody",
     .summary = "Counts the one bits of a string or a part of it.",
     .run = &Bitcount},
};
static_assert(CommandRowsProblem(kRows) == nullptr);

}  // namespace

const CommandFamily kBitmapCommands = kRows;

}  // namespace verso::server
