#include "server/command/stream_args.h"

#include <algorithm>
#include <charconv>
#include <limits>

namespace verso::server {

using storage::StreamId;
using storage::StreamView;

namespace {

constexpr uint64_t kMax = ~uint64_t{0};

// Leading zeros are Redis' to take.
bool ParseDigits(ByteView text, uint64_t* number) {
  const auto [end, fault] = std::from_chars(text.data(), text.data() + text.size(), *number);
  return fault == std::errc() && end == text.data() + text.size();
}

// "-" and "+", too.
StreamId ParseIntervalId(ArgReader& args, ByteView text, uint64_t missing_seq) {
  if (text == "-") return {};
  if (text == "+") return storage::kStreamIdMax;
  StreamId id;
  if (!ParseStreamId(text, missing_seq, &id)) args.SetError(kInvalidStreamId);
  return id;
}

bool IsExclusive(ByteView text) { return text.size() > 1 && text[0] == '('; }

}  // namespace

StreamIdText::StreamIdText(StreamId id) {
  char* end = std::to_chars(text_, text_ + 20, id.ms).ptr;
  *end++ = '-';
  end = std::to_chars(end, end + 20, id.seq).ptr;
  bytes_ = static_cast<size_t>(end - text_);
}

void ReplyStreamId(ReplyWriter& reply, StreamId id) { reply.Bulk(StreamIdText(id)); }

bool ParseStreamId(ByteView text, uint64_t missing_seq, StreamId* id) {
  const size_t dash = text.find('-');
  if (dash == ByteView::npos) {
    id->seq = missing_seq;
    return ParseDigits(text, &id->ms);
  }
  return ParseDigits(text.substr(0, dash), &id->ms) && ParseDigits(text.substr(dash + 1), &id->seq);
}

StreamId ParseStreamIdArgument(ArgReader& args, ByteView text) {
  StreamId id;
  if (!ParseStreamId(text, 0, &id)) args.SetError(kInvalidStreamId);
  return id;
}

StreamId ReadStreamId(ArgReader& args) { return ParseStreamIdArgument(args, args.Next()); }

std::optional<StreamId> IdAfter(StreamId id) {
  if (id == storage::kStreamIdMax) return std::nullopt;
  return id.seq == kMax ? StreamId{id.ms + 1, 0} : StreamId{id.ms, id.seq + 1};
}

std::optional<StreamId> IdBefore(StreamId id) {
  if (id.zero()) return std::nullopt;
  return id.seq == 0 ? StreamId{id.ms - 1, kMax} : StreamId{id.ms, id.seq - 1};
}

StreamId ParseIntervalStart(ArgReader& args, ByteView text) {
  if (!IsExclusive(text)) return ParseIntervalId(args, text, 0);
  const std::optional<StreamId> next = IdAfter(ParseStreamIdArgument(args, text.substr(1)));
  if (!next) args.SetError("ERR invalid start ID for the interval");
  return next.value_or(StreamId{});
}

StreamId ParseIntervalEnd(ArgReader& args, ByteView text) {
  if (!IsExclusive(text)) return ParseIntervalId(args, text, kMax);
  StreamId id;
  if (!ParseStreamId(text.substr(1), kMax, &id)) args.SetError(kInvalidStreamId);
  const std::optional<StreamId> before = IdBefore(id);
  if (!before) args.SetError("ERR invalid end ID for the interval");
  return before.value_or(StreamId{});
}

// ---- trimming

bool TakeTrimOption(ArgReader& args, TrimArgs* trim) {
  if (args.remaining() < 2) return false;
  if (args.Take("limit")) {
    const int64_t limit = args.Integer();
    if (limit < 0) args.SetError("ERR The LIMIT argument must be >= 0.");
    trim->limit = static_cast<uint64_t>(limit);
    trim->limited = true;
    return true;
  }
  const bool by_length = args.Take("maxlen");
  if (!by_length && !args.Take("minid")) return false;
  if (trim->by != TrimBy::kNothing) {
    args.SetError("ERR syntax error, MAXLEN and MINID options at the same time are not compatible");
    return true;
  }
  trim->by = by_length ? TrimBy::kLength : TrimBy::kId;
  if (args.remaining() > 1) {
    trim->approximate = args.Take("~");
    if (!trim->approximate) args.Take("=");
  }
  if (by_length) {
    const int64_t length = args.Integer();
    if (length < 0) args.SetError("ERR The MAXLEN argument must be >= 0.");
    trim->length = static_cast<uint64_t>(length);
  } else {
    trim->id = ReadStreamId(args);
  }
  return true;
}

void CheckTrim(ArgReader& args, const TrimArgs& trim) {
  if (trim.limited && trim.limit != 0 && trim.by == TrimBy::kNothing) {
    args.SetError("ERR syntax error, LIMIT cannot be used without specifying a trimming strategy");
  } else if (trim.limited && !trim.approximate) {
    args.SetError("ERR syntax error, LIMIT cannot be used without the special ~ option");
  }
}

StreamNodes StreamNodesOf(const StreamView& stream, const storage::CollectionLimits& limits) {
  // No limit by entries in Redis: nodes are limited by their bytes, to an unknown number here.
  constexpr uint64_t kUnlimited = 100;
  StreamNodes nodes;
  nodes.entries = limits.stream_node_entries > 0 ? static_cast<uint64_t>(limits.stream_node_entries)
                                                 : kUnlimited;
  const uint64_t count = stream.count();
  const uint64_t added = stream.entries_added_since_empty();
  const uint64_t oldest = added - std::min(count, added);
  nodes.first = std::min(count, nodes.entries - oldest % nodes.entries);
  nodes.count = count == 0 ? 0 : 1 + (count - nodes.first + nodes.entries - 1) / nodes.entries;
  return nodes;
}

uint64_t EntriesToTrim(const StreamView& stream, const TrimArgs& trim,
                       const storage::CollectionLimits& limits) {
  const uint64_t count = stream.count();
  uint64_t most = 0;
  if (trim.by == TrimBy::kLength) {
    most = count - std::min(count, trim.length);
  } else if (trim.by == TrimBy::kId) {
    most = storage::ItemsRank(stream.arena(), stream.entries(), storage::StreamFrom(trim.id));
  }
  if (!trim.approximate) return most;
  const StreamNodes nodes = StreamNodesOf(stream, limits);
  if (!trim.limited) {
    constexpr uint64_t kLimitMax = 1'000'000;
    most = std::min(most, std::min(kLimitMax, 100 * nodes.entries));
  } else if (trim.limit != 0) {
    most = std::min(most, trim.limit);
  }
  if (most == count) return count;
  return most < nodes.first ? 0
                            : nodes.first + (most - nodes.first) / nodes.entries * nodes.entries;
}

// ---- XREAD and XREADGROUP

std::string ParseStreamRead(const CommandContext& context, bool by_group, StreamReadArgs* read) {
  ArgReader args(context, 1);
  while (args.ok() && !args.AtEnd() && read->first_key == 0) {
    if (args.remaining() > 1 && args.Take("block")) {
      read->block = args.position();
      args.Next();
    } else if (args.remaining() > 1 && args.Take("count")) {
      read->count = static_cast<uint64_t>(std::max<int64_t>(args.Integer(), 0));
    } else if (args.remaining() > 1 && args.Take("streams")) {
      read->first_key = args.position();
      read->count_of_keys = args.remaining() / 2;
      if (args.remaining() % 2 != 0) {
        return "ERR Unbalanced '" + std::string(context.spec().name) +
               "' list of streams: for each stream key an ID or '" + (by_group ? ">" : "$") +
               "' must be specified.";
      }
    } else if (args.remaining() > 2 && args.Take("group")) {
      if (!by_group) {
        args.SetError(
            "ERR The GROUP option is only supported by XREADGROUP. You called XREAD instead.");
      }
      read->grouped = true;
      read->group = args.Next();
      read->consumer = args.Next();
    } else if (args.Take("noack")) {
      if (!by_group) {
        args.SetError(
            "ERR The NOACK option is only supported by XREADGROUP. You called XREAD instead.");
      }
      read->no_ack = true;
    } else {
      args.SetError(error::kSyntax);
    }
  }
  if (args.ok() && read->first_key == 0) args.SetError(error::kSyntax);
  if (args.ok() && by_group && !read->grouped) {
    args.SetError("ERR Missing GROUP option for XREADGROUP");
  }
  return std::string(args.error());
}

Outcome ParkForStreams(CommandContext& context, const StreamReadArgs& read, Parking parking) {
  if (read.block == 0) {
    context.reply().NullArray();
    return Outcome::kDone;
  }
  parking.first_key = read.first_key;
  parking.key_count = read.count_of_keys;
  parking.type = storage::ValueType::kStream;
  return context.Park(std::move(parking));
}

// ---- what all of them say and need

storage::KeyEvent StreamEvent(const char* name, uint64_t changes) { return {name, 't', changes}; }

size_t ReserveStreamArguments(const storage::ReadView& view, const CommandContext& context) {
  size_t bytes = 0;
  for (const ByteView argument : context.arguments()) bytes += argument.size();
  return storage::StreamEstimate(view.arena(), context.size(), bytes);
}

// ---- errors about groups

std::string NoGroupOfKey(ByteView group, ByteView key) {
  return "NOGROUP No such consumer group '" + std::string(group) + "' for key name '" +
         std::string(key) + "'";
}

std::string NoKeyOrGroup(ByteView key, ByteView group) {
  return "NOGROUP No such key '" + std::string(key) + "' or consumer group '" + std::string(group) +
         "'";
}

std::string UnknownSubcommandUse(ByteView subcommand, std::string_view container) {
  return "ERR unknown subcommand or wrong number of arguments for '" +
         std::string(subcommand.substr(0, 128)) + "'. Try " + std::string(container) + " HELP.";
}

}  // namespace verso::server
