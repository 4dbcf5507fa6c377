// HyperLogLog: counts distinct elements in 12 KiB with a standard error of 0.81 %. The bytes are
// those of Redis 7 ("HYLL" strings), so that a value moves between the two.
//
// Sources: P. Flajolet et al., "HyperLogLog: the analysis of a near-optimal cardinality estimation
// algorithm" (2007); O. Ertl, "New cardinality estimation algorithms for HyperLogLog sketches"
// (2017), the estimator used here; S. Heule et al., "HyperLogLog in practice" (2013), 64-bit hashes
// and the sparse form; A. Appleby, MurmurHash64A, the hash.
//
//    0       4          5       8                            16
//   +-------+----------+-------+----------------------------+----------------------------+
//   | HYLL  | encoding | zero  | cached count, its highest  | registers                  |
//   |       | 0 or 1   |       | bit: not valid             |                            |
//   +-------+----------+-------+----------------------------+----------------------------+
//
//   encoding 0, dense    16,384 registers of 6 bits, the lowest bits first
//   encoding 1, sparse   runs: 00nnnnnn          n + 1 registers of 0
//                              01nnnnnn nnnnnnnn n + 1 registers of 0
//                              1vvvvvnn          n + 1 registers of v + 1 (v up to 31)
#pragma once

#include <array>
#include <cstdint>
#include <string>

#include "storage/base/bytes.h"

namespace verso::server {

class HyperLogLog {
 public:
  static constexpr unsigned kIndexBits = 14;
  static constexpr size_t kRegisters = size_t{1} << kIndexBits;
  static constexpr size_t kHeaderBytes = 16;
  static constexpr size_t kDenseBytes = kHeaderBytes + kRegisters * 6 / 8;
  static constexpr uint8_t kRegisterMax = 63;

  HyperLogLog() = default;

  enum class Form : uint8_t { kNone, kCorrupted, kValid };
  // kNone: these bytes are no HyperLogLog at all. Reads nothing beyond them whatever they say.
  Form Parse(ByteView bytes);

  bool dense() const { return dense_; }
  void MakeDense() { dense_ = true; }
  uint8_t reg(size_t index) const { return registers_[index]; }

  // True: a register has changed.
  bool Add(ByteView element);
  void Merge(const HyperLogLog& other);
  uint64_t Count() const;

  // The bytes to store: sparse while that is at most `sparse_bytes_max` and it never was dense.
  std::string Bytes(size_t sparse_bytes_max) const;
  // The runs of the sparse form as PFDEBUG DECODE shows them. Requires: not dense.
  std::string DescribeRuns() const;

 private:
  bool ParseSparse(ByteView runs);
  // False: a register is too large for the sparse form.
  bool AppendSparse(std::string* to) const;
  void AppendDense(std::string* to) const;

  bool dense_ = false;
  std::array<uint8_t, kRegisters> registers_{};
};

}  // namespace verso::server
