// Scores: doubles but NaN. -0 is equal to 0 in order; a pack makes 0 of it, as in Redis.
#pragma once

#include <bit>
#include <cmath>
#include <cstdint>
#include <cstring>

#include "storage/base/bytes.h"

namespace verso::storage {

// As a number whose order is that of the scores.
inline uint64_t ScoreOrder(double score) {
  const auto bits = std::bit_cast<uint64_t>(score == 0 ? 0.0 : score);
  return bits >> 63 != 0 ? ~bits : bits | uint64_t{1} << 63;
}
inline double ScoreOfOrder(uint64_t order) {
  return std::bit_cast<double>(order >> 63 != 0 ? order & ~(uint64_t{1} << 63) : ~order);
}
inline bool IsNegativeZero(double score) { return score == 0 && std::signbit(score); }

// A score in a pack, in 0 to 8 bytes: none for 0, one for an integer of -128 to 127; else the
// number as it is, the highest byte first, without the zero bytes at its end but at least two.
class PackedScore {
 public:
  explicit PackedScore(double score) {
    if (score >= -128 && score <= 127 && score == std::trunc(score)) {
      bytes_[0] = static_cast<char>(static_cast<int>(score));
      size_ = score == 0 ? 0 : 1;
      return;
    }
    StoreLe(bytes_, __builtin_bswap64(std::bit_cast<uint64_t>(score)));
    while (size_ > 2 && bytes_[size_ - 1] == 0) --size_;
  }
  ByteView bytes() const { return {bytes_, size_}; }

 private:
  size_t size_ = sizeof(double);
  char bytes_[sizeof(double)];
};

// Of any bytes: what is no score (damage) reads as some number, never as NaN.
inline double UnpackScore(ByteView bytes) {
  if (bytes.empty() || bytes.size() > sizeof(double)) return 0;
  if (bytes.size() == 1) return static_cast<signed char>(bytes[0]);
  uint64_t word = 0;
  std::memcpy(&word, bytes.data(), bytes.size());
  const auto score = std::bit_cast<double>(__builtin_bswap64(word));
  return std::isnan(score) ? 0 : score;
}

}  // namespace verso::storage
