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
// E4 A command about versions (SNAPSHOT, BRANCH) is written with words that say all that the live
// one found out: names, deadlines, the id of the line it makes (command/version_effect.h).
//
// Who writes and who reads: EffectUnit (a handler's), UnitScope (what is no data command, and what
// a unit consists of) --> UnitWriter (one per state: which unit is open, which database its reader
// believes in) --> EffectConsumer (the log, replicas) ... EffectReplay (effect_replay.h).
#pragma once

#include <cstdint>
#include <initializer_list>
#include <span>
#include <string>

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

// The unit that is open, and which database its consumer believes to be selected. Nothing reaches
// the consumer before there is a command: what changed nothing leaves no unit.
class UnitWriter {
 public:
  // Within an open unit (an EXEC's) what follows belongs to that one. Null: nobody listens.
  void Begin(EffectConsumer* consumer, uint32_t line, int db) {
    if (depth_++ == 0) {
      consumer_ = consumer;
      line_ = line;
      begun_ = false;
    }
    db_ = db;
  }
  void End() {
    if (--depth_ != 0) return;
    if (begun_) consumer_->End();
    consumer_ = nullptr;
  }
  bool open() const { return depth_ != 0; }
  // What follows is of this database.
  void Select(int db) { db_ = db; }
  int db() const { return db_; }
  void Command(std::span<const ByteView> arguments) {
    if (consumer_ == nullptr) return;
    if (!begun_) {
      consumer_->Begin(line_, db_);
      begun_ = true;
      told_db_ = db_;
    } else if (told_db_ != db_) {
      told_db_ = db_;
      const std::string number = std::to_string(db_);
      const ByteView select[] = {"SELECT", number};
      consumer_->Command(select);
    }
    consumer_->Command(arguments);
  }

 private:
  EffectConsumer* consumer_ = nullptr;
  int depth_ = 0;
  uint32_t line_ = 0;
  int db_ = 0;
  int told_db_ = 0;
  bool begun_ = false;
};

// One unit, or a part of the one that is open.
class UnitScope {
 public:
  UnitScope(UnitWriter* writer, EffectConsumer* consumer, uint32_t line, int db)
      : writer_(*writer), wanted_(consumer != nullptr) {
    writer_.Begin(consumer, line, db);
  }
  ~UnitScope() { writer_.End(); }
  UnitScope(const UnitScope&) = delete;
  UnitScope& operator=(const UnitScope&) = delete;

  bool wanted() const { return wanted_; }
  void Select(int db) { writer_.Select(db); }
  void Emit(std::span<const ByteView> command) { writer_.Command(command); }
  void Emit(std::initializer_list<ByteView> command) {
    writer_.Command({command.begin(), command.size()});
  }

 private:
  UnitWriter& writer_;
  const bool wanted_;
};

class EffectUnit {
 public:
  // Null: nobody listens.
  explicit EffectUnit(UnitWriter* writer) : writer_(writer) {}

  bool wanted() const { return writer_ != nullptr; }
  bool empty() const { return emitted_ == 0; }
  // Requires: called between the dispatcher's begin and end of a unit, on a live handler.
  void Emit(std::initializer_list<ByteView> command) {
    Emit(std::span<const ByteView>(command.begin(), command.size()));
  }
  void Emit(std::span<const ByteView> command) {
    ++emitted_;
    if (writer_ != nullptr) writer_->Command(command);
  }

 private:
  UnitWriter* writer_;
  uint32_t emitted_ = 0;
};

}  // namespace verso::server
