// What the hash and set commands share: replying elements whatever their number, scanning, picking
// by chance.
//
// An element is a field with its value, or a member. A walk of more than kElementsAtOnce, or a
// reply above kReplyBytesAtOnce, goes on as a continuation.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "server/command/arg_reader.h"
#include "server/command/command_context.h"
#include "storage/keyspace/keyspace.h"
#include "storage/types/value.h"

namespace verso::server {

inline constexpr uint64_t kElementsAtOnce = 1000;

// What is replied of an element.
enum class ElementPart : uint8_t { kField, kValue, kBoth };

// How the reply announces them: an array, or RESP3's map or set.
enum class ElementHeader : uint8_t { kArray, kMap, kSet };

// All elements of a hash or set.
Outcome ReplyAllElements(const storage::ReadView& view, CommandContext& context,
                         const storage::Key& key, const storage::ValueView& value, ElementPart part,
                         ElementHeader header);

// One element by chance: its field or member. Null if there is none (damage).
Outcome ReplyRandomElement(const storage::ReadView& view, CommandContext& context,
                           const storage::ValueView& value);
// `count` elements by chance, as HRANDFIELD and SRANDMEMBER have it: negative means that many with
// repetitions. RESP3 has fields with values in pairs. Requires: part is not kValue.
Outcome ReplyRandomElements(const storage::ReadView& view, CommandContext& context,
                            const storage::Key& key, const storage::ValueView& value, int64_t count,
                            ElementPart part);

// Entries one scan looks at, whatever COUNT says: it is only a hint, and a scan must not hold the
// loop.
inline constexpr uint64_t kScanEntriesMax = 4000;

// What HSCAN and SSCAN are told.
struct ScanArgs {
  uint64_t cursor = 0;
  uint64_t count = 10;
  std::optional<ByteView> pattern;  // none: everything
};
// False: the error is replied. Redis takes leading zeros in a cursor, though nowhere else.
bool ReadScanCursor(CommandContext& context, ByteView text, uint64_t* cursor);
// MATCH and COUNT from argument `first` on. False: the error is replied.
bool ReadScanArgs(CommandContext& context, size_t first, ScanArgs* args);
// The reply of a scan of a hash (kBoth) or set (kField); null: there is none.
void ReplyScan(const storage::ReadView& view, CommandContext& context,
               const storage::ValueView* value, const ScanArgs& args, ElementPart part);

// A continuation run to its end at once, for what is known to be short.
Outcome RunAtOnce(const storage::ReadView& view, CommandContext& context, Continuation& work);

// The estimator of commands that put or take the arguments from `first` on in one hash or set.
size_t ElementsReserve(const storage::ReadView& view, const CommandContext& context, size_t first);

}  // namespace verso::server
