// CommandQueue: requests with bytes of their own: those between MULTI and EXEC, and the one that a
// blocked client waits with. In the clients' memory (a fork copies nothing of it), all of it given
// back at once.
#pragma once

#include <memory_resource>
#include <span>
#include <vector>

#include "server/buffer_pool.h"
#include "server/command/request.h"

namespace verso::server {

class CommandQueue {
 public:
  CommandQueue() : bytes_of_requests_(ClientMemory()), requests_(ClientMemory()) {}
  CommandQueue(const CommandQueue&) = delete;
  CommandQueue& operator=(const CommandQueue&) = delete;

  // Copies the request, apart from its entry, which lives as long as the table.
  void Add(const Request& request);
  // Puts another text in place of one argument of a request that is here.
  void Rewrite(size_t request, size_t argument, ByteView text);
  void Clear();

  size_t size() const { return requests_.size(); }
  bool empty() const { return requests_.empty(); }
  const Request& operator[](size_t index) const { return requests_[index]; }
  const Request* begin() const { return requests_.data(); }
  const Request* end() const { return requests_.data() + requests_.size(); }
  // What it takes, near enough for CLIENT LIST.
  size_t memory_bytes() const { return bytes_; }

 private:
  ByteView Copy(ByteView text);

  std::pmr::monotonic_buffer_resource bytes_of_requests_;
  std::pmr::vector<Request> requests_;
  size_t bytes_ = 0;
};

}  // namespace verso::server
