#include "storage/types/element_trie.h"

#include <algorithm>

#include "storage/base/check.h"
#include "storage/index/rope.h"
#include "storage/memory/store.h"

namespace verso::storage {

bool ElementTrieWriter::Put(const Key& element, ByteView value) {
  const TriePutResult put = trie_.Put(element, view_.BuildString(value), view_.clock());
  // Refused only when 255 elements share all 64 bits of a hash under a secret.
  VERSO_CHECK(put.outcome != TriePutOutcome::kRefused);
  if (put.outcome == TriePutOutcome::kReplaced) {
    view_.line().Retire(put.previous.value);
    return false;
  }
  ++CollectionAt(page_).scalars[0];
  return true;
}

bool ElementTrieWriter::Erase(const Key& element) {
  const std::optional<TriePrevious> taken = trie_.Erase(element);
  if (!taken) return false;
  view_.line().Retire(taken->value);
  --CollectionAt(page_).scalars[0];
  return true;
}

uint64_t ElementsEstimate(const PageArena& arena, uint64_t elements, uint64_t bytes) {
  // Many elements share their paths: together they cannot copy more than there is, and a leaf is
  // split at most once in 16 new ones.
  constexpr uint64_t kPath = Store::kBytesPerKeyWrite;
  constexpr uint64_t kBecomesLarge = 64 * 1024;
  constexpr uint64_t kRopeRoots = 2 * 4096;  // of the longest element
  const uint64_t paths = std::min(elements, 2 + elements / 16 + arena.bytes_allocated() / kPath);
  return bytes + bytes / 8 + kRopeRoots + kBecomesLarge + Store::kBytesPerWrite + paths * kPath;
}

std::string ValidateElements(const PageArena& arena, const ValueView& value,
                             const HashSecret& secret) {
  if (!CollectionRef(value)) return "";
  const ElementTrie elements(arena, value);
  std::string fault = elements.trie().Validate(secret);
  uint64_t count = 0;
  elements.trie().ForEach([&](const TrieEntry& entry) {
    ++count;
    if (!fault.empty() || !entry.value.external) return;
    if (entry.value.ref.kind() == PageKind::kRope) fault = RopeValidate(arena, entry.value.ref);
  });
  if (fault.empty() && count != elements.count()) fault = "count of a collection is wrong";
  if (fault.empty() && count == 0) fault = "a collection without elements";
  return fault;
}

}  // namespace verso::storage
