#include "server/command/branch_merge.h"

#include <memory>
#include <string>
#include <vector>

#include "server/command/arg_reader.h"
#include "server/command/dispatcher.h"
#include "server/command/key_effect.h"
#include "server/command/named_reply.h"
#include "server/command/version_ref.h"
#include "storage/keyspace/merge.h"

namespace verso::server {
namespace {

using storage::Branch;
using storage::BranchMerge;
using storage::MergeConflicts;
using storage::MergeStep;
using storage::ReadView;
using storage::Store;

constexpr size_t kConflictsInReply = 1000;
constexpr size_t kConflictsInError = 10;

struct MergeOptions {
  std::string from;
  std::string into;
  MergeConflicts mode = MergeConflicts::kFail;
  bool dry = false;
};

class MergeReply final : public Continuation {
 public:
  MergeReply(Dispatcher* dispatcher, Session* session, MergeOptions options)
      : dispatcher_(*dispatcher),
        state_(dispatcher->state()),
        session_(*session),
        options_(std::move(options)) {}
  ~MergeReply() override { Forget(); }

  bool Run(const ReadView&, Slice& slice) override {
    if (GoOn(slice)) return true;
    if (token_.empty() && !options_.dry && merge_ != nullptr) TellBegun();
    return false;
  }

 private:
  bool GoOn(Slice& slice) {
    // Either may have gone, or go on as another line, since the last slice.
    storage::Branches& branches = state_.store->branches();
    Branch* const from = branches.Find(options_.from);
    Branch* const into = branches.Find(options_.into);
    if (from == nullptr || into == nullptr) {
      return Fail(slice, NoRef(from == nullptr ? options_.from : options_.into));
    }
    if (from == into) {
      Reply(slice.reply(), *into, 0, {});
      return true;
    }
    if (merge_ == nullptr || from->line->id() != from_line_ || into->line->id() != into_line_) {
      Begin(*from, *into);
    }
    switch (merge_->Run([&slice] { return slice.SpentNow(); }, state_.now_ms)) {
      case MergeStep::kMore:
        return false;
      case MergeStep::kNoRoom:
        return Fail(slice, error::kOom);
      case MergeStep::kDone:
        break;
    }
    if (merge_->applies()) {
      // What the instant needs is made ready before, a piece at a time.
      constexpr uint64_t kKeysAtOnce = 64;
      for (; keys_ready_ < merge_->applied(); keys_ready_ += kKeysAtOnce) {
        if (slice.SpentNow()) return false;
        if (!dispatcher_.ReserveForUnit(session_, merge_->payload_bytes(), keys_ready_)) {
          return Fail(slice, error::kOom);
        }
      }
    }
    // A pause holds what writes, this too.
    if (merge_->applies() && state_.pause.Holds(kWrite, state_.now_ms)) return false;
    Finish(slice, *from, *into);
    return true;
  }

  // What is merged is the version that it began with (M5 of merge_bases.h): in a replay all comes
  // at the instant at which it ended, when `from` may have gone on. Called in the turn that pinned
  // it.
  void TellBegun() {
    token_ = std::to_string(state_.merges_begun++);
    state_.store->branches().merge_bases().Begun(token_, *merge_->from(),
                                                 merge_->from_pin().epoch());
    UnitScope unit = state_.UnitOf(session_);
    unit.Emit({"BRANCH", "MERGE", options_.from, "INTO", options_.into, "BEGUN", token_});
  }

  void Forget() {
    if (!token_.empty()) state_.store->branches().merge_bases().ForgetBegun(token_);
    token_.clear();
  }

  void Begin(const Branch& from, const Branch& into) {
    Store& store = *state_.store;
    Forget();
    merge_.reset();
    keys_ready_ = 0;
    from_line_ = from.line->id();
    into_line_ = into.line->id();
    BranchMerge::Versions versions;
    versions.from = from.line;
    versions.from_pin = store.PinForRead(*from.line, state_.now_ms);
    versions.base = store.branches().merge_bases().Hold(from, into);
    versions.into = into.line;
    merge_ = std::make_unique<BranchMerge>(store, std::move(versions), options_.mode, options_.dry,
                                           state_.now_ms);
  }

