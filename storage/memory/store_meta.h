// The super-root and what it describes: the table of lines, pins, names, dead lists and the
// background queue, as pages, so that a save is one reference. Made anew by every BeginSave (its
// size follows the number of lines, pins and buckets, not the data).
//
//   kSuperRoot   0      u32 format, u32 zero
//                8      u64 bytes of the table
//                16     hash secret (192 bytes)
//                208    Ref of kMeta pages, in order
//   kMeta        a piece of the table
//
// The table, all little-endian ("n x" is a u32 count, then so many of what follows):
//
//   u64 base (newest save before this one), u32 next line id, u32 main line id
//   n x line     u32 id, u32 parent (0 none), u32 flags (1 headless), u32 zero, u64 fork,
//                Ref head, bucket inherited, n x pin
//       pin      u64 epoch, Ref root, u64 moment ms, u32 kept, n x bucket
//       bucket   u64 first, Ref chunks, u64 pages, u64 bytes
//   n x item     of the background queue: u32 kind, u32 direct, u32 line (0 none), u64 died,
//                u64 above, u64 fork, n x Ref
//   n x name     u32 kind (1 branch, 2 snapshot, 3 merge base), u32 line, u64 epoch, u64 created ms
//                (merge base: the epoch of the merge), u64 deadline ms, n x byte: the name, then
//                zero and the name of the branch that a branch was made from or a snapshot taken of
//                (merge base: the branches merged from and into)
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "storage/base/hash.h"
#include "storage/base/result.h"
#include "storage/memory/line.h"
#include "storage/memory/page_arena.h"

namespace verso::storage {

inline constexpr uint32_t kMetaFormat = 1;
inline constexpr size_t kMetaPageBytes = 32768;
inline constexpr size_t kSuperRootHeader = 16 + HashSecret::kBytes;

struct MetaPin {
  Epoch epoch = 0;
  Ref root;
  uint64_t moment_ms = 0;
  uint32_t kept = 0;
  std::vector<DeadBucket> dead;
};

struct MetaLine {
  LineId id = 0;
  LineId parent = 0;
  bool headless = false;
  Epoch fork = 0;
  Ref head;
  DeadBucket inherited;
  std::vector<MetaPin> pins;
};

struct MetaItem {
  uint32_t kind = 0;
  bool direct = false;
  LineId line = 0;
  Epoch died = 0;
  Epoch above = 0;
  Epoch fork = 0;
  std::vector<Ref> refs;
};

inline constexpr uint32_t kMetaBranch = 1;
inline constexpr uint32_t kMetaSnapshot = 2;
inline constexpr uint32_t kMetaMergeBase = 3;

struct MetaName {
  uint32_t kind = 0;
  LineId line = 0;
  Epoch epoch = 0;
  uint64_t created_ms = 0;
  uint64_t deadline_ms = 0;
  std::string name;
};

// The table as a value. Readable in a forked child; also what a restart starts from.
struct MetaTable {
  Epoch base = 0;
  LineId next_line_id = 0;
  LineId main_line = 0;
  HashSecret secret;
  std::vector<MetaLine> lines;
  std::vector<MetaItem> items;
  std::vector<MetaName> names;
};

// A MetaName::name in its two parts.
std::pair<ByteView, ByteView> SplitMetaName(ByteView name);

std::string EncodeMeta(const MetaTable& table);
// Bytes may come from a disk: everything is checked. Fails: kCorruption, kIncompatible (a newer
// format).
Result<MetaTable> ReadMeta(const PageArena& arena, const Ref& super_root);

bool CheckSuperRoot(const char* page, const Ref& self);

template <typename Visitor>
void VisitSuperRoot(const char* page, const Ref& self, Visitor&& visit) {
  for (size_t at = kSuperRootHeader; at + sizeof(Ref) <= self.size(); at += sizeof(Ref)) {
    visit(LoadLe<Ref>(page + at));
  }
}

// Writes the table as pages of the meta line and returns the super-root.
Ref WriteMeta(Line& meta, const MetaTable& table);

}  // namespace verso::storage
