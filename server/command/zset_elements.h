// What the sorted set commands share: bounds of ranges, replying members whatever their number,
// taking the lowest or highest ones.
#pragma once

#include <optional>

#include "server/command/arg_reader.h"
#include "server/command/command_context.h"
#include "server/command/multi_pop.h"
#include "storage/types/zset.h"

namespace verso::server {

// Members with their scores: flat in RESP2, in pairs in RESP3. What to tell ReplyWriter::Array for
// so many members.
size_t ZsetArrayLength(const ReplyWriter& reply, size_t members, bool with_scores);
void ReplyMember(ReplyWriter& reply, const storage::PageArena& arena,
                 const storage::ItemView& member, std::optional<double> score);

// Replies a range from its low end up, or from its high end down: at once, or as a continuation if
// it is long. Requires: it is there.
Outcome ReplyZsetRange(const storage::ReadView& view, CommandContext& context,
                       const storage::Key& key, const storage::ValueView& zset,
                       const storage::ZsetRange& range, bool down, bool with_scores);

// How a range of members is named.
enum class RangeBy : uint8_t { kRank, kScore, kLex };

struct RangeBounds {
  RangeBy by = RangeBy::kRank;
  int64_t start = 0;  // by rank; negative: from the end
  int64_t stop = 0;
  storage::ScoreRange scores;
  storage::LexRange members;  // views of the arguments
};
// From the arguments with the lower and the upper bound. Empty: good, else the error.
std::string_view ReadBounds(RangeBy by, ByteView min, ByteView max, RangeBounds* bounds);
// `down`: ranks count from the high end.
storage::ZsetRange RangeOf(const storage::PageArena& arena, const storage::ValueView& zset,
                           const RangeBounds& bounds, bool down);

enum class ZsetEnd : uint8_t { kMin, kMax };

enum class ZsetPopReply : uint8_t {
  kFlat,   // member, score, member, score
  kPairs,  // [member, score] each
  kKeyed,  // key, member, score
};
// Takes up to `count` members from that end, the outermost first, and replies them. Requires:
// `zset` is what FindForWrite answered for the key, a sorted set; count > 0.
void PopMembers(storage::WriteView& view, CommandContext& context, const storage::Key& key,
                const storage::ValueView& zset, ZsetEnd end, uint64_t count, ZsetPopReply shape);

// MIN or MAX, in any case. Else a syntax error in the reader.
ZsetEnd ReadZsetEnd(ArgReader& args);
// ZMPOP's work, done for BZMPOP as well: see multi_pop.h.
using ZsetMultiPop = MultiPop<ZsetEnd>;
std::optional<Popped> PopFirst(storage::WriteView& view, CommandContext& context,
                               const ZsetMultiPop& pop);

// The estimator for so many members taken from the sorted set at a key.
size_t ZsetTakeReserve(const storage::ReadView& view, const storage::Key& key, uint64_t members);

inline storage::KeyEvent ZsetEvent(const char* name, uint64_t changes) {
  return {name, 'z', changes};
}

}  // namespace verso::server
