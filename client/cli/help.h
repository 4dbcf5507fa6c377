// `help` and what completion knows, both asked from the server once (command_docs.h).
#pragma once

#include <string>
#include <vector>

#include "client/cli/command_docs.h"
#include "client/cli/session.h"

namespace verso::cli {

class Help {
 public:
  explicit Help(Session* session) : session_(session) {}

  // Asks the server unless it is known already, or cannot be asked now (not connected, not allowed,
  // inside a transaction, where the question would be queued).
  void Load();

  const CommandDocs& docs() const { return docs_; }

  // The text for `help <topic...>`: a command, @group, or nothing.
  std::string Text(const std::vector<std::string>& topic) const;

 private:
  Session* const session_;
  CommandDocs docs_;
};

}  // namespace verso::cli
