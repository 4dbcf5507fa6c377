#include "persistence/rdb/rdb_packed.h"

#include <charconv>
#include <cstring>

namespace verso::persistence {
namespace {

constexpr char kEnd = '\xFF';
constexpr size_t kListpackHeaderBytes = 6;
constexpr size_t kZiplistHeaderBytes = 10;
constexpr size_t kIntsetHeaderBytes = 8;
constexpr uint64_t kCountUnknown = 65535;
constexpr uint8_t kLong = 254;  // a length of more than one byte follows
constexpr size_t kZipmapCountUnknown = 254;

Error Damaged(const char* what) { return {ErrorCode::kCorruption, what}; }
Error DamagedListpack() { return Damaged("a damaged listpack"); }
Error DamagedZiplist() { return Damaged("a damaged ziplist"); }
Error DamagedIntset() { return Damaged("a damaged intset"); }
Error DamagedZipmap() { return Damaged("a damaged zipmap"); }

uint8_t At(ByteView bytes, size_t index) { return static_cast<uint8_t>(bytes[index]); }

// Two's complement of 1 to 8 bytes.
int64_t SignedLe(const char* from, size_t width) {
  uint64_t number = 0;
  std::memcpy(&number, from, width);
  const unsigned unused = 64 - 8 * static_cast<unsigned>(width);
  return static_cast<int64_t>(number << unused) >> unused;
}

// What stands at the begin of an item: where its content is. bytes 0: there is no such form.
struct Form {
  size_t header = 0;
  uint64_t bytes = 0;  // of the content, behind the header
  bool integer = false;
  int64_t immediate = 0;  // the integer, if it has no content
};

// False: the form is unknown, or its header does not lie within `rest`.
bool ListpackForm(ByteView rest, Form* form) {
  const uint8_t first = At(rest, 0);
  const bool second = rest.size() > 1;
  form->header = 1;
  if (first < 0x80) {
    form->integer = true;
    form->immediate = first;
  } else if (first < 0xC0) {
    form->bytes = first & 0x3F;
  } else if (first < 0xE0) {
    if (!second) return false;
    form->header = 2;
    form->integer = true;
    const int64_t number = (first & 0x1F) << 8 | At(rest, 1);
    form->immediate = number < 4096 ? number : number - 8192;
  } else if (first < 0xF0) {
    if (!second) return false;
    form->header = 2;
    form->bytes = static_cast<uint64_t>(first & 0x0F) << 8 | At(rest, 1);
  } else if (first == 0xF0) {
    if (rest.size() < 5) return false;
    form->header = 5;
    form->bytes = LoadLe<uint32_t>(rest.data() + 1);
  } else if (first <= 0xF4) {
    form->integer = true;
    form->bytes = first == 0xF4 ? 8 : first - 0xEFu;  // 0xF1: 2, 3, 4; 0xF4: 8
  } else {
    return false;
  }
  return true;
}

bool ZiplistForm(ByteView rest, Form* form) {
  if (rest.empty()) return false;
  const uint8_t first = At(rest, 0);
  form->header = 1;
  if (first < 0x40) {
    form->bytes = first;
    return true;
  }
  if (first < 0x80) {
    if (rest.size() < 2) return false;
    form->header = 2;
    form->bytes = static_cast<uint64_t>(first & 0x3F) << 8 | At(rest, 1);
    return true;
  }
  if (first == 0x80) {
    if (rest.size() < 5) return false;
    form->header = 5;
    form->bytes = __builtin_bswap32(LoadLe<uint32_t>(rest.data() + 1));
    return true;
  }
  form->integer = true;
  switch (first) {
    case 0xC0:
      form->bytes = 2;
      return true;
    case 0xD0:
      form->bytes = 4;
      return true;
    case 0xE0:
      form->bytes = 8;
      return true;
    case 0xF0:
      form->bytes = 3;
      return true;
    case 0xFE:
      form->bytes = 1;
      return true;
    default:
      form->immediate = (first & 0x0F) - 1;
      return first > 0xF0 && first < 0xFE;
  }
}

// The content of a form at the begin of `rest`. Requires: it lies within.
void Show(const Form& form, ByteView rest, PackedItem* item) {
  const ByteView content = rest.substr(form.header, form.bytes);
  if (!form.integer) {
    item->SetBytes(content);
  } else {
    item->SetInteger(content.empty() ? form.immediate : SignedLe(content.data(), content.size()));
  }
}

}  // namespace

void PackedItem::SetBytes(ByteView text) {
  bytes = text;
  is_integer = false;
}

void PackedItem::SetInteger(int64_t number) {
  const auto end = std::to_chars(digits, digits + sizeof(digits), number);
  bytes = ByteView(digits, static_cast<size_t>(end.ptr - digits));
  is_integer = true;
  integer = number;
}

size_t ListpackBacklen(uint64_t length, char* to) {
  // Where another byte begins is one below what its bits could hold, but for the first.
  const size_t bytes = length <= 127        ? 1
                       : length < 16383     ? 2
                       : length < 2097151   ? 3
                       : length < 268435455 ? 4
                                            : 5;
  for (size_t i = bytes; i-- > 0; length >>= 7) {
    to[i] = static_cast<char>((length & 0x7F) | (i > 0 ? 0x80 : 0));
  }
  return bytes;
}

// ---- listpack

Result<ListpackReader> ListpackReader::Open(ByteView bytes) {
  if (bytes.size() < kListpackHeaderBytes + 1 || LoadLe<uint32_t>(bytes.data()) != bytes.size() ||
      bytes.back() != kEnd) {
    return DamagedListpack();
  }
  ListpackReader reader(bytes);
  reader.at_ = kListpackHeaderBytes;
  return reader;
}

Result<bool> ListpackReader::Next(PackedItem* item) {
  const ByteView rest = bytes_.substr(at_, bytes_.size() - 1 - at_);
  if (rest.empty()) {
    const uint64_t announced = LoadLe<uint16_t>(bytes_.data() + sizeof(uint32_t));
    if (announced != kCountUnknown && announced != seen_) return DamagedListpack();
    return false;
  }
  Form form;
  if (!ListpackForm(rest, &form)) return DamagedListpack();
  const uint64_t length = form.header + form.bytes;
  char backlen[5];
  const size_t backlen_bytes = ListpackBacklen(length, backlen);
  if (length + backlen_bytes > rest.size() ||
      rest.substr(length, backlen_bytes) != ByteView(backlen, backlen_bytes)) {
    return DamagedListpack();
  }
  Show(form, rest, item);
  at_ += length + backlen_bytes;
  ++seen_;
  return true;
}

// ---- ziplist

Result<ZiplistReader> ZiplistReader::Open(ByteView bytes) {
  if (bytes.size() < kZiplistHeaderBytes + 1 || LoadLe<uint32_t>(bytes.data()) != bytes.size() ||
      bytes.back() != kEnd) {
    return DamagedZiplist();
  }
  ZiplistReader reader(bytes);
  reader.at_ = kZiplistHeaderBytes;
  reader.last_ = kZiplistHeaderBytes;
  return reader;
}

Result<bool> ZiplistReader::Next(PackedItem* item) {
  ByteView rest = bytes_.substr(at_, bytes_.size() - 1 - at_);
  if (rest.empty()) {
    const uint64_t announced = LoadLe<uint16_t>(bytes_.data() + 2 * sizeof(uint32_t));
    if (announced != kCountUnknown && announced != seen_) return DamagedZiplist();
    if (LoadLe<uint32_t>(bytes_.data() + sizeof(uint32_t)) != last_) return DamagedZiplist();
    return false;
  }
  size_t before_bytes = 1;
  uint64_t before = At(rest, 0);
  if (before == kLong) {
    before_bytes = 1 + sizeof(uint32_t);
    if (rest.size() < before_bytes) return DamagedZiplist();
    before = LoadLe<uint32_t>(rest.data() + 1);
  }
  if (before != last_bytes_) return DamagedZiplist();
  rest.remove_prefix(before_bytes);
  Form form;
  if (!ZiplistForm(rest, &form) || form.header + form.bytes > rest.size()) return DamagedZiplist();
  Show(form, rest, item);
  last_ = at_;
  last_bytes_ = before_bytes + form.header + form.bytes;
  at_ += last_bytes_;
  ++seen_;
  return true;
}

// ---- intset

Result<IntsetReader> IntsetReader::Open(ByteView bytes) {
  if (bytes.size() < kIntsetHeaderBytes) return DamagedIntset();
  const uint64_t width = LoadLe<uint32_t>(bytes.data());
  const uint64_t count = LoadLe<uint32_t>(bytes.data() + sizeof(uint32_t));
  if ((width != 2 && width != 4 && width != 8) ||
      width * count != bytes.size() - kIntsetHeaderBytes) {
    return DamagedIntset();
  }
  return IntsetReader(bytes.substr(kIntsetHeaderBytes), width);
}

Result<bool> IntsetReader::Next(PackedItem* item) {
  if (at_ == integers_.size()) return false;
  const int64_t integer = SignedLe(integers_.data() + at_, width_);
  if (at_ > 0 && integer <= last_) return DamagedIntset();
  last_ = integer;
  at_ += width_;
  item->SetInteger(integer);
  return true;
}

// ---- zipmap

Result<ZipmapReader> ZipmapReader::Open(ByteView bytes) {
  if (bytes.size() < 2 || bytes.back() != kEnd) return DamagedZipmap();
  return ZipmapReader(bytes);
}

Result<bool> ZipmapReader::Next(PackedItem* item) {
  ByteView rest = bytes_.substr(at_, bytes_.size() - 1 - at_);
  const bool value = seen_ % 2 != 0;
  if (rest.empty()) {
    const size_t announced = At(bytes_, 0);
    if (value || (announced < kZipmapCountUnknown && 2 * announced != seen_)) {
      return DamagedZipmap();
    }
    return false;
  }
  size_t header = 1;
  uint64_t length = At(rest, 0);
  if (length > kLong) return DamagedZipmap();
  if (length == kLong) {
    header += sizeof(uint32_t);
    if (rest.size() < header) return DamagedZipmap();
    length = LoadLe<uint32_t>(rest.data() + 1);
  }
  size_t unused = 0;
  if (value) {
    if (rest.size() <= header) return DamagedZipmap();
    unused = At(rest, header);
    ++header;
  }
  if (header + length + unused > rest.size()) return DamagedZipmap();
  item->SetBytes(rest.substr(header, length));
  at_ += header + length + unused;
  ++seen_;
  return true;
}

}  // namespace verso::persistence
