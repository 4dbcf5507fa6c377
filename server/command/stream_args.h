// What the stream commands share: ids and intervals as arguments and as text, trimming options, the
// arguments of XREAD and XREADGROUP, errors.
#pragma once

#include <algorithm>
#include <optional>
#include <string>

#include "server/command/arg_reader.h"
#include "server/command/command_context.h"
#include "storage/types/collection_limits.h"
#include "storage/types/stream_value.h"

namespace verso::server {

// "ms-seq", on the stack.
class StreamIdText {
 public:
  explicit StreamIdText(storage::StreamId id);
  // The bound is for g++, which cannot see it (-Warray-bounds).
  operator ByteView() const { return {text_, std::min(bytes_, sizeof(text_))}; }  // NOLINT

 private:
  char text_[41];
  size_t bytes_;
};
void ReplyStreamId(ReplyWriter& reply, storage::StreamId id);

inline constexpr std::string_view kInvalidStreamId =
    "ERR Invalid stream ID specified as stream command argument";

// ms-seq, or ms alone: then seq is `missing_seq`. False: neither.
bool ParseStreamId(ByteView text, uint64_t missing_seq, storage::StreamId* id);
// The same as an argument; the error sticks to the reader.
storage::StreamId ReadStreamId(ArgReader& args);
storage::StreamId ParseStreamIdArgument(ArgReader& args, ByteView text);

// The next and the one before, if there are such.
std::optional<storage::StreamId> IdAfter(storage::StreamId id);
std::optional<storage::StreamId> IdBefore(storage::StreamId id);

// Ends of an interval: "-", "+", an id, or "(" and an id that does not belong to it.
storage::StreamId ParseIntervalStart(ArgReader& args, ByteView text);
storage::StreamId ParseIntervalEnd(ArgReader& args, ByteView text);

// ---- trimming: MAXLEN|MINID [=|~] threshold [LIMIT count]

enum class TrimBy : uint8_t { kNothing, kLength, kId };

struct TrimArgs {
  TrimBy by = TrimBy::kNothing;
  bool approximate = false;
  bool limited = false;
  uint64_t limit = 0;
  uint64_t length = 0;
  storage::StreamId id;
};
// Takes one option if the next argument is one. True: taken, or faulty (the reader says so).
bool TakeTrimOption(ArgReader& args, TrimArgs* trim);
// Do the options go together? The error sticks to the reader.
void CheckTrim(ArgReader& args, const TrimArgs& trim);

// Redis keeps entries in nodes of so many, and trims approximately by whole nodes. There are none
// here: they are counted as they would lie if no node had become empty by deletions by name.
struct StreamNodes {
  uint64_t entries;  // of a full node
  uint64_t first;    // entries in the oldest one
  uint64_t count;    // of nodes
};
StreamNodes StreamNodesOf(const storage::StreamView& stream,
                          const storage::CollectionLimits& limits);
// How many of the oldest entries go.
uint64_t EntriesToTrim(const storage::StreamView& stream, const TrimArgs& trim,
                       const storage::CollectionLimits& limits);

// ---- XREAD and XREADGROUP

struct StreamReadArgs {
  size_t first_key = 0;
  size_t count_of_keys = 0;
  uint64_t count = 0;  // 0: all
  size_t block = 0;    // index of BLOCK's argument; 0: does not wait
  bool grouped = false;
  ByteView group;
  ByteView consumer;
  bool no_ack = false;

  ByteView IdText(const CommandContext& context, size_t index) const {
    return context[first_key + count_of_keys + index];
  }
};
// Empty, or the error. The ids are for the caller to parse.
std::string ParseStreamRead(const CommandContext& context, bool by_group, StreamReadArgs* read);
// There is nothing to read: waits for it if BLOCK was given, else says so. Completes `parking`.
Outcome ParkForStreams(CommandContext& context, const StreamReadArgs& read, Parking parking);

// ---- what all of them say and need

storage::KeyEvent StreamEvent(const char* name, uint64_t changes = 1);
// The estimator of commands that add, take or touch no more entries than they have arguments.
size_t ReserveStreamArguments(const storage::ReadView& view, const CommandContext& context);

// ---- errors about groups

// -NOGROUP, by the commands of XGROUP and XINFO, and by all others.
std::string NoGroupOfKey(ByteView group, ByteView key);
std::string NoKeyOrGroup(ByteView key, ByteView group);
// The one for options that a subcommand does not know.
std::string UnknownSubcommandUse(ByteView subcommand, std::string_view container);

}  // namespace verso::server
