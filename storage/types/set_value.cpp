#include "storage/types/set_value.h"

#include <algorithm>

#include "storage/base/check.h"

namespace verso::storage {

uint64_t SetCount(const PageArena& arena, const ValueView& set) {
  switch (SetFormOf(set)) {
    case SetForm::kIntegers:
      return IntegerPack(PackOf(arena, set)).count();
    case SetForm::kPacked:
      return PackCount(PackOf(arena, set));
    case SetForm::kLarge:
      return ElementTrie(arena, set).count();
  }
  return 0;
}

bool SetContainsKey(const PageArena& arena, const ValueView& set, const Key& member) {
  switch (SetFormOf(set)) {
    case SetForm::kIntegers: {
      const std::optional<int64_t> integer = ParseMember(member.bytes);
      return integer && IntegerPack(PackOf(arena, set)).Contains(*integer);
    }
    case SetForm::kPacked: {
      PackReader pack(PackOf(arena, set));
      while (pack.left() > 0) {
        if (pack.NextBytes() == member.bytes) return true;
      }
      return false;
    }
    case SetForm::kLarge:
      return ElementTrie(arena, set).trie().Find(member).has_value();
  }
  return false;
}

bool SetContains(const ReadView& view, const ValueView& set, ByteView member) {
  // A small set is searched by bytes alone.
  return SetContainsKey(view.arena(), set,
                        CollectionRef(set) ? view.MakeKey(member) : Key{member, 0});
}

void SetPrefetch(const PageArena& arena, const ValueView& set, const Key* members, size_t count) {
  if (CollectionRef(set)) ElementTrie(arena, set).trie().Prefetch(members, count);
}

void DigestSet(const PageArena& arena, const ValueView& value, ContentHash* into) {
  ContentHash element;
  Digest sum;
  uint64_t count = 0;
  SetForEach(arena, value, [&](ByteView member) {
    element.Reset();
    element.Bytes(member);
    sum.Add(element.Finish());
    ++count;
  });
  into->Number(count);
  into->Add(sum);
}

const char* SetEncoding(const PageArena&, const ValueView& value) {
  switch (SetFormOf(value)) {
    case SetForm::kIntegers:
      return "intset";
    case SetForm::kPacked:
      return "listpack";
    case SetForm::kLarge:
      break;
  }
  return "hashtable";
}

// ---- writing

SetWriter::SetWriter(WriteView& view, const Key& key, const std::optional<ValueView>& value,
                     const CollectionLimits& limits)
    : view_(view),
      key_(key),
      limits_(limits),
      old_(value),
      form_(value ? SetFormOf(*value) : SetForm::kIntegers) {
  if (!value) integers_.emplace();
}

IntegerBuffer& SetWriter::Integers() {
  if (!integers_) integers_.emplace(IntegerPack(PackOf(view_.arena(), *old_)));
  return *integers_;
}

PackBuffer& SetWriter::Buffer() {
  if (!buffer_) buffer_.emplace(PackOf(view_.arena(), *old_));
  return *buffer_;
}

ElementTrieWriter SetWriter::Elements() {
  if (page_ == nullptr) page_ = view_.WritableCollection(key_);
  return {view_, page_};
}

ByteView SetWriter::pack() const {
  return buffer_ ? buffer_->bytes() : PackOf(view_.arena(), *old_);
}

uint64_t SetWriter::count() const {
  switch (form_) {
    case SetForm::kIntegers:
      if (integers_) return integers_->count();
      break;
    case SetForm::kPacked:
      return PackCount(pack());
    case SetForm::kLarge:
      if (page_ != nullptr) return CollectionAt(page_).scalars[0];
      break;
  }
  return SetCount(view_.arena(), *old_);
}

// Looked for before a change: what is there already, or is not, copies nothing.
bool SetWriter::ContainsLarge(const Key& member) const {
  if (page_ == nullptr) return SetContainsKey(view_.arena(), *old_, member);
  return TrieReader(view_.arena(), CollectionRefs(page_)[0]).Find(member).has_value();
}

bool SetWriter::FindMember(ByteView member, PackItem* item) const {
  PackReader reader(pack());
  while (reader.Next(item)) {
    if (item->bytes == member) return true;
  }
  return false;
}

void SetWriter::MakeLarge() {
  built_ = view_.BuildCollection(ValueType::kSet, 1);
  page_ = view_.line().arena().ResolveMutable(built_.ref);
  ElementTrieWriter elements(view_, page_);
  if (form_ == SetForm::kIntegers) {
    const IntegerBuffer& integers = Integers();
    char text[kIntegerTextMax];
    for (size_t i = 0; i < integers.count(); ++i)
      elements.Put(view_.MakeKey(FormatMember(integers.At(i), text)), {});
  } else {
    PackReader reader(pack());
    while (reader.left() > 0) elements.Put(view_.MakeKey(reader.NextBytes()), {});
  }
  integers_.reset();
  buffer_.reset();
  form_ = SetForm::kLarge;
}

// The first member that is no integer comes: into a pack if all fit in one.
void SetWriter::LeaveIntegers(ByteView member) {
  const IntegerBuffer& integers = Integers();
  char text[kIntegerTextMax];
  size_t bytes = kPackHeaderBytes + PackItemBytes(member.size());
  size_t longest = member.size();
  for (size_t i = 0; i < integers.count(); ++i) {
    const size_t length = FormatMember(integers.At(i), text).size();
    longest = std::max(longest, length);
    bytes += PackItemBytes(length);
  }
  if (integers.count() >= static_cast<uint64_t>(limits_.set_entries) ||
      longest > limits_.set_value_bytes || bytes > kPackBytesMax) {
    MakeLarge();
    return;
  }
  buffer_.emplace();
  for (size_t i = 0; i < integers.count(); ++i) buffer_->Append(FormatMember(integers.At(i), text));
  integers_.reset();
  form_ = SetForm::kPacked;
}

bool SetWriter::AddInteger(int64_t integer) {
  // Looked for first: what is there already copies nothing.
  if (!integers_ && IntegerPack(PackOf(view_.arena(), *old_)).Contains(integer)) return false;
  IntegerBuffer& integers = Integers();
  const auto integers_max = static_cast<uint64_t>(limits_.set_integers);
  if (integers.count() < std::min<uint64_t>(integers_max, IntegerBuffer::kCountMax))
    return integers.Insert(integer);
  char text[kIntegerTextMax];
  MakeLarge();
  return Elements().Put(view_.MakeKey(FormatMember(integer, text)), {});
}

bool SetWriter::AddPacked(ByteView member) {
  PackItem item;
  if (FindMember(member, &item)) return false;
  if (count() >= static_cast<uint64_t>(limits_.set_entries) ||
      member.size() > limits_.set_value_bytes ||
      pack().size() + PackItemBytes(member.size()) > kPackBytesMax) {
    MakeLarge();
    return Elements().Put(view_.MakeKey(member), {});
  }
  Buffer().Append(member);
  return true;
}

bool SetWriter::Add(ByteView member) {
  if (form_ == SetForm::kIntegers) {
    if (const std::optional<int64_t> integer = ParseMember(member)) return AddInteger(*integer);
    LeaveIntegers(member);
  }
  if (form_ == SetForm::kPacked) return AddPacked(member);
  const Key hashed = view_.MakeKey(member);
  return !ContainsLarge(hashed) && Elements().Put(hashed, {});
}

bool SetWriter::Remove(ByteView member) {
  switch (form_) {
    case SetForm::kIntegers: {
      const std::optional<int64_t> integer = ParseMember(member);
      if (!integer) return false;
      if (!integers_ && !SetContainsKey(view_.arena(), *old_, Key{member, 0})) return false;
      return Integers().Erase(*integer);
    }
    case SetForm::kPacked: {
      PackItem item;
      if (!FindMember(member, &item)) return false;
      Buffer().Erase(item);
      return true;
    }
    case SetForm::kLarge:
      break;
  }
  const Key hashed = view_.MakeKey(member);
  return ContainsLarge(hashed) && Elements().Erase(hashed);
}

std::string SetWriter::TakeRandom(uint64_t random) {
  std::string member;
  switch (form_) {
    case SetForm::kIntegers: {
      const int64_t integer = Integers().At(random % Integers().count());
      char text[kIntegerTextMax];
      member = FormatMember(integer, text);
      Integers().Erase(integer);
      return member;
    }
    case SetForm::kPacked: {
      PackReader reader(Buffer().bytes());
      PackItem item;
      for (uint64_t skip = random % Buffer().count(); reader.Next(&item) && skip > 0; --skip) {
      }
      member = item.bytes;
      Buffer().Erase(item);
      return member;
    }
    case SetForm::kLarge:
      break;
  }
  ElementTrieWriter elements = Elements();
  const std::optional<TrieEntry> entry =
      TrieReader(view_.arena(), CollectionRefs(page_)[0]).Random(random);
  VERSO_CHECK(entry.has_value());
  member = entry->KeyCopy(view_.arena());
  elements.Erase(view_.MakeKey(member));
  return member;
}

// What was changed apart from its key; `room` holds a pack.
ValueView SetWriter::Built(char* room) {
  if (form_ == SetForm::kLarge) return built_;
  if (form_ == SetForm::kIntegers)
    return view_.BuildPack(ValueType::kSet, kSetIntegers, Integers().Encode(room));
  return view_.BuildPack(ValueType::kSet, kCollectionPacked, Buffer().bytes());
}

void SetWriter::Finish(const KeyEvent& event) {
  if (count() == 0) {
    if (built_.ref) view_.line().Retire(built_.ref);
    view_.Erase(key_, {"del", 'g', event.changes});
    return;
  }
  char room[kPackBytesMax];
  if (form_ != SetForm::kLarge || built_.ref) view_.ReplaceValue(key_, Built(room));
  view_.NotifyChanged(key_, event);
}

void SetWriter::FinishAsNew(const KeyEvent& event) {
  VERSO_CHECK(!old_ && count() > 0);
  char room[kPackBytesMax];
  view_.SetValue(key_, Built(room));
  view_.NotifyChanged(key_, event);
}

}  // namespace verso::storage
