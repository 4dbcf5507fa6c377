// The payload of DUMP as a bulk string that goes out in slices, for continuations: how long it is
// first, then its bytes.
#pragma once

#include <optional>
#include <string>

#include "persistence/rdb/dump_payload.h"
#include "server/command/continuation.h"
#include "server/resp/reply.h"

namespace verso::server {

class SlicedDump {
 public:
  // Requires: the version that the view shows is pinned as long as this is used.
  SlicedDump(const storage::ReadView& view, const storage::ValueView& value)
      : view_(view), value_(value) {}

  // True: it is written whole, or it cannot be (failed()) and nothing is written.
  bool Run(Slice& slice);
  bool failed() const { return failed_; }

 private:
  const storage::ReadView view_;
  const storage::ValueView value_;
  std::optional<persistence::DumpWriter> writer_;
  std::string piece_;
  size_t bytes_ = 0;
  bool counted_ = false;
  bool failed_ = false;
};

}  // namespace verso::server
