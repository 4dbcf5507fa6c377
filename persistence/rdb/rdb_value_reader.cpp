#include "persistence/rdb/rdb_value_reader.h"

#include "persistence/rdb/rdb_packed.h"

namespace verso::persistence {
namespace {

Error NoSuchType() { return {ErrorCode::kCorruption, "a value of an unknown type"}; }

// visit() for each item, visit(first, second) for each two, until the end of the packed string.
template <typename Packed, typename Visit>
Result<uint64_t> EachItem(ByteView bytes, Visit&& visit) {
  VERSO_TRY(Packed items, Packed::Open(bytes));
  PackedItem item;
  for (uint64_t count = 0;; ++count) {
    VERSO_TRY(const bool more, items.Next(&item));
    if (!more) return count;
    VERSO_TRY_STATUS(visit(item.bytes));
  }
}

template <typename Packed, typename Visit>
Result<uint64_t> EachPair(ByteView bytes, Visit&& visit) {
  VERSO_TRY(Packed items, Packed::Open(bytes));
  PackedItem first;
  PackedItem second;
  for (uint64_t count = 0;; ++count) {
    VERSO_TRY(const bool more, items.Next(&first));
    if (!more) return count;
    VERSO_TRY(const bool whole, items.Next(&second));
    if (!whole) return Error{ErrorCode::kCorruption, "a packed form with half a pair"};
    VERSO_TRY_STATUS(visit(first.bytes, second.bytes));
  }
}

// Each reads what is left of a value and answers how many elements it had.

template <typename Packed>
Result<uint64_t> PackedList(RdbInput& in, RdbValueSink& sink) {
  RdbString packed;
  VERSO_TRY_STATUS(in.String(&packed));
  return EachItem<Packed>(packed.bytes(),
                          [&sink](ByteView element) { return sink.ListElement(element); });
}

template <typename Packed>
Result<uint64_t> PackedSet(RdbInput& in, RdbValueSink& sink) {
  RdbString packed;
  VERSO_TRY_STATUS(in.String(&packed));
  return EachItem<Packed>(packed.bytes(),
                          [&sink](ByteView member) { return sink.SetMember(member); });
}

template <typename Packed>
Result<uint64_t> PackedHash(RdbInput& in, RdbValueSink& sink) {
  RdbString packed;
  VERSO_TRY_STATUS(in.String(&packed));
  return EachPair<Packed>(packed.bytes(), [&sink](ByteView field, ByteView value) {
    return sink.HashField(field, value);
  });
}

template <typename Packed>
Result<uint64_t> PackedZset(RdbInput& in, RdbValueSink& sink) {
  RdbString packed;
  VERSO_TRY_STATUS(in.String(&packed));
  return EachPair<Packed>(packed.bytes(), [&sink](ByteView member, ByteView text) -> Status {
    VERSO_TRY(const double score, ParseScore(text));
    return sink.ZsetMember(member, score);
  });
}

// read() as often as a length says, which comes first.
template <typename Read>
Result<uint64_t> Each(RdbInput& in, Read&& read) {
  VERSO_TRY(const uint64_t count, in.Length());
  for (uint64_t i = 0; i < count; ++i) VERSO_TRY_STATUS(read());
  return count;
}

Result<uint64_t> PlainList(RdbInput& in, RdbValueSink& sink) {
  return Each(in, [&]() -> Status {
    RdbString element;
    VERSO_TRY_STATUS(in.String(&element));
    return sink.ListElement(element.bytes());
  });
}

Result<uint64_t> PlainSet(RdbInput& in, RdbValueSink& sink) {
  return Each(in, [&]() -> Status {
    RdbString member;
    VERSO_TRY_STATUS(in.String(&member));
    return sink.SetMember(member.bytes());
  });
}

Result<uint64_t> PlainHash(RdbInput& in, RdbValueSink& sink) {
  return Each(in, [&]() -> Status {
    RdbString field;
    RdbString value;
    VERSO_TRY_STATUS(in.String(&field));
    VERSO_TRY_STATUS(in.String(&value));
    return sink.HashField(field.bytes(), value.bytes());
  });
}

Result<uint64_t> PlainZset(RdbInput& in, bool binary, RdbValueSink& sink) {
  return Each(in, [&]() -> Status {
    RdbString member;
    VERSO_TRY_STATUS(in.String(&member));
    VERSO_TRY(const double score, binary ? in.BinaryDouble() : in.TextDouble());
    return sink.ZsetMember(member.bytes(), score);
  });
}

// Nodes without elements are what old versions left behind.
Result<uint64_t> Quicklist(RdbInput& in, RdbValueSink& sink) {
  uint64_t elements = 0;
  const Result<uint64_t> nodes = Each(in, [&]() -> Status {
    VERSO_TRY(const uint64_t count, PackedList<ZiplistReader>(in, sink));
    elements += count;
    return {};
  });
  if (!nodes) return nodes.error();
  return elements;
}

Result<uint64_t> Quicklist2(RdbInput& in, RdbValueSink& sink) {
  uint64_t elements = 0;
  const Result<uint64_t> nodes = Each(in, [&]() -> Status {
    VERSO_TRY(const uint64_t container, in.Length());
    if (container == kQuicklistPlain) {
      RdbString element;
      VERSO_TRY_STATUS(in.String(&element));
      ++elements;
      return sink.ListElement(element.bytes());
    }
    if (container != kQuicklistPacked) return in.Fault("an unknown node of a list");
    VERSO_TRY(const uint64_t count, PackedList<ListpackReader>(in, sink));
    elements += count;
    return {};
  });
  if (!nodes) return nodes.error();
  return elements;
}

Result<uint64_t> ReadCollection(RdbInput& in, RdbType type, RdbValueSink& sink) {
  switch (type) {
    case RdbType::kList:
      return PlainList(in, sink);
    case RdbType::kListZiplist:
      return PackedList<ZiplistReader>(in, sink);
    case RdbType::kListQuicklist:
      return Quicklist(in, sink);
    case RdbType::kListQuicklist2:
      return Quicklist2(in, sink);
    case RdbType::kSet:
      return PlainSet(in, sink);
    case RdbType::kSetIntset:
      return PackedSet<IntsetReader>(in, sink);
    case RdbType::kSetListpack:
      return PackedSet<ListpackReader>(in, sink);
    case RdbType::kHash:
      return PlainHash(in, sink);
    case RdbType::kHashZipmap:
      return PackedHash<ZipmapReader>(in, sink);
    case RdbType::kHashZiplist:
      return PackedHash<ZiplistReader>(in, sink);
    case RdbType::kHashListpack:
      return PackedHash<ListpackReader>(in, sink);
    case RdbType::kZset:
    case RdbType::kZset2:
      return PlainZset(in, type == RdbType::kZset2, sink);
    case RdbType::kZsetZiplist:
      return PackedZset<ZiplistReader>(in, sink);
    case RdbType::kZsetListpack:
      return PackedZset<ListpackReader>(in, sink);
    default:
      return NoSuchType();
  }
}

}  // namespace

Status ReadRdbValue(RdbInput& in, uint8_t type, RdbValueSink& sink) {
  switch (const auto known = static_cast<RdbType>(type)) {
    case RdbType::kString: {
      RdbString value;
      VERSO_TRY_STATUS(in.String(&value));
      return sink.String(value.bytes());
    }
    case RdbType::kStreamListpacks:
    case RdbType::kStreamListpacks2:
    case RdbType::kStreamListpacks3:
      return ReadRdbStream(in, known, sink);
    default: {
      VERSO_TRY(const uint64_t elements, ReadCollection(in, known, sink));
      if (elements == 0) return in.Fault("a collection without elements");
      return {};
    }
  }
}

}  // namespace verso::persistence
