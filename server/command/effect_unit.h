// EffectUnit: what a command did, as deterministic commands, for the operation log, for replicas
// and for EXEC (DESIGN 9).
//
// E1 A handler whose words mean the same at any time and place emits nothing: if it changed
// something, the dispatcher records
//    the command as it was received.
// E2 A handler whose words depend on the clock, on chance or on what was there emits what it did
// instead:
//      SET k v EX 10  ->  effects.Emit({"SET", key, value, "PXAT", at})
//    Then only what it emitted is recorded. A handler that changed nothing may still not emit.
// E3 Nothing is built while nobody listens: ask wanted() before formatting numbers. Emit() itself
// asks too. Deletions by expiry are recorded by the dispatcher (from KeyObserver), before the
// command's own effects.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <span>

#include "storage/base/bytes.h"

namespace verso::server {

// Takes over the commands of finished units: those between Begin and End take effect together. The
// log and the replication stream will be one. A unit may change databases: it says so by SELECT,
// which holds until its end.
class EffectConsumer {
 public:
  virtual ~EffectConsumer() = default;
  virtual void Begin(uint32_t line, int db) = 0;
  virtual void Command(std::span<const ByteView> arguments) = 0;
  virtual void End() = 0;
};

class EffectUnit {
 public:
  explicit EffectUnit(EffectConsumer* consumer) : consumer_(consumer) {}

  bool wanted() const { return consumer_ != nullptr; }
  bool empty() const { return emitted_ == 0; }
  // Requires: called between the dispatcher's Begin and End, on a live handler.
  void Emit(std::initializer_list<ByteView> command) {
    ++emitted_;
    if (consumer_ != nullptr) consumer_->Command({command.begin(), command.size()});
  }
  void Emit(std::span<const ByteView> command) {
    ++emitted_;
    if (consumer_ != nullptr) consumer_->Command(command);
  }

 private:
  EffectConsumer* consumer_;
  uint32_t emitted_ = 0;
};

}  // namespace verso::server
