// A scripted server for the client's tests: one loopback connection after another, each served by a
// function in a thread of its own. What it receives and what it answers is up to the test.
#pragma once

#include <asio.hpp>
#include <functional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace verso::test {

// One accepted connection, blocking.
class FakePeer {
 public:
  explicit FakePeer(asio::ip::tcp::socket socket) : socket_(std::move(socket)) {}

  // Reads exactly as many bytes as expected has and tells whether they are the same.
  bool Expect(const std::string& expected) {
    std::string got(expected.size(), '\0');
    asio::error_code error;
    asio::read(socket_, asio::buffer(got), error);
    return !error && got == expected;
  }
  void Reply(const std::string& bytes) {
    asio::error_code ignored;
    asio::write(socket_, asio::buffer(bytes), ignored);
  }
  // Reads until the client hangs up.
  void Drain() {
    char bytes[4096];
    asio::error_code error;
    while (!error) socket_.read_some(asio::buffer(bytes), error);
  }

 private:
  asio::ip::tcp::socket socket_;
};

class FakeServer {
 public:
  using Script = std::function<void(FakePeer&)>;

  // Serves one connection for each script, in order.
  explicit FakeServer(std::vector<Script> scripts)
      : acceptor_(io_, asio::ip::tcp::endpoint(asio::ip::address_v4::loopback(), 0)),
        port_(acceptor_.local_endpoint().port()),
        thread_([this, scripts = std::move(scripts)] {
          for (const Script& script : scripts) {
            FakePeer peer(acceptor_.accept());
            script(peer);
          }
        }) {}
  ~FakeServer() { thread_.join(); }

  uint16_t port() const { return port_; }

 private:
  asio::io_context io_;
  asio::ip::tcp::acceptor acceptor_;
  uint16_t port_;
  std::thread thread_;
};

}  // namespace verso::test
