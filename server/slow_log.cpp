#include "server/slow_log.h"

#include "server/config.h"
#include "server/process_info.h"

namespace verso::server {
namespace {

// Redis' limits: so much of a command is kept.
constexpr size_t kArgumentsMax = 32;
constexpr size_t kArgumentBytesMax = 128;

void Append(std::pmr::vector<std::pmr::string>* kept, ByteView argument) {
  std::pmr::string& text = kept->emplace_back(argument.substr(0, kArgumentBytesMax));
  if (argument.size() <= kArgumentBytesMax) return;
  text += "... (";
  text += std::to_string(argument.size() - kArgumentBytesMax);
  text += " more bytes)";
}

// The value of a directive that is a password.
bool IsSecret(std::string_view command, std::span<const ByteView> arguments, size_t index) {
  if (command != "config|set" || index < 3 || index % 2 == 0) return false;
  const ConfigRow* const row = FindConfigRow(arguments[index - 1]);
  return row != nullptr && row->kind == ConfigKind::kSecret;
}

}  // namespace

void SlowLog::Configure(int64_t slower_than_us, size_t entries_max) {
  cycles_min_ =
      slower_than_us < 0
          ? ~uint64_t{0}
          : static_cast<uint64_t>(static_cast<double>(slower_than_us) * CyclesPerMicrosecond());
  entries_max_ = entries_max;
  if (entries_.size() > entries_max_) entries_.resize(entries_max_);
}

void SlowLog::Add(std::string_view command, std::span<const ByteView> arguments, uint64_t cycles,
                  uint64_t now_ms, std::string_view client_address, std::string_view client_name) {
  Entry& entry = entries_.emplace_front();
  entry.id = next_id_++;
  entry.unix_seconds = now_ms / 1000;
  entry.us = static_cast<uint64_t>(static_cast<double>(cycles) / CyclesPerMicrosecond());
  entry.client_address = client_address;
  entry.client_name = client_name;
  const size_t kept = arguments.size() <= kArgumentsMax ? arguments.size() : kArgumentsMax - 1;
  entry.arguments.reserve(kept + 1);
  for (size_t i = 0; i < kept; ++i) {
    Append(&entry.arguments, IsSecret(command, arguments, i) ? "(redacted)" : arguments[i]);
  }
  if (kept < arguments.size()) {
    entry.arguments.emplace_back("... (" + std::to_string(arguments.size() - kept) +
                                 " more arguments)");
  }
  while (entries_.size() > entries_max_) entries_.pop_back();
}

}  // namespace verso::server
