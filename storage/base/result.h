// Result<T>: a value or an Error, for operating errors (disk full, torn file, bad argument).
//
// Expected outcomes (key missing, NX refused) are plain values; programmer errors are VERSO_CHECK.
// The shape follows std::expected, which g++ 12 offers only from C++23 on.
//
//   Result<int> Parse(ByteView text);
//   VERSO_TRY(int n, Parse(text));            // returns the Error to the caller, or declares n
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <variant>

namespace verso {

// What kind of failure it is; the text says where ("log 12, offset 8192: checksum").
enum class ErrorCode : unsigned char {
  kInvalidArgument,
  kNotFound,
  kOutOfMemory,   // the arena cannot grow, or a limit is reached
  kIo,            // the operating system said no (errno text in the context)
  kNoSpace,       // ENOSPC and its kin: nothing is damaged, it works again when there is room
  kCorruption,    // bytes on disk are not what was written
  kIncompatible,  // a newer format, another store's file
  kBusy,          // something that excludes this is running
  kCancelled,
};

struct Error {
  ErrorCode code;
  std::string context;
};

template <typename T>
class [[nodiscard]] Result {
 public:
  Result(T value) : state_(std::in_place_index<0>, std::move(value)) {}      // NOLINT
  Result(Error error) : state_(std::in_place_index<1>, std::move(error)) {}  // NOLINT

  bool has_value() const { return state_.index() == 0; }
  explicit operator bool() const { return has_value(); }
  T& value() & { return std::get<0>(state_); }
  const T& value() const& { return std::get<0>(state_); }
  T&& value() && { return std::get<0>(std::move(state_)); }
  T& operator*() & { return value(); }
  const T& operator*() const& { return value(); }
  T&& operator*() && { return std::move(*this).value(); }
  T* operator->() { return &value(); }
  const T* operator->() const { return &value(); }
  const Error& error() const& { return std::get<1>(state_); }
  Error&& error() && { return std::get<1>(std::move(state_)); }

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
  const Error& error() const& { return *error_; }
  Error&& error() && { return std::move(*error_); }

 private:
  std::optional<Error> error_;
};

using Status = Result<void>;

}  // namespace verso

#define VERSO_CONCAT_INNER(a, b) a##b
#define VERSO_CONCAT(a, b) VERSO_CONCAT_INNER(a, b)

// VERSO_TRY(declaration, expression): one per line. VERSO_TRY_STATUS(expression) for Result<void>.
#define VERSO_TRY(declaration, expression)                        \
  auto VERSO_CONCAT(verso_try_, __LINE__) = (expression);         \
  if (!VERSO_CONCAT(verso_try_, __LINE__))                        \
    return std::move(VERSO_CONCAT(verso_try_, __LINE__)).error(); \
  declaration = *std::move(VERSO_CONCAT(verso_try_, __LINE__))

#define VERSO_TRY_STATUS(expression)                             \
  do {                                                           \
    if (auto verso_try_status = (expression); !verso_try_status) \
      return std::move(verso_try_status).error();                \
  } while (false)
