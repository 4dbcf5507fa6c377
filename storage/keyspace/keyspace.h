// Keyspace: what commands see. A view names a version of a line, a database in it and a moment;
// expiry is judged by the moment, so that one command, one transaction, one snapshot has one time.
//
//   ReadView   reading only: a line's head, or a pinned version. Changes no page, ever (V7): read
//              handlers take it by const reference: a write through a pinned view does not compile.
//   WriteView  a line's head (or a scratch line's): everything a ReadView does, plus changes.
//
// K1 An entry whose deadline is at or before the moment is absent for every read; it goes only by
//    ExpireDue (a write) or a write to it.
// K2 Count = entries minus the rank of the moment in the deadline index: exact at any time.
// K3 Each change of a key, also in a scratch line, calls KeyObserver::KeyChanged exactly once,
// after
//    the change. (Where Redis tells two things of one change, SET with EX: "set", "expire", the
//    second counts no changes.) Whole-database changes call DatabaseChanged.
// K4 Before a command changes anything, Store::ReserveForWrite(payload bytes, keys) must have
//    succeeded; then no change here can fail.
//
// Views into pages (ValueView, ByteView) are valid until the next change of that line.
#pragma once

#include <functional>
#include <optional>
#include <span>
#include <string>

#include "storage/base/bytes.h"
#include "storage/base/hash.h"
#include "storage/index/hash_trie.h"
#include "storage/memory/access_rule.h"
#include "storage/memory/line.h"
#include "storage/memory/line_root.h"
#include "storage/types/content_hash.h"
#include "storage/types/string_value.h"
#include "storage/types/value.h"

namespace verso::storage {

class Store;

// A key and its hash, computed once per command (in the prefetch stage when there is one).
using Key = TrieKey;

// Names and classes are those of Redis' keyspace notifications: 'g' generic, '$' string, 'x'
// expired, ...
struct KeyEvent {
  const char* name;
  char klass;
  // What rdb_changes_since_last_save counts for it: elements of a collection, as Redis does.
  uint64_t changes = 1;
};

class KeyObserver {
 public:
  virtual ~KeyObserver() = default;
  virtual void KeyChanged(const Line& line, int db, const Key& key, const KeyEvent& event) = 0;
  // db: -1 means all databases of the line. event: "flushdb", "swapdb", "rollback", "promote".
  // changes: what rdb_changes_since_last_save counts for it.
  virtual void DatabaseChanged(const Line& line, int db, const char* event, uint64_t changes) = 0;
};

enum class Access : uint8_t { kTouch, kPeek };  // does this read stamp the access clock?

class ReadView {
 public:
  // The head of a line: sees each change at once.
  ReadView(const Store& store, const Line& line, int db, uint64_t moment_ms);
  // A version somebody holds a pin of: `root` is Pin::root, moment the pin's.
  ReadView(const Store& store, const Ref& pinned_root, int db, uint64_t moment_ms);
  ReadView(const ReadView& other);
  ReadView& operator=(const ReadView& other);

  // The same version and moment, another database.
  ReadView InDatabase(int db) const {
    ReadView other(*this);
    other.db_ = db;
    return other;
  }

  int db() const { return db_; }
  uint64_t moment_ms() const { return moment_ms_; }
  const PageArena& arena() const { return *arena_; }
  const HashSecret& secret() const;
  const AccessRule& access() const;
  bool pinned() const { return line_ == nullptr; }

  Key MakeKey(ByteView bytes) const;
  std::optional<ValueView> Find(const Key& key, Access access = Access::kTouch) const;
  bool Exists(const Key& key) const { return Find(key, Access::kPeek).has_value(); }

  uint64_t Count() const;              // live keys of this database (K2)
  uint64_t CountWithDeadline() const;  // live ones that have a deadline
  uint64_t AverageTtlMs() const;       // of a sample, for INFO

