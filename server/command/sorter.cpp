#include "server/command/sorter.h"

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstdlib>
#include <cstring>

#include "storage/types/hash_value.h"
#include "storage/types/list.h"
#include "storage/types/set_value.h"
#include "storage/types/zset.h"

namespace verso::server {

using storage::Access;
using storage::ItemView;
using storage::PageArena;
using storage::ReadView;
using storage::TrieEntry;
using storage::ValueType;
using storage::ValueView;

namespace {

// Small enough that sorting it is a matter of microseconds.
constexpr size_t kChunkEntries = 512;
constexpr uint64_t kWalkStep = 64;
constexpr size_t kComparedBytes = 16 * 1024;  // of two ropes at a time

// As Redis reads a weight: what strtod takes as a whole, an empty string being 0.
bool ReadScore(const PageArena& arena, const ValueView& value, double* score) {
  char room[64];
  std::string copy;
  const char* text = room;
  const std::optional<ByteView> whole = storage::StringContiguous(arena, value);
  if (whole && whole->size() < sizeof(room)) {
    if (!whole->empty()) std::memcpy(room, whole->data(), whole->size());
    room[whole->size()] = '\0';
  } else {
    copy = storage::StringCopy(arena, value);
    text = copy.c_str();
  }
  char* end = nullptr;
  errno = 0;
  *score = std::strtod(text, &end);
  return *end == '\0' && errno != ERANGE && !std::isnan(*score);
}

}  // namespace

// ---- patterns

// Redis looks at them as C strings: nothing behind a zero byte counts as a sign.
SortPattern::SortPattern(ByteView text) : itself_(text == "#") {
  const ByteView seen = text.substr(0, text.find('\0'));
  const size_t star = seen.find('*');
  varies_ = star != ByteView::npos;
  if (!varies_) return;
  prefix_ = text.substr(0, star);
  const size_t arrow = seen.find("->", star + 1);
  if (arrow != ByteView::npos && arrow + 2 < seen.size()) {
    suffix_ = text.substr(star + 1, arrow - star - 1);
    field_ = text.substr(arrow + 2);
  } else {
    suffix_ = text.substr(star + 1);
  }
}

std::optional<ValueView> SortPattern::Lookup(const ReadView& view, const ValueView& element) const {
  if (itself_) return element;
  if (!varies_) return std::nullopt;
  const std::string key = prefix_ + storage::StringCopy(view.arena(), element) + suffix_;
  const std::optional<ValueView> value = view.Find(view.MakeKey(key), Access::kPeek);
  if (!value || value->type != (field_.empty() ? ValueType::kString : ValueType::kHash)) {
    return std::nullopt;
  }
  return field_.empty() ? value : storage::HashFind(view, *value, field_);
}

uint64_t SortQuery::Begin(uint64_t size) const {
  return std::min(static_cast<uint64_t>(std::max<int64_t>(offset, 0)), size);
}

uint64_t SortQuery::Count(uint64_t size) const {
  const uint64_t left = size - Begin(size);
  return count < 0 ? left : std::min(static_cast<uint64_t>(count), left);
}

// ---- strings where they stand

Sorter::StringAt Sorter::Keep(const PageArena& arena, const ValueView& string) {
  const auto length = static_cast<uint32_t>(storage::StringLength(arena, string));
  if (const std::optional<ByteView> whole = storage::StringContiguous(arena, string)) {
    return {whole->data(), length, StringAt::Kind::kBytes};
  }
  ropes_.push_back(string.ref);
  return {&ropes_.back(), length, StringAt::Kind::kRope};
}

ValueView Sorter::Shown(const StringAt& string) {
  ValueView value;
  if (string.kind == StringAt::Kind::kRope) {
    value.external = true;
    value.ref = *static_cast<const storage::Ref*>(string.at);
  } else {
    value.bytes = ByteView(static_cast<const char*>(string.at), string.length);
  }
  return value;
}

int Sorter::CompareStrings(const PageArena& arena, const StringAt& a, const StringAt& b) {
  if (a.kind == StringAt::Kind::kBytes && b.kind == StringAt::Kind::kBytes) [[likely]] {
    return Shown(a).bytes.compare(Shown(b).bytes);
  }
  // What is missing comes before all that is there.
  if (a.kind == StringAt::Kind::kNone || b.kind == StringAt::Kind::kNone) {
    return static_cast<int>(b.kind == StringAt::Kind::kNone) -
           static_cast<int>(a.kind == StringAt::Kind::kNone);
  }
  const size_t common = std::min(a.length, b.length);
  std::string left;
  std::string right;
  for (size_t offset = 0; offset < common; offset += kComparedBytes) {
    const size_t bytes = std::min(kComparedBytes, common - offset);
    const auto read = [&](const StringAt& from, std::string* into) {
      into->clear();
      storage::StringForEachPiece(arena, Shown(from), offset, bytes,
                                  [into](ByteView piece) { into->append(piece); });
    };
    read(a, &left);
    read(b, &right);
    if (const int order = left.compare(right); order != 0) return order;
  }
  return a.length < b.length ? -1 : a.length > b.length ? 1 : 0;
}

int Sorter::Compare(const PageArena& arena, const Entry& a, const Entry& b) const {
  int order;
  if (query_.alpha) {
    order = query_.by ? CompareStrings(arena, a.weight, b.weight)
                      : CompareStrings(arena, a.element, b.element);
  } else if (a.score != b.score) {
    order = a.score < b.score ? -1 : 1;
  } else {
    order = CompareStrings(arena, a.element, b.element);
  }
  return query_.descending ? -order : order;
}

// ---- collecting

uint64_t Sorter::SizeOf(const ReadView& view, const ValueView& value) {
  switch (value.type) {
    case ValueType::kList:
      return storage::ListCount(view.arena(), value);
    case ValueType::kSet:
      return storage::SetCount(view.arena(), value);
    default:
      return storage::ZsetCount(view.arena(), value);
  }
}

void Sorter::Begin(const ReadView& view, const ValueView& value) {
  begun_ = true;
  size_ = SizeOf(view, value);
  skip_ = query_.Begin(size_);
  count_ = query_.Count(size_);
  walk_ = size_;
  if (!query_.unsorted) return;
  if (value.type == ValueType::kSet) {
    walk_ = skip_ + count_;
  } else {
    from_ = std::exchange(skip_, 0);
    walk_ = count_;
  }
}

void Sorter::Walk(const ReadView& view, const ValueView& value) {
  const PageArena& arena = view.arena();
  const uint64_t step = std::min(kWalkStep, walk_ - walked_so_far_);
  const uint64_t at = from_ + walked_so_far_;
  // The order of a sorted set, or of a list, counts where none is asked for; then DESC turns it.
  const bool down = query_.unsorted && query_.descending;
  const auto add = [&](const ItemView& item) { Add(view, item.value()); };
  if (step > 0 && value.type == ValueType::kSet) {
    WalkSet(view, value);
  } else if (step > 0 && value.type == ValueType::kList) {
    if (down) {
      storage::ListForEachDown(arena, value, size_ - 1 - at, step, add);
    } else {
      storage::ListForEach(arena, value, at, step, add);
    }
    walked_so_far_ += step;
  } else if (step > 0) {
    storage::ZsetForEach(view, value, {down ? size_ - at - step : at, step}, down,
                         [&](const ItemView& item, double) { add(item); });
    walked_so_far_ += step;
  }
  walked_ |= walked_so_far_ >= walk_;
}

void Sorter::WalkSet(const ReadView& view, const ValueView& value) {
  if (!storage::CollectionRef(value)) {
    const bool integers = storage::SetFormOf(value) == storage::SetForm::kIntegers;
    storage::SmallSetForEach(view.arena(), value, [&](ByteView member) {
      if (++walked_so_far_ > walk_) return;
      Add(view, storage::PackedString(integers ? ByteView(texts_.emplace_back(member)) : member));
    });
    walked_ = true;
    return;
  }
  cursor_ = storage::ElementTrie(view.arena(), value)
                .trie()
                .Scan(cursor_, 1, view.secret(), [&](const TrieEntry& entry) {
                  if (++walked_so_far_ > walk_) return;
                  ValueView member;
                  member.external = entry.key_external;
                  member.bytes = entry.key_inline;
                  member.ref = entry.key_ref;
                  Add(view, member);
                });
  walked_ = cursor_ == 0;
}

void Sorter::Add(const ReadView& view, const ValueView& element) {
  if (!query_.unsorted) {
    AddSorted(view, element);
  } else if (skip_ > 0) {
    --skip_;
  } else {
    Entry& entry = window_.entries.emplace_back();
    entry.element = Keep(view.arena(), element);
  }
}

void Sorter::AddSorted(const ReadView& view, const ValueView& element) {
  if (chunks_.empty() || chunks_.back().entries.size() == kChunkEntries) {
    chunks_.emplace_back().entries.reserve(kChunkEntries);
  }
  Entry& entry = chunks_.back().entries.emplace_back();
  entry.element = Keep(view.arena(), element);
  const std::optional<ValueView> weight = query_.by ? query_.by->Lookup(view, element) : element;
  if (query_.alpha) {
    entry.weight = {nullptr, 0, StringAt::Kind::kNone};
    if (weight && query_.by) entry.weight = Keep(view.arena(), *weight);
  } else {
    entry.score = 0;
    if (weight) failed_ |= !ReadScore(view.arena(), *weight, &entry.score);
  }
  if (chunks_.back().entries.size() == kChunkEntries) FinishChunk(view.arena());
}

void Sorter::FinishChunk(const PageArena& arena) {
  auto& entries = chunks_.back().entries;
  std::stable_sort(entries.begin(), entries.end(),
                   [&](const Entry& a, const Entry& b) { return Compare(arena, a, b) < 0; });
  heap_.push_back(static_cast<uint32_t>(chunks_.size() - 1));
  std::push_heap(heap_.begin(), heap_.end(),
                 [&](uint32_t a, uint32_t b) { return Later(arena, a, b); });
}

bool Sorter::Prepare(const ReadView& view, const ValueView& value) {
  if (!begun_) Begin(view, value);
  if (query_.unsorted || failed_) return true;
  const PageArena& arena = view.arena();
  if (!walked_) {
    Walk(view, value);
    if (walked_ && !chunks_.empty() && chunks_.back().entries.size() < kChunkEntries) {
      FinishChunk(arena);
    }
    return failed_;
  }
  for (uint64_t step = kWalkStep; step > 0 && skip_ > 0 && !heap_.empty(); --step, --skip_) {
    DropFirst(arena);
  }
  return skip_ == 0 || heap_.empty();
}

// ---- the result

bool Sorter::Later(const PageArena& arena, uint32_t a, uint32_t b) const {
  const int order =
      Compare(arena, chunks_[a].entries[chunks_[a].next], chunks_[b].entries[chunks_[b].next]);
  return order != 0 ? order > 0 : a > b;  // R2
}

void Sorter::DropFirst(const PageArena& arena) {
  const auto later = [&](uint32_t a, uint32_t b) { return Later(arena, a, b); };
  std::pop_heap(heap_.begin(), heap_.end(), later);
  Chunk& chunk = chunks_[heap_.back()];
  if (++chunk.next < chunk.entries.size()) {
    std::push_heap(heap_.begin(), heap_.end(), later);
    return;
  }
  heap_.pop_back();
  std::pmr::vector<Entry>(ClientMemory()).swap(chunk.entries);
}

bool Sorter::Next(const ReadView& view, const ValueView& value, ValueView* element) {
  if (taken_ == count_) return false;
  if (!query_.unsorted) {
    if (heap_.empty()) return false;  // damage: fewer than the value says
    const Chunk& chunk = chunks_[heap_.front()];
    *element = Shown(chunk.entries[chunk.next].element);
    DropFirst(view.arena());
    ++taken_;
    return true;
  }
  while (window_.next == window_.entries.size()) {
    if (walked_) return false;
    window_.entries.clear();
    window_.next = 0;
    texts_.clear();
    ropes_.clear();
    Walk(view, value);
  }
  *element = Shown(window_.entries[window_.next++].element);
  ++taken_;
  return true;
}

}  // namespace verso::server
