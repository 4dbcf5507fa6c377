// What the sorted set commands share: bounds of ranges, replying members whatever their number,
// taking the lowest or highest ones.
#pragma once

#include <optional>

#include "server/command/arg_reader.h"
#include "server/command/command_context.h"
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

// numkeys key [key ...] MIN|MAX [COUNT count], as ZMPOP and BZMPOP have it.
struct ZsetMultiPop {
  size_t first_key = 0;  // index of the first key among the arguments
  size_t key_count = 0;
  ZsetEnd end = ZsetEnd::kMin;
  uint64_t count = 1;
};
// `first`: the argument numkeys. False: the error has been written.
bool ReadZsetMultiPop(CommandContext& context, size_t first, ZsetMultiPop* pop);
// From the first key that holds something: replies its name and the members, or WRONGTYPE; says
// from which. nullopt, with nothing replied: none of them is there.
struct ZsetPopped {
  size_t key = 0;      // index of its argument
  uint64_t count = 0;  // 0: WRONGTYPE
};
std::optional<ZsetPopped> PopFirstOf(storage::WriteView& view, CommandContext& context,
                                     const ZsetMultiPop& pop);

// The estimator for so many members taken from the sorted set at a key.
size_t ZsetTakeReserve(const storage::ReadView& view, const storage::Key& key, uint64_t members);

inline bool IsNoZset(const std::optional<storage::ValueView>& value) {
  return value.has_value() && value->type != storage::ValueType::kZset;
}

// What rdb_changes_since_last_save counts.
storage::KeyEvent ZsetEvent(const char* name, uint64_t changes);

}  // namespace verso::server
