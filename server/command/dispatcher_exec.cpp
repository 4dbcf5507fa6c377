// The unit of an EXEC: reserved as a whole, run as a whole.
#include <algorithm>
#include <unordered_set>

#include "server/command/arg_reader.h"
#include "server/command/dispatcher.h"
#include "server/command/error_reply.h"
#include "server/session/transaction.h"

namespace verso::server {
namespace {

using storage::ReadView;

// What an EXEC of reads may contain besides them: nothing that another client could see.
bool TouchesOnlyOwnSession(const CommandEntry& entry) {
  const std::string_view name = entry.full_name;
  return name == "select" || name == "ping" || name == "echo";
}

// What a write leaves behind however short its arguments: an element of a collection; a chunk of a
// string and what leads to it.
size_t StaysAtLeast(const CommandSpec& row) {
  const bool of_string = row.group == Group::kString || row.group == Group::kBitmap ||
                         row.group == Group::kHyperLogLog;
  return of_string ? 8192 : 1024;
}

// The bytes that a value may take when a command gives it another form; nothing for a large one:
// its form stays.
size_t NewFormBytes(const std::optional<storage::ValueView>& value) {
  if (!value) return 0;
  if (!value->external) return 8 * value->bytes.size();
  return value->ref.kind() == storage::PageKind::kValue ? 8 * value->ref.size() : 0;
}

bool IsLarge(const std::optional<storage::ValueView>& value) {
  return value && value->external && value->ref.kind() != storage::PageKind::kValue;
}

// The rest of an EXEC of reads, from the long one that made it yield (D2).
class ExecRest final : public Continuation {
 public:
  ExecRest(Dispatcher* dispatcher, Session* session, decltype(Session::transaction) transaction,
           size_t next, std::unique_ptr<Continuation> current)
      : dispatcher_(dispatcher),
        session_(session),
        transaction_(std::move(transaction)),
        next_(next),
        current_(std::move(current)) {}

  bool Run(const ReadView& view, Slice& slice) override {
    const CommandQueue& queue = transaction_->queue;
    while (true) {
      if (current_ != nullptr) {
        if (!current_->Run(view.InDatabase(session_->db), slice)) return false;
        current_.reset();
      }
      if (next_ == queue.size()) return true;
      if (slice.Spent()) return false;
      dispatcher_->RunInUnit(queue[next_++], *session_, slice.reply(), &current_, &view);
    }
  }

