#include "storage/base/check.h"
#include "storage/types/zset.h"

namespace verso::storage {

ZsetWriter::ZsetWriter(WriteView& view, const Key& key, const std::optional<ValueView>& value,
                       const CollectionLimits& limits)
    : view_(view), key_(key), limits_(limits), old_(value) {
  if (!value) buffer_.emplace();
}

uint64_t ZsetWriter::count() const {
  if (packed()) return PackCount(pack()) / 2;
  if (page_ != nullptr) return CollectionAt(page_).scalars[0];
  return ZsetCount(view_.arena(), *old_);
}

PackBuffer& ZsetWriter::Buffer() {
  if (!buffer_) buffer_.emplace(PackOf(view_.arena(), *old_));
  return *buffer_;
}

char* ZsetWriter::Page() {
  if (page_ == nullptr) page_ = view_.WritableCollection(key_);
  return page_;
}

ZsetWriter::Found ZsetWriter::Find(ByteView member) const {
  Found found;
  if (packed()) {
    PackReader reader(pack());
    while (reader.left() >= 2) {
      reader.Next(&found.member);
      reader.Next(&found.packed);
      if (found.member.bytes != member) continue;
      found.score = UnpackScore(found.packed.bytes);
      break;
    }
    return found;
  }
  found.key = view_.MakeKey(member);
  if (page_ == nullptr) {
    found.score = ZsetScoreKey(view_.arena(), *old_, found.key);
  } else if (const auto entry =
                 TrieReader(view_.arena(), CollectionRefs(page_)[0]).Find(found.key)) {
    found.score = LoadLe<double>(entry->value.bytes.data());
  }
  return found;
}

void ZsetWriter::Put(ByteView member, const Found& found, double score) {
  if (!packed()) {
    PutLarge(found.key, found.score, score);
    return;
  }
  const PackedScore as_packed(score);
  const size_t more =
      PackItemBytes(as_packed.bytes().size()) + (found.score ? 0 : PackItemBytes(member.size()));
  const auto members_max = static_cast<uint64_t>(limits_.zset_entries);
  const bool fits =
      member.size() <= limits_.zset_value_bytes && pack().size() + more <= kPackBytesMax;
  if (fits && (found.score || count() < members_max)) {
    PutPacked(member, found, score);
    return;
  }
  const std::optional<double> old = found.score;
  MakeLarge();
  PutLarge(view_.MakeKey(member), old, score);
}

void ZsetWriter::PutPacked(ByteView member, const Found& found, double score) {
  PackBuffer& buffer = Buffer();
  if (found.score) {
    // A member equal to one that is not there may lie in the pack: the caller's bytes do not.
    buffer.EraseRange(found.member.begin, found.packed.end, 2);
  }
  PackReader reader(buffer.bytes());
  size_t place = buffer.size();
  PackItem there;
  PackItem packed;
  while (reader.left() >= 2) {
    reader.Next(&there);
    reader.Next(&packed);
    const double other = UnpackScore(packed.bytes);
    if (other > score || (other == score && there.bytes > member)) {
      place = there.begin;
      break;
    }
  }
  buffer.Insert(place, PackedScore(score).bytes());
  buffer.Insert(place, member);
}

void ZsetWriter::PutLarge(const Key& member, const std::optional<double>& old, double score) {
  char* page = Page();
  char bytes[sizeof(double)];
  StoreLe(bytes, score);
  ElementTrieWriter(view_, page).Put(member, ByteView(bytes, sizeof(bytes)));
  if (IsNegativeZero(score)) CollectionAt(page).scalars[1] = kZsetNegativeZero;
  Ref* tree = CollectionRefs(page) + 1;
  if (old) {
    const bool erased = ItemsErase(view_.line(), tree, Item{ScoreOrder(*old), 0, member.bytes});
    VERSO_CHECK(erased);  // Z1
  }
  ItemsInsert(view_.line(), tree, ItemFlavour::kZset, Item{ScoreOrder(score), 0, member.bytes});
}

bool ZsetWriter::Erase(ByteView member) {
  const Found found = Find(member);
  if (!found.score) return false;
  if (packed()) {
    Buffer().EraseRange(found.member.begin, found.packed.end, 2);
    return true;
  }
  char* page = Page();
  const bool erased =
      ElementTrieWriter(view_, page).Erase(found.key) &&
      ItemsErase(view_.line(), CollectionRefs(page) + 1, Item{ScoreOrder(*found.score), 0, member});
  VERSO_CHECK(erased);  // Z1
  return true;
}

void ZsetWriter::EraseRange(const ZsetRange& range) {
  if (range.count == 0) return;
  if (!packed()) {
    EraseRangeLarge(range);
    return;
  }
  PackBuffer& buffer = Buffer();
  PackReader reader(buffer.bytes());
  PackItem item;
  size_t begin = kPackHeaderBytes;
  for (uint64_t i = 0; i < 2 * range.from; ++i) {
    reader.Next(&item);
    begin = item.end;
  }
  for (uint64_t i = 0; i < 2 * range.count; ++i) reader.Next(&item);
  buffer.EraseRange(begin, item.end, 2 * range.count);
}

void ZsetWriter::EraseRangeLarge(const ZsetRange& range) {
  char* page = Page();
  Ref* tree = CollectionRefs(page) + 1;
  if (range.count == count()) {
    // Retired as a whole: large ones are freed in slices (V9).
    for (Ref* ref : {CollectionRefs(page), tree}) {
      view_.line().Retire(*ref);
      *ref = kNullRef;
    }
    CollectionAt(page).scalars[0] = 0;
    return;
  }
  // Some at a time: what a cursor shows is good until the next change.
  constexpr uint64_t kBatch = 64;
  const PageArena& arena = view_.arena();
  ElementTrieWriter elements(view_, page);
  std::vector<std::string> members;
  for (uint64_t done = 0; done < range.count; done += members.size()) {
    members.clear();
    auto at = ItemCursor::At(arena, *tree, range.from + done);
    for (uint64_t i = std::min(kBatch, range.count - done); i > 0; --i, at.Next()) {
      members.push_back(StringCopy(arena, at.item().value()));
    }
    for (const std::string& member : members) {
      const bool erased = elements.Erase(view_.MakeKey(member));
      VERSO_CHECK(erased);  // Z1
    }
  }
  ItemsEraseRange(view_.line(), tree, range.from, range.count);
}

void ZsetWriter::MakeLarge() {
  const PackBuffer old(pack());
  built_ = view_.BuildCollection(ValueType::kZset, 2);
  page_ = view_.line().arena().ResolveMutable(built_.ref);
  PackReader reader(old.bytes());
  while (reader.left() >= 2) {
    const Key member = view_.MakeKey(reader.NextBytes());
    PutLarge(member, std::nullopt, UnpackScore(reader.NextBytes()));
  }
  buffer_.reset();
}

ValueView ZsetWriter::Built() {
  if (built_.ref) return built_;
  return view_.BuildPack(ValueType::kZset, kCollectionPacked, buffer_->bytes());
}

void ZsetWriter::Finish(const KeyEvent& event) {
  if (count() == 0) {
    if (built_.ref) view_.line().Retire(built_.ref);
    view_.Erase(key_, {"del", 'g', event.changes});
    return;
  }
  if (built_.ref || buffer_) view_.ReplaceValue(key_, Built());
  view_.NotifyChanged(key_, event);
}

void ZsetWriter::FinishAsNew(const KeyEvent& event) {
  VERSO_CHECK(!old_ && count() > 0);
  view_.SetValue(key_, Built());
  view_.NotifyChanged(key_, event);
}

}  // namespace verso::storage
