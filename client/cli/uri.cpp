#include "client/cli/uri.h"

#include <charconv>

namespace verso::cli {
namespace {

using client::Error;
using client::ErrorCode;
using client::Result;

Error Bad(std::string_view why) {
  return {ErrorCode::kArgument, "Invalid URI: " + std::string(why)};
}

template <class T>
std::optional<T> ParseNumber(std::string_view text) {
  T value = 0;
  const char* end = text.data() + text.size();
  auto [at, error] = std::from_chars(text.data(), end, value);
  if (error != std::errc() || at != end) return std::nullopt;
  return value;
}

std::optional<std::string> PercentDecode(std::string_view text) {
  std::string decoded;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      decoded += text[i];
      continue;
    }
    unsigned char byte = 0;
    const char* digits = text.data() + i + 1;
    if (text.size() - i < 3) return std::nullopt;
    auto [at, error] = std::from_chars(digits, digits + 2, byte, 16);
    if (error != std::errc() || at != digits + 2) return std::nullopt;
    decoded += static_cast<char>(byte);
    i += 2;
  }
  return decoded;
}

// "user:password", "password" or ":password".
bool ParseCredentials(std::string_view text, Uri* uri) {
  const size_t colon = text.find(':');
  if (colon != std::string_view::npos) {
    if (colon > 0 && !(uri->user = PercentDecode(text.substr(0, colon)))) return false;
    text.remove_prefix(colon + 1);
  }
  uri->password = PercentDecode(text);
  return uri->password.has_value();
}

}  // namespace

Result<Uri> ParseUri(std::string_view text) {
  constexpr std::string_view kScheme = "redis://";
  if (text.starts_with("rediss://")) return Bad("TLS is not supported");
  if (!text.starts_with(kScheme)) return Bad("it must begin with redis://");
  text.remove_prefix(kScheme.size());

  Uri uri;
  std::string_view path;
  if (const size_t slash = text.find('/'); slash != std::string_view::npos) {
    path = text.substr(slash + 1);
    text = text.substr(0, slash);
  }
  if (const size_t at = text.rfind('@'); at != std::string_view::npos) {
    if (!ParseCredentials(text.substr(0, at), &uri)) return Bad("bad percent encoding");
    text.remove_prefix(at + 1);
  }
  if (text.starts_with('[')) {
    const size_t bracket = text.find(']');
    if (bracket == std::string_view::npos) return Bad("missing ]");
    uri.host = text.substr(1, bracket - 1);
    text.remove_prefix(bracket + 1);
    if (!text.empty() && text.front() != ':') return Bad("text behind ]");
  } else {
    const size_t colon = text.find(':');
    uri.host = text.substr(0, colon);
    text = colon == std::string_view::npos ? std::string_view() : text.substr(colon);
  }
  if (text.starts_with(':')) {
    uri.port = ParseNumber<uint16_t>(text.substr(1));
    if (!uri.port) return Bad("bad port");
  }
  if (!path.empty()) {
    uri.db = ParseNumber<int>(path.substr(0, path.find('?')));
    if (!uri.db || *uri.db < 0) return Bad("bad database number");
  }
  return uri;
}

}  // namespace verso::cli
