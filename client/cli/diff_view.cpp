#include "client/cli/diff_view.h"

#include <map>

#include "client/cli/formatter.h"

namespace verso::cli {
namespace {

// Of a value so many bytes are shown.
constexpr size_t kShownBytes = 60;

struct Kind {
  const char* mark;
  const char* colour;
};
const Kind& KindOf(const std::string& name) {
  static const std::map<std::string, Kind> kKinds = {
      {"add", {"+", "\x1b[32m"}}, {"del", {"-", "\x1b[31m"}}, {"mod", {"~", "\x1b[33m"}}};
  static const Kind kUnknown{"?", ""};
  const auto found = kKinds.find(name);
  return found != kKinds.end() ? found->second : kUnknown;
}

std::string ValueText(const Reply& value) {
  const std::string& text = value.text();
  if (text.size() <= kShownBytes) return QuoteText(text);
  return QuoteText(text.substr(0, kShownBytes)) + "...";
}

// What a string held in a version, one byte more than is shown; null where it was none.
Reply ValueIn(Client& client, const std::string& ref, const std::string& key) {
  client::Result<Reply> value =
      client.Command("ASOF", ref, "GETRANGE", key, "0", std::to_string(kShownBytes));
  return value && !value->is_error() ? *std::move(value) : Reply();
}

}  // namespace

std::string DiffLine(const Reply& row, const Reply& before, const Reply& after, bool colour) {
  const std::vector<Reply>& parts = row.elements();
  if (parts.size() < 3) return "";
  const Kind& kind = KindOf(parts[0].text());
  std::string line;
  if (colour) line += kind.colour;
  line += kind.mark;
  line += " " + QuoteText(parts[1].text()) + "  " + parts[2].text();
  if (!before.is_null()) line += "  " + ValueText(before);
  if (!before.is_null() && !after.is_null()) line += " ->";
  if (!after.is_null()) line += (before.is_null() ? "  " : " ") + ValueText(after);
  if (colour) line += "\x1b[0m";
  return line + "\n";
}

int ShowDiff(Client& client, const std::vector<std::string>& args, bool colour, std::FILE* out,
             std::FILE* errors) {
  std::map<std::string, uint64_t> counts;
  std::string cursor = "0";
  do {
    std::vector<std::string> words = {"SNAPSHOT", "DIFF"};
    words.insert(words.end(), args.begin(), args.end());
    words.insert(words.end(), {"COUNT", "1000", "CURSOR", cursor});
    const client::Result<Reply> reply =
        client.CommandArgs(std::vector<std::string_view>(words.begin(), words.end()));
    if (!reply || reply->elements().size() != 2) {
      const std::string reason =
          !reply ? reply.error().message : "unexpected reply to SNAPSHOT DIFF";
      std::fprintf(errors, "Error: %s\n", reason.c_str());
      return 1;
    }
    for (const Reply& row : reply->elements()[1].elements()) {
      if (row.elements().size() < 3) continue;
      const std::string& kind = row.elements()[0].text();
      const std::string& key = row.elements()[1].text();
      ++counts[kind];
      const bool is_string = row.elements()[2].text() == "string";
      const Reply before = is_string && kind != "add" ? ValueIn(client, args[0], key) : Reply();
      const Reply after = is_string && kind != "del" ? ValueIn(client, args[1], key) : Reply();
      const std::string line = DiffLine(row, before, after, colour);
      if (std::fwrite(line.data(), 1, line.size(), out) != line.size()) return 1;
    }
    cursor = reply->elements()[0].text();
  } while (cursor != "0");
  std::fprintf(out, "%llu added, %llu deleted, %llu changed\n",
               static_cast<unsigned long long>(counts["add"]),
               static_cast<unsigned long long>(counts["del"]),
               static_cast<unsigned long long>(counts["mod"]));
  return std::fflush(out) == 0 ? 0 : 1;
}

}  // namespace verso::cli
