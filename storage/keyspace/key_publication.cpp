#include "storage/keyspace/key_publication.h"

#include <algorithm>

#include "storage/base/check.h"
#include "storage/memory/store.h"

namespace verso::storage {
namespace {

constexpr int kStepsAtOnce = 16;
constexpr KeyEvent kExpired{"expired", 'x'};

Ref RootOf(const std::optional<TrieEntry>& entry) {
  return entry && entry->value.external ? entry->value.ref : kNullRef;
}

}  // namespace

std::optional<TrieEntry> KeyPublication::BuiltAt(const PublishedKey& key) {
  return WriteView(store_, scratch_, key.db, 0).FindEntry(key.key);
}

Ref* KeyPublication::SlotOf(const PublishedKey& key) {
  return WriteView(store_, scratch_, key.db, 0).MutateValue(key.key)->ref;
}

// Do the old values still have the pages that the scratch line knows?
bool KeyPublication::SharesAll(Line& line) const {
  return std::all_of(keys_.begin(), keys_.end(), [&](const PublishedKey& key) {
    const WriteView now(store_, line, key.db, 0);
    const ReadView then = begin_.InDatabase(key.db);
    const std::optional<ValueView> was = then.Find(key.key, Access::kPeek);
    const Ref root = was && was->external ? was->ref : kNullRef;
    const Ref root_now = RootOf(now.FindEntry(key.key));
    return root ? root_now.SamePage(root) : !root_now;
  });
}

bool KeyPublication::young(Line& line) const {
  if (!ready_ || !has_pages_) return ready_;
  return above_ >= std::max(line.frozen(), scratch_.frozen()) && (whole_ || SharesAll(line));
}

KeyPublication::Step KeyPublication::Prepare(Line& line) {
  if (ready_ && !young(line)) {
    ready_ = false;
    next_ = 0;
  }
  if (next_ == 0 && !renewal_) {
    ++rounds_;
    has_pages_ = std::any_of(keys_.begin(), keys_.end(), [this](const PublishedKey& key) {
      return bool{RootOf(BuiltAt(key))};
    });
    above_ = std::max(line.frozen(), scratch_.frozen());
    whole_ = has_pages_ && !SharesAll(line);
    if (!has_pages_) next_ = keys_.size();
  }
  for (int step = 0; step < kStepsAtOnce && next_ < keys_.size(); ++step) {
    if (!renewal_) {
      if (!RootOf(BuiltAt(keys_[next_]))) {
        ++next_;
        continue;
      }
      // Its path may be too old to be changed where it is, after a save.
      if (!store_.ReserveForWrite(0, 1)) return Step::kNoRoom;
      renewal_.emplace(scratch_, SlotOf(keys_[next_]), above_, whole_ ? 0 : scratch_.fork());
    }
    if (!renewal_->Step()) return Step::kNoRoom;
    if (renewal_->done()) {
      renewal_.reset();
      ++next_;
    }
  }
  if (next_ < keys_.size()) return Step::kMore;
  ready_ = true;
  return young(line) ? Step::kReady : Step::kMore;
}

// The entry stays, without its pages, until Put() has replaced it.
void KeyPublication::DropOld(Publication& publication, WriteView& to, const PublishedKey& key) {
  if (!RootOf(to.FindEntry(key.key))) return;
  Ref* const slot = to.MutateValue(key.key)->ref;
  const Ref root = *slot;
  *slot = kNullRef;
  publication.DropOld(root);
}

bool KeyPublication::Put(Publication& publication, WriteView& to, const PublishedKey& key) {
  const std::optional<TrieEntry> built = BuiltAt(key);
  if (!built) {
    const std::optional<TrieEntry> old = to.FindEntry(key.key);
    if (!old) return false;
    const bool live = !to.Expired(old->value.deadline_ms);
    to.writable_line_->Retire(to.TakeEntry(key.db, key.key).value);
    if (!live) to.Changed(key.db, key.key, kExpired);
    return live;
  }
  ValueView value = built->value;
  if (value.external) {
    // From here on its pages are the target's.
    WriteView from(store_, scratch_, key.db, 0);
    value.ref = publication.Link(from.TakeEntry(key.db, key.key).value);
  }
  to.PutValue(key.db, key.key, value);
  return true;
}

void KeyPublication::Apply(Line& line, uint64_t moment_ms, const Told& told) {
  VERSO_CHECK(young(line));  // P3
  Publication publication(scratch_, line);
  if (has_pages_) {
    for (const PublishedKey& key : keys_) {
      if (const Ref root = RootOf(BuiltAt(key))) publication.NoteShared(root);
    }
    for (const PublishedKey& key : keys_) {
      WriteView to(store_, line, key.db, moment_ms);
      DropOld(publication, to, key);
    }
  }
  for (const PublishedKey& key : keys_) {
    WriteView to(store_, line, key.db, moment_ms);
    if (!Put(publication, to, key)) continue;
    to.Changed(key.db, key.key, key.event);
    told(key, to);
  }
}

}  // namespace verso::storage
