// The log of a run: one readable stream from the first rank, to the console and a file.
#pragma once

#include <fmt/format.h>

#include <string>
#include <string_view>

namespace kilobragg::core {

enum class LogLevel { Debug, Info, Warning, Error, Off };

/// debug, info, warning, error; throws core::Error on another word.
LogLevel log_level_from_name(const std::string& name);

struct LogSetup {
  LogLevel level = LogLevel::Info;
  bool console = true; ///< off on all ranks but the first
  std::string file;    ///< empty = no file; replaced if it exists, unless `append`
  std::string prefix;  ///< before each line, as "rank 3: "
  bool append = false; ///< to the file, instead of replacing it
};

/// Starts logging as `setup` says; replaces what was set up before. Throws core::Error if the file
/// cannot be written. Before the first call, warnings and errors go to stderr.
void start_log(const LogSetup& setup);
/// Writes out what is buffered; also done for every warning and error.
void flush_log();

/// One entry; may have several lines.
void log(LogLevel level, std::string_view text);

template <typename... Args>
void log_debug(fmt::format_string<Args...> text, Args&&... args) {
  log(LogLevel::Debug, fmt::format(text, std::forward<Args>(args)...));
}
template <typename... Args>
void log_info(fmt::format_string<Args...> text, Args&&... args) {
  log(LogLevel::Info, fmt::format(text, std::forward<Args>(args)...));
}
template <typename... Args>
void log_warning(fmt::format_string<Args...> text, Args&&... args) {
  log(LogLevel::Warning, fmt::format(text, std::forward<Args>(args)...));
}
template <typename... Args>
void log_error(fmt::format_string<Args...> text, Args&&... args) {
  log(LogLevel::Error, fmt::format(text, std::forward<Args>(args)...));
}

} // namespace kilobragg::core
