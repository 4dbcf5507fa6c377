// The packed forms in which Redis keeps small collections, and writes them as one string: listpack,
// ziplist, intset, zipmap. Read only (listpacks are written by listpack_writer.h).
//
// Each reader is opened on the whole string and goes through its items in order:
//
//   VERSO_TRY(ListpackReader items, ListpackReader::Open(bytes));
//   PackedItem item;
//   while (true) {
//     VERSO_TRY(const bool more, items.Next(&item));
//     if (!more) break;
//     Use(item.bytes);
//   }
//
// R1 Any bytes may come. An item is looked at only as far as it lies within the string, and what
//    the form says twice (lengths before and behind, counts, the tail's place) must agree. Whoever
//    has come to the end without an error has seen every byte of the string in its place.
#pragma once

#include <cstdint>

#include "storage/base/bytes.h"
#include "storage/base/result.h"

namespace verso::persistence {

// An item: bytes of the packed string, or the digits of an integer. Valid until the next one is
// read into it.
struct PackedItem {
  PackedItem() = default;
  PackedItem(const PackedItem&) = delete;
  PackedItem& operator=(const PackedItem&) = delete;

  void SetBytes(ByteView text);
  void SetInteger(int64_t number);

  ByteView bytes;
  bool is_integer = false;  // kept as one
  int64_t integer = 0;
  char digits[20];
};

//   total bytes u32 | items u16 (65535: unknown) | items | 0xFF
//   item: form and length, bytes, then how long both are, 7 bits a byte, to be read backwards
class ListpackReader {
 public:
  static Result<ListpackReader> Open(ByteView bytes);
  Result<bool> Next(PackedItem* item);  // false: that was all

 private:
  explicit ListpackReader(ByteView bytes) : bytes_(bytes) {}
  ByteView bytes_;
  size_t at_ = 0;
  uint64_t seen_ = 0;
};

//   total bytes u32 | offset of the last item u32 | items u16 (65535: unknown) | items | 0xFF
//   item: how long the one before is (1 byte, or 0xFE and 4), form and length, bytes
class ZiplistReader {
 public:
  static Result<ZiplistReader> Open(ByteView bytes);
  Result<bool> Next(PackedItem* item);

 private:
  explicit ZiplistReader(ByteView bytes) : bytes_(bytes) {}
  ByteView bytes_;
  size_t at_ = 0;
  size_t last_ = 0;  // offset and length of the item before
  size_t last_bytes_ = 0;
  uint64_t seen_ = 0;
};

//   width u32 (2, 4, 8) | count u32 | integers, ascending
class IntsetReader {
 public:
  static Result<IntsetReader> Open(ByteView bytes);
  Result<bool> Next(PackedItem* item);

 private:
  IntsetReader(ByteView integers, size_t width) : integers_(integers), width_(width) {}
  ByteView integers_;
  size_t width_;
  size_t at_ = 0;
  int64_t last_ = 0;
};

//   fields u8 (254: unknown) | fields | 0xFF
//   field: length (1 byte, or 0xFE and 4), bytes; its value: length, unused bytes u8, bytes, unused
class ZipmapReader {
 public:
  static Result<ZipmapReader> Open(ByteView bytes);
  Result<bool> Next(PackedItem* item);  // field, value, field, value ...

 private:
  explicit ZipmapReader(ByteView bytes) : bytes_(bytes) {}
  ByteView bytes_;
  size_t at_ = 1;
  uint64_t seen_ = 0;
};

// How many bytes at the end of a listpack's item say that the rest of it has `length`, and what
// they are; `to` has room for 5.
size_t ListpackBacklen(uint64_t length, char* to);

}  // namespace verso::persistence
