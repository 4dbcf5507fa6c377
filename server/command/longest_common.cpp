#include "server/command/longest_common.h"

#include <algorithm>

#include "storage/base/unforked_memory.h"

namespace verso::server {

uint64_t LongestCommon::BytesFor(uint64_t a, uint64_t b) {
  const auto cells = static_cast<unsigned __int128>(a) * b;
  const unsigned __int128 bytes = cells / 8 + 8;
  return bytes > ~uint64_t{0} ? ~uint64_t{0} : static_cast<uint64_t>(bytes);
}

LongestCommon::LongestCommon(std::string_view a, std::string_view b)
    : a_(a, UnforkedMemory()),
      b_(b, UnforkedMemory()),
      row_(UnforkedMemory()),
      up_more_(UnforkedMemory()) {
  if (a_.empty() || b_.empty()) return;
  row_.resize(b_.size());
  up_more_.resize(a_.size() * b_.size() / 64 + 1);
}

bool LongestCommon::Step(uint64_t cells) {
  const uint64_t width = b_.size();
  const uint64_t all = a_.size() * width;
  const uint64_t end = std::min(all, cell_ + std::min(cells, all));
  while (cell_ < end) {
    const char byte = a_[cell_ / width];
    uint64_t j = cell_ % width;
    const uint64_t stop = std::min(width, j + (end - cell_));
    uint32_t left = j == 0 ? 0 : row_[j - 1];
    if (j == 0) diagonal_ = 0;
    for (; j < stop; ++j, ++cell_) {
      const uint32_t above = row_[j];
      if (byte == b_[j]) {
        left = diagonal_ + 1;
      } else if (above > left) {
        left = above;
        up_more_[cell_ / 64] |= uint64_t{1} << (cell_ % 64);
      }
      diagonal_ = above;
      row_[j] = left;
    }
  }
  return cell_ == all;
}

template <typename Visit>
void LongestCommon::WalkBack(Visit&& visit) const {
  uint64_t i = a_.size();
  uint64_t j = b_.size();
  while (i > 0 && j > 0) {
    const uint64_t cell = (i - 1) * b_.size() + (j - 1);
    if (a_[i - 1] == b_[j - 1]) {
      visit(--i, --j);
    } else if ((up_more_[cell / 64] >> (cell % 64) & 1) != 0) {
      --i;
    } else {
      --j;
    }
  }
}

std::string LongestCommon::Text() const {
  std::string text(length(), '\0');
  size_t at = text.size();
  WalkBack([&](uint64_t i, uint64_t) { text[--at] = a_[i]; });
  return text;
}

std::vector<LongestCommon::Match> LongestCommon::Matches() const {
  std::vector<Match> matches;
  WalkBack([&matches](uint64_t i, uint64_t j) {
    const auto a = static_cast<uint32_t>(i);
    const auto b = static_cast<uint32_t>(j);
    if (!matches.empty() && matches.back().a_first == a + 1 && matches.back().b_first == b + 1) {
      matches.back().a_first = a;
      matches.back().b_first = b;
    } else {
      matches.push_back({a, a, b, b});
    }
  });
  return matches;
}

}  // namespace verso::server
