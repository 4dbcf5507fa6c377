// BITFIELD, BITFIELD_RO: a string as integers of any width at any bit. Bit 0 is the highest one of
// the first byte; what is beyond the end reads as zeros.
#include <map>
#include <string>
#include <vector>

#include "server/command/arg_reader.h"
#include "server/command/bit_string.h"
#include "server/command/command_families.h"
#include "server/command/string_reply.h"
#include "storage/index/rope.h"

namespace verso::server {
namespace {

using storage::Key;
using storage::KeyEvent;
using storage::ReadView;
using storage::ValueView;
using storage::WriteView;

constexpr KeyEvent kSetBitEvent{"setbit", '$'};

constexpr std::string_view kBadType =
    "ERR Invalid bitfield type. Use something like i16 u8. Note that u64 is not supported but i64 "
    "is.";

struct Field {
  bool is_signed = false;
  unsigned bits = 0;
  uint64_t offset = 0;  // in bits

  uint64_t first_byte() const { return offset / 8; }
  uint64_t last_byte() const { return (offset + bits - 1) / 8; }
};

enum class Action : uint8_t { kGet, kSet, kIncrby };
enum class Overflow : uint8_t { kWrap, kSaturate, kFail };

struct Operation {
  Action action = Action::kGet;
  Overflow overflow = Overflow::kWrap;
  Field field;
  int64_t operand = 0;
};

bool ReadType(ByteView text, Field* field) {
  int64_t bits = 0;
  if (text.empty() || !ParseInteger(text.substr(1), &bits) || bits < 1) return false;
  field->is_signed = text[0] == 'i';
  if (text[0] != 'i' && text[0] != 'u') return false;
  if (bits > (field->is_signed ? 64 : 63)) return false;
  field->bits = static_cast<unsigned>(bits);
  return true;
}

// "#N" counts in widths of the field.
bool ReadOffset(CommandContext& context, ByteView text, Field* field) {
  const bool in_fields = !text.empty() && text[0] == '#';
  int64_t number = 0;
  if (!ParseInteger(in_fields ? text.substr(1) : text, &number) || number < 0) return false;
  const auto wide = static_cast<unsigned __int128>(number) * (in_fields ? field->bits : 1);
  if (wide + field->bits - 1 >= static_cast<unsigned __int128>(StringBytesMax(context)) * 8) {
    return false;
  }
  field->offset = static_cast<uint64_t>(wide);
  return true;
}

// False: the error is replied.
bool ReadOperations(CommandContext& context, bool only_get, std::vector<Operation>* operations) {
  Overflow overflow = Overflow::kWrap;
  bool writes = false;
  const auto fail = [&context](std::string_view text) {
    context.reply().Error(text);
    return false;
  };
  for (size_t i = 2; i < context.size();) {
    const size_t left = context.size() - i - 1;
    Operation operation;
    if (EqualsIgnoreCase(context[i], "get") && left >= 2) {
      operation.action = Action::kGet;
    } else if (EqualsIgnoreCase(context[i], "set") && left >= 3) {
      operation.action = Action::kSet;
    } else if (EqualsIgnoreCase(context[i], "incrby") && left >= 3) {
      operation.action = Action::kIncrby;
    } else if (EqualsIgnoreCase(context[i], "overflow") && left >= 1) {
      const ByteView kind = context[i + 1];
      if (EqualsIgnoreCase(kind, "wrap")) {
        overflow = Overflow::kWrap;
      } else if (EqualsIgnoreCase(kind, "sat")) {
        overflow = Overflow::kSaturate;
      } else if (EqualsIgnoreCase(kind, "fail")) {
        overflow = Overflow::kFail;
      } else {
        return fail("ERR Invalid OVERFLOW type specified");
      }
      i += 2;
      continue;
    } else {
      return fail(error::kSyntax);
    }
    operation.overflow = overflow;
    if (!ReadType(context[i + 1], &operation.field)) return fail(kBadType);
    if (!ReadOffset(context, context[i + 2], &operation.field)) return fail(error::kBitOffset);
    if (operation.action != Action::kGet) {
      writes = true;
      if (!ParseInteger(context[i + 3], &operation.operand)) return fail(error::kNotInteger);
    }
    i += operation.action == Action::kGet ? 3 : 4;
    operations->push_back(operation);
  }
  if (writes && only_get) return fail("ERR BITFIELD_RO only supports the GET subcommand");
  return true;
}

// The string with the changes of this command, which reach it together at the end.
class Bits {
 public:
  Bits(const storage::PageArena& arena, const std::optional<ValueView>& value)
      : arena_(arena), value_(value) {}

