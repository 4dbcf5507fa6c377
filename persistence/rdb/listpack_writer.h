// ListpackWriter: makes a listpack (rdb_packed.h), for the nodes of streams.
#pragma once

#include <cstdint>
#include <string>

#include "storage/base/bytes.h"

namespace verso::persistence {

class ListpackWriter {
 public:
  ListpackWriter() { Clear(); }

  void Clear();
  void AppendInteger(int64_t integer);
  // Requires: less than 4 GiB together.
  void AppendString(ByteView bytes);
  // The listpack; valid until the next Clear.
  ByteView Finish();

 private:
  void EndItem(size_t begin);

  std::string bytes_;
  uint64_t items_ = 0;
};

}  // namespace verso::persistence
