// Log lines in Redis' shape: "pid:role date time level message". Synchronous: a forked child never
// inherits a logging thread.
#pragma once

#include <spdlog/spdlog.h>

#include <string>

#include "server/settings.h"
#include "storage/base/result.h"

namespace verso::server {

// logfile "": standard output. Fails: the file cannot be opened.
Status OpenLog(const Settings& settings);
void SetLogLevel(LogLevel level);

template <typename... Args>
void LogDebug(fmt::format_string<Args...> text, Args&&... args) {
  spdlog::trace(text, std::forward<Args>(args)...);
}
template <typename... Args>
void LogVerbose(fmt::format_string<Args...> text, Args&&... args) {
  spdlog::debug(text, std::forward<Args>(args)...);
}
template <typename... Args>
void LogNotice(fmt::format_string<Args...> text, Args&&... args) {
  spdlog::info(text, std::forward<Args>(args)...);
}
template <typename... Args>
void LogWarning(fmt::format_string<Args...> text, Args&&... args) {
  spdlog::warn(text, std::forward<Args>(args)...);
}

}  // namespace verso::server
