// CommandContext: all that a handler gets besides its view. No handler reads a global database, a
// clock or a socket: the moment is view.moment_ms(), replies go to reply(), what must be repeated
// elsewhere goes to effects().
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string_view>

#include "server/command/aside.h"
#include "server/command/command_spec.h"
#include "server/command/continuation.h"
#include "server/command/effect_unit.h"
#include "server/command/parking.h"
#include "server/resp/reply.h"
#include "storage/keyspace/keyspace.h"
#include "storage/types/collection_limits.h"

namespace verso::server {

class Session;

// What all commands of a server share and handlers may use; passed in, so that a test can bring its
// own.
struct CommandEnvironment {
  int databases = 16;
  size_t bulk_bytes_max = size_t{512} << 20;  // proto-max-bulk-len: the limit of a string, too
  storage::CollectionLimits limits;           // thresholds of packed collections
  size_t hll_sparse_bytes_max = 3000;         // a HyperLogLog beyond it is dense
  uint64_t keyspace_hits = 0;
  uint64_t keyspace_misses = 0;
  bool all_flushed = false;  // FLUSHALL: the server saves, if there are save points
  uint64_t random_state = 0x9E3779B97F4A7C15;
};

class CommandContext {
 public:
  CommandContext(const CommandSpec* spec, std::span<const ByteView> arguments, ReplyWriter* reply,
                 EffectUnit* effects, Session* session, CommandEnvironment* environment)
      : spec_(spec),
        arguments_(arguments),
        reply_(reply),
        effects_(effects),
        session_(session),
        environment_(environment) {}

  const CommandSpec& spec() const { return *spec_; }
  // arguments()[0] is the command's name as the client wrote it; views into the client's buffer,
  // gone after the handler.
  std::span<const ByteView> arguments() const { return arguments_; }
  size_t size() const { return arguments_.size(); }
  ByteView operator[](size_t index) const { return arguments_[index]; }

  ReplyWriter& reply() { return *reply_; }
  EffectUnit& effects() { return *effects_; }
  Session& session() { return *session_; }
  CommandEnvironment& environment() { return *environment_; }

  // The key at an argument's place, with its hash: that of the prefetch stage if it made one.
  storage::Key KeyAt(const storage::ReadView& view, size_t index) const {
    if (index == hashed_index_) return {arguments_[index], hash_};
    return view.MakeKey(arguments_[index]);
  }
  // Find for commands that read: counts keyspace hits and misses.
  std::optional<storage::ValueView> Lookup(const storage::ReadView& view, const storage::Key& key) {
    std::optional<storage::ValueView> value = view.Find(key, access_);
    ++(value.has_value() ? environment_->keyspace_hits : environment_->keyspace_misses);
    return value;
  }

  uint64_t Random();

  // The command reads keys that its words do not name (SORT with BY).
  void ReadsUnnamedKeys() { reads_unnamed_keys_ = true; }

  // return context.Fail(error::kSyntax);
  Outcome Fail(std::string_view code_and_text) {
    reply_->Error(code_and_text);
    return Outcome::kDone;
  }
  // return context.Yield(std::make_unique<...>(...));
  Outcome Yield(std::unique_ptr<Continuation> rest) {
    rest_ = std::move(rest);
    return Outcome::kYield;
  }
  // The same for what is mostly short: runs it for a moment first.
  Outcome RunOrYield(const storage::ReadView& view, std::unique_ptr<Continuation> work) {
    constexpr uint64_t kAtOnceUs = 200;
    Slice slice(reply_, kReplyBytesAtOnce, kAtOnceUs);
    return work->Run(view, slice) ? Outcome::kDone : Yield(std::move(work));
  }
  // return context.BuildAside(std::make_unique<...>(...)), before anything was changed but what has
  // expired. Requires: not in_unit() (B3).
  Outcome BuildAside(std::unique_ptr<AsideBuild> build) {
    aside_ = std::move(build);
    return Outcome::kYield;
  }
  // return context.Park({...}), before anything was changed (P1). Where nothing may wait: answers
  // at once.
  Outcome Park(Parking parking) {
    if (!in_unit_) {
      parking_ = std::make_unique<Parking>(std::move(parking));
      return Outcome::kParked;
    }
    parking.reply == NoWaitReply::kNull ? reply_->Null() : reply_->NullArray();
    return Outcome::kDone;
  }
  // Part of an EXEC, a TXN, a script, a replay: others see nothing between its commands, so it must
  // not wait for them either.
  bool in_unit() const { return in_unit_; }

  // ---- the dispatcher's side
  void SetHash(size_t index, uint64_t hash) {
    hashed_index_ = index;
    hash_ = hash;
  }
  void SetAccess(storage::Access access) { access_ = access; }  // CLIENT NO-TOUCH
  void SetInUnit(bool in_unit) { in_unit_ = in_unit; }
  std::unique_ptr<Continuation> TakeRest() { return std::move(rest_); }
  std::unique_ptr<AsideBuild> TakeAside() { return std::move(aside_); }
  const Parking& parking() const { return *parking_; }
  bool reads_unnamed_keys() const { return reads_unnamed_keys_; }

 private:
  const CommandSpec* spec_;
  std::span<const ByteView> arguments_;
  ReplyWriter* reply_;
  EffectUnit* effects_;
  Session* session_;
  CommandEnvironment* environment_;
  size_t hashed_index_ = 0;  // 0: no hash was made (argument 0 is never a key)
  uint64_t hash_ = 0;
  storage::Access access_ = storage::Access::kTouch;
  bool in_unit_ = false;
  bool reads_unnamed_keys_ = false;
  std::unique_ptr<Continuation> rest_;
  std::unique_ptr<AsideBuild> aside_;
  std::unique_ptr<Parking> parking_;
};

// xorshift64*: good enough to choose a key; never used for anything secret.
inline uint64_t CommandContext::Random() {
  uint64_t x = environment_->random_state;
  x ^= x >> 12;
  x ^= x << 25;
  x ^= x >> 27;
  environment_->random_state = x;
  return x * 0x2545F4914F6CDD1D;
}

// Is there something of another type?
inline bool IsWrongType(const std::optional<storage::ValueView>& value,
                        storage::ValueType wanted = storage::ValueType::kString) {
  return value.has_value() && value->type != wanted;
}

}  // namespace verso::server
