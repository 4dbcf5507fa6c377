#include "server/command/string_order.h"

#include <algorithm>
#include <string>
#include <utility>

#include "storage/types/string_value.h"

namespace verso::server {

using storage::PageArena;
using storage::ValueView;

namespace {

constexpr size_t kComparedBytes = 16 * 1024;  // of two ropes at a time

}  // namespace

// ---- strings where they stand

StringOrder::StringAt StringOrder::Keep(const PageArena& arena, const ValueView& string) {
  const auto length = static_cast<uint32_t>(storage::StringLength(arena, string));
  if (const std::optional<ByteView> whole = storage::StringContiguous(arena, string)) {
    return {whole->data(), length, StringAt::Kind::kBytes};
  }
  ropes_.push_back(string.ref);
  return {&ropes_.back(), length, StringAt::Kind::kRope};
}

ValueView StringOrder::Shown(const StringAt& string) {
  ValueView value;
  if (string.kind == StringAt::Kind::kRope) {
    value.external = true;
    value.ref = *static_cast<const storage::Ref*>(string.at);
  } else {
    value.bytes = ByteView(static_cast<const char*>(string.at), string.length);
  }
  return value;
}

int StringOrder::CompareStrings(const PageArena& arena, const StringAt& a, const StringAt& b) {
  if (a.kind == StringAt::Kind::kBytes && b.kind == StringAt::Kind::kBytes) [[likely]] {
    return Shown(a).bytes.compare(Shown(b).bytes);
  }
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

int StringOrder::Compare(const PageArena& arena, const Entry& a, const Entry& b) const {
  int order = 0;
  if (by_ == By::kWeight) {
    order = CompareStrings(arena, a.weight, b.weight);
  } else if ((by_ == By::kScore || by_ == By::kScoreOnly) && a.score != b.score) {
    order = a.score < b.score ? -1 : 1;
  } else if (by_ == By::kScore || by_ == By::kBytes) {
    order = CompareStrings(arena, a.string, b.string);
  }
  return descending_ ? -order : order;
}

// ---- coming

StringOrder::Entry& StringOrder::AddEntry(const PageArena& arena, const ValueView& string) {
  if (LastIsFull()) Sort(arena);
  if (chunks_.empty() || LastIsFull()) BeginChunk();
  Entry* const entry = new (chunks_.back().end++) Entry;
  entry->string = Keep(arena, string);
  return *entry;
}

void StringOrder::BeginChunk() {
  const size_t place = chunks_.size() % kChunksPerPiece;
  if (place == 0) pieces_.push_back({ClientPieces()->Take(), 0});
  ++pieces_.back().chunks_left;
  auto* const begin =
      reinterpret_cast<Entry*>(pieces_.back().memory + place * kChunkEntries * sizeof(Entry));
  chunks_.push_back({begin, begin});
}

void StringOrder::Add(const PageArena& arena, const ValueView& string, double score) {
  AddEntry(arena, string).score = score;
}

void StringOrder::Add(const PageArena& arena, const ValueView& string,
                      const std::optional<ValueView>& weight) {
  Entry& entry = AddEntry(arena, string);
  entry.weight = weight ? Keep(arena, *weight) : StringAt{nullptr, 0, StringAt::Kind::kNone};
}

void StringOrder::Close(const PageArena& arena) {
  if (!chunks_.empty()) Sort(arena);
}

// The last chunk is complete.
void StringOrder::Sort(const PageArena& arena) {
  std::stable_sort(chunks_.back().next, chunks_.back().end,
                   [&](const Entry& a, const Entry& b) { return Compare(arena, a, b) < 0; });
  heap_.push_back(static_cast<uint32_t>(chunks_.size() - 1));
  std::push_heap(heap_.begin(), heap_.end(),
                 [&](uint32_t a, uint32_t b) { return Later(arena, a, b); });
}

// ---- going

bool StringOrder::Later(const PageArena& arena, uint32_t a, uint32_t b) const {
  const int order = Compare(arena, *chunks_[a].next, *chunks_[b].next);
  return order != 0 ? order > 0 : a > b;  // O2
}

void StringOrder::DropFirst(const PageArena& arena) {
  const auto later = [&](uint32_t a, uint32_t b) { return Later(arena, a, b); };
  std::pop_heap(heap_.begin(), heap_.end(), later);
  const uint32_t index = heap_.back();
  if (++chunks_[index].next < chunks_[index].end) {
    std::push_heap(heap_.begin(), heap_.end(), later);
    return;
  }
  heap_.pop_back();
  Piece& piece = pieces_[index / kChunksPerPiece];
  if (--piece.chunks_left == 0) ClientPieces()->Give(std::exchange(piece.memory, nullptr));
}

StringOrder::~StringOrder() {
  for (const Piece& piece : pieces_) {
    if (piece.memory != nullptr) ClientPieces()->Give(piece.memory);
  }
}

}  // namespace verso::server
