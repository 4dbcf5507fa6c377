// EventLoop: one thread, one asio::io_context; every socket in an epoll set of our own.
//
//   io_context ── signals, timers, the savers' pipes
//        └─ one posix descriptor: our level-triggered epoll set ── listeners, client sockets
//
// Why nested: measured for PING over 50 connections, CPU per request: Asio async_read_some 8.2 us,
// async_wait + recv 9.0 (an epoll_ctl per request), this 7.9, redis 9.1. A registration is touched
// only when a socket comes, goes, or its output is stuck.
//
// A turn:  epoll_wait(own) → OnReady of each → Host::EndTurn (slices, hand-over of effects, one
// send per connection) → again while something comes within kPatienceMs, for about kStretchUs; then
// Asio gets its turn, so timers and signals are late by 2 ms at most.
//
// L1 A PollTarget may be removed inside its own or another's OnReady, but is destroyed only in
// EndTurn: events already
//    fetched still point to it.
#pragma once

#include <sys/epoll.h>

#include <asio.hpp>
#include <cstdint>
#include <functional>

#include "storage/base/result.h"

namespace verso::server {

class PollTarget {
 public:
  virtual void OnReady(uint32_t events) = 0;

 protected:
  ~PollTarget() = default;
};

class EventLoop {
 public:
  class Host {
   public:
    virtual void StartTurn(uint64_t now_us) = 0;
    // True: there is work left that waits for no socket.
    virtual bool EndTurn() = 0;

   protected:
    ~Host() = default;
  };

  EventLoop() : io_(1), set_(io_), signals_(io_), timer_(io_) {}
  ~EventLoop() = default;
  EventLoop(const EventLoop&) = delete;
  EventLoop& operator=(const EventLoop&) = delete;

  Status Open(Host* host);
  void Run();   // until Stop()
  void Stop();  // ends after this turn

  asio::io_context& io() { return io_; }
  int set_fd() const { return set_fd_; }

  // False: the kernel refused.
  bool Add(int fd, uint32_t events, PollTarget* target);
  void Change(int fd, uint32_t events, PollTarget* target);
  // Also where a forked child still holds a copy of the descriptor: closing alone would leave the
  // registration.
  void Remove(int fd);
  // A turn soon, though no socket is ready.
  void Wake();

  void OnSignal(std::function<void(int signal)> handler);
  // Calls `tick` again and again; it answers the milliseconds until the next call.
  void Every(std::function<uint64_t()> tick);

 private:
  static constexpr int kEventsMax = 256;
  static constexpr uint64_t kStretchUs = 1000;
  static constexpr int kPatienceMs = 1;

  void Wait();
  void Turns();
  void WaitForSignal();
  void ArmTimer(uint64_t ms);

  asio::io_context io_;
  asio::posix::stream_descriptor set_;
  asio::signal_set signals_;
  asio::steady_timer timer_;
  int set_fd_ = -1;
  Host* host_ = nullptr;
  bool woken_ = false;
  bool stopping_ = false;
  std::function<void(int)> on_signal_;
  std::function<uint64_t()> tick_;
};

}  // namespace verso::server