 private:
  Dispatcher* dispatcher_;
  Session* session_;
  decltype(Session::transaction) transaction_;
  size_t next_;
  std::unique_ptr<Continuation> current_;
};

}  // namespace

void Dispatcher::Enqueue(const CommandEntry& entry, const Request& request,
                         Transaction* transaction) const {
  // It cannot succeed any more: no sense in keeping more of it.
  if (transaction->aborted || transaction->dirty()) return;
  Request resolved = request;
  resolved.entry = &entry;
  transaction->queue.Add(resolved);
  transaction->flags_of_any |= entry.row->flags;
  transaction->flags_of_all &= entry.row->flags;
  transaction->reads_only &=
      std::holds_alternative<ReadHandler>(entry.row->run) || TouchesOnlyOwnSession(entry);
}

Outcome Dispatcher::RunInUnit(const Request& request, Session& session, ReplyWriter& reply,
                              std::unique_ptr<Continuation>* rest, const ReadView* pinned) {
  return Invoke(*request.entry, request, session, reply, rest, pinned);
}

// An estimate is the worst case of one command by itself: a collection that becomes large, paths
// copied, leaves split on every level. Together the commands of an EXEC need much less than the sum
// (thousands of HSETs, some hundred KiB each by themselves), for what is copied or becomes large
// does so once. So the largest estimate counts once, and of each command what may stay behind it:
//   one key, grows by its arguments    these many times over, and of a small value its new form
//   one key, takes away                the estimate, once for each key
//   several keys                       the estimate, unless all their values are small
//   as for paths                       one in the key space and one in the value; Reserve() knows
//                                      that many share theirs
// Should that not suffice for one of them, it gets -OOM when its turn comes, as by itself.
bool Dispatcher::ReserveAll(std::span<const Request> queue, uint64_t flags, Session& session,
                            ReplyWriter& reply) {
  storage::Store& store = *state_->store;
  CommandEnvironment& environment = state_->environment;
  EffectUnit effects(nullptr);
  WriteNeed all;
  int db = session.db;
  size_t largest = 0;
  size_t brought = 0;      // by the commands so far, for others to copy
  size_t from_others = 0;  // what those that copy it may need
  std::unordered_set<uint64_t> written;
  std::unordered_set<uint64_t> taken_from;
  bool values_matter = false;
  for (const Request& request : queue) values_matter |= request.entry->row->reserve != nullptr;
  for (const Request& request : queue) {
    const CommandSpec& row = *request.entry->row;
    if (!row.Has(kWrite)) {
      int64_t number = 0;
      if (request.entry->full_name == "select" && ParseInteger(request.arguments[1], &number) &&
          number >= 0 && number < environment.databases) {
        db = static_cast<int>(number);
        all.payload += storage::Store::kBytesPerWrite;  // a root and its directory of its own
      }
      continue;
    }
    const ReadView view(store, state_->LineOf(session), db, state_->now_ms);
    CommandContext of_command(&row, request.arguments, &reply, &effects, &session, &environment);
    of_command.SetInUnit(true);
    const WriteNeed need = NeedOf(row, request, of_command, view);
    all.keys += need.keys;
    brought += request.bytes;
    if (!values_matter) {
      all.payload += need.payload;
      continue;
    }
    std::vector<KeyPosition> positions;
    FindKeys(row, request.arguments, &positions);
    bool depends = false;
    bool large = positions.empty();
    size_t stays = StaysAtLeast(row) + 16 * request.bytes;
    for (const KeyPosition& position : positions) {
      const storage::Key key = view.MakeKey(request.arguments[position.index]);
      const bool first = written.insert(key.hash).second;
      depends |= !first;
      if (row.reserve == nullptr) continue;
      const std::optional<storage::ValueView> value = view.Find(key, storage::Access::kPeek);
      large |= IsLarge(value);
      if (first) stays += NewFormBytes(value);
    }
    if (row.reserve == nullptr) {
      all.payload += need.payload;
      continue;
    }
    ++all.keys;
    largest = std::max(largest, need.payload);
    if (positions.size() == 1 && !row.Has(kDenyOom)) {
      const uint64_t hash = view.MakeKey(request.arguments[positions[0].index]).hash;
      if (taken_from.insert(hash).second) all.payload += need.payload;
      continue;
    }
    stays = positions.size() != 1 && large ? need.payload : std::min(stays, need.payload);
    all.payload += stays;
    if (positions.size() != 1) {
      if (depends) from_others += brought;
      brought += stays;
    }
  }
  // Chains of copies: beyond this each command must see for itself.
  all.payload += largest + std::min(from_others, 4 * brought);
  return Reserve(all, flags);
}

void Dispatcher::RunToEnd(const CommandQueue& queue, Session& session, ReplyWriter& reply) {
  const UnitScope unit(&state_->unit, state_->effect_consumer, state_->LineOf(session).id(),
                       session.db);
  in_unit_ = true;
  for (const Request& request : queue) {
    std::unique_ptr<Continuation> rest;
    if (RunInUnit(request, session, reply, &rest, nullptr) != Outcome::kYield) continue;
    const ReadView view = state_->HeadOf(session);
    for (bool finished = false; !finished;) {
      Slice slice(&reply, ~size_t{0});
      finished = rest->Run(view, slice);
    }
  }
  in_unit_ = false;
}

Status Dispatcher::Replay(std::span<Request> unit, Session& session, ReplyWriter& reply) {
  const auto failed = [](const Request& request, ByteView text) {
    constexpr size_t kShownMax = 64;  // of each of its first words
    std::string what;
    for (size_t i = 0; i < std::min<size_t>(request.arguments.size(), 3); ++i) {
      if (i > 0) what += ' ';
      what += request.arguments[i].substr(0, kShownMax);
    }
    return Error{ErrorCode::kCorruption, "'" + what + "': " + std::string(text)};
  };
  uint64_t flags = 0;
  for (Request& request : unit) {
    if (request.entry == nullptr) return failed(request, UnknownCommand(request));
    if (const std::string fault = Resolve(&request); !fault.empty()) return failed(request, fault);
    flags |= request.entry->row->flags;
  }
  const bool several = unit.size() > 1;
  if (several && (flags & kWrite) != 0 && !ReserveAll(unit, flags, session, reply)) {  // D1
    return Error{ErrorCode::kOutOfMemory, failed(unit[0], error::kOom).context};
  }
  const UnitScope scope(&state_->unit, state_->effect_consumer, state_->LineOf(session).id(),
                        session.db);
  for (const Request& request : unit) {
    const uint64_t errors_before = reply.errors();
    const uint64_t mark = reply.out().written();
    std::unique_ptr<Continuation> rest;
    in_unit_ = several;
    const Outcome outcome = RunInUnit(request, session, reply, &rest, nullptr);
    in_unit_ = false;
    // Nothing that changes data waits or goes on in slices inside a unit.
    if (outcome != Outcome::kDone) return failed(request, "is no effect");
    if (reply.errors() == errors_before) {
      reply.out().TruncateTo(mark);
      continue;
    }
    std::string text;
    iovec piece[1];
    if (reply.out().Gather(piece, 1) != 0) {
      text.assign(static_cast<const char*>(piece[0].iov_base), piece[0].iov_len);
    }
    const bool no_room = reply.last_error_code() == "OOM";
    reply.out().TruncateTo(mark);
    Error error = failed(request, text.substr(0, text.find('\r')));
    if (no_room) error.code = ErrorCode::kOutOfMemory;
    return error;
  }
  return {};
}

Outcome Dispatcher::Exec(CommandContext& context) {
  Session& session = context.session();
  if (session.transaction == nullptr || !session.transaction->open) {
    return context.Fail("ERR EXEC without MULTI");
  }
  // Whatever comes of it, it is over, and nothing is watched any more.
  decltype(Session::transaction) transaction = std::move(session.transaction);
  if (transaction->aborted) return context.Fail(error::kExecAbort);
  const auto look = [this](const KeyPlace& place) {
    // Gone with its branch: then the set is dirty.
    const storage::Line* const line = state_->store->FindLine(place.line);
    return line != nullptr ? WatchStateAt(*state_, *line, place) : WatchState::kMissing;
  };
  if (transaction->dirty() || transaction->watches.ExpiredSince(look)) {
    context.reply().NullArray();
    return Outcome::kDone;
  }
  transaction->watches.Clear();

  const CommandQueue& queue = transaction->queue;
  const uint64_t flags = transaction->flags_of_any;
  if (!transaction->reads_only) {
    if ((flags & kWrite) != 0 &&
        !ReserveAll({queue.begin(), queue.end()}, flags, session, context.reply())) {  // D1
      return context.Fail(std::string(error::kExecAbortBecause) + std::string(error::kOom));
    }
    context.reply().Array(queue.size());
    RunToEnd(queue, session, context.reply());
    return Outcome::kDone;
  }
  context.reply().Array(queue.size());
  for (size_t i = 0; i < queue.size(); ++i) {
    std::unique_ptr<Continuation> rest;
    in_unit_ = true;
    const Outcome outcome = RunInUnit(queue[i], session, context.reply(), &rest, nullptr);
    in_unit_ = false;
    if (outcome == Outcome::kYield) {  // the server pins the version that the first ones saw
      return context.Yield(std::make_unique<ExecRest>(this, &session, std::move(transaction), i + 1,
                                                      std::move(rest)));
    }
  }
  return Outcome::kDone;
}

}  // namespace verso::server