  // Visits entries from `cursor` (a position in hash space) until at least `count` were visited or
  // the end; returns the next cursor, 0 at the end. Every key present throughout is visited exactly
  // once, also across splits and merges; in a pinned view the scan is exact. Expired entries are
  // not visited. The callback must not change the line.
  using ScanVisitor = std::function<void(ByteView key, const ValueView& value)>;
  uint64_t Scan(uint64_t cursor, size_t count, const ScanVisitor& visit) const;

  // A key chosen at random (every live key has a chance; uniform over leaves), nullopt if there is
  // none.
  std::optional<std::string> RandomKey(uint64_t random) const;

  // Stages for a batch: call the three over all keys of a turn before executing (DESIGN 5). Keys
  // must have their hash.
  static constexpr size_t kPrefetchBatch = 16;
  void Prefetch(const Key* keys, size_t count) const;
  // Of what a command on this key reads first: its entry, its value's upper pages.
  void Probe(const Key& key, PageProbe* probe) const;

  // Its access clock, which Store::access() explains; nullopt: no such key.
  std::optional<uint16_t> ClockOf(const Key& key) const;
  // Bytes the key takes in the arena: entry share, runs and pages of the value.
  std::optional<uint64_t> MemoryUsage(const Key& key) const;

 protected:
  // Null: the line was never written.
  const DatabaseRoot* Root() const {
    return *root_ ? reinterpret_cast<const LineRoot*>(arena_->Resolve(*root_))->databases + db_
                  : nullptr;
  }
  // An entry whether expired or not.
  std::optional<TrieEntry> FindEntry(const Key& key) const;
  bool Expired(uint64_t deadline_ms) const { return deadline_ms <= moment_ms_; }  // K1
  uint16_t NewClock() const;
  void Touch(const TriePlace& place) const;

  const Store* store_;
  const PageArena* arena_;
  const Line* line_ = nullptr;  // null in a pinned view
  const Ref* root_;             // the line's head, or &pinned_
  Ref pinned_;
  int db_;
  uint64_t moment_ms_;
};

struct SetOptions {
  uint64_t deadline_ms = kNoDeadline;
  bool keep_deadline = false;  // KEEPTTL: deadline_ms is ignored
  uint8_t hint = 0;
};

class WriteView : public ReadView {
 public:
  WriteView(Store& store, Line& line, int db, uint64_t moment_ms);

  Line& line() { return *writable_line_; }
  Store& store() { return *writable_store_; }

  // Sets a string, whatever was there. The same size overwrites in place. Requires: value <=
  // kStringBytesMax.
  void SetString(const Key& key, ByteView value, const SetOptions& options, const KeyEvent& event);

  // Overwrites [offset, offset + bytes) of a string (created if missing), extending it with zero
  // bytes up to offset. Copies one chunk per touched chunk, whatever the length. Keeps the
  // deadline. Returns the new length. Requires: missing or a string; the end <= kStringBytesMax.
  size_t SetRange(const Key& key, size_t offset, ByteView bytes, const KeyEvent& event);
  size_t Append(const Key& key, ByteView bytes, const KeyEvent& event);
  // Several of them as one change (K3). Requires: none is empty.
  struct Patch {
    size_t offset = 0;
    ByteView bytes;
  };
  void SetRanges(const Key& key, std::span<const Patch> patches, const KeyEvent& event);

  // ---- values of any type (write_view_value.cpp). A write class of a type goes: FindForWrite;
  // then ReplaceValue, or changes through WritablePack and WritableCollection; then NotifyChanged
  // or Erase, once (K3).

