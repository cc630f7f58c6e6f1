// Logging through spdlog: plain lines, warnings and errors marked.
#include "kilobragg/core/log.hpp"

#include "kilobragg/core/error.hpp"

#include <spdlog/sinks/basic_file_sink.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

namespace kilobragg::core {
namespace {

spdlog::level::level_enum to_spdlog(LogLevel level) {
  switch (level) {
  case LogLevel::Debug:
    return spdlog::level::debug;
  case LogLevel::Info:
    return spdlog::level::info;
  case LogLevel::Warning:
    return spdlog::level::warn;
  case LogLevel::Error:
    return spdlog::level::err;
  case LogLevel::Off:
    return spdlog::level::off;
  }
  return spdlog::level::info;
}

std::shared_ptr<spdlog::logger>& logger() {
  static std::shared_ptr<spdlog::logger> instance = [] {
    auto first = std::make_shared<spdlog::logger>(
        "kilobragg", std::make_shared<spdlog::sinks::stderr_sink_mt>());
    first->set_pattern("%v");
    first->set_level(spdlog::level::warn);
    return first;
  }();
  return instance;
}

} // namespace

LogLevel log_level_from_name(const std::string& name) {
  if (name == "debug") return LogLevel::Debug;
  if (name == "info") return LogLevel::Info;
  if (name == "warning") return LogLevel::Warning;
  if (name == "error") return LogLevel::Error;
  fail("unknown log level '{}' (known are debug, info, warning, error)", name);
}

void start_log(const LogSetup& setup) {
  std::vector<spdlog::sink_ptr> sinks;
  if (setup.console) sinks.push_back(std::make_shared<spdlog::sinks::stdout_sink_mt>());
  if (!setup.file.empty()) {
    try {
      sinks.push_back(
          std::make_shared<spdlog::sinks::basic_file_sink_mt>(setup.file, !setup.append));
    } catch (const spdlog::spdlog_ex& error) {
      fail("cannot write the log file '{}' ({})", setup.file, error.what());
    }
  }
  auto next = std::make_shared<spdlog::logger>("kilobragg", sinks.begin(), sinks.end());
  next->set_pattern(setup.prefix + "%v");
  next->set_level(to_spdlog(setup.level));
  next->flush_on(spdlog::level::warn);
  logger() = std::move(next);
}

void flush_log() { logger()->flush(); }

void log(LogLevel level, std::string_view text) {
  const char* mark = level == LogLevel::Warning ? "Warning: "
                     : level == LogLevel::Error ? "Error: "
                                                : "";
  logger()->log(to_spdlog(level), "{}{}", mark, text);
}

} // namespace kilobragg::core
