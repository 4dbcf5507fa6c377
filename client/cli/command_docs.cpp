#include "client/cli/command_docs.h"

#include <algorithm>
#include <cctype>

namespace verso::cli {
namespace {

std::string TextField(const Reply& map, std::string_view name) {
  const Reply* value = map.Find(name);
  return value != nullptr ? value->text() : std::string();
}

bool HasFlag(const Reply& argument, std::string_view flag) {
  const Reply* flags = argument.Find("flags");
  return flags != nullptr &&
         std::any_of(flags->elements().begin(), flags->elements().end(),
                     [&](const Reply& element) { return element.text() == flag; });
}

const std::vector<Reply>& ListField(const Reply& map, std::string_view name) {
  static const std::vector<Reply> kNone;
  const Reply* value = map.Find(name);
  return value != nullptr ? value->elements() : kNone;
}

std::string RenderArgument(const Reply& argument);

std::string RenderMembers(const Reply& argument, std::string_view separator) {
  std::string text;
  for (const Reply& member : ListField(argument, "arguments")) {
    if (!text.empty()) text += separator;
    text += RenderArgument(member);
  }
  return text;
}

// The argument without the brackets and dots of its flags.
std::string RenderPlain(const Reply& argument) {
  const std::string type = TextField(argument, "type");
  if (type == "pure-token") return TextField(argument, "token");
  if (type == "oneof") return RenderMembers(argument, " | ");
  if (type == "block") return RenderMembers(argument, " ");
  const std::string shown = TextField(argument, "display_text");
  return shown.empty() ? TextField(argument, "name") : shown;
}

std::string RenderArgument(const Reply& argument) {
  std::string text = RenderPlain(argument);
  const std::string type = TextField(argument, "type");
  const std::string token =
      type == "pure-token" || argument.Find("token") == nullptr ? "" : TextField(argument, "token");
  const bool is_optional = HasFlag(argument, "optional");
  if (type == "oneof" && (!is_optional || !token.empty())) text = "<" + text + ">";
  std::string repeated = text;
  if (!token.empty()) {
    text = token + " " + text;
    if (HasFlag(argument, "multiple_token")) repeated = text;
  }
  if (HasFlag(argument, "multiple")) text += " [" + repeated + " ...]";
  return is_optional ? "[" + text + "]" : text;
}

bool IsPlainWord(const Reply& argument) {
  const std::string type = TextField(argument, "type");
  return type != "oneof" && type != "block" && argument.Find("token") == nullptr &&
         !HasFlag(argument, "optional") && !HasFlag(argument, "multiple");
}

void AddDocs(const Reply& commands, std::vector<CommandDoc>* docs) {
  const std::vector<Reply>& pairs = commands.elements();
  for (size_t i = 0; i + 1 < pairs.size(); i += 2) {
    const Reply& fields = pairs[i + 1];
    CommandDoc doc;
    doc.name = ToUpper(pairs[i].text());
    std::replace(doc.name.begin(), doc.name.end(), '|', ' ');
    doc.summary = TextField(fields, "summary");
    doc.since = TextField(fields, "since");
    doc.group = TextField(fields, "group");
    for (const Reply& argument : ListField(fields, "arguments")) {
      if (doc.plain_count == doc.arguments.size() && IsPlainWord(argument)) ++doc.plain_count;
      doc.arguments.push_back(RenderArgument(argument));
    }
    docs->push_back(std::move(doc));
    if (const Reply* subcommands = fields.Find("subcommands")) AddDocs(*subcommands, docs);
  }
}

void AddTableRow(const Reply& row, std::vector<CommandDoc>* docs) {
  constexpr size_t kName = 0;
  constexpr size_t kArity = 1;
  constexpr size_t kSubcommands = 9;
  const std::vector<Reply>& columns = row.elements();
  if (columns.size() <= kArity) return;
  CommandDoc doc;
  doc.name = ToUpper(columns[kName].text());
  std::replace(doc.name.begin(), doc.name.end(), '|', ' ');
  const int64_t arity = columns[kArity].integer();
  const auto name_words = 1 + std::count(doc.name.begin(), doc.name.end(), ' ');
  for (int64_t i = name_words; i < std::abs(arity); ++i) doc.arguments.push_back("arg");
  doc.plain_count = doc.arguments.size();
  if (arity < 0) doc.arguments.push_back("[arg ...]");
  docs->push_back(std::move(doc));
  if (columns.size() <= kSubcommands) return;
  for (const Reply& subcommand : columns[kSubcommands].elements()) AddTableRow(subcommand, docs);
}

}  // namespace

std::string CommandDoc::Syntax() const {
  std::string text = name;
  for (const std::string& argument : arguments) text += " " + argument;
  return text;
}

CommandDocs CommandDocs::FromDocs(const Reply& reply) {
  CommandDocs docs;
  AddDocs(reply, &docs.docs_);
  docs.Sort();
  return docs;
}

CommandDocs CommandDocs::FromTable(const Reply& reply) {
  CommandDocs docs;
  for (const Reply& row : reply.elements()) AddTableRow(row, &docs.docs_);
  docs.Sort();
  return docs;
}

void CommandDocs::Sort() {
  std::sort(docs_.begin(), docs_.end(),
            [](const CommandDoc& a, const CommandDoc& b) { return a.name < b.name; });
}

const CommandDoc* CommandDocs::Find(const std::vector<std::string>& words) const {
  const auto find = [&](const std::string& name) -> const CommandDoc* {
    const auto at = std::lower_bound(
        docs_.begin(), docs_.end(), name,
        [](const CommandDoc& doc, const std::string& wanted) { return doc.name < wanted; });
    return at != docs_.end() && at->name == name ? &*at : nullptr;
  };
  if (words.empty()) return nullptr;
  const std::string first = ToUpper(words[0]);
  if (words.size() > 1) {
    if (const CommandDoc* subcommand = find(first + " " + ToUpper(words[1]))) return subcommand;
  }
  return find(first);
}

std::vector<std::string> CommandDocs::Complete(std::string_view prefix) const {
  const std::string wanted = ToUpper(prefix);
  std::vector<std::string> names;
  for (const CommandDoc& doc : docs_) {
    if (!doc.name.starts_with(wanted)) continue;
    if (doc.name.find(' ', wanted.size()) == std::string::npos) names.push_back(doc.name);
  }
  return names;
}

std::string CommandDocs::Hint(const std::vector<std::string>& words) const {
  const CommandDoc* doc = Find(words);
  if (doc == nullptr) return {};
  const size_t name_words =
      1 + static_cast<size_t>(std::count(doc->name.begin(), doc->name.end(), ' '));
  const size_t typed = words.size() - name_words;
  std::string text;
  for (size_t i = std::min(typed, doc->plain_count); i < doc->arguments.size(); ++i) {
    if (!text.empty()) text += ' ';
    text += doc->arguments[i];
  }
  return text;
}

std::string ToUpper(std::string_view text) {
  std::string upper(text);
  for (char& c : upper) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  return upper;
}

}  // namespace verso::cli
