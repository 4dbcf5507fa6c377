// Structural audit of a hash trie: every statement T1-T6 of hash_trie_node.h, checked. For tests
// and DEBUG AUDIT.

#include <algorithm>
#include <array>
#include <utility>

#include "storage/index/hash_trie_path.h"

namespace verso::storage {
namespace {

class TrieAudit {
 public:
  TrieAudit(const PageArena& arena, const HashSecret& secret) : arena_(arena), secret_(secret) {}

  // `prefix`: the hash bits that lead here, at the top; `consumed`: how many of them.
  void Visit(const Ref& ref, unsigned consumed, uint64_t prefix, unsigned leaf_depth, bool root) {
    if (ref.kind() == PageKind::kTrieDir) {
      VisitDir(ref, consumed, prefix, root);
    } else if (ref.kind() == PageKind::kTrieLeaf) {
      VisitLeaf(ref, consumed, prefix, leaf_depth);
    } else {
      Fail(ref, "neither directory nor leaf");
    }
  }

  std::string error;
  TrieStats stats;

 private:
  void Fail(const Ref& ref, const char* what) {
    if (!error.empty()) return;
    error = std::string("hash trie, cell ") + std::to_string(ref.cell()) + ": " + what;
  }

  void VisitDir(const Ref& ref, unsigned consumed, uint64_t prefix, bool root) {
    const char* page = arena_.Resolve(ref);
    const unsigned bits = ref.aux();
    const unsigned bits_max = root ? kTrieRootDirBitsMax : kTrieDirBitsMax;
    if (!CheckTrieDir(page, ref)) return Fail(ref, "directory page is damaged");
    if (bits > bits_max) return Fail(ref, "directory is too large for its place");
    if (consumed + bits > kTrieHashBits) return Fail(ref, "more levels than hash bits");
    ++stats.dirs;
    stats.dir_bytes += ref.size();
    const Ref* slots = TrieSlots(page);
    const size_t count = size_t{1} << bits;
    bool empty = true;
    for (size_t i = 0; i < count && error.empty();) {
      size_t width = 1;
      while (i + width < count && slots[i + width] == slots[i]) ++width;
      if (slots[i]) {
        empty = false;
        const bool dir = slots[i].kind() == PageKind::kTrieDir;
        if (dir && bits != bits_max) return Fail(ref, "T1: a directory below one that can grow");
        const unsigned depth = bits - static_cast<unsigned>(__builtin_ctzll(width));
        const uint64_t child_prefix = prefix | uint64_t{i} << (kTrieHashBits - consumed - bits);
        Visit(slots[i], dir ? consumed + bits : consumed + depth, child_prefix, depth, false);
      }
      i += width;
    }
    if (empty) Fail(ref, "T6: empty directory");
  }

  void VisitLeaf(const Ref& ref, unsigned consumed, uint64_t prefix, unsigned depth) {
    const char* page = arena_.Resolve(ref);
    if (!CheckTrieLeaf(page, ref)) return Fail(ref, "leaf page is damaged");
    const TrieLeafHeader& header = TrieLeaf(page);
    if (header.depth != depth) return Fail(ref, "T1: depth does not fit the number of slots");
    ++stats.leaves;
    stats.leaf_bytes += ref.size();
    stats.entries += header.count;
    stats.garbage_bytes += header.garbage;

    std::array<std::pair<size_t, size_t>, kTrieEntriesMax> used;  // offset, end
    uint64_t first_hash = 0;
    bool equal = true;
    for (size_t slot = 0; slot < header.count; ++slot) {
      const size_t offset = TrieOffset(page, slot);
      used[slot] = {offset, offset + TrieEntryAt(page + offset).size()};
      const uint64_t hash = TrieDecode(ref, page + offset, slot).KeyHash(secret_);
      if (static_cast<uint8_t>(TrieFingerprints(page)[slot]) != TrieFingerprint(hash)) {
        return Fail(ref, "T2: fingerprint");
      }
      if (consumed > 0 && (hash ^ prefix) >> (kTrieHashBits - consumed) != 0) {
        return Fail(ref, "T5: an entry belongs elsewhere");
      }
      if (slot == 0) first_hash = hash;
      equal = equal && hash == first_hash;
    }
    if (ref.size() > kTrieUnitsMax * kTrieUnitBytes && !equal) {
      return Fail(ref, "a leaf above its maximum could be split");
    }
    for (size_t slot = header.count; slot < header.cap; ++slot) {
      if (TrieFingerprints(page)[slot] != 0 || TrieOffset(page, slot) != 0) {
        return Fail(ref, "T4: an unused slot is not zero");
      }
    }
    std::sort(used.begin(), used.begin() + header.count);
    size_t at = TrieLeafStart(header.cap);
    for (size_t i = 0; i < header.count; ++i) {
      if (used[i].first < at) return Fail(ref, "T3: entries overlap");
      if (!Zero(page, at, used[i].first)) return Fail(ref, "T4: a hole is not zero");
      at = used[i].second;
    }
    if (!Zero(page, at, ref.size())) Fail(ref, "T4: the tail is not zero");
  }

  static bool Zero(const char* page, size_t from, size_t to) {
    return std::all_of(page + from, page + to, [](char byte) { return byte == 0; });
  }

  const PageArena& arena_;
  const HashSecret& secret_;
};

}  // namespace

std::string TrieReader::Validate(const HashSecret& secret, TrieStats* stats) const {
  TrieAudit audit(arena_, secret);
  if (root_) audit.Visit(root_, 0, 0, 0, true);
  if (stats != nullptr) *stats = audit.stats;
  return audit.error;
}

}  // namespace verso::storage
