// The RESP codec: bytes in, replies out; commands in, bytes out. No sockets, so it can be fuzzed.
//
// The decoder is incremental and keeps no input buffer of its own. It takes what has arrived,
// copies the payload of each text once, straight into the Reply that will carry it, and remembers
// where it stopped:
//
//     input ──► header line ──► value complete? ──yes──► into the open aggregate ──full?──► Reply
//                   │ $ ! =                                     ▲      │ no: next header
//                   └──────────► body bytes + CRLF ─────────────┘      ▼
//                   │ * ~ > % |                              stack of open aggregates
//                   └──────────► push an aggregate
//
// Hostile bytes meet limits, not assertions. R1: at most kDepthMax aggregates are open at once.
// R2: a body is at most kBulkBytesMax. R3: an aggregate announces at most kElementsMax. R4: a
// header line is at most kLineBytesMax. R5: memory follows bytes received, not lengths announced.
// After an error the decoder stays failed: behind it nothing is in step.
//
// RESP3's streamed types ("$?", "*?") are refused; no server sends them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "client/include/verso/reply.h"
#include "client/include/verso/result.h"

namespace verso::client {

inline constexpr size_t kDepthMax = 128;
inline constexpr int64_t kBulkBytesMax = int64_t{512} << 20;
inline constexpr int64_t kElementsMax = int64_t{1} << 30;
inline constexpr size_t kLineBytesMax = size_t{1} << 20;

class RespDecoder {
 public:
  // Takes bytes off the front of *input, up to the end of one reply.
  // Returns the reply, or nullopt when the input is used up and the reply is not whole yet.
  // Fails: kProtocol, for good.
  Result<std::optional<Reply>> Decode(std::string_view* input);

 private:
  struct Frame {
    Reply::Kind kind;
    bool is_attribute;
    int64_t remaining;
    std::vector<Reply> elements;
  };

  // One step each; a step that completes a value stores it in value_ and sets has_value_.
  bool ReadLine(std::string_view* input);
  bool ReadBody(std::string_view* input);
  bool ParseHeader(std::string_view line);
  bool BeginBody(char type, std::string_view length);
  bool BeginAggregate(char type, std::string_view count);
  bool FinishBody();
  // Puts value_ into the open aggregates. True: value_ is a whole top-level reply.
  bool Collect();
  bool Fail(const std::string& message);
  void Complete(Reply value);

  std::string line_;  // a header line whose end has not arrived
  std::string body_;  // a body that has not arrived whole
  int64_t body_remaining_ = 0;
  char body_type_ = 0;      // 0: between values
  int body_tail_seen_ = 0;  // of the two bytes CR LF behind a body
  std::vector<Frame> stack_;
  Reply value_;
  bool has_value_ = false;
  std::optional<Error> failure_;
};

// Appends one command in the form every server takes: an array of bulk strings.
void AppendCommand(std::string* out, std::span<const std::string_view> args);

}  // namespace verso::client
