// Commands inside a TXN, and its COMMIT: what it wrote, checked, made ready in slices, and seen at
// one instant.
//
//   Check ──what it wrote (and read) is as it was?──> Prepare ──pages young enough (V6)──> the
//   instant
//     └──no: -TXNCONFLICT, over                          in slices            checked again, if
//                                                                            anything has changed
#include <memory_resource>
#include <optional>
#include <utility>
#include <vector>

#include "server/command/dispatcher.h"
#include "server/command/error_reply.h"
#include "server/command/key_effect.h"
#include "server/session/txn.h"
#include "storage/keyspace/diff.h"
#include "storage/keyspace/key_publication.h"
#include "storage/keyspace/same_content.h"

namespace verso::server {

using storage::KeyPublication;
using storage::Line;
using storage::PublishedKey;
using storage::ReadView;
using storage::Store;
using storage::WriteView;

namespace {

// As often what it wrote is made younger in slices, though others pin newer versions meanwhile;
// then once more at one go.
constexpr int kRoundsInSlices = 3;

// While one of its commands runs: what changes in its scratch line is the transaction's.
class WritingScope {
 public:
  WritingScope(TxnRegistry* txns, Txn* txn) : txns_(txns) { txns_->set_writing(txn); }
  ~WritingScope() { txns_->set_writing(nullptr); }
  WritingScope(const WritingScope&) = delete;
  WritingScope& operator=(const WritingScope&) = delete;

 private:
  TxnRegistry* txns_;
};

}  // namespace

Outcome Dispatcher::RunInTxn(const CommandSpec& row, const Request& request, WriteHandler handler,
                             CommandContext& context, Session& session, ReplyWriter& reply) {
  Store& store = *state_->store;
  Txn& txn = *session.txn;
  if (row.Has(kDenyOom) && !MakeRoom(session)) {
    reply.Error(eviction_.Refusal());
    return Outcome::kDone;
  }
  if (!Reserve(NeedOf(row, request, context, txn.View(session.db)), row.flags)) {
    reply.Error(error::kOom);
    return Outcome::kDone;
  }
  WriteView view(store, txn.Scratch(), session.db, txn.pin.moment_ms());
  const uint64_t bytes_before = store.arena().bytes_allocated();
  const WritingScope writing(&state_->txns, &txn);
  const Outcome outcome = handler(view, context);
  txn.scratch_bytes += store.arena().bytes_allocated() - bytes_before;
  txn.NoteReads(row, request.arguments, view, context);
  return outcome;
}

class Dispatcher::CommitContinuation final : public Continuation {
 public:
  CommitContinuation(Dispatcher* dispatcher, Session& session)
      : dispatcher_(*dispatcher),
        state_(*dispatcher->state_),
        session_(session),
        txn_(*session.txn),
        keys_(ClientMemory()) {
    keys_.reserve(txn_.written.size());
    for (size_t i = 0; i < txn_.written.size(); ++i) keys_.push_back(txn_.written[i]);
  }

  bool Run(const ReadView&, Slice& slice) override {
    const bool done = GoOn(slice);
    yielded_ |= !done;
    return done;
  }

 private:
  bool GoOn(Slice& slice) {
    if (!Check(&slice)) return false;
    if (conflict_) return EndInConflict(slice);
    if (!keys_.empty()) {
      switch (Prepare(slice)) {
        case KeyPublication::Step::kMore:
          return false;
        case KeyPublication::Step::kNoRoom:
          return NoRoom(slice);
        case KeyPublication::Step::kReady:
          break;
      }
      // A pause holds what writes, this too.
      if (state_.pause.Holds(kWrite, state_.now_ms)) return false;
    }
    if (yielded_) {
      checked_ = false;
      next_ = 0;
      next_db_ = 0;
      Check(nullptr);
      if (conflict_) return EndInConflict(slice);
    }
    return Apply(slice);
  }

  Line& line() const { return *txn_.branch->line; }

  // Is the key's content another than at BEGIN?
  bool Changed(const PublishedKey& key) const {
    const ReadView now(*state_.store, line(), key.db, state_.now_ms);
    return !storage::SameContent(txn_.Begun(key.db), now, key.key);
  }

