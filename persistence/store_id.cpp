#include "persistence/store_id.h"

#include <charconv>
#include <optional>
#include <string_view>

#include "persistence/file_io.h"

namespace verso::persistence {

namespace {

constexpr size_t kFileBytesMax = 4096;

std::string Hex(const unsigned char* bytes, size_t count) {
  constexpr char kDigits[] = "0123456789abcdef";
  std::string text;
  for (size_t i = 0; i < count; ++i) {
    text += kDigits[bytes[i] >> 4];
    text += kDigits[bytes[i] & 15];
  }
  return text;
}

std::string ChecksumText(std::string_view body) {
  unsigned char bytes[8];
  StoreLe<uint64_t>(bytes, Checksum64(body));
  return Hex(bytes, sizeof(bytes));
}

// Reads "<name> <value>\n" from the front of *rest.
std::optional<std::string_view> TakeLine(std::string_view* rest, std::string_view name) {
  const size_t end = rest->find('\n');
  if (end == std::string_view::npos) return std::nullopt;
  std::string_view line = rest->substr(0, end);
  rest->remove_prefix(end + 1);
  if (line.size() <= name.size() || line.substr(0, name.size()) != name ||
      line[name.size()] != ' ') {
    return std::nullopt;
  }
  return line.substr(name.size() + 1);
}

template <typename Number>
bool ParseNumber(std::string_view text, int base, Number* value) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), *value, base);
  return error == std::errc() && end == text.data() + text.size();
}

bool ParseHex(std::optional<std::string_view> text, unsigned char* bytes, size_t count) {
  if (!text || text->size() != 2 * count) return false;
  for (size_t i = 0; i < count; ++i) {
    if (!ParseNumber(text->substr(2 * i, 2), 16, &bytes[i])) return false;
  }
  return true;
}

}  // namespace

std::string EncodeIdentity(const StoreIdentity& identity) {
  std::string text = "verso-store " + std::to_string(kFormatVersion) + "\n";
  text += "id " + identity.store_id.Hex() + "\n";
  text += "secret " + Hex(identity.secret.bytes.data(), HashSecret::kBytes) + "\n";
  text += "epoch " + std::to_string(identity.epoch) + "\n";
  text += "save " + identity.save_id.Hex() + "\n";
  return text + "check " + ChecksumText(text) + "\n";
}

Result<StoreIdentity> DecodeIdentity(const std::string& text) {
  const auto bad = [](const char* what) { return Error{ErrorCode::kCorruption, what}; };
  // The check line ends every version of this file, so a newer version is told from a damaged file.
  const size_t check_at = text.rfind("check ");
  if (check_at == std::string::npos) return bad("no check line");
  const std::string_view body = std::string_view(text).substr(0, check_at);
  if (text.substr(check_at) != "check " + ChecksumText(body) + "\n") return bad("checksum");

  std::string_view rest = body;
  const auto version_text = TakeLine(&rest, "verso-store");
  uint64_t version = 0;
  if (!version_text || !ParseNumber(*version_text, 10, &version)) return bad("no version");
  if (version != kFormatVersion) {
    return Error{ErrorCode::kIncompatible, "format version " + std::to_string(version) +
                                               "; this program reads version " +
                                               std::to_string(kFormatVersion)};
  }
  StoreIdentity identity;
  if (!ParseHex(TakeLine(&rest, "id"), identity.store_id.bytes.data(), 16)) return bad("id");
  if (!ParseHex(TakeLine(&rest, "secret"), identity.secret.bytes.data(), HashSecret::kBytes)) {
    return bad("secret");
  }
  const auto epoch = TakeLine(&rest, "epoch");
  if (!epoch || !ParseNumber(*epoch, 10, &identity.epoch)) return bad("epoch");
  if (!ParseHex(TakeLine(&rest, "save"), identity.save_id.bytes.data(), 16)) return bad("save");
  if (!rest.empty()) return bad("unknown lines");
  return identity;
}

Result<StoreIdentity> ReadIdentity(const std::string& path) {
  VERSO_TRY(const std::string text, ReadSmallFile(path, kFileBytesMax));
  auto identity = DecodeIdentity(text);
  if (!identity) return Error{identity.error().code, path + ": " + identity.error().context};
  return identity;
}

Status WriteIdentity(const std::string& path, const StoreIdentity& identity) {
  return ReplaceFile(path, EncodeIdentity(identity));
}

}  // namespace verso::persistence
