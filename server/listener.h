// Listener: one listening socket (IPv4, IPv6 or unix). Accepts until the kernel has no more.
//
// Running out of descriptors must not stop the loop (a level-triggered set would spin on it): one
// descriptor is kept in reserve, given up to accept and refuse the client, and taken back.
#pragma once

#include <memory>
#include <string>

#include "server/event_loop.h"
#include "storage/base/result.h"

namespace verso::server {

class Server;

class Listener final : public PollTarget {
 public:
  ~Listener();
  Listener(const Listener&) = delete;
  Listener& operator=(const Listener&) = delete;

  // `address` as in bind: an IP, a host name, "*" or "::*" for all. A leading '-' is the caller's
  // affair.
  static Result<std::unique_ptr<Listener>> OpenTcp(Server* server, const std::string& address,
                                                   uint16_t port, int backlog);
  static Result<std::unique_ptr<Listener>> OpenUnix(Server* server, const std::string& path,
                                                    int64_t permissions, int backlog);

  void OnReady(uint32_t events) override;
  uint16_t port() const { return port_; }

 private:
  static constexpr int kAcceptsMax = 1000;  // per turn

  Listener(Server* server, int fd, std::string path);
  void RefuseOne();

  Server* server_;
  int fd_;
  int reserve_fd_;
  uint16_t port_ = 0;
  std::string path_;  // of a unix socket: removed at the end
};

}  // namespace verso::server
