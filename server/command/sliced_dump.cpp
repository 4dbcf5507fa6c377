#include "server/command/sliced_dump.h"

namespace verso::server {

bool SlicedDump::Run(Slice& slice) {
  while (!slice.Spent()) {
    if (!writer_) writer_.emplace(view_, value_);
    piece_.clear();
    const bool more = writer_->Next(&piece_);
    if (counted_) {
      slice.reply().Append(piece_);
      if (more) continue;
      slice.reply().BulkEnd();
      return true;
    }
    bytes_ += piece_.size();
    if (more) continue;
    if (writer_->failed()) {
      failed_ = true;
      return true;
    }
    counted_ = true;
    slice.reply().BulkBegin(bytes_);
    writer_.reset();
  }
  return false;
}

}  // namespace verso::server
