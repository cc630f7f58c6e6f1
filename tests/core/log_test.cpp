// The log file holds what the level lets through, warnings marked and on disk at once.
#include "kilobragg/core/error.hpp"
#include "kilobragg/core/log.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <sstream>

namespace kilobragg::core {
namespace {

std::string content(const std::string& path) {
  std::ifstream file(path);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

TEST(Log, LevelsMarksAndFlushing) {
  const auto path = (std::filesystem::temp_directory_path() /
                     ("kilobragg_log_" + std::to_string(::getpid()) + ".log"))
                        .string();
  start_log({.level = LogLevel::Info, .console = false, .file = path, .prefix = ""});
  log_debug("not {}", "shown");
  log_info("image {} with {{braces}}", 3);
  log_warning("odd");
  EXPECT_EQ(content(path), "image 3 with {braces}\nWarning: odd\n");
  log_info("later");
  flush_log();
  EXPECT_EQ(content(path), "image 3 with {braces}\nWarning: odd\nlater\n");
  start_log({.level = LogLevel::Debug, .console = false, .file = path, .prefix = "rank 2: "});
  log_debug("detail");
  log_error("bad");
  EXPECT_EQ(content(path), "rank 2: detail\nrank 2: Error: bad\n");
  start_log({.level = LogLevel::Off, .console = false, .file = "", .prefix = ""});
  std::filesystem::remove(path);
}

TEST(Log, UnwritableFileAndUnknownLevel) {
  EXPECT_THROW(
      start_log(
          {.level = LogLevel::Info, .console = false, .file = "/dev/null/x.log", .prefix = ""}),
      Error);
  EXPECT_THROW(log_level_from_name("loud"), Error);
}

} // namespace
} // namespace kilobragg::core
