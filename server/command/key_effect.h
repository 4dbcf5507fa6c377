// A unit of contents: for what takes effect as what keys hold and not as commands (COMMIT of a
// transaction, MERGE of a branch). Each key becomes the command that makes it so wherever it is
// repeated: DEL, SET ... PXAT or RESTORE ... ABSTTL.
#pragma once

#include "server/command/effect_unit.h"
#include "storage/keyspace/keyspace.h"

namespace verso::server {

class KeyEffects {
 public:
  // Null: nobody listens.
  KeyEffects(EffectConsumer* consumer, const storage::Line& line) : consumer_(consumer) {
    if (consumer_ != nullptr) consumer_->Begin(line.id(), db_);
  }
  ~KeyEffects() {
    if (consumer_ != nullptr) consumer_->End();
  }
  KeyEffects(const KeyEffects&) = delete;
  KeyEffects& operator=(const KeyEffects&) = delete;

  // What the view shows of the key, in its database.
  void Add(const storage::ReadView& view, const storage::Key& key);

 private:
  void Select(int db);

  EffectConsumer* consumer_;
  int db_ = 0;
};

}  // namespace verso::server
