// Contents for the model of lines: what a version holds, as plain values, how it is written through
// a Line, and how the two are compared.
#pragma once

#include <algorithm>
#include <array>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "storage/index/rope.h"
#include "storage/memory/line.h"
#include "storage/memory/line_root.h"
#include "tests/support/test_store.h"

namespace verso::storage {

inline constexpr size_t kSlots = kDatabases;

// Small, and without memory put by: many are made.
inline std::unique_ptr<Store> NewModelStore(const Clock* clock) {
  StoreOptions options = TestStoreOptions(clock);
  options.arena.bytes_max = size_t{1} << 30;
  options.arena.reserve_bytes = 0;
  options.arena.reserve_bytes_pinned = 0;
  return Store::Create(options).value();
}

// splitmix64 (Steele, Lea, Flood): the same steps on every machine.
class Random {
 public:
  explicit Random(uint64_t seed) : state_(seed * 0xd1342543de82ef95u) { state_ = Next(); }
  uint64_t Next() {
    uint64_t z = state_ += 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
  }
  uint64_t Below(uint64_t end) { return Next() % end; }
  bool Chance(uint64_t of, uint64_t all) { return Below(all) < of; }

 private:
  uint64_t state_;
};

// One page of raw bytes: a pattern that follows from the seed. Size 0: no page.
struct Leaf {
  uint32_t seed = 0;
  uint32_t size = 0;
};

struct Content {
  PageKind kind = PageKind::kValue;
  Leaf value;                           // kValue
  std::vector<std::vector<Leaf>> grid;  // kRopeNode of level 2: rows of leaves; an empty row: null
  std::string text;                     // kRope
};

// Null: an empty slot. The same object in two versions: not changed between them.
using Version = std::array<std::shared_ptr<const Content>, kSlots>;

// ---- leaves

inline void Fill(char* page, const Leaf& leaf) {
  uint64_t word = leaf.seed * 0x9e3779b97f4a7c15u;
  for (size_t at = 0; at < leaf.size; at += 8, word += 0x0123456789abcdefu) {
    std::memcpy(page + at, &word, std::min<size_t>(8, leaf.size - at));
  }
}

inline bool Filled(const char* page, const Leaf& leaf) {
  uint64_t word = leaf.seed * 0x9e3779b97f4a7c15u;
  for (size_t at = 0; at < leaf.size; at += 8, word += 0x0123456789abcdefu) {
    if (std::memcmp(page + at, &word, std::min<size_t>(8, leaf.size - at)) != 0) return false;
  }
  return true;
}

inline Leaf AnyLeaf(Random* random, uint32_t size_max) {
  return {static_cast<uint32_t>(random->Next()),
          static_cast<uint32_t>(1 + random->Below(random->Chance(1, 3) ? size_max : 64))};
}

inline Ref NewLeaf(Line& line, const Leaf& leaf) {
  if (leaf.size == 0) return kNullRef;
  const Ref ref = line.NewPage(PageKind::kValue, leaf.size);
  Fill(line.arena().ResolveMutable(ref), leaf);
  return ref;
}

// ---- writing

inline LineRoot* WritableRoot(Line& line) {
  if (line.head()) return reinterpret_cast<LineRoot*>(line.Writable(line.mutable_head()));
  *line.mutable_head() = line.NewPage(PageKind::kLineRoot, sizeof(LineRoot));
  char* page = line.arena().ResolveMutable(line.head());
  std::memset(page, 0, sizeof(LineRoot));
  return reinterpret_cast<LineRoot*>(page);
}

inline Ref NewNode(Line& line, size_t count, uint16_t level) {
  const Ref ref = line.NewPage(PageKind::kRopeNode, count * sizeof(Ref), level);
  std::memset(line.arena().ResolveMutable(ref), 0, count * sizeof(Ref));
  return ref;
}

inline Ref* RefsIn(Line& line, const Ref& node) {
  return reinterpret_cast<Ref*>(line.arena().ResolveMutable(node));
}

inline Ref NewRow(Line& line, const std::vector<Leaf>& leaves) {
  const Ref row = NewNode(line, leaves.size(), 1);
  for (size_t i = 0; i < leaves.size(); ++i) RefsIn(line, row)[i] = NewLeaf(line, leaves[i]);
  return row;
}

inline Ref Build(Line& line, const Content& content) {
  if (content.kind == PageKind::kValue) return NewLeaf(line, content.value);
  if (content.kind == PageKind::kRope) return RopeBuild(line, content.text);
  const Ref root = NewNode(line, content.grid.size(), 2);
  for (size_t i = 0; i < content.grid.size(); ++i) {
    if (!content.grid[i].empty()) RefsIn(line, root)[i] = NewRow(line, content.grid[i]);
  }
  return root;
}

inline std::vector<Leaf> AnyRow(Random* random, size_t count_max, uint32_t size_max) {
  std::vector<Leaf> row(1 + random->Below(count_max));
  for (Leaf& leaf : row) {
    if (!random->Chance(1, 8)) leaf = AnyLeaf(random, size_max);
  }
  return row;
}

inline Content AnyContent(Random* random) {
  Content content;
  const uint64_t k = random->Below(100);
  if (k < 55) {
    content.value = AnyLeaf(random, 3000);
  } else if (k < 97) {
    content.kind = PageKind::kRopeNode;
    const bool wide = random->Chance(1, 24);  // enough to fill a save's own list
    content.grid.resize(wide ? 12 : 1 + random->Below(4));
    for (auto& row : content.grid) {
      row = wide ? AnyRow(random, 60, 48) : AnyRow(random, 8, 300);
      if (random->Chance(1, 8)) row.clear();
    }
  } else {
    content.kind = PageKind::kRope;
    content.text.assign(1 + random->Below(20000), static_cast<char>(random->Next()));
  }
  return content;
}

inline void ChangeLeaf(Line& line, Ref* slot, Leaf* leaf, Random* random) {
  if (leaf->size != 0 && random->Chance(1, 2)) {  // in place or copied
    leaf->seed = static_cast<uint32_t>(random->Next());
    Fill(line.Writable(slot), *leaf);
    return;
  }
  if (*slot) line.Drop(*slot);
  *leaf = random->Chance(1, 5) ? Leaf{} : AnyLeaf(random, 300);
  *slot = NewLeaf(line, *leaf);
}

inline void ChangeGrid(Line& line, Ref* slot, Content* content, Random* random) {
  const size_t r = random->Below(content->grid.size());
  std::vector<Leaf>& row = content->grid[r];
  if (row.empty() || random->Chance(1, 16)) {
    Ref* row_slot = reinterpret_cast<Ref*>(line.Writable(slot)) + r;
    line.Retire(*row_slot);
    row = random->Chance(1, 4) ? std::vector<Leaf>{} : AnyRow(random, 12, 100);
    *row_slot = row.empty() ? kNullRef : NewRow(line, row);
    return;
  }
  const size_t c = random->Below(row.size());
  const Ref leaf_ref = RefsIn(line, RefsIn(line, *slot)[r])[c];
  if (leaf_ref && line.InPlace(leaf_ref) && random->Chance(1, 2)) {  // L2
    row[c].seed = static_cast<uint32_t>(random->Next());
    Fill(line.arena().ResolveMutable(leaf_ref), row[c]);
    line.MarkWritten();
    return;
  }
  Ref* row_slot = reinterpret_cast<Ref*>(line.Writable(slot)) + r;
  Ref* leaf_slot = reinterpret_cast<Ref*>(line.Writable(row_slot)) + c;
  ChangeLeaf(line, leaf_slot, &row[c], random);
}

// One write command on one slot (or two: a rename).
inline void ChangeVersion(Line& line, Version* version, Random* random) {
  const size_t i = random->Below(kSlots);
  Ref* slot = &WritableRoot(line)->databases[i].keys;
  std::shared_ptr<const Content>& content = (*version)[i];
  const uint64_t k = random->Below(100);
  if (k < 4) {  // RENAME moves a reference (V10)
    const size_t j = random->Below(kSlots);
    std::swap(*slot, WritableRoot(line)->databases[j].keys);
    std::swap(content, (*version)[j]);
    return;
  }
  if (k < 9 && content != nullptr) {
    line.Retire(*slot);
    *slot = kNullRef;
    content = nullptr;
    return;
  }
  if (k < 24 || content == nullptr) {
    line.Retire(*slot);
    content = std::make_shared<Content>(AnyContent(random));
    *slot = Build(line, *content);
    return;
  }
  auto changed = std::make_shared<Content>(*content);
  if (changed->kind == PageKind::kValue) {
    if (random->Chance(1, 2)) {
      changed->value.seed = static_cast<uint32_t>(random->Next());
      Fill(line.Writable(slot), changed->value);
    } else {
      line.Drop(*slot);
      changed->value = AnyLeaf(random, 3000);
      *slot = NewLeaf(line, changed->value);
    }
  } else if (changed->kind == PageKind::kRopeNode) {
    const uint64_t times = random->Chance(1, 12) ? 400 : 1 + random->Below(4);
    for (uint64_t n = 0; n < times; ++n) ChangeGrid(line, slot, changed.get(), random);
  } else {
    const size_t offset = random->Below(changed->text.size() + 3000);
    const std::string bytes(1 + random->Below(300), static_cast<char>(random->Next()));
    RopeWrite(line, slot, offset, bytes);
    if (changed->text.size() < offset + bytes.size()) {
      changed->text.resize(offset + bytes.size());
    }
    changed->text.replace(offset, bytes.size(), bytes);
  }
  content = std::move(changed);
}

// ---- comparing. Empty: the same.

inline std::string CompareLeaf(const PageArena& arena, const Ref& ref, const Leaf& leaf) {
  if (leaf.size == 0) return ref ? "a leaf that was removed" : "";
  if (ref.kind() != PageKind::kValue || ref.size() != leaf.size) return "another leaf";
  return Filled(arena.Resolve(ref), leaf) ? "" : "other bytes in a leaf";
}

inline std::string CompareGrid(const PageArena& arena, const Ref& ref, const Content& content) {
  if (ref.kind() != PageKind::kRopeNode || ref.size() != content.grid.size() * sizeof(Ref)) {
    return "another root of a grid";
  }
  const Ref* rows = reinterpret_cast<const Ref*>(arena.Resolve(ref));
  for (size_t r = 0; r < content.grid.size(); ++r) {
    const std::vector<Leaf>& row = content.grid[r];
    if (rows[r].size() != row.size() * sizeof(Ref)) return "another row";
    if (row.empty()) continue;
    const Ref* leaves = reinterpret_cast<const Ref*>(arena.Resolve(rows[r]));
    for (size_t c = 0; c < row.size(); ++c) {
      std::string error = CompareLeaf(arena, leaves[c], row[c]);
      if (!error.empty()) return error;
    }
  }
  return "";
}

inline std::string CompareSlot(const PageArena& arena, const Ref& root, const Version& version,
                               size_t slot) {
  Ref ref;
  if (root) ref = reinterpret_cast<const LineRoot*>(arena.Resolve(root))->databases[slot].keys;
  const Content* content = version[slot].get();
  if (content == nullptr) return ref ? "a slot that was emptied" : "";
  if (ref.kind() != content->kind) return "another kind in a slot";
  switch (content->kind) {
    case PageKind::kValue:
      return CompareLeaf(arena, ref, content->value);
    case PageKind::kRope:
      return RopeEquals(arena, ref, content->text) ? "" : "other bytes in a rope";
    default:
      return CompareGrid(arena, ref, *content);
  }
}

inline std::string CompareVersion(const PageArena& arena, const Ref& root, const Version& version) {
  for (size_t slot = 0; slot < kSlots; ++slot) {
    std::string error = CompareSlot(arena, root, version, slot);
    if (!error.empty()) return error;
  }
  return "";
}

}  // namespace verso::storage
