// Strings as bits: SETBIT, GETBIT, BITCOUNT, BITPOS. Bit 0 is the highest one of the first byte.
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

// A key that is missing, or of another type, says so before the words behind it are looked at.
Outcome Bitcount(const ReadView& view, CommandContext& context) {
  const Key key = context.KeyAt(view, 1);
  const std::optional<ValueView> value = context.Lookup(view, key);
  if (IsWrongType(value)) return context.Fail(error::kWrongType);
  if (!value.has_value()) {
    context.reply().Integer(0);
    return Outcome::kDone;
  }
  BitRange range;
  if (context.size() == 3 || context.size() > 5) return context.Fail(error::kSyntax);
  if (context.size() > 2) {
    ArgReader args(context, 2);
    range.start = args.Integer();
    range.end = args.Integer();
    if (!args.ok()) return context.Fail(args.error());
    if (range.start < 0 && range.end < 0 && range.start > range.end) {
      context.reply().Integer(0);
      return Outcome::kDone;
    }
    if (context.size() == 5) {
      if (args.Take("bit")) {
        range.in_bits = true;
      } else if (!args.Take("byte")) {
        return context.Fail(error::kSyntax);
      }
    }
  }
  if (!range.Clip(storage::StringLength(view.arena(), *value))) {
    context.reply().Integer(0);
    return Outcome::kDone;
  }
  const uint64_t first = range.first_bit() / 8;
  const uint64_t last = range.last_bit() / 8;
  const auto before = static_cast<unsigned char>(~(0xFF >> (range.first_bit() % 8)));
  const auto after = static_cast<unsigned char>(0x7F >> (range.last_bit() % 8));
  const auto ones_in = [](int byte) -> uint64_t {
    return static_cast<unsigned>(std::popcount(static_cast<unsigned char>(byte)));
  };
  const uint64_t surplus = ones_in(ByteAt(view.arena(), *value, first) & before) +
                           ones_in(ByteAt(view.arena(), *value, last) & after);
  if (last - first >= kCountAtOnce) {
    return context.Yield(
        std::make_unique<CountContinuation>(key.bytes, first, last - first + 1, surplus));
  }
  const uint64_t ones = CountOnes(view, *value, first, last - first + 1);
  context.reply().Integer(static_cast<int64_t>(ones - surplus));
  return Outcome::kDone;
}

// ---- BITPOS

// The first place within [first, last] that has this bit; -1: there is none.
int64_t FindBit(const ReadView& view, const ValueView& value, bool bit, uint64_t first,
                uint64_t last) {
  int64_t found = -1;
  uint64_t at = first / 8;
  const unsigned char flip = bit ? 0 : 0xFF;  // makes a one of what is looked for
  const uint64_t flip_word = bit ? 0 : ~uint64_t{0};
  storage::StringForEachPiece(view.arena(), value, at, last / 8 - at + 1, [&](ByteView piece) {
    for (size_t i = 0; i < piece.size() && found < 0;) {
      if (at > first / 8 && i + 8 <= piece.size() &&
          LoadLe<uint64_t>(piece.data() + i) == flip_word) {
        i += 8;
        at += 8;
        continue;
      }
      auto byte = static_cast<unsigned char>(static_cast<unsigned char>(piece[i]) ^ flip);
      if (at == first / 8) byte = static_cast<unsigned char>(byte & (0xFF >> (first % 8)));
      if (at == last / 8) byte = static_cast<unsigned char>(byte & ~(0x7F >> (last % 8)));
      if (byte != 0) found = static_cast<int64_t>(at * 8) + std::countl_zero(byte);
      ++i;
      ++at;
    }
  });
  return found;
}

class FindContinuation final : public Continuation {
 public:
  // `none`: the reply if there is no such bit.
  FindContinuation(ByteView key, bool bit, uint64_t first, uint64_t last, int64_t none)
      : key_(key), bit_(bit), next_(first), last_(last), none_(none) {}

