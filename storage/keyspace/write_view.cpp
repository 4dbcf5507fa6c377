#include <algorithm>
#include <cstring>

#include "storage/base/check.h"
#include "storage/index/counted_btree.h"
#include "storage/index/hash_trie.h"
#include "storage/index/rope.h"
#include "storage/keyspace/keyspace.h"
#include "storage/memory/store.h"
#include "storage/memory/subtree.h"

namespace verso::storage {
namespace {

constexpr KeyEvent kExpired{"expired", 'x'};
constexpr KeyEvent kRenameFrom{"rename_from", 'g', 0};
constexpr KeyEvent kRenameTo{"rename_to", 'g'};
constexpr KeyEvent kMoveFrom{"move_from", 'g', 0};
constexpr KeyEvent kMoveTo{"move_to", 'g'};
constexpr KeyEvent kCopyTo{"copy_to", 'g'};

}  // namespace

WriteView::WriteView(Store& store, Line& line, int db, uint64_t moment_ms)
    : ReadView(store, line, db, moment_ms), writable_store_(&store), writable_line_(&line) {}

DatabaseRoot* WriteView::WritableRoot(int db) {
  Ref* head = writable_line_->mutable_head();
  char* page;
  if (*head) {
    page = writable_line_->Writable(head);
  } else {
    *head = writable_line_->NewPage(PageKind::kLineRoot, sizeof(LineRoot));
    page = writable_line_->arena().ResolveMutable(*head);
    std::memset(page, 0, sizeof(LineRoot));
  }
  return reinterpret_cast<LineRoot*>(page)->databases + db;
}

void WriteView::Changed(int db, const Key& key, const KeyEvent& event) {
  if (KeyObserver* observer = writable_store_->observer())
    observer->KeyChanged(*writable_line_, db, key, event);  // K3
}

void WriteView::MoveDeadline(DatabaseRoot* root, const Key& key, uint64_t from_ms, uint64_t to_ms) {
  if (from_ms == to_ms) return;
  if (from_ms != kNoDeadline)
    VERSO_CHECK(TreeErase(*writable_line_, &root->deadlines, TreeItem{from_ms, key.hash}));
  if (to_ms != kNoDeadline)
    TreeInsert(*writable_line_, &root->deadlines, TreeItem{to_ms, key.hash});
}

void WriteView::PutValue(int db, const Key& key, const ValueView& value) {
  DatabaseRoot* root = WritableRoot(db);
  const TriePutResult put =
      TrieWriter(*writable_line_, &root->keys, store_->secret()).Put(key, value, NewClock());
  // Refused only when 255 keys share all 64 bits of a hash under a secret nobody outside knows.
  VERSO_CHECK(put.outcome != TriePutOutcome::kRefused);
  if (put.outcome == TriePutOutcome::kInserted) {
    ++root->count;
    MoveDeadline(root, key, kNoDeadline, value.deadline_ms);
  } else {
    MoveDeadline(root, key, put.previous.deadline_ms, value.deadline_ms);
    writable_line_->Retire(put.previous.value);
    Touch(put.place);
  }
}

TriePrevious WriteView::TakeEntry(int db, const Key& key) {
  DatabaseRoot* root = WritableRoot(db);
  const auto taken = TrieWriter(*writable_line_, &root->keys, store_->secret()).Erase(key);
  VERSO_CHECK(taken.has_value());
  --root->count;
  MoveDeadline(root, key, taken->deadline_ms, kNoDeadline);
  return *taken;
}

// ---- strings

// A value in a run of its own over one with the same deadline: no entry moves. With the same size
// even the run stays.
bool WriteView::OverwriteExternal(const Key& key, ByteView value, const SetOptions& options) {
  if (value.size() <= kInlineBytesMax || value.size() > kRunBytesMax || options.keep_deadline)
    return false;
  const auto old =
      TrieWriter(*writable_line_, &WritableRoot(db_)->keys, store_->secret()).Mutate(key);
  if (!old || old->ref == nullptr || old->type != ValueType::kString ||
      old->deadline_ms != options.deadline_ms)
    return false;
  Ref* slot = old->ref;
  if (slot->kind() == PageKind::kValue && slot->size() == value.size() &&
      writable_line_->InPlace(*slot)) {
    std::memcpy(writable_line_->arena().ResolveMutable(*slot), value.data(), value.size());
    writable_line_->MarkWritten();
  } else {
    const Ref replaced = *slot;
    *slot = BuildString(value).ref;
    writable_line_->Retire(replaced);
  }
  old->header->type_hint =
      static_cast<uint8_t>(options.hint << 4 | static_cast<uint8_t>(ValueType::kString));
  Touch(old->place);
  return true;
}

void WriteView::SetString(const Key& key, ByteView value, const SetOptions& options,
                          const KeyEvent& event) {
  VERSO_CHECK(value.size() <= kStringBytesMax);
  if (!OverwriteExternal(key, value, options)) {
    uint64_t deadline_ms = options.deadline_ms;
    if (options.keep_deadline) {
      const auto old = FindEntry(key);
      deadline_ms = old && !Expired(old->value.deadline_ms) ? old->value.deadline_ms : kNoDeadline;
    }
    ValueView built = BuildString(value);
    built.deadline_ms = deadline_ms;
    built.hint = options.hint;
    PutValue(db_, key, built);
  }
  Changed(db_, key, event);
}

size_t WriteView::SetRange(const Key& key, size_t offset, ByteView bytes, const KeyEvent& event) {
  const size_t length = WriteRange(key, offset, bytes);
  if (!bytes.empty()) Changed(db_, key, event);
  return length;
}

void WriteView::SetRanges(const Key& key, std::span<const Patch> patches, const KeyEvent& event) {
  for (const Patch& patch : patches) WriteRange(key, patch.offset, patch.bytes);
  Changed(db_, key, event);
}

size_t WriteView::WriteRange(const Key& key, size_t offset, ByteView bytes) {
  VERSO_CHECK(offset + bytes.size() <= kStringBytesMax);
  const std::optional<ValueView> old = FindForWrite(key);
  const size_t old_length = old ? StringLength(*arena_, *old) : 0;
  const size_t length = std::max(old_length, offset + bytes.size());
  if (bytes.empty()) return old_length;
  if (old && old->external &&
      (old->ref.kind() == PageKind::kRope || length == old_length || length > kRunBytesMax)) {
    WriteWithin(key, offset, bytes, length);
  } else if (length <= kRunBytesMax) {  // short enough to be composed whole
    std::string whole = old ? StringCopy(*arena_, *old) : std::string();
    whole.resize(length);
    std::memcpy(whole.data() + offset, bytes.data(), bytes.size());
    ValueView built = BuildString(whole);
    built.deadline_ms = old ? old->deadline_ms : kNoDeadline;
    built.hint = kStringRaw;
    PutValue(db_, key, built);
  } else {
    const std::string head = old ? StringCopy(*arena_, *old) : std::string();
    const uint64_t deadline_ms = old ? old->deadline_ms : kNoDeadline;
    Ref rope = RopeBuild(*writable_line_, head);
    RopeWrite(*writable_line_, &rope, offset, bytes);
    ValueView built;
    built.external = true;
    built.ref = rope;
    built.deadline_ms = deadline_ms;
    built.hint = kStringRaw;
    PutValue(db_, key, built);
  }
  return length;
}

// Into a run that keeps its length, or into a rope (made from the run when it grows beyond one).
void WriteView::WriteWithin(const Key& key, size_t offset, ByteView bytes, size_t length) {
  const auto value =
      TrieWriter(*writable_line_, &WritableRoot(db_)->keys, store_->secret()).Mutate(key);
  VERSO_CHECK(value && value->ref != nullptr);
  Ref* slot = value->ref;
  if (slot->kind() == PageKind::kValue && length <= slot->size()) {
    std::memcpy(writable_line_->Writable(slot) + offset, bytes.data(), bytes.size());
  } else {
    if (slot->kind() == PageKind::kValue) *slot = RopeFromRun(*writable_line_, *slot);
    RopeWrite(*writable_line_, slot, offset, bytes);
  }
  value->header->type_hint =
      static_cast<uint8_t>(kStringRaw << 4 | static_cast<uint8_t>(ValueType::kString));
}

size_t WriteView::Append(const Key& key, ByteView bytes, const KeyEvent& event) {
  const auto value = Find(key, Access::kPeek);
  return SetRange(key, value ? StringLength(*arena_, *value) : 0, bytes, event);
}

// ---- keys

bool WriteView::Erase(const Key& key, const KeyEvent& event) {
  const auto entry = FindEntry(key);
  if (!entry) return false;
  const bool live = !Expired(entry->value.deadline_ms);
  writable_line_->Retire(TakeEntry(db_, key).value);
  Changed(db_, key, live ? event : kExpired);
  return live;
}

bool WriteView::SetDeadline(const Key& key, uint64_t deadline_ms, const KeyEvent& event) {
  const auto entry = FindEntry(key);
  if (!entry || Expired(entry->value.deadline_ms)) return false;
  DatabaseRoot* root = WritableRoot(db_);
  const auto old =
      TrieWriter(*writable_line_, &root->keys, store_->secret()).SetDeadline(key, deadline_ms);
  VERSO_CHECK(old.has_value());
  MoveDeadline(root, key, *old, deadline_ms);
  Changed(db_, key, event);
  return true;
}

bool WriteView::Rename(const Key& from, const Key& to) {
  const auto entry = FindEntry(from);
  if (!entry || Expired(entry->value.deadline_ms)) return false;
  if (from.bytes == to.bytes) return true;
  ValueView value = entry->value;
  const std::string inlined(value.bytes);  // erasing zeroes the bytes where they stand
  value.bytes = inlined;
  TakeEntry(db_, from);
  PutValue(db_, to, value);
  Changed(db_, from, kRenameFrom);
  Changed(db_, to, kRenameTo);
  return true;
}

bool WriteView::Move(const Key& key, int to_db) {
  const auto entry = FindEntry(key);
  if (!entry || Expired(entry->value.deadline_ms) || to_db == db_) return false;
  if (WriteView(*writable_store_, *writable_line_, to_db, moment_ms_).Exists(key)) return false;
  ValueView value = entry->value;
  const std::string inlined(value.bytes);
  value.bytes = inlined;
  TakeEntry(db_, key);
  PutValue(to_db, key, value);
  Changed(db_, key, kMoveFrom);
  Changed(to_db, key, kMoveTo);
  return true;
}

bool WriteView::Copy(const Key& from, const Key& to, int to_db) {
  const auto entry = FindEntry(from);
  if (!entry || Expired(entry->value.deadline_ms)) return false;
  ValueView value = entry->value;
  const std::string inlined(value.bytes);
  value.bytes = inlined;
  if (value.external) value.ref = CopySubtree(*writable_line_, value.ref);  // V10
  PutValue(to_db, to, value);
  Changed(to_db, to, kCopyTo);
  return true;
}

// ---- whole databases

void WriteView::Flush() {
  if (!*root_) return;
  DatabaseRoot* root = WritableRoot(db_);
  const DatabaseRoot old = *root;
  *root = DatabaseRoot{};
  writable_line_->Retire(old.keys);
  writable_line_->Retire(old.deadlines);
  if (KeyObserver* observer = writable_store_->observer())
    observer->DatabaseChanged(*writable_line_, db_, "flushdb", old.count);
}

void WriteView::FlushAll() {
  for (int db = 0; db < kDatabases; ++db)
    WriteView(*writable_store_, *writable_line_, db, moment_ms_).Flush();
}

void WriteView::Swap(int a, int b) {
  if (!*root_ || a == b) return;
  DatabaseRoot* const first = WritableRoot(a);
  DatabaseRoot* const second = WritableRoot(b);
  std::swap(*first, *second);
  if (KeyObserver* observer = writable_store_->observer()) {
    observer->DatabaseChanged(*writable_line_, a, "swapdb", 1);
    observer->DatabaseChanged(*writable_line_, b, "swapdb", 0);
  }
}

// ---- time

size_t WriteView::ExpireDue(size_t max, const std::function<void(const Key&)>& expired) {
  size_t gone = 0;
  for (; gone < max; ++gone) {
    const DatabaseRoot* root = Root();
    if (root == nullptr) break;
    const std::optional<TreeItem> due = TreeFirst(*arena_, root->deadlines);
    if (!due || !Expired(due->a)) break;
    const auto entry =
        TrieReader(*arena_, root->keys)
            .FindByHash(due->b, store_->secret(), [&due](const TrieEntry& candidate) {
              return candidate.value.deadline_ms == due->a;
            });
    VERSO_CHECK(entry.has_value());  // the index and the entries change together
    const std::string bytes = entry->KeyCopy(*arena_);
    const Key key{bytes, due->b};
    writable_line_->Retire(TakeEntry(db_, key).value);
    expired(key);
    Changed(db_, key, kExpired);
  }
  return gone;
}

uint64_t WriteView::NextDeadline() const {
  const DatabaseRoot* root = Root();
  if (root == nullptr) return kNoDeadline;
  const std::optional<TreeItem> first = TreeFirst(*arena_, root->deadlines);
  return first ? first->a : kNoDeadline;
}

}  // namespace verso::storage
