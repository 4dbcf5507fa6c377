// What the server says about its commands, for help, completion and argument hints.
//
// Everything comes from COMMAND DOCS; nothing about any command is written in our source. A server
// without it still answers COMMAND: then names and the number of arguments are known.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "client/include/verso/reply.h"

namespace verso::cli {

struct CommandDoc {
  std::string name;  // upper case; "CONFIG GET" for a subcommand
  std::string summary;
  std::string since;
  std::string group;
  std::vector<std::string> arguments;  // one rendered argument each: "key", "[NX | XX]"
  // How many of the first arguments are just one word that must be there.
  size_t plain_count = 0;

  std::string Syntax() const;
};

class CommandDocs {
 public:
  // Replies of COMMAND DOCS and COMMAND, of RESP2 or RESP3. Sorted by name.
  static CommandDocs FromDocs(const Reply& reply);
  static CommandDocs FromTable(const Reply& reply);

  bool empty() const { return docs_.empty(); }
  const std::vector<CommandDoc>& all() const { return docs_; }

  // The longest name that the words begin with, in any case; nullptr: none.
  const CommandDoc* Find(const std::vector<std::string>& words) const;
  // Names that begin with the prefix, in any case; subcommands once the prefix has a space.
  std::vector<std::string> Complete(std::string_view prefix) const;
  // The arguments that are still to come behind these words, or nothing.
  std::string Hint(const std::vector<std::string>& words) const;

 private:
  void Sort();

  std::vector<CommandDoc> docs_;
};

std::string ToUpper(std::string_view text);

}  // namespace verso::cli
