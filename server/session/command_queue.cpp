#include "server/session/command_queue.h"

#include <cstring>
#include <new>

namespace verso::server {

ByteView CommandQueue::Copy(ByteView text) {
  if (text.empty()) return {};
  auto* to = static_cast<char*>(bytes_of_requests_.allocate(text.size(), 1));
  std::memcpy(to, text.data(), text.size());
  bytes_ += text.size();
  return {to, text.size()};
}

void CommandQueue::Add(const Request& request) {
  const size_t count = request.arguments.size();
  void* room = bytes_of_requests_.allocate(count * sizeof(ByteView), alignof(ByteView));
  auto* arguments = static_cast<ByteView*>(room);
  for (size_t i = 0; i < count; ++i) new (arguments + i) ByteView(Copy(request.arguments[i]));
  Request& copy = requests_.emplace_back(request);
  copy.arguments = {arguments, count};
  bytes_ += count * sizeof(ByteView) + sizeof(Request);
}

void CommandQueue::Rewrite(size_t request, size_t argument, ByteView text) {
  // The array is ours: Add() made it.
  const_cast<ByteView&>(requests_[request].arguments[argument]) = Copy(text);
}

void CommandQueue::Clear() {
  requests_ = std::pmr::vector<Request>(ClientMemory());
  bytes_of_requests_.release();
  bytes_ = 0;
}

}  // namespace verso::server
