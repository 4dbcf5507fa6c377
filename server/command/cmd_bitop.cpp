// BITOP: whole strings combined bit by bit, chunk by chunk from the sources' pages into pages of
// the result: no copy of a string stands anywhere else. Long ones are combined aside (aside.h).
#include <algorithm>
#include <cstring>
#include <string>
#include <vector>

#include "server/command/arg_reader.h"
#include "server/command/command_families.h"
#include "server/command/string_reply.h"
#include "storage/index/rope.h"
#include "storage/memory/store.h"

namespace verso::server {
namespace {

using storage::Key;
using storage::KeyEvent;
using storage::ReadView;
using storage::Ref;
using storage::ValueView;
using storage::WriteView;

constexpr KeyEvent kSetEvent{"set", '$'};
constexpr KeyEvent kDelEvent{"del", 'g'};

enum class Operation : uint8_t { kAnd, kOr, kXor, kNot };

template <typename Combine>
void CombineBytes(char* to, ByteView from, Combine&& combine) {
  size_t at = 0;
  for (; at + sizeof(uint64_t) <= from.size(); at += sizeof(uint64_t)) {
    StoreLe<uint64_t>(to + at,
                      combine(LoadLe<uint64_t>(to + at), LoadLe<uint64_t>(from.data() + at)));
  }
  for (; at < from.size(); ++at) {
    to[at] = static_cast<char>(
        combine(static_cast<unsigned char>(to[at]), static_cast<unsigned char>(from[at])));
  }
}

// One chunk of the result at `offset`; a source that has ended reads as zeros.
void Compute(Operation operation, const storage::PageArena& arena,
             const std::vector<std::optional<ValueView>>& sources, size_t offset, char* to,
             size_t bytes) {
  std::memset(to, 0, bytes);
  bool first = true;
  for (const std::optional<ValueView>& source : sources) {
    size_t done = 0;
    auto combine = [&](ByteView piece) {
      char* at = to + done;
      if (first) {
        std::memcpy(at, piece.data(), piece.size());
      } else if (operation == Operation::kAnd) {
        CombineBytes(at, piece, [](uint64_t a, uint64_t b) { return a & b; });
      } else if (operation == Operation::kOr) {
        CombineBytes(at, piece, [](uint64_t a, uint64_t b) { return a | b; });
      } else {
        CombineBytes(at, piece, [](uint64_t a, uint64_t b) { return a ^ b; });
      }
      done += piece.size();
    };
    if (source.has_value()) storage::StringForEachPiece(arena, *source, offset, bytes, combine);
    if (!first && operation == Operation::kAnd) std::memset(to + done, 0, bytes - done);
    first = false;
  }
  if (operation == Operation::kNot) {
    for (size_t i = 0; i < bytes; ++i) to[i] = static_cast<char>(~to[i]);
  }
}

using Sources = std::vector<std::optional<ValueView>>;

size_t LengthOf(const ReadView& view, const Sources& sources) {
  size_t length = 0;
  for (const std::optional<ValueView>& source : sources) {
    if (!source || IsWrongType(source)) continue;
    length = std::max(length, storage::StringLength(view.arena(), *source));
  }
  return length;
}

// ---- aside

// Is it too much to be done at once?
bool IsLong(const CommandContext& context, size_t length) {
  constexpr size_t kBytesAtOnce = 256 * 1024;
  return length > kBytesAtOnce && !context.in_unit();
}

class OperationBuild final : public AsideBuild {
 public:
  OperationBuild(Operation operation, size_t length, const ReadView& view,
                 const CommandContext& context)
      : AsideBuild(context[2], view.db()), operation_(operation), length_(length) {
    for (size_t i = 3; i < context.size(); ++i) keys_.emplace_back(context[i]);
  }

  AsideStep Build(const ReadView& view, WriteView& aside, Slice& slice) override {
    Sources sources;
    for (const std::string& key : keys_) {
      sources.push_back(view.Find(view.MakeKey(key), storage::Access::kPeek));
    }
    const Key key = aside.MakeKey(target());
    char chunk[storage::kRopeChunkBytes];
    while (done_ < length_) {
      if (slice.SpentNow()) return AsideStep::kMore;
      const size_t bytes = std::min(length_ - done_, sizeof(chunk));
      const size_t needed = target().size() + storage::RopeEstimate(done_, bytes);
      if (!aside.store().ReserveForWrite(needed, 1)) return AsideStep::kNoRoom;
      Compute(operation_, view.arena(), sources, done_, chunk, bytes);
      if (done_ == 0) {
        ValueView result;
        result.external = true;
        result.ref = storage::RopeBuild(aside.line(), ByteView(chunk, bytes));
        result.hint = storage::kStringRaw;
        aside.SetValue(key, result);
      } else {
        storage::RopeWrite(aside.line(), aside.MutateValue(key)->ref, done_,
                           ByteView(chunk, bytes));
      }
      done_ += bytes;
    }
    return AsideStep::kDone;
  }

