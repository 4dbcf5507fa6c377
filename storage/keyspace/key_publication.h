// KeyPublication: keys that were changed in a scratch line take effect in another line, all at one
// instant (a transaction's COMMIT): values, deadlines, and keys that went.
//
//   KeyPublication publication(store, scratch, begin, keys);    keys: what was changed, each once
//   while (publication.Prepare(line) == kMore) ...              in slices
//   publication.Apply(line, now_ms, told);
//
// P1 What a key held in the version that the scratch line was forked from and what it holds in the
//    target now has the same content; so what the scratch line still has of it stays in place.
// P2 Prepare() makes the pages that the scratch line has made young enough to be linked (V6). If
// the
//    target was written meanwhile they may have become too old again: young() says so.
// P3 Apply() tells KeyObserver of each key once, unless it is absent before and after. Requires:
//    young(); room for the paths of the keys in both lines; then nothing can fail.
#pragma once

#include <optional>
#include <span>

#include "storage/keyspace/keyspace.h"
#include "storage/memory/publication.h"
#include "storage/memory/renewal.h"

namespace verso::storage {

struct PublishedKey {
  int db = 0;
  Key key;
  KeyEvent event;  // the last one of it; `changes` of all
};

class KeyPublication {
 public:
  // `begin`: the version the scratch line was forked from. The keys must live as long as this does.
  KeyPublication(Store& store, Line& scratch, const ReadView& begin,
                 std::span<const PublishedKey> keys)
      : store_(store), scratch_(scratch), begin_(begin), keys_(keys) {}

  enum class Step : uint8_t { kMore, kReady, kNoRoom };
  // A few pages more. kReady: young(line). Begins anew if what was ready is so no more.
  Step Prepare(Line& line);
  bool young(Line& line) const;
  int rounds() const { return rounds_; }  // that Prepare() has begun

  // Hears of each key that was changed, with a view of its database in the target.
  using Told = std::function<void(const PublishedKey& key, const ReadView& view)>;
  void Apply(Line& line, uint64_t moment_ms, const Told& told);

 private:
  std::optional<TrieEntry> BuiltAt(const PublishedKey& key);
  // The slot of the value's root page in the scratch line, if it has pages.
  Ref* SlotOf(const PublishedKey& key);
  bool SharesAll(Line& line) const;
  void DropOld(Publication& publication, WriteView& to, const PublishedKey& key);
  bool Put(Publication& publication, WriteView& to, const PublishedKey& key);

  Store& store_;
  Line& scratch_;
  const ReadView begin_;
  std::span<const PublishedKey> keys_;
  int rounds_ = 0;
  size_t next_ = 0;
  Epoch above_ = 0;         // pages older than that are copied
  bool has_pages_ = false;  // some value does not stand in its leaf
  bool whole_ = false;      // nothing is shared: the target has the same content in other pages
  bool ready_ = false;
  std::optional<Renewal> renewal_;
};

}  // namespace verso::storage
