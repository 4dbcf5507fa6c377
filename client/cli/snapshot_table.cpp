#include "client/cli/snapshot_table.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <vector>

#include "client/cli/human_text.h"

namespace verso::cli {
namespace {

constexpr size_t kColumns = 8;
using Row = std::array<std::string, kColumns>;
constexpr bool kRightAligned[kColumns] = {false, false, true, true, true, true, true, false};

int64_t NumberOf(const Reply& row, std::string_view name) {
  const Reply* const field = row.Find(name);
  return field != nullptr ? field->integer() : 0;
}

std::string TextOf(const Reply& row, std::string_view name) {
  const Reply* const field = row.Find(name);
  return field != nullptr ? field->text() : "";
}

uint64_t Positive(int64_t value) { return static_cast<uint64_t>(std::max<int64_t>(value, 0)); }

}  // namespace

std::string SnapshotTable(const Reply& list, int64_t now_ms) {
  std::vector<Row> rows = {{"NAME", "BRANCH", "VERSION", "AGE", "KEYS", "OWN", "GOES IN", "SAVED"}};
  for (const Reply& row : list.elements()) {
    const int64_t ttl_ms = NumberOf(row, "ttl-ms");
    rows.push_back(
        {TextOf(row, "name"), TextOf(row, "branch"), std::to_string(NumberOf(row, "version")),
         SpanText(Positive(now_ms - NumberOf(row, "created-ms"))),
         std::to_string(NumberOf(row, "keys")), BytesText(Positive(NumberOf(row, "unique-bytes"))),
         ttl_ms < 0 ? "-" : SpanText(Positive(ttl_ms)),
         NumberOf(row, "saved") != 0 ? "yes" : "no"});
  }
  std::array<size_t, kColumns> widths{};
  for (const Row& row : rows) {
    for (size_t i = 0; i < kColumns; ++i) widths[i] = std::max(widths[i], row[i].size());
  }
  std::string text;
  for (const Row& row : rows) {
    std::string line;
    for (size_t i = 0; i < kColumns; ++i) {
      const std::string padding(widths[i] - row[i].size(), ' ');
      if (i > 0) line += "  ";
      line += kRightAligned[i] ? padding + row[i] : row[i] + padding;
    }
    line.erase(line.find_last_not_of(' ') + 1);
    text += line + "\n";
  }
  return text;
}

int ShowSnapshots(Client& client, std::FILE* out, std::FILE* errors) {
  // The server's clock made the times, so its clock counts the ages.
  const client::Result<Reply> time = client.Command("TIME");
  const client::Result<Reply> list = client.Command("SNAPSHOT", "LIST");
  for (const client::Result<Reply>* reply : {&time, &list}) {
    if (*reply) continue;
    std::fprintf(errors, "Error: %s\n", reply->error().message.c_str());
    return 1;
  }
  int64_t seconds = 0;
  if (!time->elements().empty()) {
    const std::string& text = time->elements()[0].text();
    std::from_chars(text.data(), text.data() + text.size(), seconds);
  }
  const std::string table = SnapshotTable(*list, seconds * 1000);
  std::fwrite(table.data(), 1, table.size(), out);
  return std::fflush(out) == 0 ? 0 : 1;
}

}  // namespace verso::cli
