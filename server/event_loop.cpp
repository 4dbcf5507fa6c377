#include "server/event_loop.h"

#include <cerrno>
#include <csignal>
#include <cstring>

#include "storage/base/monotonic_time.h"

namespace verso::server {
Status EventLoop::Open(Host* host) {
  host_ = host;
  set_fd_ = epoll_create1(EPOLL_CLOEXEC);
  if (set_fd_ < 0) return Error{ErrorCode::kIo, std::string("epoll: ") + std::strerror(errno)};
  std::error_code fault;
  set_.assign(set_fd_, fault);
  if (fault) return Error{ErrorCode::kIo, "epoll set: " + fault.message()};
  return {};
}

bool EventLoop::Add(int fd, uint32_t events, PollTarget* target) {
  epoll_event event{};
  event.events = events;
  event.data.ptr = target;
  return epoll_ctl(set_fd_, EPOLL_CTL_ADD, fd, &event) == 0;
}

void EventLoop::Change(int fd, uint32_t events, PollTarget* target) {
  epoll_event event{};
  event.events = events;
  event.data.ptr = target;
  epoll_ctl(set_fd_, EPOLL_CTL_MOD, fd, &event);
}

void EventLoop::Remove(int fd) { epoll_ctl(set_fd_, EPOLL_CTL_DEL, fd, nullptr); }

void EventLoop::Wake() {
  if (woken_ || stopping_) return;
  woken_ = true;
  asio::post(io_, [this] {
    if (woken_) Turns();
  });
}

void EventLoop::Wait() {
  set_.async_wait(asio::posix::stream_descriptor::wait_read, [this](const std::error_code& fault) {
    if (fault || stopping_) return;
    Turns();
    Wait();
  });
}

void EventLoop::Turns() {
  epoll_event events[kEventsMax];
  const uint64_t start_us = MonotonicUs();
  int patience_ms = 0;
  while (!stopping_) {
    // The next request mostly comes soon: waiting for it here saves the way through Asio and back.
    const int count = epoll_wait(set_fd_, events, kEventsMax, woken_ ? 0 : patience_ms);
    patience_ms = kPatienceMs;
    if (count <= 0 && !woken_) return;
    woken_ = false;
    host_->StartTurn(MonotonicUs());
    for (int i = 0; i < count; ++i) {
      static_cast<PollTarget*>(events[i].data.ptr)->OnReady(events[i].events);
    }
    const bool more = host_->EndTurn();
    if (MonotonicUs() - start_us > kStretchUs) {
      if (more) Wake();
      return;
    }
    woken_ = more;
  }
}

void EventLoop::Run() {
  Wait();
  Wake();
  io_.run();
}

void EventLoop::Stop() {
  stopping_ = true;
  io_.stop();
}

void EventLoop::OnSignal(std::function<void(int)> handler) {
  on_signal_ = std::move(handler);
  std::error_code fault;
  signals_.add(SIGTERM, fault);
  signals_.add(SIGINT, fault);
  std::signal(SIGHUP, SIG_IGN);
  std::signal(SIGPIPE, SIG_IGN);
  WaitForSignal();
}

void EventLoop::WaitForSignal() {
  signals_.async_wait([this](const std::error_code& fault, int signal) {
    if (fault) return;
    on_signal_(signal);
    if (!stopping_) WaitForSignal();
  });
}

void EventLoop::Every(std::function<uint64_t()> tick) {
  tick_ = std::move(tick);
  ArmTimer(1);
}

void EventLoop::ArmTimer(uint64_t ms) {
  timer_.expires_after(std::chrono::milliseconds(ms));
  timer_.async_wait([this](const std::error_code& fault) {
    if (fault || stopping_) return;
    const uint64_t next_ms = tick_();
    if (!stopping_) ArmTimer(next_ms);
  });
}

}  // namespace verso::server
