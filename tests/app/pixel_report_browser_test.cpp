// The page of refinement against pixels in a real browser: it fits and is legible at every width.
#include "support/browser.hpp"
#include "support/sample_pixel_report.hpp"

#include <gtest/gtest.h>

#include <filesystem>

namespace kilobragg::report {
namespace {

class PixelReportBrowser : public ::testing::TestWithParam<int> {};

TEST_P(PixelReportBrowser, Fits) {
  const std::string program = testing::browser_program();
  if (program.empty()) GTEST_SKIP() << "no chromium here (scripts/ci-full installs it)";
  const int width = GetParam();
  const testing::TemporaryFolder folder;
  const std::string html = folder / "pixels.html";
  write_pixel_report(testing::sample_pixel_report(), html);
  testing::Browser browser(program);
  const auto measured = browser.measure(html, width);
  const auto number = [&](const char* key) { return measured.numbers.at(key); };
  EXPECT_LE(number("scroll_width"), width) << "scrolls sideways";
  EXPECT_EQ(number("resources"), 0);
  EXPECT_EQ(measured.console, "");
  EXPECT_EQ(number("clipped"), 0) << measured.which;
  EXPECT_EQ(number("overlaps"), 0) << measured.which;
  EXPECT_GE(number("smallest_text"), width < 400 ? 10 : 11.5);
  EXPECT_EQ(number("plots"), 10);
  for (const char* id : {"factors", "convergence", "shots", "pixels", "provenance"})
    EXPECT_GT(number((std::string("section_") + id).c_str()), 50) << id;
  EXPECT_EQ(number("columns"), width < 700 ? 1 : width < 1400 ? 2 : 3);
  const std::string png =
      std::string(KILOBRAGG_BUILD_DIR) + "/tests/app/pixels_" + std::to_string(width) + ".png";
  browser.screenshot(html, width, static_cast<int>(number("height")), png);
  EXPECT_GT(std::filesystem::file_size(png), 60'000u) << "looks blank";
}

INSTANTIATE_TEST_SUITE_P(Widths, PixelReportBrowser, ::testing::Values(390, 820, 1920));

} // namespace
} // namespace kilobragg::report
