// Put, Mutate, SetDeadline, Erase: finding the entry and changing one leaf. What changes the shape
// of the trie is in hash_trie_shape.cpp (growing) and hash_trie_shrink.cpp.

#include <cstring>

#include "storage/base/check.h"
#include "storage/index/hash_trie_path.h"

namespace verso::storage {
namespace {

uint8_t TypeAndHint(ValueType type, uint8_t hint) {
  return static_cast<uint8_t>(static_cast<uint8_t>(type) | hint << 4);
}

}  // namespace

// One entry to be written: new, or in the place of another.
struct TrieWriter::Edit {
  char image[kTrieEntryBytesMax];
  size_t bytes = 0;
  size_t replaced_slot = kTrieNoSlot;
  uint64_t hash = 0;
  uint16_t clock = 0;

  Edit() {}  // image is not zeroed: it is written before it is read

  bool inserts() const { return replaced_slot == kTrieNoSlot; }
  void Append(const void* from, size_t count) {
    if (count != 0) std::memcpy(image + bytes, from, count);
    bytes += count;
  }
  // Everything up to the key. Sizes of what is external are given as 0.
  void Begin(ValueType type, uint8_t hint, uint8_t flags, uint64_t deadline_ms, size_t key_bytes,
             size_t value_bytes) {
    TrieEntryHeader header;
    header.type_hint = TypeAndHint(type, hint);
    header.flags = deadline_ms == kNoDeadline ? flags : flags | kTrieHasDeadline;
    header.key_bytes = static_cast<uint8_t>(key_bytes);
    header.value_bytes = static_cast<uint8_t>(value_bytes);
    Append(&header, sizeof(header));
    if (deadline_ms != kNoDeadline) Append(&deadline_ms, sizeof(deadline_ms));
  }
};

namespace {

uint64_t DeadlineOf(const char* entry) {
  return TrieEntryAt(entry).has_deadline() ? LoadLe<uint64_t>(entry + sizeof(TrieEntryHeader))
                                           : kNoDeadline;
}

uint8_t ValueFlags(const ValueView& value) { return value.external ? kTrieValueExternal : 0; }
size_t InlineBytes(const ValueView& value) { return value.external ? 0 : value.bytes.size(); }

bool SameLayout(const TrieEntryHeader& old, const ValueView& value) {
  return old.value_external() == value.external && old.value_bytes == InlineBytes(value) &&
         old.has_deadline() == (value.deadline_ms != kNoDeadline);
}

// Requires: SameLayout. The new bytes may be those of this very entry.
void OverwriteValue(char* entry, const ValueView& value) {
  auto* header = reinterpret_cast<TrieEntryHeader*>(entry);
  header->type_hint = TypeAndHint(value.type, value.hint);
  if (header->has_deadline()) StoreLe(entry + sizeof(*header), value.deadline_ms);
  if (value.external) {
    StoreLe(entry + header->value_offset(), value.ref);
  } else if (!value.bytes.empty()) {
    std::memmove(entry + header->value_offset(), value.bytes.data(), value.bytes.size());
  }
}

// Takes the bytes of an entry out; they read as zero (T4).
void CutEntry(char* leaf, size_t offset, size_t bytes) {
  TrieLeafHeader& header = TrieLeaf(leaf);
  std::memset(leaf + offset, 0, bytes);
  if (offset + bytes == header.end) {
    header.end = static_cast<uint16_t>(offset);
  } else {
    header.garbage = static_cast<uint16_t>(header.garbage + bytes);
  }
}

}  // namespace

TriePrevious TrieWriter::PreviousAt(const char* entry) const {
  const TrieEntryHeader& header = TrieEntryAt(entry);
  TriePrevious previous;
  previous.type = header.type();
  previous.hint = header.hint();
  previous.deadline_ms = DeadlineOf(entry);
  if (header.value_external()) previous.value = LoadLe<Ref>(entry + header.value_offset());
  return previous;
}

// L2: a leaf in place is changed where it is; else the path is made writable from the root down.
char* TrieWriter::WritableLeaf(TriePath* path) {
  const Ref old = path->leaf;
  if (line_.InPlace(old)) {
    line_.MarkWritten();
    return line_.arena().ResolveMutable(old);
  }
  MakeDirsWritable(path);
  Ref* slot = path->steps == 0 ? root_ : path->last().slots + path->last().index;
  char* leaf = line_.Writable(slot);
  const TrieLeafHeader& header = TrieLeaf(leaf);
  for (size_t i = 0; i < header.count; ++i) {
    line_.arena().SetClock(*slot, i, *line_.arena().Clock(old, i));
  }
  SetLeaf(path, header.depth, *slot);
  return leaf;
}

TriePutResult TrieWriter::Put(const TrieKey& key, const ValueView& value, uint16_t clock) {
  VERSO_CHECK(value.external || value.bytes.size() <= kTrieInlineBytesMax);
  VERSO_DCHECK(static_cast<int>(value.type) < kTypeCount && value.hint < 16);
  TriePath path;
  TrieDescend(line_.arena(), *root_, key.hash, &path);
  const char* leaf = path.leaf ? line_.arena().Resolve(path.leaf) : nullptr;
  const size_t slot = leaf == nullptr ? kTrieNoSlot : TrieFindSlot(line_.arena(), leaf, key);

  Edit edit;
  edit.hash = key.hash;
  edit.clock = clock;
  edit.replaced_slot = slot;
  TriePutResult result;

  if (slot == kTrieNoSlot) {
    const bool external_key = key.bytes.size() > kTrieInlineBytesMax;
    const uint8_t flags = ValueFlags(value) | (external_key ? kTrieKeyExternal : 0);
    edit.Begin(value.type, value.hint, flags, value.deadline_ms,
               external_key ? 0 : key.bytes.size(), InlineBytes(value));
    Ref key_ref;
    if (external_key) {
      key_ref = TrieBuildKey(line_, key.bytes);
      edit.Append(&key.hash, sizeof(key.hash));
      edit.Append(&key_ref, sizeof(key_ref));
    } else {
      edit.Append(key.bytes.data(), key.bytes.size());
    }
    value.external ? edit.Append(&value.ref, sizeof(Ref))
                   : edit.Append(value.bytes.data(), value.bytes.size());
    if (!Apply(&path, edit)) {
      line_.Retire(key_ref);
      return result;
    }
    result.outcome = TriePutOutcome::kInserted;
    result.place = edited_;
    return result;
  }

  const char* entry = leaf + TrieOffset(leaf, slot);
  const TrieEntryHeader& old = TrieEntryAt(entry);
  result.previous = PreviousAt(entry);
  if (SameLayout(old, value)) {
    OverwriteValue(WritableLeaf(&path) + TrieOffset(leaf, slot), value);
    result.outcome = TriePutOutcome::kReplaced;
    result.place = TriePlace{path.leaf, static_cast<uint32_t>(slot)};
    return result;
  }
  edit.Begin(value.type, value.hint, ValueFlags(value) | (old.flags & kTrieKeyExternal),
             value.deadline_ms, old.key_bytes, InlineBytes(value));
  edit.Append(entry + old.key_offset(), old.key_size());
  value.external ? edit.Append(&value.ref, sizeof(Ref))
                 : edit.Append(value.bytes.data(), value.bytes.size());
  if (!Apply(&path, edit)) return result;
  result.outcome = TriePutOutcome::kReplaced;
  result.place = edited_;
  return result;
}

// Writes the entry into the leaf at the end of the path, which has room for it.
void TrieWriter::ApplyInPlace(TriePath* path, const Edit& edit) {
  char* leaf = WritableLeaf(path);
  TrieLeafHeader& header = TrieLeaf(leaf);
  size_t slot = edit.replaced_slot;
  size_t offset = header.end;
  if (edit.inserts()) {
    slot = header.count++;
    TrieFingerprints(leaf)[slot] = static_cast<char>(TrieFingerprint(edit.hash));
    line_.arena().SetClock(path->leaf, slot, edit.clock);
  } else {
    const size_t old_offset = TrieOffset(leaf, slot);
    const size_t old_bytes = TrieEntryAt(leaf + old_offset).size();
    if (edit.bytes <= old_bytes) {
      offset = old_offset;
      if (edit.bytes < old_bytes) CutEntry(leaf, offset + edit.bytes, old_bytes - edit.bytes);
    } else {
      CutEntry(leaf, old_offset, old_bytes);
      offset = header.end;
    }
  }
  std::memcpy(leaf + offset, edit.image, edit.bytes);
  SetTrieOffset(leaf, slot, offset);
  if (offset == header.end) header.end = static_cast<uint16_t>(offset + edit.bytes);
  edited_ = TriePlace{path->leaf, static_cast<uint32_t>(slot)};
}

// False, with nothing changed: more equal hashes than a leaf can hold.
bool TrieWriter::Apply(TriePath* path, const Edit& edit) {
  if (!path->leaf) {
    ApplyMoving(path, edit);
    return true;
  }
  const char* leaf = line_.arena().Resolve(path->leaf);
  const TrieLeafHeader& header = TrieLeaf(leaf);
  bool fits = header.end + edit.bytes <= path->leaf.size();
  if (edit.inserts()) {
    // A leaf of equal hashes is looked at again on every insertion: the new one may be what splits
    // it.
    fits = fits && header.count < header.cap && path->leaf.size() <= kTrieUnitsMax * kTrieUnitBytes;
  } else {
    fits = fits || edit.bytes <= TrieEntryAt(leaf + TrieOffset(leaf, edit.replaced_slot)).size();
  }
  if (!fits) return ApplyMoving(path, edit);
  ApplyInPlace(path, edit);
  return true;
}

// Writes the entry and moves the others: into a leaf of another size, without holes, or into
// several.
bool TrieWriter::ApplyMoving(TriePath* path, const Edit& edit) {
  TrieItem items[kTrieEntriesMax + 1];
  TrieItem item{edit.image,
                edit.hash,
                static_cast<uint16_t>(edit.bytes),
                edit.clock,
                TrieFingerprint(edit.hash),
                true};
  if (!path->leaf) {
    NewLeaf(path, item);
    return true;
  }
  size_t count = Gather(path->leaf, edit.replaced_slot, items);
  if (!edit.inserts()) item.clock = *line_.arena().Clock(path->leaf, edit.replaced_slot);
  items[count++] = item;
  const size_t units = TrieLeafUnits(count, TrieItemBytes(items, count));
  if (units > kTrieUnitsMax) return Split(path, items, count);
  Rebuild(path, items, count, units);
  return true;
}

std::optional<TrieMutableValue> TrieWriter::Mutate(const TrieKey& key) {
  TriePath path;
  TrieDescend(line_.arena(), *root_, key.hash, &path);
  if (!path.leaf) return std::nullopt;
  const char* found = line_.arena().Resolve(path.leaf);
  const size_t slot = TrieFindSlot(line_.arena(), found, key);
  if (slot == kTrieNoSlot) return std::nullopt;
  char* leaf = WritableLeaf(&path);
  char* entry = leaf + TrieOffset(leaf, slot);
  auto* header = reinterpret_cast<TrieEntryHeader*>(entry);
  TrieMutableValue value{header->type(), DeadlineOf(entry),
                         header,         nullptr,
                         nullptr,        TriePlace{path.leaf, static_cast<uint32_t>(slot)}};
  if (header->value_external()) {
    value.ref = reinterpret_cast<Ref*>(entry + header->value_offset());
  } else {
    value.bytes = entry + header->value_offset();
  }
  return value;
}

std::optional<uint64_t> TrieWriter::SetDeadline(const TrieKey& key, uint64_t deadline_ms) {
  TriePath path;
  TrieDescend(line_.arena(), *root_, key.hash, &path);
  if (!path.leaf) return std::nullopt;
  const char* leaf = line_.arena().Resolve(path.leaf);
  const size_t slot = TrieFindSlot(line_.arena(), leaf, key);
  if (slot == kTrieNoSlot) return std::nullopt;
  const char* entry = leaf + TrieOffset(leaf, slot);
  const uint64_t before = DeadlineOf(entry);
  if (before == deadline_ms) return before;

  const TrieEntryHeader& old = TrieEntryAt(entry);
  Edit edit;
  edit.hash = key.hash;
  edit.replaced_slot = slot;
  edit.Begin(old.type(), old.hint(), old.flags & ~kTrieHasDeadline, deadline_ms, old.key_bytes,
             old.value_bytes);
  edit.Append(entry + old.key_offset(), old.key_size() + old.value_size());
  // Only an entry of 128 + 128 bytes in a full leaf of equal hashes cannot take eight bytes more.
  if (!Apply(&path, edit)) return std::nullopt;
  return before;
}

void TrieWriter::RemoveSlot(char* leaf, const Ref& ref, size_t slot) {
  TrieLeafHeader& header = TrieLeaf(leaf);
  const size_t offset = TrieOffset(leaf, slot);
  CutEntry(leaf, offset, TrieEntryAt(leaf + offset).size());
  const size_t last = --header.count;
  char* fingerprints = TrieFingerprints(leaf);
  if (slot != last) {
    fingerprints[slot] = fingerprints[last];
    SetTrieOffset(leaf, slot, TrieOffset(leaf, last));
    line_.arena().SetClock(ref, slot, *line_.arena().Clock(ref, last));
  }
  fingerprints[last] = 0;
  SetTrieOffset(leaf, last, 0);
}

std::optional<TriePrevious> TrieWriter::Erase(const TrieKey& key) {
  TriePath path;
  TrieDescend(line_.arena(), *root_, key.hash, &path);
  if (!path.leaf) return std::nullopt;
  const char* found = line_.arena().Resolve(path.leaf);
  const size_t slot = TrieFindSlot(line_.arena(), found, key);
  if (slot == kTrieNoSlot) return std::nullopt;
  const char* entry = found + TrieOffset(found, slot);
  const TrieEntryHeader& header = TrieEntryAt(entry);
  const TriePrevious previous = PreviousAt(entry);
  Ref key_ref;
  if (header.key_external()) key_ref = LoadLe<Ref>(entry + header.key_offset() + sizeof(uint64_t));

  if (TrieLeaf(found).count == 1) {
    const Ref old = path.leaf;
    MakeDirsWritable(&path);
    SetLeaf(&path, TrieLeaf(found).depth, kNullRef);
    line_.Drop(old);
    Tidy(&path, true);
  } else {
    RemoveSlot(WritableLeaf(&path), path.leaf, slot);
    ShrinkAfterErase(&path);
  }
  if (key_ref) line_.Retire(key_ref);
  return previous;
}

}  // namespace verso::storage
