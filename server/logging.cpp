#include "server/logging.h"

#include <spdlog/pattern_formatter.h>
#include <spdlog/sinks/basic_file_sink.h>
#include <spdlog/sinks/stdout_sinks.h>

namespace verso::server {
namespace {

// Redis' one-character levels: . - * #
class LevelMark final : public spdlog::custom_flag_formatter {
 public:
  void format(const spdlog::details::log_msg& message, const std::tm&,
              spdlog::memory_buf_t& to) override {
    char mark = '#';
    if (message.level == spdlog::level::trace) mark = '.';
    if (message.level == spdlog::level::debug) mark = '-';
    if (message.level == spdlog::level::info) mark = '*';
    to.push_back(mark);
  }
  std::unique_ptr<custom_flag_formatter> clone() const override {
    return std::make_unique<LevelMark>();
  }
};

}  // namespace

Status OpenLog(const Settings& settings) {
  std::shared_ptr<spdlog::sinks::sink> sink;
  try {
    if (settings.logfile.empty()) {
      sink = std::make_shared<spdlog::sinks::stdout_sink_st>();
    } else {
      sink = std::make_shared<spdlog::sinks::basic_file_sink_st>(settings.logfile);
    }
  } catch (const spdlog::spdlog_ex& fault) {
    return Error{ErrorCode::kIo, std::string("logfile: ") + fault.what()};
  }
  auto formatter = std::make_unique<spdlog::pattern_formatter>();
  formatter->add_flag<LevelMark>('*').set_pattern("%P:M %d %b %Y %H:%M:%S.%e %* %v");
  sink->set_formatter(std::move(formatter));
  auto logger = std::make_shared<spdlog::logger>("verso", std::move(sink));
  logger->flush_on(spdlog::level::trace);
  spdlog::set_default_logger(std::move(logger));
  SetLogLevel(static_cast<LogLevel>(settings.loglevel));
  return {};
}

void SetLogLevel(LogLevel level) {
  switch (level) {
    case LogLevel::kDebug:
      spdlog::set_level(spdlog::level::trace);
      break;
    case LogLevel::kVerbose:
      spdlog::set_level(spdlog::level::debug);
      break;
    case LogLevel::kNotice:
      spdlog::set_level(spdlog::level::info);
      break;
    case LogLevel::kWarning:
      spdlog::set_level(spdlog::level::warn);
      break;
    case LogLevel::kNothing:
      spdlog::set_level(spdlog::level::off);
      break;
  }
}

}  // namespace verso::server
