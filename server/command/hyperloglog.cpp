#include "server/command/hyperloglog.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <limits>

namespace verso::server {
namespace {

constexpr char kMagic[] = {'H', 'Y', 'L', 'L'};
constexpr uint8_t kDense = 0;
constexpr uint8_t kSparse = 1;
constexpr unsigned kHashBits = 64 - HyperLogLog::kIndexBits;  // that are left for the register

constexpr size_t kZeroRunMax = 64;
constexpr uint8_t kSparseValueMax = 32;
constexpr size_t kValueRunMax = 4;

// MurmurHash64A with the seed that Redis' strings are made with: other hashes would count wrongly
// in a value that comes from there.
uint64_t MurmurHash64A(ByteView bytes) {
  constexpr uint64_t kSeed = 0xadc83b19;
  constexpr uint64_t kMul = 0xc6a4a7935bd1e995;
  constexpr unsigned kShift = 47;
  uint64_t hash = kSeed ^ (bytes.size() * kMul);
  size_t at = 0;
  for (; at + sizeof(uint64_t) <= bytes.size(); at += sizeof(uint64_t)) {
    uint64_t word = LoadLe<uint64_t>(bytes.data() + at) * kMul;
    word ^= word >> kShift;
    hash = (hash ^ word * kMul) * kMul;
  }
  if (at < bytes.size()) {
    char rest[sizeof(uint64_t)] = {};
    std::memcpy(rest, bytes.data() + at, bytes.size() - at);
    hash = (hash ^ LoadLe<uint64_t>(rest)) * kMul;
  }
  hash = (hash ^ hash >> kShift) * kMul;
  return hash ^ hash >> kShift;
}

// Ertl 2017, equations for sigma and tau: power series summed until they stand still.
double Sigma(double x) {
  if (x == 1.0) return std::numeric_limits<double>::infinity();
  double y = 1.0;
  double sum = x;
  for (double before = -1.0; sum != before;) {
    before = sum;
    x *= x;
    sum += x * y;
    y += y;
  }
  return sum;
}

double Tau(double x) {
  if (x == 0.0 || x == 1.0) return 0.0;
  double y = 1.0;
  double sum = 1.0 - x;
  for (double before = -1.0; sum != before;) {
    before = sum;
    x = std::sqrt(x);
    y *= 0.5;
    sum -= (1.0 - x) * (1.0 - x) * y;
  }
  return sum / 3.0;
}

}  // namespace

HyperLogLog::Form HyperLogLog::Parse(ByteView bytes) {
  if (bytes.size() < kHeaderBytes || std::memcmp(bytes.data(), kMagic, sizeof(kMagic)) != 0) {
    return Form::kNone;
  }
  const auto encoding = static_cast<uint8_t>(bytes[4]);
  if (encoding > kSparse) return Form::kNone;
  dense_ = encoding == kDense;
  registers_.fill(0);
  if (!dense_) return ParseSparse(bytes.substr(kHeaderBytes)) ? Form::kValid : Form::kCorrupted;
  if (bytes.size() != kDenseBytes) return Form::kNone;
  const char* at = bytes.data() + kHeaderBytes;
  for (size_t i = 0; i < kRegisters; i += 4, at += 3) {  // 4 registers stand in 3 bytes
    uint32_t word = 0;
    std::memcpy(&word, at, 3);
    for (size_t n = 0; n < 4; ++n) {
      registers_[i + n] = static_cast<uint8_t>(word >> (6 * n) & kRegisterMax);
    }
  }
  return Form::kValid;
}

bool HyperLogLog::ParseSparse(ByteView runs) {
  size_t index = 0;
  for (size_t at = 0; at < runs.size(); ++at) {
    const auto byte = static_cast<uint8_t>(runs[at]);
    size_t length;
    uint8_t value = 0;
    if ((byte & 0x80) != 0) {
      length = (byte & 3u) + 1;
      value = static_cast<uint8_t>((byte >> 2 & 31) + 1);
    } else if ((byte & 0x40) != 0) {
      if (++at == runs.size()) return false;
      length = ((byte & 0x3fu) << 8 | static_cast<uint8_t>(runs[at])) + 1;
    } else {
      length = byte + size_t{1};
    }
    if (length > kRegisters - index) return false;
    std::fill_n(registers_.begin() + static_cast<std::ptrdiff_t>(index), length, value);
    index += length;
  }
  return index == kRegisters;
}

bool HyperLogLog::Add(ByteView element) {
  const uint64_t hash = MurmurHash64A(element);
  const size_t index = hash & (kRegisters - 1);
  const uint64_t rest = hash >> kIndexBits | uint64_t{1} << kHashBits;
  const auto value = static_cast<uint8_t>(std::countr_zero(rest) + 1);
  if (value <= registers_[index]) return false;
  registers_[index] = value;
  return true;
}

void HyperLogLog::Merge(const HyperLogLog& other) {
  dense_ = dense_ || other.dense_;
  for (size_t i = 0; i < kRegisters; ++i) {
    registers_[i] = std::max(registers_[i], other.registers_[i]);
  }
}

uint64_t HyperLogLog::Count() const {
  unsigned histogram[kRegisterMax + 1] = {};
  for (const uint8_t value : registers_) ++histogram[value];
  constexpr double kM = kRegisters;
  double z = kM * Tau((kM - histogram[kHashBits + 1]) / kM);
  for (unsigned i = kHashBits; i >= 1; --i) z = 0.5 * (z + histogram[i]);
  z += kM * Sigma(histogram[0] / kM);
  constexpr double kAlphaInfinity = 0.721347520444481703680;  // 1 / (2 ln 2)
  return static_cast<uint64_t>(std::llround(kAlphaInfinity * kM * kM / z));
}

bool HyperLogLog::AppendSparse(std::string* to) const {
  for (size_t i = 0; i < kRegisters;) {
    const uint8_t value = registers_[i];
    if (value > kSparseValueMax) return false;
    size_t length = 1;
    const size_t length_max = value == 0 ? kRegisters : kValueRunMax;
    while (i + length < kRegisters && length < length_max && registers_[i + length] == value) {
      ++length;
    }
    i += length;
    if (value != 0) {
      to->push_back(static_cast<char>(0x80 | (value - 1) << 2 | (length - 1)));
    } else if (length <= kZeroRunMax) {
      to->push_back(static_cast<char>(length - 1));
    } else {
      to->push_back(static_cast<char>(0x40 | (length - 1) >> 8));
      to->push_back(static_cast<char>((length - 1) & 0xff));
    }
  }
  return true;
}

void HyperLogLog::AppendDense(std::string* to) const {
  for (size_t i = 0; i < kRegisters; i += 4) {
    uint32_t word = 0;
    for (size_t n = 0; n < 4; ++n) word |= uint32_t{registers_[i + n]} << (6 * n);
    to->append(reinterpret_cast<const char*>(&word), 3);
  }
}

std::string HyperLogLog::Bytes(size_t sparse_bytes_max) const {
  const auto header = [](uint8_t encoding) {
    std::string bytes(kHeaderBytes, '\0');
    std::memcpy(bytes.data(), kMagic, sizeof(kMagic));
    bytes[4] = static_cast<char>(encoding);
    bytes[kHeaderBytes - 1] =
        static_cast<char>(0x80);  // no count is cached: reading changes nothing
    return bytes;
  };
  if (!dense_) {
    std::string bytes = header(kSparse);
    // The header counts, but an empty one has its single run whatever the limit says.
    if (AppendSparse(&bytes) && bytes.size() <= std::max(sparse_bytes_max, kHeaderBytes + 2)) {
      return bytes;
    }
  }
  std::string bytes = header(kDense);
  bytes.reserve(kDenseBytes);
  AppendDense(&bytes);
  return bytes;
}

std::string HyperLogLog::DescribeRuns() const {
  std::string text;
  for (size_t i = 0; i < kRegisters;) {
    const uint8_t value = registers_[i];
    size_t length = 1;
    const size_t length_max = value == 0 ? kRegisters : kValueRunMax;
    while (i + length < kRegisters && length < length_max && registers_[i + length] == value) {
      ++length;
    }
    i += length;
    if (!text.empty()) text += ' ';
    if (value != 0) {
      text += "v:" + std::to_string(value) + "," + std::to_string(length);
    } else {
      text += (length <= kZeroRunMax ? "z:" : "Z:") + std::to_string(length);
    }
  }
  return text;
}

}  // namespace verso::server
