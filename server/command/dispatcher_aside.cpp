// Writes that are computed aside: slices, what makes them void, and the instant at which the result
// is seen.
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "server/command/dispatcher.h"
#include "server/command/error_reply.h"
#include "server/session/command_queue.h"
#include "server/session/watch_registry.h"
#include "storage/base/check.h"
#include "storage/memory/renewal.h"
#include "storage/memory/scratch_line.h"

namespace verso::server {

using storage::Line;
using storage::ReadView;
using storage::Renewal;
using storage::ScratchLine;
using storage::Store;
using storage::WriteView;

namespace {

// As often the result is made younger in slices, though others pin newer versions meanwhile; then
// once more at one go.
constexpr int kRenewalsInSlices = 3;

}  // namespace

class Dispatcher::AsideContinuation final : public Continuation {
 public:
  AsideContinuation(Dispatcher* dispatcher, const CommandEntry& entry, const Request& request,
                    Session& session, std::unique_ptr<AsideBuild> build)
      : dispatcher_(*dispatcher),
        entry_(entry),
        state_(*dispatcher->state_),
        session_(session),
        build_(std::move(build)),
        line_(line().id()),
        sources_(&state_.watches),
        changes_(state_.changes.changes()) {
    request_.Add(request);
    const ReadView view(*state_.store, line(), session.db, state_.now_ms);
    std::vector<KeyPosition> keys;
    FindKeys(*entry_.row, request.arguments, &keys);
    for (const KeyPosition& key : keys) {
      if ((key.access & (kKeyRo | kKeyRw)) == 0) continue;
      const ByteView name = request_[0].arguments[key.index];
      const KeyPlace place{line_, session.db, name, view.MakeKey(name).hash};
      sources_.Add(place, WatchStateAt(state_, line(), place));
    }
  }

  bool Run(const ReadView& view, Slice& slice) override {
    if (SourcesChanged()) {
      RunOnTheSpot(slice.reply());
      return true;
    }
    Store& store = *state_.store;
    if (scratch_ == nullptr) Begin();
    WriteView aside(store, scratch_->line(), build_->db(), view.moment_ms());
    if (!built_) {
      const AsideStep step = build_->Build(view, aside, slice);
      if (step == AsideStep::kMore) return false;
      if (step == AsideStep::kNoRoom) return NoRoom(slice);
      built_ = true;
    }
    // A pause holds what writes, this too.
    if (state_.pause.Holds(kWrite, state_.now_ms)) return false;
    switch (MakeYoung(aside, slice)) {
      case AsideStep::kMore:
        return false;
      case AsideStep::kNoRoom:
        return NoRoom(slice);
      case AsideStep::kDone:
        break;
    }
    Commit(aside, slice);
    return true;
  }

 private:
  // What the session writes; another than at the beginning, if its branch goes on as another one.
  Line& line() const { return state_.LineOf(session_); }

  // B1
  bool SourcesChanged() const {
    if (sources_.dirty() || line().id() != line_) return true;
    if (build_->reads_unnamed_keys() && state_.changes.changes() != changes_) return true;
    return sources_.ExpiredSince(
        [this](const KeyPlace& place) { return WatchStateAt(state_, line(), place); });
  }

  void Begin() {
    Store& store = *state_.store;
    if (build_->from_version()) {
      // The sources are what they were, so this version is as good as the one that was pinned.
      const storage::PinHandle pin = store.PinForRead(line(), state_.now_ms);
      scratch_ = std::make_unique<ScratchLine>(store, line(), pin.epoch());
    } else {
      scratch_ = std::make_unique<ScratchLine>(store);
      born_after_ = store.epoch() - 1;
    }
  }

  // Until all pages of the result are young enough for the line they go to (V6).
  AsideStep MakeYoung(WriteView& aside, Slice& slice) {
    const Line& target = line();
    while (born_after_ < target.frozen()) {
      if (!renewal_) {
        const storage::Key key = aside.MakeKey(build_->target());
        const auto value = aside.Find(key, storage::Access::kPeek);
        // Nothing is there, or it stands in the leaf and is copied with its key.
        if (!value || !value->external) return AsideStep::kDone;
        renewal_.emplace(scratch_->line(), aside.MutateValue(key)->ref, target.frozen());
      }
      while (!renewal_->done()) {
        if (!renewal_->Step()) return AsideStep::kNoRoom;
        if (renewals_ < kRenewalsInSlices && slice.SpentNow()) return AsideStep::kMore;
      }
      born_after_ = renewal_->above();
      renewal_.reset();
      ++renewals_;
    }
    return AsideStep::kDone;
  }

  void Commit(WriteView& aside, Slice& slice) {
    Store& store = *state_.store;
    const Request& request = request_[0];
    EffectUnit effects(state_.effects());
    CommandContext context(entry_.row, request.arguments, &slice.reply(), &effects, &session_,
                           &state_.environment);
    if (!dispatcher_.Reserve({.payload = request.bytes + Store::kBytesPerKeyWrite, .keys = 2},
                             entry_.row->flags)) {
      NoRoom(slice);
      return;
    }
    sources_.Clear();
    WriteView view(store, line(), session_.db, state_.now_ms);
    dispatcher_.Record(request, effects, session_, [&] {
      build_->Commit(view, context, {aside, born_after_});
      return Outcome::kDone;
    });
  }

  void RunOnTheSpot(ReplyWriter& reply) {
    sources_.Clear();
    renewal_.reset();
    scratch_.reset();
    std::unique_ptr<Continuation> rest;
    dispatcher_.at_once_ = true;
    dispatcher_.Invoke(entry_, request_[0], session_, reply, &rest, nullptr);
    dispatcher_.at_once_ = false;
    VERSO_CHECK(rest == nullptr);
  }

  static bool NoRoom(Slice& slice) {
    slice.Fail(error::kOom);
    return true;
  }

  Dispatcher& dispatcher_;
  const CommandEntry& entry_;
  ServerState& state_;
  Session& session_;
  CommandQueue request_;  // of one
  std::unique_ptr<AsideBuild> build_;
  const storage::LineId line_;
  WatchSet sources_;
  const uint64_t changes_;  // when it began
  bool built_ = false;
  std::unique_ptr<ScratchLine> scratch_;
  storage::Epoch born_after_ = 0;  // all pages of the result are younger
  std::optional<Renewal> renewal_;
  int renewals_ = 0;
};

std::unique_ptr<Continuation> Dispatcher::MakeAside(const CommandEntry& entry,
                                                    const Request& request, Session& session,
                                                    std::unique_ptr<AsideBuild> build) {
  return std::make_unique<AsideContinuation>(this, entry, request, session, std::move(build));
}

}  // namespace verso::server
