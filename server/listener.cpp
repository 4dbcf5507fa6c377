#include "server/listener.h"

#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "server/logging.h"
#include "server/server.h"

namespace verso::server {
namespace {

Error IoError(const std::string& what) {
  return Error{ErrorCode::kIo, what + ": " + std::strerror(errno)};
}

}  // namespace

Listener::Listener(Server* server, int fd, std::string path)
    : server_(server),
      fd_(fd),
      reserve_fd_(open("/dev/null", O_RDONLY | O_CLOEXEC)),
      path_(std::move(path)) {
  server_->loop().Add(fd_, EPOLLIN, this);
}

Listener::~Listener() {
  server_->loop().Remove(fd_);
  close(fd_);
  if (reserve_fd_ >= 0) close(reserve_fd_);
  if (!path_.empty()) unlink(path_.c_str());
}

Result<std::unique_ptr<Listener>> Listener::OpenTcp(Server* server, const std::string& address,
                                                    uint16_t port, int backlog) {
  const bool any6 = address == "::*";
  const bool any4 = address == "*";
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_PASSIVE;
  hints.ai_family = any6 ? AF_INET6 : any4 ? AF_INET : AF_UNSPEC;
  addrinfo* found = nullptr;
  const int fault = getaddrinfo(any4 || any6 ? nullptr : address.c_str(),
                                std::to_string(port).c_str(), &hints, &found);
  const std::string where = address + " port " + std::to_string(port);
  if (fault != 0) {
    return Error{ErrorCode::kIo, "bind " + where + ": " + gai_strerror(fault)};
  }
  const std::unique_ptr<addrinfo, decltype(&freeaddrinfo)> owner(found, &freeaddrinfo);
  const int fd = socket(found->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) return IoError("socket for " + where);
  const int on = 1;
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
  if (found->ai_family == AF_INET6) setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on));
  if (bind(fd, found->ai_addr, found->ai_addrlen) != 0 || listen(fd, backlog) != 0) {
    Error error = IoError("bind " + where);
    close(fd);
    return error;
  }
  sockaddr_storage bound{};
  socklen_t bytes = sizeof(bound);
  getsockname(fd, reinterpret_cast<sockaddr*>(&bound), &bytes);
  auto listener = std::unique_ptr<Listener>(new Listener(server, fd, ""));
  listener->port_ =
      ntohs(bound.ss_family == AF_INET6 ? reinterpret_cast<sockaddr_in6*>(&bound)->sin6_port
                                        : reinterpret_cast<sockaddr_in*>(&bound)->sin_port);
  return listener;
}

Result<std::unique_ptr<Listener>> Listener::OpenUnix(Server* server, const std::string& path,
                                                     int64_t permissions, int backlog) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof(address.sun_path)) {
    return Error{ErrorCode::kInvalidArgument, "unixsocket " + path + ": the path is too long"};
  }
  std::memcpy(address.sun_path, path.data(), path.size());
  unlink(path.c_str());
  const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) return IoError("unixsocket " + path);
  if (bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof(address)) != 0 ||
      listen(fd, backlog) != 0 ||
      (permissions != 0 && chmod(path.c_str(), static_cast<mode_t>(permissions)) != 0)) {
    Error error = IoError("unixsocket " + path);
    close(fd);
    return error;
  }
  return std::unique_ptr<Listener>(new Listener(server, fd, path));
}

void Listener::OnReady(uint32_t) {
  for (int i = 0; i < kAcceptsMax; ++i) {
    const int fd = accept4(fd_, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd >= 0) {
      server_->Accept(fd, !path_.empty());
      continue;
    }
    if (errno == EINTR || errno == ECONNABORTED) continue;
    if (errno == EMFILE || errno == ENFILE) RefuseOne();
    return;
  }
}

void Listener::RefuseOne() {
  LogWarning("out of file descriptors: refusing a connection");
  if (reserve_fd_ >= 0) close(reserve_fd_);
  const int fd = accept4(fd_, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
  if (fd >= 0) {
    shutdown(fd, SHUT_RDWR);
    close(fd);
    ++server_->state().metrics.connections_rejected;
  }
  reserve_fd_ = open("/dev/null", O_RDONLY | O_CLOEXEC);
}

}  // namespace verso::server
