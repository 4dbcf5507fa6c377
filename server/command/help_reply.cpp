#include "server/command/help_reply.h"

#include "server/command/command_table.h"

namespace verso::server {
namespace {

std::string Upper(std::string_view text) {
  std::string upper(text);
  for (char& c : upper) {
    if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 32);
  }
  return upper;
}

std::string Syntax(const ArgSpec& argument) {
  std::string text;
  if (argument.type == ArgType::kPureToken) {
    text = argument.token;
  } else if (argument.type == ArgType::kOneOf) {
    for (const ArgSpec& choice : argument.args) {
      text += (text.empty() ? "" : "|") + Syntax(choice);
    }
  } else if (argument.type == ArgType::kBlock) {
    for (const ArgSpec& part : argument.args) text += (text.empty() ? "" : " ") + Syntax(part);
  } else {
    text = "<" + std::string(argument.name) + ">";
  }
  if (argument.type != ArgType::kPureToken && !argument.token.empty()) {
    text = std::string(argument.token) + " " + text;
  }
  if ((argument.flags & kMultiple) != 0) text += " [...]";
  if ((argument.flags & kOptional) != 0) text = "[" + text + "]";
  return text;
}

}  // namespace

Outcome ReplyHelp(std::string_view container, CommandContext& context) {
  const CommandEntry* entry = CommandTable::Get().Find(container);
  ReplyWriter& reply = context.reply();
  reply.Array(1 + 2 * entry->subcommands.size());
  reply.SimpleString(Upper(container) +
                     " <subcommand> [<arg> [value] [opt] ...]. Subcommands are:");
  for (const CommandEntry* subcommand : entry->subcommands) {
    std::string line = Upper(subcommand->row->name);
    for (const ArgSpec& argument : subcommand->row->args) line += " " + Syntax(argument);
    reply.SimpleString(line);
    reply.SimpleString("    " + std::string(subcommand->row->summary));
  }
  return Outcome::kDone;
}

}  // namespace verso::server
