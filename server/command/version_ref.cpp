#include "server/command/version_ref.h"

#include <algorithm>

namespace verso::server {

bool IsVersionName(ByteView name) {
  return !name.empty() && name.size() <= 128 && std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.' ||
           c == '_' || c == ':' || c == '-';
  });
}

std::string NoRef(ByteView name) {
  return "NOREF no branch or snapshot '" + std::string(name) + "'";
}

bool ReadRef(const storage::Store& store, CommandContext& context, ByteView name, VersionRef* ref) {
  if (!IsVersionName(name)) {
    context.reply().Error("ERR invalid name");
    return false;
  }
  ref->snapshot = store.snapshots().Find(name);
  if (ref->snapshot != nullptr || name == kMainBranch) return true;
  context.reply().Error(NoRef(name));
  return false;
}

bool CheckFree(const storage::Store& store, CommandContext& context, ByteView name) {
  if (!IsVersionName(name)) {
    context.reply().Error("ERR invalid name");
  } else if (name == kMainBranch || store.snapshots().Find(name) != nullptr) {
    context.reply().Error("BUSYNAME the name '" + std::string(name) + "' is in use");
  } else {
    return true;
  }
  return false;
}

}  // namespace verso::server
