// Reclaimer: the one background queue (V9). What became unreachable at once is freed here in
// slices, page by page.
//
//   subtree   a page and everything below it left the head of `line` at epoch `died`. Each page is
//             judged when its turn comes: inherited (birth <= fork), needed by a pin, or free (V4).
//   chain     a chain of dead-list entries that no pin needs any more: entries born after the fork
//             are free, the others belong to an ancestor (V4, V10).
//   sweep     a chain of entries that only the running save needs: those it has written by now are
//             free, the others wait on.
//   discard   a chain whose entries are void (V10): only its chunks are freed.
//
// Holds: a save writes the queue as it stood at its pin, so that nothing is lost in the store when
// a process dies before it has worked it off. The child reads those subtrees, hence they rest until
// the save has ended; what is queued later goes on.
#pragma once

#include <memory_resource>
#include <utility>
#include <vector>

#include "storage/memory/page.h"

namespace verso::storage {

class Line;
class Store;

struct ReclaimItem {
  enum class Kind : uint8_t {
    kSubtree = 1,
    kChain = 2,
    kDiscard = 3,
    kSweep = 4
  };  // stored: frozen

  explicit ReclaimItem(std::pmr::memory_resource* memory) : refs(memory) {}

  Kind kind = Kind::kSubtree;
  bool aside =
      false;  // from a scratch line: no save contains it, whether its line still lives or not (V6)
  bool direct = false;   // subtree: no pin can need it any more (its line is gone or taken over)
  Line* line = nullptr;  // null: the line is gone, inherited entries are nobody's business
  Epoch died = 0;
  Epoch above = 0;  // subtree: only pages born after it; older ones are in the tree of a pin (V10)
  Epoch fork = 0;   // direct, and its line is gone: of the line it came from
  std::pmr::vector<Ref> refs;  // still to do, as a stack
};

class Reclaimer {
 public:
  explicit Reclaimer(Store* store);

  void AddSubtree(Line* line, const Ref& ref, Epoch died, Epoch above);
  void AddChain(Line* line, const Ref& chunks);
  void AddSweep(Line* line, const Ref& chunks, Epoch died);
  void AddDiscard(const Line& line, const Ref& chunks);

  // Works until about `budget_us` have gone. True: more is waiting (and not held).
  bool Run(uint64_t budget_us);
  // Entries that sweeps looked at since the last call, and how many of them were free.
  struct Sweeps {
    uint64_t looked = 0;
    uint64_t freed = 0;
  };
  Sweeps TakeSweeps() { return std::exchange(sweeps_, {}); }
  bool idle() const { return items_.empty(); }
  size_t backlog() const { return items_.size() + held_.size(); }

  void Hold();     // at the pin of a save
  void Release();  // at its end

  // V10, for items of `line`.
  void LineBeheaded(Line* line, Epoch newest);  // its head, or the pin that stood in for it, went
  void LineTakenOver(Line* from, Line* to);
  void LineGone(Line* line);

  template <typename Visit>
  void ForEach(Visit&& visit) const {
    for (const ReclaimItem& item : held_) visit(item);
    for (const ReclaimItem& item : items_) visit(item);
  }
  ReclaimItem* AddRestored();

 private:
  // One page or entry of the item. True: the item is finished.
  bool Step(ReclaimItem* item);
  void StepSubtree(ReclaimItem* item);
  void StepChain(ReclaimItem* item);
  template <typename Change>
  void Each(Change&& change) {
    for (ReclaimItem& item : held_) change(item);
    for (ReclaimItem& item : items_) change(item);
  }

  Store* store_;
  std::pmr::vector<ReclaimItem> items_;
  std::pmr::vector<ReclaimItem> held_;
  Sweeps sweeps_;
};

}  // namespace verso::storage
