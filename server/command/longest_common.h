// The longest common subsequence of two strings, by dynamic programming in steps of the caller's
// choosing: one row of lengths, and a bit per cell to find the way back.
//
// Source: the textbook algorithm (R. Wagner, M. Fischer, "The string-to-string correction problem",
// 1974). Among equally long ones this is the one Redis answers: found from the ends backwards, the
// first string's end is given up only where that keeps strictly more.
#pragma once

#include <cstdint>
#include <memory_resource>
#include <string>
#include <string_view>
#include <vector>

namespace verso::server {

class LongestCommon {
 public:
  // A run of bytes that are equal and adjacent in both strings; ends are included.
  struct Match {
    uint32_t a_first;
    uint32_t a_last;
    uint32_t b_first;
    uint32_t b_last;
    uint32_t length() const { return a_last - a_first + 1; }
  };

  // Bytes of the bits that two strings of these lengths need.
  static uint64_t BytesFor(uint64_t a, uint64_t b);

  // Copies both: pages may go on changing. Requires: each shorter than 4 GiB.
  LongestCommon(std::string_view a, std::string_view b);

  // Computes at most about so many cells more; true: finished.
  bool Step(uint64_t cells);

  // After Step has answered true.
  uint32_t length() const { return row_.empty() ? 0 : row_.back(); }
  std::string Text() const;
  std::vector<Match> Matches() const;  // from the end of the strings to their beginning

 private:
  // visit(i, j) for each common byte a[i] == b[j], from the end.
  template <typename Visit>
  void WalkBack(Visit&& visit) const;

  std::pmr::string a_;
  std::pmr::string b_;
  std::pmr::vector<uint32_t> row_;      // lengths of the row done so far
  std::pmr::vector<uint64_t> up_more_;  // a bit per cell: giving up a's byte keeps more
  uint64_t cell_ = 0;                   // the next one
  uint32_t diagonal_ = 0;               // above and left of it
};

}  // namespace verso::server
