#include "server/command/sorter.h"

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <utility>

#include "storage/types/hash_value.h"

namespace verso::server {

using storage::Access;
using storage::PageArena;
using storage::ReadView;
using storage::ValueType;
using storage::ValueView;

namespace {

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

// ---- collecting

Sorter::Sorter(SortQuery query)
    : query_(std::move(query)),
      order_(!query_.alpha ? StringOrder::By::kScore
             : query_.by   ? StringOrder::By::kWeight
                           : StringOrder::By::kBytes,
             query_.descending) {}

void Sorter::Begin(const ReadView& view, const ValueView& value) {
  begun_ = true;
  const uint64_t size = ElementCount(view, value);
  skip_ = query_.Begin(size);
  count_ = query_.Count(size);
  if (!query_.unsorted) {
    walk_.Begin(0, size, false);
  } else if (value.type == ValueType::kSet) {
    walk_.Begin(0, skip_ + count_, false);
  } else {
    // The order there is counts, then, and DESC turns it.
    walk_.Begin(std::exchange(skip_, 0), count_, query_.descending);
  }
}

void Sorter::Add(const ReadView& view, const ValueView& element) {
  const PageArena& arena = view.arena();
  if (query_.unsorted) {
    if (skip_ > 0) {
      --skip_;
    } else {
      window_.push_back(element);
    }
    return;
  }
  const std::optional<ValueView> weight = query_.by ? query_.by->Lookup(view, element) : element;
  if (query_.alpha && query_.by) {
    order_.Add(arena, element, weight);
    return;
  }
  double score = 0;
  if (weight && !query_.alpha) failed_ |= !ReadScore(arena, *weight, &score);
  order_.Add(arena, element, score);
}

void Sorter::Walk(const ReadView& view, const ValueView& value) {
  walk_.Step(view, value, [&](const ValueView& element, double) { Add(view, element); });
}

bool Sorter::Prepare(const ReadView& view, const ValueView& value) {
  if (!begun_) Begin(view, value);
  if (query_.unsorted || failed_) return true;
  if (!walk_.done()) {
    Walk(view, value);
    return failed_;
  }
  if (!std::exchange(collected_, true)) order_.Close(view.arena());
  constexpr int kStep = 64;
  for (int step = 0; step < kStep && skip_ > 0 && !order_.empty(); ++step, --skip_) {
    order_.DropFirst(view.arena());
  }
  return skip_ == 0 || order_.empty();
}

// ---- the result

bool Sorter::Next(const ReadView& view, const ValueView& value, ValueView* element) {
  if (taken_ == count_) return false;
  if (query_.unsorted) {
    while (window_next_ == window_.size()) {
      if (walk_.done()) return false;
      window_.clear();
      window_next_ = 0;
      walk_.Forget();
      Walk(view, value);
    }
    *element = window_[window_next_++];
  } else {
    if (order_.empty()) return false;  // damage: fewer than the value says
    *element = order_.First();
    order_.DropFirst(view.arena());
  }
  ++taken_;
  return true;
}

}  // namespace verso::server