  // Find for what is going to be changed: an expired entry goes first, as "expired", so that the
  // change means the same when it is replayed, where no time passes.
  std::optional<ValueView> FindForWrite(const Key& key);
  // Puts a value (BuildString, BuildPack, BuildCollection), whatever was there, which is retired.
  // SetValue gives it the deadline it says, ReplaceValue that of the live entry it replaces.
  void SetValue(const Key& key, const ValueView& value) { PutValue(db_, key, value); }
  void ReplaceValue(const Key& key, ValueView value);
  // Inline up to kInlineBytesMax (bytes must live until the value is put), a run up to
  // kRunBytesMax, else a rope. Also for what stands inside a collection.
  ValueView BuildString(ByteView bytes);
  // Requires: at most kPackBytesMax.
  ValueView BuildPack(ValueType type, uint8_t hint, ByteView pack);
  // A large collection without contents: zeros and null references.
  ValueView BuildCollection(ValueType type, size_t refs);
  // The entry made writable, with the path to it; nullopt: no such key (expired or not).
  std::optional<TrieMutableValue> MutateValue(const Key& key);
  // The bytes of the live value, writable where they stand: to overwrite, not to lengthen. For one
  // that is packed, and for one that is large (CollectionAt, CollectionRefs). Require: it is there.
  char* WritablePack(const Key& key);
  char* WritableCollection(const Key& key);
  // Moves the value that was built at this key in a scratch line here (V6), whatever was there,
  // which is retired. Requires: it is there, and has no deadline of its own. All its pages are
  // looked at, unless it is known that all were born after `born_after`, and that is young enough:
  // then it takes no longer for a large one.
  void PublishFrom(WriteView& scratch, const Key& key, uint64_t deadline_ms, const KeyEvent& event,
                   Epoch born_after = 0);
  void SetClock(const Key& key, uint16_t clock);
  // Says that a key was changed: exactly once per command and key, afterwards (K3).
  void NotifyChanged(const Key& key, const KeyEvent& event) { Changed(db_, key, event); }
  // The access clock of what is put now.
  uint16_t clock() const { return NewClock(); }

  // Removes a live key. False if there is none (an expired entry is removed all the same, as
  // "expired").
  bool Erase(const Key& key, const KeyEvent& event);

  // Sets or removes (kNoDeadline) the deadline of a live key. False: no such key.
  bool SetDeadline(const Key& key, uint64_t deadline_ms, const KeyEvent& event);

  // Moves the reference, O(1), with its deadline; replaces what is at the target. False: no such
  // key.
  bool Rename(const Key& from, const Key& to);
  // To the same key in another database; false if missing here or present there.
  bool Move(const Key& key, int to_db);
  // Copies the contents (V10: nothing is shared inside a version) with the deadline. Replaces the
  // target.
  bool Copy(const Key& from, const Key& to, int to_db);

  void Flush();     // this database
  void FlushAll();  // all databases of the line
  void Swap(int a, int b);

  // Active expiry in this database: removes at most `max` entries whose deadline is at or before
  // the moment, reporting each key before its KeyChanged ("expired"). Returns how many went. Cheap
  // when nothing is due.
  size_t ExpireDue(size_t max, const std::function<void(const Key&)>& expired);
  // The earliest deadline in this database, kNoDeadline if none: when to call ExpireDue again.
  uint64_t NextDeadline() const;

 private:
  friend class KeyPublication;  // key_publication.h
  DatabaseRoot* WritableRoot(int db);
  void PutValue(int db, const Key& key, const ValueView& value);
  // Removes an entry that is there; the value is the caller's.
  TriePrevious TakeEntry(int db, const Key& key);
  void MoveDeadline(DatabaseRoot* root, const Key& key, uint64_t from_ms, uint64_t to_ms);
  bool OverwriteExternal(const Key& key, ByteView value, const SetOptions& options);
  size_t WriteRange(const Key& key, size_t offset, ByteView bytes);
  void WriteWithin(const Key& key, size_t offset, ByteView bytes, size_t length);
  void Changed(int db, const Key& key, const KeyEvent& event);

  Store* writable_store_;
  Line* writable_line_;
};

// Order-free digest of a database, or of all (db -1): the sum over keys of a hash of (database,
// key, type, value, deadline). Equal contents give equal digests whatever the history, the layout
// and the hash secret. Entries expired at the view's moment do not count.
Digest DigestOf(const ReadView& view, int db);
Digest DigestOfKey(const ReadView& view, const Key& key);  // DEBUG DIGEST-VALUE; zero if missing

}  // namespace verso::storage
