#include "storage/types/pack.h"

#include <cstring>
#include <limits>

#include "storage/base/check.h"

namespace verso::storage {
namespace {

static_assert(kPackBytesMax <= std::numeric_limits<uint16_t>::max(),
              "an item takes at least one byte, so the count fits");

}  // namespace

bool PackReader::LongLength(size_t* length) {
  for (unsigned shift = 0; shift < 21; shift += 7) {
    if (at_ >= pack_.size()) return false;
    const auto byte = static_cast<uint8_t>(pack_[at_++]);
    *length |= size_t{byte & 0x7fu} << shift;
    if (byte < 0x80) return true;
  }
  return false;
}

bool PackReader::Damaged(PackItem* item) {
  at_ = static_cast<uint32_t>(pack_.size());
  *item = PackItem{{}, at_, at_};
  return true;
}

PackBuffer::PackBuffer(ByteView pack) {
  VERSO_CHECK(pack.size() <= kPackBytesMax);
  if (pack.size() < kPackHeaderBytes) {
    SetCount(0);
    return;
  }
  std::memcpy(bytes_, pack.data(), pack.size());
  size_ = pack.size();
}

// Makes the bytes [begin, end) `width` wide.
void PackBuffer::Open(size_t begin, size_t end, size_t width) {
  VERSO_CHECK(begin <= end && end <= size_ && begin + width + (size_ - end) <= kPackBytesMax);
  std::memmove(bytes_ + begin + width, bytes_ + end, size_ - end);
  size_ = begin + width + (size_ - end);
}

void PackBuffer::Put(size_t offset, ByteView item) {
  size_t length = item.size();
  for (; length >= 0x80; length >>= 7) bytes_[offset++] = static_cast<char>(length | 0x80);
  bytes_[offset++] = static_cast<char>(length);
  if (!item.empty()) std::memcpy(bytes_ + offset, item.data(), item.size());
}

void PackBuffer::Insert(size_t offset, ByteView item) {
  Open(offset, offset, PackItemBytes(item.size()));
  Put(offset, item);
  SetCount(count() + 1);
}

void PackBuffer::Replace(const PackItem& item, ByteView with) {
  Open(item.begin, item.end, PackItemBytes(with.size()));
  Put(item.begin, with);
}

void PackBuffer::EraseRange(size_t begin, size_t end, size_t items) {
  Open(begin, end, 0);
  SetCount(count() - items);
}

}  // namespace verso::storage
