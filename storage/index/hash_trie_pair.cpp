#include "storage/index/hash_trie_pair.h"

#include <algorithm>

#include "storage/index/hash_trie_path.h"

namespace verso::storage {
namespace {

bool SameKey(const PageArena& arena, const TrieEntry& a, const char* entry) {
  if (!a.key_external) {
    const TrieEntryHeader& header = TrieEntryAt(entry);
    return !header.key_external() &&
           a.key_inline == ByteView(entry + header.key_offset(), header.key_bytes);
  }
  const TrieEntry b = TrieDecode(kNullRef, entry, 0);
  if (!b.key_external || a.key_hash != b.key_hash) return false;
  return a.key_ref.SamePage(b.key_ref) || a.KeyCopy(arena) == b.KeyCopy(arena);
}

// The slot of the leaf that has this entry's key.
size_t FindSlot(const PageArena& arena, const Ref& leaf, const TrieEntry& wanted,
                uint8_t fingerprint) {
  size_t result = kTrieNoSlot;
  if (!leaf) return result;
  TrieForEachMatch(arena.Resolve(leaf), fingerprint, [&](size_t slot, const char* entry) {
    if (!SameKey(arena, wanted, entry)) return false;
    result = slot;
    return true;
  });
  return result;
}

bool SameEntry(const ValueView& a, const ValueView& b) {
  if (a.type != b.type || a.deadline_ms != b.deadline_ms || a.external != b.external) return false;
  return a.external ? a.ref.SamePage(b.ref) : a.bytes == b.bytes;
}

}  // namespace

// What stands at the slot of this hash; of a leaf or of nothing, with the slots beside it that say
// the same.
TriePair::Side TriePair::Child(const Side& dir, uint64_t hash) const {
  const unsigned bits = dir.ref.aux();
  const unsigned shift = kTrieHashBits - dir.consumed - bits;  // a slot covers 2^shift hashes
  const Ref* slots = TrieSlots(arena_.Resolve(dir.ref));
  const size_t index = TrieDirIndex(hash, dir.consumed, bits);
  size_t first = index;
  size_t last = index;
  if (slots[index].kind() != PageKind::kTrieDir) {
    const size_t count = size_t{1} << bits;
    while (first > 0 && slots[first - 1] == slots[index]) --first;
    while (last + 1 < count && slots[last + 1] == slots[index]) ++last;
  }
  Side side;
  side.ref = slots[index];
  side.first = dir.first + (uint64_t{first} << shift);
  side.last = dir.first + (uint64_t{last} << shift) + ((uint64_t{1} << shift) - 1);
  side.consumed = dir.consumed + bits;
  return side;
}

// Requires: the ranges overlap, and `from` is not behind the end of both.
TriePair::Found TriePair::Seek(const Side& a, const Side& b, uint64_t from, const Visitor& visit) {
  const uint64_t first = std::max({a.first, b.first, from});
  const uint64_t last = std::min(a.last, b.last);
  behind_ = last;
  if (a.ref.null() ? b.ref.null() : !b.ref.null() && a.ref.SamePage(b.ref)) return Found::kNothing;
  // Beyond 64 bits a damaged directory: nothing is there.
  const auto sound = [](const Side& side) {
    return !side.dir() || side.consumed + side.ref.aux() <= kTrieHashBits;
  };
  if (!sound(a) || !sound(b)) return Found::kNothing;
  if (!a.dir() && !b.dir()) {
    Compare(a, b, first, last, visit);
    pages_ += (a.ref ? 1 : 0) + (b.ref ? 1 : 0);
    return Found::kLeaves;
  }
  const bool open_a = a.dir() && (!b.dir() || a.width() >= b.width());
  const bool open_b = b.dir() && (!a.dir() || b.width() >= a.width());
  pages_ += (open_a ? 1 : 0) + (open_b ? 1 : 0);
  for (uint64_t at = first;; at = behind_ + 1) {
    if (pages_ > pages_until_) {
      behind_ = at - 1;  // what is before was dealt with; at == 0 cannot be: see Next
      return Found::kPause;
    }
    const Found found = Seek(open_a ? Child(a, at) : a, open_b ? Child(b, at) : b, at, visit);
    if (found != Found::kNothing) return found;
    if (behind_ >= last) return Found::kNothing;
  }
}

uint64_t TriePair::Next(uint64_t from, const Visitor& visit, uint64_t pages_max) {
  // At least one way down, so that every call gets on.
  constexpr uint64_t kPagesMin = 4 * TriePath::kStepsMax;
  pages_until_ = std::max(pages_max, kPagesMin);
  pages_until_ = pages_until_ > ~pages_ ? ~uint64_t{0} : pages_ + pages_until_;
  Seek(Side{a_}, Side{b_}, from, visit);
  return behind_ + 1;
}

void TriePair::Compare(const Side& a, const Side& b, uint64_t first, uint64_t last,
                       const Visitor& visit) const {
  // Of a leaf that reaches beyond [first, last] only the entries inside.
  const auto for_each = [&](const Side& side, auto&& use) {
    if (!side.ref) return;
    const char* page = arena_.Resolve(side.ref);
    const bool all = side.first >= first && side.last <= last;
    for (size_t slot = 0; slot < TrieLeaf(page).count; ++slot) {
      const char* entry = page + TrieOffset(page, slot);
      if (!all) {
        const uint64_t hash = TrieEntryHash(entry, secret_);
        if (hash < first || hash > last) continue;
      }
      use(TrieDecode(side.ref, entry, slot), static_cast<uint8_t>(TrieFingerprints(page)[slot]));
    }
  };
  for_each(a, [&](const TrieEntry& entry, uint8_t fingerprint) {
    const size_t slot = FindSlot(arena_, b.ref, entry, fingerprint);
    if (slot == kTrieNoSlot) {
      visit(&entry, nullptr);
      return;
    }
    const char* page = arena_.Resolve(b.ref);
    const TrieEntry other = TrieDecode(b.ref, page + TrieOffset(page, slot), slot);
    if (!SameEntry(entry.value, other.value)) visit(&entry, &other);
  });
  for_each(b, [&](const TrieEntry& entry, uint8_t fingerprint) {
    if (FindSlot(arena_, a.ref, entry, fingerprint) == kTrieNoSlot) visit(nullptr, &entry);
  });
}

}  // namespace verso::storage
