// What digests are made of: a 128-bit hash of contents, unkeyed, so that stores with different
// secrets compare.
//
// Contents in order are fed one after the other. Contents without an order (a set, a hash) are
// hashed one by one and added up: the sum does not depend on layout or history.
//
//   ContentHash element;
//   Digest sum;
//   for (each member) { element.Reset(); element.Item(member); sum.Add(element.Finish()); }
//   into->Number(count); into->Add(sum);
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "storage/base/bytes.h"

namespace verso::storage {

struct Digest {
  uint64_t low = 0;
  uint64_t high = 0;

  void Add(const Digest& term) {
    low += term.low;
    high += term.high;
  }
  std::string Hex() const;  // 40 hex digits, the length DEBUG DIGEST users know
  bool operator==(const Digest&) const = default;
};

class ContentHash {
 public:
  ContentHash();
  ~ContentHash();
  ContentHash(const ContentHash&) = delete;
  ContentHash& operator=(const ContentHash&) = delete;

  void Reset();
  // Pieces join: the caller has told the length, or nothing follows.
  void Bytes(ByteView piece);
  void Number(uint64_t number);
  void Item(ByteView item) {
    Number(item.size());
    Bytes(item);
  }
  void Add(const Digest& sum) {
    Number(sum.low);
    Number(sum.high);
  }
  Digest Finish() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace verso::storage
