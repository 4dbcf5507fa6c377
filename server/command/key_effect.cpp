#include "server/command/key_effect.h"

#include <string>
#include <vector>

#include "persistence/rdb/dump_payload.h"

namespace verso::server {

void KeyEffects::Add(const storage::ReadView& view, const storage::Key& key) {
  if (!unit_.wanted()) return;
  unit_.Select(view.db());
  const std::optional<storage::ValueView> value = view.Find(key, storage::Access::kPeek);
  std::vector<ByteView> words;
  std::string content;
  std::string deadline;
  if (!value) {
    words = {"DEL", key.bytes};
  } else {
    const bool expires = value->deadline_ms != storage::kNoDeadline;
    deadline = std::to_string(expires ? value->deadline_ms : 0);
    if (value->type == storage::ValueType::kString) {
      content = storage::StringCopy(view.arena(), *value);
      words = {"SET", key.bytes, content};
      if (expires) words.insert(words.end(), {"PXAT", deadline});
    } else {
      persistence::DumpWriter writer(view, *value, persistence::RdbStreams::kThirdVersion);
      while (writer.Next(&content)) {
      }
      words = {"RESTORE", key.bytes, deadline, content, "REPLACE", "ABSTTL"};
    }
  }
  unit_.Emit(words);
}

}  // namespace verso::server
