// Results as values: what every fallible function of the client library returns.
//
// A Result<T> holds either a T or an Error; no exception leaves the library (std::bad_alloc apart).
// It is shaped like std::expected, which g++ 12 has only in C++23 mode:
//
//     verso::client::Result<verso::Reply> reply = client.Command("GET", "k");
//     if (!reply) {
//       std::cerr << reply.error().message << '\n';   // reply.error().code says what kind it is
//     } else {
//       Use(*reply);
//     }
//
// This header stands alone on purpose: the client library links no other target of this repository.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <variant>

namespace verso::client {

// What went wrong, as far as a caller may want to act on it.
enum class ErrorCode : uint8_t {
  kConnect,      // name not found, refused, unreachable
  kTimeout,      // the deadline passed; the connection is closed, for its replies are out of step
  kClosed,       // the peer went away, or this client is not connected
  kInterrupted,  // Options::interrupt was raised during a wait
  kProtocol,     // the peer sent bytes that are not RESP
  kServer,       // the server answered with an error reply; message is its text
  kType,         // the reply is well formed but not of the type the helper promises
  kArgument,     // the caller asked for something impossible
};

struct Error {
  ErrorCode code;
  std::string message;
};

template <class T>
class [[nodiscard]] Result {
 public:
  Result(T value) : state_(std::in_place_index<0>, std::move(value)) {}      // NOLINT
  Result(Error error) : state_(std::in_place_index<1>, std::move(error)) {}  // NOLINT

  bool has_value() const { return state_.index() == 0; }
  explicit operator bool() const { return has_value(); }

  // Requires: has_value().
  T& value() & { return *std::get_if<0>(&state_); }
  const T& value() const& { return *std::get_if<0>(&state_); }
  T&& value() && { return std::move(*std::get_if<0>(&state_)); }
  T& operator*() & { return value(); }
  const T& operator*() const& { return value(); }
  T&& operator*() && { return std::move(*this).value(); }
  T* operator->() { return &value(); }
  const T* operator->() const { return &value(); }

  // Requires: !has_value().
  Error& error() & { return *std::get_if<1>(&state_); }
  const Error& error() const& { return *std::get_if<1>(&state_); }
  Error&& error() && { return std::move(*std::get_if<1>(&state_)); }

 private:
  std::variant<T, Error> state_;
};

template <>
class [[nodiscard]] Result<void> {
 public:
  Result() = default;
  Result(Error error) : error_(std::move(error)) {}  // NOLINT

  bool has_value() const { return !error_.has_value(); }
  explicit operator bool() const { return has_value(); }

  // Requires: !has_value().
  Error& error() & { return *error_; }
  const Error& error() const& { return *error_; }
  Error&& error() && { return std::move(*error_); }

 private:
  std::optional<Error> error_;
};

}  // namespace verso::client
