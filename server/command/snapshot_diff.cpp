#include "server/command/snapshot_diff.h"

#include <charconv>
#include <deque>
#include <string>

#include "server/command/arg_reader.h"
#include "server/command/dispatcher.h"
#include "server/command/glob.h"
#include "server/command/sliced_dump.h"
#include "server/command/version_ref.h"
#include "storage/keyspace/diff.h"

namespace verso::server {
namespace {

using storage::DiffPosition;
using storage::Key;
using storage::KeyspaceDiff;
using storage::PinHandle;
using storage::ReadView;
using storage::Store;
using storage::ValueView;

struct DiffOptions {
  DiffPosition from;
  uint64_t count = 10;
  std::optional<std::string> pattern;
  std::optional<std::string> type;
  bool values = false;
};

// ---- the cursor: the later moment and where to go on, in either part of the walk

std::string CursorText(const DiffPosition& at) {
  std::string text = (at.by_deadline ? "d" : "h") + std::to_string(at.until_ms) + "-";
  if (at.by_deadline) text += std::to_string(at.deadline_ms) + "-";
  return text + std::to_string(at.hash);
}

bool ReadCursor(ByteView text, DiffPosition* at) {
  if (text == "0") return true;
  if (text.empty() || (text[0] != 'h' && text[0] != 'd')) return false;
  at->begun = true;
  at->by_deadline = text[0] == 'd';
  text.remove_prefix(1);
  const auto number = [&text](uint64_t* value, bool last) {
    const char* const end = text.data() + text.size();
    const auto parsed = std::from_chars(text.data(), end, *value);
    if (parsed.ec != std::errc()) return false;
    text.remove_prefix(static_cast<size_t>(parsed.ptr - text.data()));
    if (last) return text.empty();
    if (!text.starts_with('-')) return false;
    text.remove_prefix(1);
    return true;
  };
  return number(&at->until_ms, false) && (!at->by_deadline || number(&at->deadline_ms, false)) &&
         number(&at->hash, true);
}

// ---- the walk: once to count what will be replied, since its number comes first, and once more
// for the reply. Both see the same versions.

class DiffReply final : public Continuation {
 public:
  DiffReply(const Store& store, PinHandle a, PinHandle b, int db, DiffOptions options)
      : a_(std::move(a)),
        b_(std::move(b)),
        diff_(store, {a_.root(), a_.moment_ms()}, {b_.root(), b_.moment_ms()}, db),
        options_(std::move(options)),
        at_(options_.from) {}

  bool Run(const ReadView&, Slice& slice) override {
    while (counting_) {
      if (slice.SpentNow()) return false;
      Count(slice.reply());
    }
    while (replied_ < rows_) {
      if (waiting_.empty()) {
        if (slice.SpentNow()) return false;
        Walk([this](const Key& key, const Row& row) {
          waiting_.push_back(row);
          waiting_.back().key = key.bytes;
        });
      } else {
        if (!ReplyRow(waiting_.front(), slice)) return false;
        waiting_.pop_front();
        ++replied_;
      }
    }
    return true;
  }

 private:
  struct Row {
    std::string key;
    std::optional<ValueView> old_value;
    std::optional<ValueView> new_value;
    int written = 0;  // parts of it that have been replied
  };

  // One step of the walk: what it finds and the options let through goes to use(key, row). False:
  // that was all.
  template <typename Use>
  bool Walk(Use&& use) {
    return diff_.Step(&at_, [&](const Key& key, const auto& old_value, const auto& new_value) {
      ++looked_at_;
      const ValueView& shown = new_value ? *new_value : *old_value;
      if (options_.type && !EqualsIgnoreCase(*options_.type, storage::TypeName(shown.type))) return;
      if (options_.pattern && !GlobMatch(*options_.pattern, key.bytes)) return;
      use(key, Row{{}, old_value, new_value});
    });
  }

  void Count(ReplyWriter& reply) {
    const bool more = Walk([this](const Key&, const Row&) { ++rows_; });
    if (more && looked_at_ < options_.count) return;
    counting_ = false;
    reply.Array(2);
    reply.Bulk(more ? CursorText(at_) : "0");
    reply.Array(rows_);
    at_ = options_.from;
  }

  bool ReplyRow(Row& row, Slice& slice) {
    ReplyWriter& reply = slice.reply();
    if (row.written == 0) {
      if (slice.Spent()) return false;
      reply.Array(options_.values ? 5 : 3);
      reply.Bulk(!row.old_value ? "add" : !row.new_value ? "del" : "mod");
      reply.Bulk(row.key);
      reply.Bulk(storage::TypeName((row.new_value ? row.new_value : row.old_value)->type));
      row.written = 1;
    }
    if (!options_.values) return true;
    if (row.written == 1 && !ReplyValue(diff_.a(), row.old_value, slice)) return false;
    row.written = 2;
    return ReplyValue(diff_.b(), row.new_value, slice);
  }

  // Null: it is not there, or a damaged store has something that no payload can hold.
  bool ReplyValue(const ReadView& view, const std::optional<ValueView>& value, Slice& slice) {
    if (value) {
      if (!dump_) dump_.emplace(view, *value);
      if (!dump_->Run(slice)) return false;
    }
    if (!value || dump_->failed()) slice.reply().Null();
    dump_.reset();
    return true;
  }

  const PinHandle a_;
  const PinHandle b_;
  KeyspaceDiff diff_;
  const DiffOptions options_;
  DiffPosition at_;
  bool counting_ = true;
  uint64_t looked_at_ = 0;
  size_t rows_ = 0;
  size_t replied_ = 0;
  std::deque<Row> waiting_;  // of one step
  std::optional<SlicedDump> dump_;
};

// False: the error is replied.
bool ReadDiffOptions(CommandContext& context, DiffOptions* options) {
  ArgReader args(context, 4);
  while (args.ok() && !args.AtEnd()) {
    const bool another = args.remaining() >= 2;
    if (another && args.Take("cursor")) {
      options->from = DiffPosition();
      if (!ReadCursor(args.Next(), &options->from)) args.SetError(error::kInvalidCursor);
    } else if (another && args.Take("count")) {
      const int64_t count = args.Integer();
      if (args.ok() && count < 1) args.SetError(error::kSyntax);
      options->count = static_cast<uint64_t>(count);
    } else if (another && args.Take("match")) {
      options->pattern = args.Next();
    } else if (another && args.Take("type")) {
      options->type = args.Next();
    } else if (args.Take("values")) {
      options->values = true;
    } else {
      args.SetError(error::kSyntax);
    }
  }
  if (!args.ok()) context.reply().Error(args.error());
  return args.ok();
}

}  // namespace

Outcome SnapshotDiff(Dispatcher& dispatcher, CommandContext& context) {
  const ServerState& state = dispatcher.state();
  Store& store = *state.store;
  VersionRef a;
  VersionRef b;
  DiffOptions options;
  if (!ReadRef(store, context, context[2], &a) || !ReadRef(store, context, context[3], &b) ||
      !ReadDiffOptions(context, &options)) {
    return Outcome::kDone;
  }
  storage::Line* line = nullptr;
  PinHandle first = HoldRef(store, a, state.now_ms, &line);
  PinHandle second = HoldRef(store, b, state.now_ms, &line);
  auto reply = std::make_unique<DiffReply>(store, std::move(first), std::move(second),
                                           context.session().db, std::move(options));
  // Most are short: no version has to be pinned for the rest of those.
  return context.RunOrYield(state.HeadOf(context.session()), std::move(reply));
}

}  // namespace verso::server