  void Finish(Slice& slice, const Branch& from, const Branch& into) {
    Store& store = *state_.store;
    if (merge_->Settle(state_.now_ms) != MergeStep::kDone) {
      Fail(slice, error::kOom);
      return;
    }
    const bool stops = options_.mode == MergeConflicts::kFail && merge_->conflicts() != 0;
    if (stops && !options_.dry) {
      Fail(slice, Conflicts());
      return;
    }
    const uint64_t applied = stops ? 0 : merge_->applied();
    if (merge_->applies()) {
      if (!dispatcher_.ReserveForUnit(session_, merge_->payload_bytes(), applied)) {
        Fail(slice, error::kOom);
        return;
      }
      KeyEffects effects(&state_, *into.line);
      merge_->Commit(state_.now_ms, [&effects](const ReadView& view, const storage::Key& key) {
        effects.Add(view, key);
      });
      store.branches().merge_bases().Merged(from, into, *from.line, merge_->from_pin().epoch());
      // No token: it began at this instant.
      std::vector<ByteView> words = {"BRANCH", "MERGE", from.name, "INTO", into.name, "MERGED"};
      if (!token_.empty()) words.emplace_back(token_);
      effects.unit().Emit(words);
    }
    Reply(slice.reply(), into, applied, merge_->ConflictKeys(kConflictsInReply));
  }

  void Reply(ReplyWriter& reply, const Branch& into, uint64_t applied,
             const std::vector<ByteView>& conflicts) {
    reply.Map(3);
    Named(reply, "applied", applied);
    reply.Bulk("conflicts");
    reply.Array(conflicts.size());
    for (const ByteView key : conflicts) reply.Bulk(key);
    Named(reply, "version", state_.store->PinForRead(*into.line, state_.now_ms).epoch());
  }

  std::string Conflicts() const {
    constexpr size_t kShownMax = 128;  // of a key
    std::string text = "MERGECONFLICT " + std::to_string(merge_->conflicts());
    for (const ByteView key : merge_->ConflictKeys(kConflictsInError)) {
      text += ' ';
      text += key.substr(0, kShownMax);
    }
    return text;
  }

  static bool Fail(Slice& slice, std::string_view text) {
    slice.Fail(text);
    return true;
  }

  Dispatcher& dispatcher_;
  ServerState& state_;
  Session& session_;
  const MergeOptions options_;
  storage::LineId from_line_ = 0;
  storage::LineId into_line_ = 0;
  std::unique_ptr<BranchMerge> merge_;
  uint64_t keys_ready_ = 0;
  std::string token_;  // of the version that it began with; empty: that was in this slice
};

// False: the error is replied.
bool ReadMergeOptions(CommandContext& context, MergeOptions* options) {
  ArgReader args(context, 3);
  while (args.ok() && !args.AtEnd()) {
    const bool another = args.remaining() >= 2;
    if (another && args.Take("into")) {
      options->into = args.Next();
    } else if (another && args.Take("onconflict")) {
      if (args.Take("fail")) {
        options->mode = MergeConflicts::kFail;
      } else if (args.Take("ours")) {
        options->mode = MergeConflicts::kOurs;
      } else if (args.Take("theirs")) {
        options->mode = MergeConflicts::kTheirs;
      } else {
        args.SetError(error::kSyntax);
      }
    } else if (args.Take("dryrun")) {
      options->dry = true;
    } else {
      args.SetError(error::kSyntax);
    }
  }
  if (!args.ok()) context.reply().Error(args.error());
  return args.ok();
}

// From the log: BEGUN token, or MERGED [token]. What it changed is there as commands about keys.
Outcome ReplayMerge(ServerState& state, CommandContext& context) {
  Store& store = *state.store;
  storage::MergeBases& bases = store.branches().merge_bases();
  if (context.size() < 6) return context.Fail(error::kSyntax);
  const Branch* const from = store.branches().Find(context[2]);
  const Branch* const into = store.branches().Find(context[4]);
  if (from == nullptr || into == nullptr || from == into) {
    return context.Fail(NoRef(from == nullptr ? context[2] : context[4]));
  }
  const bool begun = EqualsIgnoreCase(context[5], "begun");
  const ByteView token = context.size() > 6 ? context[6] : ByteView();
  const storage::PinHandle now = store.PinForRead(*from->line, state.now_ms);
  if (begun) {
    bases.Begun(token, *from->line, now.epoch());
  } else if (token.empty()) {
    bases.Merged(*from, *into, *from->line, now.epoch());
  } else {
    const storage::LineVersion version = bases.FindBegun(token);
    if (version.line != from->line) return context.Fail("ERR no merge has begun with that version");
    bases.Merged(*from, *into, *version.line, version.epoch);
    bases.ForgetBegun(token);
  }
  context.reply().Ok();
  return Outcome::kDone;
}

}  // namespace

Outcome MergeBranches(Dispatcher& dispatcher, CommandContext& context) {
  ServerState& state = dispatcher.state();
  if (context.session().internal) return ReplayMerge(state, context);
  MergeOptions options;
  options.from = context[2];
  options.into = BranchOf(*state.store, context.session())->name;
  if (!ReadMergeOptions(context, &options)) return Outcome::kDone;
  return context.RunOrYield(
      state.HeadOf(context.session()),
      std::make_unique<MergeReply>(&dispatcher, &context.session(), std::move(options)));
}

}  // namespace verso::server
