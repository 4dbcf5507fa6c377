#include "persistence/rdb/listpack_writer.h"

#include <algorithm>

#include "persistence/rdb/rdb_output.h"
#include "persistence/rdb/rdb_packed.h"

namespace verso::persistence {
namespace {

constexpr size_t kHeaderBytes = sizeof(uint32_t) + sizeof(uint16_t);
constexpr uint64_t kCountUnknown = 65535;

// Fits the number into so many bits, in two's complement?
bool Fits(int64_t integer, unsigned bits) {
  const int64_t limit = int64_t{1} << (bits - 1);
  return integer >= -limit && integer < limit;
}

}  // namespace

void ListpackWriter::Clear() {
  bytes_.assign(kHeaderBytes, '\0');
  items_ = 0;
}

void ListpackWriter::AppendInteger(int64_t integer) {
  const size_t begin = bytes_.size();
  const auto raw = static_cast<uint64_t>(integer);
  if (integer >= 0 && integer < 128) {
    bytes_.push_back(static_cast<char>(raw));
  } else if (Fits(integer, 13)) {
    bytes_.push_back(static_cast<char>(0xC0 | (raw >> 8 & 0x1F)));
    bytes_.push_back(static_cast<char>(raw));
  } else {
    const unsigned width = Fits(integer, 16)   ? 2
                           : Fits(integer, 24) ? 3
                           : Fits(integer, 32) ? 4
                                               : 8;
    bytes_.push_back(static_cast<char>(width == 8 ? 0xF4 : 0xEF + width));
    for (unsigned i = 0; i < width; ++i) bytes_.push_back(static_cast<char>(raw >> (8 * i)));
  }
  EndItem(begin);
}

void ListpackWriter::AppendString(ByteView bytes) {
  const size_t begin = bytes_.size();
  if (bytes.size() < 64) {
    bytes_.push_back(static_cast<char>(0x80 | bytes.size()));
  } else if (bytes.size() < 4096) {
    bytes_.push_back(static_cast<char>(0xE0 | bytes.size() >> 8));
    bytes_.push_back(static_cast<char>(bytes.size()));
  } else {
    bytes_.push_back(static_cast<char>(0xF0));
    AppendLe(&bytes_, static_cast<uint32_t>(bytes.size()));
  }
  bytes_.append(bytes);
  EndItem(begin);
}

void ListpackWriter::EndItem(size_t begin) {
  char backlen[5];
  bytes_.append(backlen, ListpackBacklen(bytes_.size() - begin, backlen));
  ++items_;
}

ByteView ListpackWriter::Finish() {
  bytes_.push_back('\xFF');
  StoreLe(bytes_.data(), static_cast<uint32_t>(bytes_.size()));
  StoreLe(bytes_.data() + sizeof(uint32_t), static_cast<uint16_t>(std::min(items_, kCountUnknown)));
  return bytes_;
}

}  // namespace verso::persistence