  uint64_t Get(const Field& field) const {
    unsigned __int128 window = 0;  // at most 9 bytes
    for (uint64_t at = field.first_byte(); at <= field.last_byte(); ++at) {
      window = window << 8 | Byte(at);
    }
    window >>= 7 - (field.offset + field.bits - 1) % 8;
    return static_cast<uint64_t>(window) & Mask(field.bits);
  }

  void Set(const Field& field, uint64_t number) {
    for (unsigned i = 0; i < field.bits; ++i) {
      const uint64_t bit = field.offset + i;
      const auto mask = static_cast<unsigned char>(0x80 >> (bit % 8));
      unsigned char byte = Byte(bit / 8);
      byte = static_cast<unsigned char>((number >> (field.bits - 1 - i) & 1) != 0 ? byte | mask
                                                                                  : byte & ~mask);
      changed_[bit / 8] = static_cast<char>(byte);
    }
  }

  static uint64_t Mask(unsigned bits) {
    return bits == 64 ? ~uint64_t{0} : (uint64_t{1} << bits) - 1;
  }

  // Adjacent bytes together.
  std::vector<std::pair<uint64_t, std::string>> Changes() const {
    std::vector<std::pair<uint64_t, std::string>> changes;
    for (const auto& [at, byte] : changed_) {
      if (changes.empty() || changes.back().first + changes.back().second.size() != at) {
        changes.emplace_back(at, "");
      }
      changes.back().second.push_back(byte);
    }
    return changes;
  }

 private:
  unsigned char Byte(uint64_t at) const {
    const auto changed = changed_.find(at);
    if (changed != changed_.end()) return static_cast<unsigned char>(changed->second);
    return value_.has_value() ? ByteAt(arena_, *value_, at) : 0;
  }

