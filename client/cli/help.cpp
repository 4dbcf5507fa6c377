#include "client/cli/help.h"

#include <algorithm>

namespace verso::cli {
namespace {

constexpr char kGeneral[] =
    "  help <command>     what a command does and its arguments\n"
    "  help @<group>      the commands of a group\n"
    "  <n> <command>      run a command n times\n"
    "  connect <h> <p>    talk to another server\n"
    "  bgsave --wait      save and show progress\n"
    "  scrub [--wait]     how many saved pages are verified since the start\n"
    "  clear, exit, quit  clear the screen, leave\n"
    "  Tab completes command names and shows the arguments that are still to come.\n";

std::string DocText(const CommandDoc& doc) {
  std::string text = "\n  " + doc.Syntax() + "\n";
  if (!doc.summary.empty()) text += "  summary: " + doc.summary + "\n";
  if (!doc.since.empty()) text += "  since: " + doc.since + "\n";
  if (!doc.group.empty()) text += "  group: " + doc.group + "\n";
  return text;
}

}  // namespace

void Help::Load() {
  if (!docs_.empty() || !session_->is_connected() || session_->in_transaction()) return;
  client::Result<Reply> reply = session_->Call({"COMMAND", "DOCS"});
  if (reply && reply->is_aggregate()) docs_ = CommandDocs::FromDocs(*reply);
  if (!docs_.empty()) return;
  reply = session_->Call({"COMMAND"});
  if (reply && reply->is_aggregate()) docs_ = CommandDocs::FromTable(*reply);
}

std::string Help::Text(const std::vector<std::string>& topic) const {
  if (topic.empty()) return kGeneral;
  std::string text;
  const CommandDoc* found = topic[0].starts_with('@') ? nullptr : docs_.Find(topic);
  for (const CommandDoc& doc : docs_.all()) {
    const bool is_of_group =
        topic[0].starts_with('@') && ToUpper(doc.group) == ToUpper(topic[0].substr(1));
    const bool is_found =
        found != nullptr && (&doc == found || doc.name.starts_with(found->name + " "));
    if (is_of_group || is_found) text += DocText(doc);
  }
  if (text.empty()) return "No help for this: the server knows no such command or group.\n";
  return text + "\n";
}

}  // namespace verso::cli
