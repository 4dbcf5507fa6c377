#include "storage/keyspace/diff.h"

#include <algorithm>

#include "storage/base/check.h"
#include "storage/index/counted_btree.h"
#include "storage/keyspace/same_content.h"
#include "storage/memory/store.h"

namespace verso::storage {
namespace {

// About as much as a leaf with changes takes.
constexpr uint64_t kPagesAStep = 128;
constexpr int kDeadlinesAStep = 32;

const DatabaseRoot* DatabaseAt(const PageArena& arena, const Ref& root, int db) {
  return root ? reinterpret_cast<const LineRoot*>(arena.Resolve(root))->databases + db : nullptr;
}

}  // namespace

Ref KeyspaceDiff::KeysOf(const PageArena& arena, const Ref& root, int db) {
  const DatabaseRoot* const database = DatabaseAt(arena, root, db);
  return database != nullptr ? database->keys : kNullRef;
}

KeyspaceDiff::KeyspaceDiff(const Store& store, const Version& a, const Version& b, int db)
    : a_(store, a.root, db, a.moment_ms),
      b_(store, b.root, db, b.moment_ms),
      a_is_earlier_(a.moment_ms <= b.moment_ms),
      earlier_root_(a_is_earlier_ ? a.root : b.root),
      pair_(store.arena(), KeysOf(store.arena(), a.root, db), KeysOf(store.arena(), b.root, db),
            store.secret()) {}

bool KeyspaceDiff::Step(DiffPosition* at, const Visitor& visit) {
  if (!at->begun) {
    at->begun = true;
    at->until_ms = std::max(a_.moment_ms(), b_.moment_ms());
  }
  if (at->by_deadline) return StepDeadlines(at, visit);
  const DiffPosition now = *at;
  at->hash = pair_.Next(
      at->hash, [&](const TrieEntry* a, const TrieEntry* b) { Compare(now, a, b, visit); },
      kPagesAStep);
  if (at->hash != 0) return true;
  // Behind all deadlines up to the earlier moment.
  at->by_deadline = true;
  at->deadline_ms = std::min(a_.moment_ms(), b_.moment_ms());
  at->hash = ~uint64_t{0};
  return at->deadline_ms < at->until_ms;
}

void KeyspaceDiff::Compare(const DiffPosition& at, const TrieEntry* a, const TrieEntry* b,
                           const Visitor& visit) const {
  const TrieEntry* const earlier = a_is_earlier_ ? a : b;
  const uint64_t earlier_ms = (a_is_earlier_ ? a_ : b_).moment_ms();
  if (earlier != nullptr && earlier->value.deadline_ms > earlier_ms &&
      earlier->value.deadline_ms <= at.until_ms) {
    return;  // D2
  }
  const auto shown = [](const TrieEntry* entry, const ReadView& view) {
    const bool there = entry != nullptr && entry->value.deadline_ms > view.moment_ms();
    return there ? std::optional(entry->value) : std::nullopt;
  };
  const std::optional<ValueView> one = shown(a, a_);
  const std::optional<ValueView> other = shown(b, b_);
  if (SameContent(a_, one, other)) return;
  const TrieEntry& entry = a != nullptr ? *a : *b;  // NOLINT: one of them is there
  const std::string copy = entry.key_external ? entry.KeyCopy(a_.arena()) : std::string();
  const ByteView name = entry.key_external ? ByteView(copy) : entry.key_inline;
  visit(Key{name, entry.KeyHash(a_.secret())}, one, other);
}

bool KeyspaceDiff::StepDeadlines(DiffPosition* at, const Visitor& visit) {
  const PageArena& arena = a_.arena();
  const DatabaseRoot* const database = DatabaseAt(arena, earlier_root_, a_.db());
  if (database == nullptr) return false;
  const TrieReader keys(arena, database->keys);
  TreeItem from{at->deadline_ms, at->hash};
  if (++from.b == 0) ++from.a;
  auto cursor = TreeCursor::From(arena, database->deadlines, from);
  for (int i = 0; i < kDeadlinesAStep; ++i, cursor.Next()) {
    if (!cursor.valid() || cursor.item().a > at->until_ms) return false;
    const TreeItem due = cursor.item();
    at->deadline_ms = due.a;
    at->hash = due.b;
    const auto entry = keys.FindByHash(due.b, a_.secret(), [&due](const TrieEntry& candidate) {
      return candidate.value.deadline_ms == due.a;
    });
    VERSO_CHECK(entry.has_value());  // the index and the entries change together
    const std::string name = entry->KeyCopy(arena);
    const Key key{name, due.b};
    const std::optional<ValueView> there = entry->value;
    const auto later = (a_is_earlier_ ? b_ : a_).Find(key, Access::kPeek);
    visit(key, a_is_earlier_ ? there : later, a_is_earlier_ ? later : there);
  }
  return true;
}

}  // namespace verso::storage