  const storage::PageArena& arena_;
  const std::optional<ValueView>& value_;
  std::map<uint64_t, char> changed_;
};

int64_t AsNumber(const Field& field, uint64_t bits) {
  if (!field.is_signed || field.bits == 64) return static_cast<int64_t>(bits);
  const uint64_t sign = uint64_t{1} << (field.bits - 1);
  return static_cast<int64_t>((bits ^ sign) - sign);
}

// What is stored of a number that may not fit; nullopt: nothing (FAIL).
std::optional<uint64_t> Fit(const Operation& operation, __int128 number) {
  const unsigned bits = operation.field.bits;
  const bool is_signed = operation.field.is_signed;
  const __int128 lowest = is_signed ? -(__int128{1} << (bits - 1)) : 0;
  const __int128 highest = (__int128{1} << (is_signed ? bits - 1 : bits)) - 1;
  if (number < lowest || number > highest) {
    if (operation.overflow == Overflow::kFail) return std::nullopt;
    if (operation.overflow == Overflow::kSaturate) number = number < lowest ? lowest : highest;
  }
  return static_cast<uint64_t>(number) & Bits::Mask(bits);
}

// Runs all operations; the replies go out in their order. Returns how many changed something:
// whatever is written counts where the string `grows`.
uint32_t RunAll(CommandContext& context, const std::vector<Operation>& operations, bool grows,
                Bits* bits) {
  uint32_t changes = 0;
  context.reply().Array(operations.size());
  for (const Operation& operation : operations) {
    const Field& field = operation.field;
    const uint64_t old_bits = bits->Get(field);
    const int64_t old = AsNumber(field, old_bits);
    if (operation.action == Action::kGet) {
      context.reply().Integer(old);
      continue;
    }
    const bool set = operation.action == Action::kSet;
    __int128 number = operation.operand;
    // A negative number for an unsigned field is a large one.
    if (set && !field.is_signed) number = static_cast<uint64_t>(operation.operand);
    if (!set) number += old;
    const std::optional<uint64_t> fitting = Fit(operation, number);
    if (!fitting.has_value()) {
      context.reply().Null();
      continue;
    }
    context.reply().Integer(set ? old : AsNumber(field, *fitting));
    if (!grows && *fitting == old_bits) continue;
    bits->Set(field, *fitting);
    ++changes;
  }
  return changes;
}

Outcome BitfieldRo(const ReadView& view, CommandContext& context) {
  std::vector<Operation> operations;
  if (!ReadOperations(context, true, &operations)) return Outcome::kDone;
  const std::optional<ValueView> value = context.Lookup(view, context.KeyAt(view, 1));
  if (IsWrongType(value)) return context.Fail(error::kWrongType);
  Bits bits(view.arena(), value);
  RunAll(context, operations, false, &bits);
  return Outcome::kDone;
}

Outcome Bitfield(WriteView& view, CommandContext& context) {
  std::vector<Operation> operations;
  if (!ReadOperations(context, false, &operations)) return Outcome::kDone;
  uint64_t end = 0;  // the string reaches so far afterwards, whether an operation fails or not
  for (const Operation& operation : operations) {
    if (operation.action != Action::kGet) end = std::max(end, operation.field.last_byte() + 1);
  }
  const Key key = context.KeyAt(view, 1);
  const std::optional<ValueView> value = end == 0 ? view.Find(key) : view.FindForWrite(key);
  if (IsWrongType(value)) return context.Fail(error::kWrongType);
  const uint64_t length = value.has_value() ? storage::StringLength(view.arena(), *value) : 0;
  Bits bits(view.arena(), value);
  const uint32_t count = RunAll(context, operations, end > length, &bits);

  const auto changes = bits.Changes();
  std::vector<WriteView::Patch> patches;
  if (end > length) patches.push_back({end - 1, ByteView("\0", 1)});
  for (const auto& [at, bytes] : changes) patches.push_back({at, bytes});
  if (!patches.empty()) {
    view.SetRanges(key, patches, {kSetBitEvent.name, '$', std::max(count, uint32_t{1})});
  }
  return Outcome::kDone;
}

size_t BitfieldReserve(const ReadView&, const CommandContext& context) {
  // Each operation writes at most 9 bytes, of at most two chunks, of a string as long as may be; a
  // rope may have to be made of a run.
  const size_t operations = context.size() / 4 + 1;
  return 4 * storage::kRunBytesMax +
         operations * storage::RopeEstimate(storage::kStringBytesMax - 16, 9);
}

constexpr ArgSpec kGetBlock[] = {{.name = "encoding"},
                                 {.name = "offset", .type = ArgType::kInteger}};
constexpr ArgSpec kOverflowKinds[] = {
    {.name = "wrap", .type = ArgType::kPureToken, .token = "WRAP"},
    {.name = "sat", .type = ArgType::kPureToken, .token = "SAT"},
    {.name = "fail", .type = ArgType::kPureToken, .token = "FAIL"},
};
constexpr ArgSpec kSetBlock[] = {{.name = "encoding"},
                                 {.name = "offset", .type = ArgType::kInteger},
                                 {.name = "value", .type = ArgType::kInteger}};
constexpr ArgSpec kIncrbyBlock[] = {{.name = "encoding"},
                                    {.name = "offset", .type = ArgType::kInteger},
                                    {.name = "increment", .type = ArgType::kInteger}};
constexpr ArgSpec kWriteKinds[] = {
    {.name = "set-block", .type = ArgType::kBlock, .token = "SET", .args = kSetBlock},
    {.name = "incrby-block", .type = ArgType::kBlock, .token = "INCRBY", .args = kIncrbyBlock},
};
constexpr ArgSpec kWriteBlock[] = {
    {.name = "overflow-block",
     .type = ArgType::kOneOf,
     .token = "OVERFLOW",
     .flags = kOptional,
     .args = kOverflowKinds},
    {.name = "write-operation", .type = ArgType::kOneOf, .args = kWriteKinds},
};
constexpr ArgSpec kOperationKinds[] = {
    {.name = "get-block", .type = ArgType::kBlock, .token = "GET", .args = kGetBlock},
    {.name = "write", .type = ArgType::kBlock, .args = kWriteBlock},
};
constexpr ArgSpec kBitfieldArgs[] = {
    {.name = "key", .type = ArgType::kKey},
    {.name = "operation",
     .type = ArgType::kOneOf,
     .flags = kOptional | kMultiple,
     .args = kOperationKinds},
};
constexpr ArgSpec kBitfieldRoArgs[] = {
    {.name = "key", .type = ArgType::kKey},
    {.name = "get-block",
     .type = ArgType::kBlock,
     .token = "GET",
     .flags = kOptional | kMultiple | kMultipleToken,
     .args = kGetBlock},
};

constexpr CommandSpec kRows[] = {
    {.name = "bitfield",
     .arity = -2,
     .flags = kWrite | kDenyOom,
     .group = Group::kBitmap,
     .keys = {Keys::At(1).Access(kKeyRw | kKeyUpdate | kKeyAccess | kKeyVariable)},
     .args = kBitfieldArgs,
     .since = "0.1.0",
     .complexity = "O(1) per operation, however long the string is or becomes",
     .summary = "Reads and changes integers of any width inside the string that a key holds.",
     .run = &Bitfield,
     .reserve = &BitfieldReserve},
    {.name = "bitfield_ro",
     .arity = -2,
     .flags = kReadonly | kFast,
     .group = Group::kBitmap,
     .keys = {Keys::At(1).Access(kKeyRo | kKeyAccess)},
     .args = kBitfieldRoArgs,
     .since = "0.1.0",
     .complexity = "O(1) per operation",
     .summary = "Reads integers of any width inside the string that a key holds.",
     .run = &BitfieldRo},
};
static_assert(CommandRowsProblem(kRows) == nullptr);

}  // namespace

const CommandFamily kBitfieldCommands = kRows;

}  // namespace verso::server