  void Commit(WriteView& view, CommandContext& context, AsideResult built) override {
    view.PublishFrom(built.aside, view.MakeKey(target()), storage::kNoDeadline, kSetEvent,
                     built.born_after);
    context.reply().Integer(static_cast<int64_t>(length_));
  }

 private:
  Operation operation_;
  size_t length_;
  std::vector<std::string> keys_;
  size_t done_ = 0;
};

// ---- the command

Outcome Bitop(WriteView& view, CommandContext& context) {
  Operation operation;
  if (EqualsIgnoreCase(context[1], "and")) {
    operation = Operation::kAnd;
  } else if (EqualsIgnoreCase(context[1], "or")) {
    operation = Operation::kOr;
  } else if (EqualsIgnoreCase(context[1], "xor")) {
    operation = Operation::kXor;
  } else if (EqualsIgnoreCase(context[1], "not")) {
    operation = Operation::kNot;
    if (context.size() != 4) {
      return context.Fail("ERR BITOP NOT must be called with a single source key.");
    }
  } else {
    return context.Fail(error::kSyntax);
  }

  Sources sources;
  for (size_t i = 3; i < context.size(); ++i) {
    sources.push_back(view.Find(context.KeyAt(view, i)));
    if (IsWrongType(sources.back())) return context.Fail(error::kWrongType);
  }
  const size_t length = LengthOf(view, sources);
  if (IsLong(context, length)) {
    return context.BuildAside(std::make_unique<OperationBuild>(operation, length, view, context));
  }
  const Key target = context.KeyAt(view, 2);
  context.reply().Integer(static_cast<int64_t>(length));
  if (length == 0) {
    view.Erase(target, kDelEvent);
    return Outcome::kDone;
  }

  char chunk[storage::kRopeChunkBytes];
  const size_t first = std::min(length, sizeof(chunk));
  Compute(operation, view.arena(), sources, 0, chunk, first);
  ValueView result;
  if (length <= storage::kRunBytesMax) {
    result = view.BuildString(ByteView(chunk, first));
  } else {
    result.external = true;
    Ref rope = storage::RopeBuild(view.line(), ByteView(chunk, first));
    for (size_t at = first; at < length; at += sizeof(chunk)) {
      const size_t bytes = std::min(length - at, sizeof(chunk));
      Compute(operation, view.arena(), sources, at, chunk, bytes);
      storage::RopeWrite(view.line(), &rope, at, ByteView(chunk, bytes));
    }
    result.ref = rope;
  }
  result.hint = storage::kStringRaw;
  view.SetValue(target, result);
  view.NotifyChanged(target, kSetEvent);
  return Outcome::kDone;
}

size_t BitopReserve(const ReadView& view, const CommandContext& context) {
  Sources sources;
  for (size_t i = 3; i < context.size(); ++i) {
    sources.push_back(view.Find(context.KeyAt(view, i), storage::Access::kPeek));
  }
  const size_t length = LengthOf(view, sources);
  if (IsLong(context, length)) return 0;  // B4
  // Chunks that an estimate counts as copied are written once here, but a root may be made twice.
  return storage::kRunBytesMax + 2 * storage::RopeEstimate(0, std::max<size_t>(length, 1));
}

constexpr ArgSpec kOperations[] = {
    {.name = "and", .type = ArgType::kPureToken, .token = "AND"},
    {.name = "or", .type = ArgType::kPureToken, .token = "OR"},
    {.name = "xor", .type = ArgType::kPureToken, .token = "XOR"},
    {.name = "not", .type = ArgType::kPureToken, .token = "NOT"},
};
constexpr ArgSpec kBitopArgs[] = {
    {.name = "operation", .type = ArgType::kOneOf, .args = kOperations},
    {.name = "destkey", .type = ArgType::kKey},
    {.name = "key", .type = ArgType::kKey, .flags = kMultiple, .key_spec = 1},
};

constexpr CommandSpec kRows[] = {
    {.name = "bitop",
     .arity = -4,
     .flags = kWrite | kDenyOom,
     .group = Group::kBitmap,
     .keys = {Keys::At(2).Access(kKeyOw | kKeyUpdate),
              Keys::At(3).To(-1).Access(kKeyRo | kKeyAccess)},
     .args = kBitopArgs,
     .since = "0.1.0",
     .complexity = "O(N) with N bytes of all strings, in slices that stall nobody",
     .summary = "Stores the AND, OR, XOR or NOT of strings in a key; returns the result's length.",
     .run = &Bitop,
     .reserve = &BitopReserve},
};
static_assert(CommandRowsProblem(kRows) == nullptr);

}  // namespace

const CommandFamily kBitopCommands = kRows;

}  // namespace verso::server