  bool Run(const ReadView& view, Slice& slice) override {
    const std::optional<ValueView> value = view.Find(view.MakeKey(key_), Access::kPeek);
    if (!value.has_value()) {  // it expired between the command and the pin
      slice.reply().Integer(bit_ ? -1 : 0);
      return true;
    }
    while (next_ <= last_ && !slice.Spent()) {
      const uint64_t end = std::min(last_, next_ / 8 * 8 + kCountStep * 8 - 1);
      const int64_t found = FindBit(view, *value, bit_, next_, end);
      if (found >= 0) {
        slice.reply().Integer(found);
        return true;
      }
      next_ = end + 1;
    }
    if (next_ <= last_) return false;
    slice.reply().Integer(none_);
    return true;
  }

 private:
  std::string key_;
  bool bit_;
  uint64_t next_;
  uint64_t last_;
  int64_t none_;
};

Outcome Bitpos(const ReadView& view, CommandContext& context) {
  ArgReader args(context, 2);
  const int64_t wanted = args.Integer();
  if (!args.ok()) return context.Fail(args.error());
  if (wanted != 0 && wanted != 1) return context.Fail("ERR The bit argument must be 1 or 0.");
  const bool bit = wanted == 1;
  const Key key = context.KeyAt(view, 1);
  const std::optional<ValueView> value = context.Lookup(view, key);
  if (IsWrongType(value)) return context.Fail(error::kWrongType);
  if (!value.has_value()) {  // nothing but zeros, without end
    context.reply().Integer(bit ? -1 : 0);
    return Outcome::kDone;
  }
  if (context.size() > 6) return context.Fail(error::kSyntax);
  BitRange range;
  const bool end_given = context.size() >= 5;
  if (context.size() > 3) range.start = args.Integer();
  if (args.ok() && context.size() == 6) {
    range.in_bits = EqualsIgnoreCase(context[5], "bit");
    if (!range.in_bits && !EqualsIgnoreCase(context[5], "byte")) {
      return context.Fail(error::kSyntax);
    }
  }
  if (end_given) range.end = args.Integer();
  if (!args.ok()) return context.Fail(args.error());

  const uint64_t length = storage::StringLength(view.arena(), *value);
  if (!range.Clip(length)) {
    context.reply().Integer(-1);
    return Outcome::kDone;
  }
  // Behind the end stand zeros, unless the client has named an end.
  const int64_t none = bit || end_given ? -1 : static_cast<int64_t>(length * 8);
  const uint64_t first = range.first_bit();
  const uint64_t last = range.last_bit();
  if ((last - first) / 8 >= kCountAtOnce) {
    return context.Yield(std::make_unique<FindContinuation>(key.bytes, bit, first, last, none));
  }
  const int64_t found = FindBit(view, *value, bit, first, last);
  context.reply().Integer(found >= 0 ? found : none);
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
constexpr ArgSpec kPosEnd[] = {
    {.name = "end", .type = ArgType::kInteger},
    {.name = "unit", .type = ArgType::kOneOf, .flags = kOptional, .args = kUnit},
};
constexpr ArgSpec kPosRange[] = {
    {.name = "start", .type = ArgType::kInteger},
    {.name = "end-unit-block", .type = ArgType::kBlock, .flags = kOptional, .args = kPosEnd},
};
constexpr ArgSpec kBitposArgs[] = {
    {.name = "key", .type = ArgType::kKey},
    {.name = "bit", .type = ArgType::kInteger},
    {.name = "range", .type = ArgType::kBlock, .flags = kOptional, .args = kPosRange},
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
    {.name = "bitpos",
     .arity = -3,
     .flags = kReadonly,
     .group = Group::kBitmap,
     .keys = {Keys::At(1).Access(kKeyRo | kKeyAccess)},
     .args = kBitposArgs,
     .since = "0.1.0",
     .complexity = "O(N) with N bytes, in slices that stall nobody",
     .summary = "Finds the first bit that is set, or clear, in a string or a part of it.",
     .run = &Bitpos},
};
static_assert(CommandRowsProblem(kRows) == nullptr);

}  // namespace

const CommandFamily kBitmapCommands = kRows;

}  // namespace verso::server
