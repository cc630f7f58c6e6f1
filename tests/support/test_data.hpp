// Where the real images and reference results lie: KILOBRAGG_TEST_DATA, by default ../shared/data.
#pragma once

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <string>

namespace kilobragg::testing {

/// Folder of the real data, or an empty path where there is none.
inline std::filesystem::path test_data() {
  const char* named = std::getenv("KILOBRAGG_TEST_DATA");
  const std::filesystem::path dir =
      named ? std::filesystem::path(named)
            : std::filesystem::path(KILOBRAGG_SOURCE_DIR) / ".." / "shared" / "data";
  std::error_code error;
  return std::filesystem::is_directory(dir / "images", error) ? dir : std::filesystem::path();
}

} // namespace kilobragg::testing

/// Skips the test with a clear word where the real data are absent.
#define KILOBRAGG_NEEDS_TEST_DATA()                                                                \
  if (kilobragg::testing::test_data().empty())                                                     \
  GTEST_SKIP() << "no test data (set KILOBRAGG_TEST_DATA to the folder that holds images/)"