  // All keys, within the slice if there is one. False: there are more.
  bool Check(Slice* slice) {
    if (checked_) return true;
    const size_t written = txn_.written.size();
    const size_t all = written + txn_.read.size();
    for (; next_ < all && !conflict_; ++next_) {
      if (slice != nullptr && slice->Spent()) return false;
      const PublishedKey key = next_ < written ? txn_.written[next_] : txn_.read[next_ - written];
      // Another line: the branch was rolled back or exchanged.
      if (&line() != txn_.line || Changed(key)) conflict_ = key.key.bytes;
    }
    for (; !conflict_ && next_db_ < storage::kDatabases; ++next_db_) {
      if ((txn_.read_whole >> next_db_ & 1) != 0 && !CheckDatabase(slice)) return false;
      at_ = {};
    }
    checked_ = true;
    return true;
  }

  // The same of a database that was read as a whole.
  bool CheckDatabase(Slice* slice) {
    storage::KeyspaceDiff diff(*state_.store, {txn_.pin.root(), txn_.pin.moment_ms()},
                               {line().head(), state_.now_ms}, next_db_);
    const auto found = [this](const storage::Key& key, const std::optional<storage::ValueView>&,
                              const std::optional<storage::ValueView>&) {
      if (!conflict_) conflict_ = key.bytes;
    };
    while (!conflict_ && diff.Step(&at_, found)) {
      if (slice != nullptr && slice->SpentNow()) return false;
    }
    return true;
  }

  KeyPublication::Step Prepare(Slice& slice) {
    if (!publication_) {
      publication_.emplace(*state_.store, txn_.Scratch(), txn_.Begun(0), keys_);
    }
    while (true) {
      const KeyPublication::Step step = publication_->Prepare(line());
      if (step != KeyPublication::Step::kMore) return step;
      if (publication_->rounds() <= kRoundsInSlices && slice.SpentNow()) return step;
    }
  }

  bool Apply(Slice& slice) {
    Store& store = *state_.store;
    storage::Epoch version = txn_.pin.epoch();
    if (!keys_.empty()) {
      size_t payload = 0;
      for (const PublishedKey& key : keys_) payload += key.key.bytes.size() + kEntryBytes;
      // Paths in the branch, and in the scratch line after a save.
      if (!dispatcher_.Reserve({.payload = payload, .keys = 2 * keys_.size()}, kWrite)) {
        return NoRoom(slice);
      }
      Publish();
      version = store.epoch();
    }
    ++state_.txns.counts.committed;
    End();
    slice.reply().Integer(static_cast<int64_t>(version));
    return true;
  }

  void Publish() {
    KeyEffects effects(&state_, line());
    publication_->Apply(line(), state_.now_ms, [&](const PublishedKey& key, const ReadView& view) {
      effects.Add(view, key.key);
    });
  }

  bool EndInConflict(Slice& slice) {
    ++state_.txns.counts.conflicts;
    slice.Fail("TXNCONFLICT " + *conflict_);
    End();
    return true;
  }

  // Nothing was applied: the transaction is as open as before.
  static bool NoRoom(Slice& slice) {
    slice.Fail(error::kOom);
    return true;
  }

  void End() {
    publication_.reset();
    txn_.over = true;
    session_.txn.reset();
  }

  static constexpr size_t kEntryBytes = 256;  // of a value that stands in its leaf

  Dispatcher& dispatcher_;
  ServerState& state_;
  Session& session_;
  Txn& txn_;
  std::pmr::vector<PublishedKey> keys_;  // its bytes are the transaction's
  size_t next_ = 0;
  int next_db_ = 0;
  storage::DiffPosition at_;  // in that database
  bool checked_ = false;
  bool yielded_ = false;                 // what was checked may have changed since
  std::optional<std::string> conflict_;  // the key
  std::optional<KeyPublication> publication_;
};

Outcome Dispatcher::CommitTxn(CommandContext& context) {
  Session& session = context.session();
  return context.RunOrYield(session.txn->View(session.db),
                            std::make_unique<CommitContinuation>(this, session));
}

}  // namespace verso::server
