// Pack: a small collection as one sequence of byte strings, inline in the key's entry or in one run
// of at most kRunBytesMax. What the strings mean is the type's: field, value, field, value of a
// hash; members of a set; elements of a list; member, score of a sorted set.
//
//      0          2
//   +-----------+-----------------------+-----------------------+-- - -
//   | count u16 | length varint | bytes | length varint | bytes |
//   +-----------+-----------------------+-----------------------+-- - -
//
// A varint has 7 bits a byte, the lowest first; the high bit says that more follow. 16 bytes cost
// 17, up to 127 bytes one byte more than themselves.
//
// P1 Readers are safe on any bytes, since packs come from disks: an item that does not end within
//    the pack reads as empty, and so do all after it. They are as many as the count says, so what
//    announced its length keeps its word.
// P2 Writers make only whole packs: count is the number of items, nothing follows the last one.
#pragma once

#include <cstdint>

#include "storage/base/bytes.h"
#include "storage/types/string_value.h"
#include "storage/types/value.h"

namespace verso::storage {

inline constexpr size_t kPackHeaderBytes = sizeof(uint16_t);
inline constexpr size_t kPackBytesMax = kRunBytesMax;

// What an item of so many bytes takes. Requires: less than 2 MiB.
inline constexpr size_t PackItemBytes(size_t length) {
  return length + (length < (1 << 7) ? 1 : length < (1 << 14) ? 2 : 3);
}

// An item and where it stands: [begin, end) with its length.
struct PackItem {
  ByteView bytes;
  uint32_t begin = 0;
  uint32_t end = 0;
};

inline size_t PackCount(ByteView pack) {
  return pack.size() < kPackHeaderBytes ? 0 : LoadLe<uint16_t>(pack.data());
}

// The pack of a value that is not large; empty if it is none.
inline ByteView PackOf(const PageArena& arena, const ValueView& value) {
  if (!value.external) return value.bytes;
  if (value.ref.kind() != PageKind::kValue) return {};
  return {arena.Resolve(value.ref), value.ref.size()};
}

// Goes through the items in order. Views are those of the pack.
class PackReader {
 public:
  explicit PackReader(ByteView pack) : pack_(pack), left_(PackCount(pack)) {
    at_ = kPackHeaderBytes;
  }
  // From an item on, of which `left` are left: where another reader stood.
  PackReader(ByteView pack, size_t offset, size_t left)
      : pack_(pack), at_(static_cast<uint32_t>(offset)), left_(left) {}

  size_t left() const { return left_; }
  uint32_t offset() const { return at_; }

  // The next item; false at the end. An item that is damaged is empty (P1).
  bool Next(PackItem* item) {
    if (left_ == 0) return false;
    --left_;
    item->begin = at_;
    size_t length = 0;
    if (at_ < pack_.size() && static_cast<uint8_t>(pack_[at_]) < 0x80) {
      length = static_cast<uint8_t>(pack_[at_]);
      ++at_;
    } else if (!LongLength(&length)) {
      return Damaged(item);
    }
    if (length > pack_.size() - at_) return Damaged(item);
    item->bytes = ByteView(pack_.data() + at_, length);
    at_ += static_cast<uint32_t>(length);
    item->end = at_;
    return true;
  }
  ByteView NextBytes() {
    PackItem item;
    Next(&item);
    return item.bytes;
  }

 private:
  bool LongLength(size_t* length);
  bool Damaged(PackItem* item);

  ByteView pack_;
  uint32_t at_;
  size_t left_;
};

// A pack being made or changed, in memory of its own. Bytes given to it must not lie in it.
class PackBuffer {
 public:
  PackBuffer() { StoreLe<uint16_t>(bytes_, 0); }
  // Requires: at most kPackBytesMax.
  explicit PackBuffer(ByteView pack);
  PackBuffer(const PackBuffer&) = delete;
  PackBuffer& operator=(const PackBuffer&) = delete;

  ByteView bytes() const { return {bytes_, size_}; }
  size_t size() const { return size_; }
  size_t count() const { return LoadLe<uint16_t>(bytes_); }
  // Is there room for items that take so many more bytes (PackItemBytes)?
  bool Fits(size_t more) const { return size_ + more <= kPackBytesMax; }

  // Puts an item before the one at `offset` (or at the end: size()). Requires: Fits.
  void Insert(size_t offset, ByteView item);
  void Append(ByteView item) { Insert(size_, item); }
  // Requires of these: the item was read from bytes() and nothing has changed since. Replace: Fits.
  void Replace(const PackItem& item, ByteView with);
  void Erase(const PackItem& item) { EraseRange(item.begin, item.end, 1); }
  void EraseRange(size_t begin, size_t end, size_t items);

 private:
  void SetCount(size_t count) { StoreLe<uint16_t>(bytes_, static_cast<uint16_t>(count)); }
  void Open(size_t begin, size_t end, size_t width);
  void Put(size_t offset, ByteView item);

  size_t size_ = kPackHeaderBytes;
  char bytes_[kPackBytesMax];  // not zeroed: written before it is read
};

}  // namespace verso::storage
