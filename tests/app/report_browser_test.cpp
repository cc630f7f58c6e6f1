// The HTML report in a real browser: it renders from file://, fits and is legible at every width.
#include "support/browser.hpp"
#include "support/sample_run.hpp"
#include "support/stills_process_runs.hpp"

#include "kilobragg/report/collect.hpp"
#include "kilobragg/report/html_report.hpp"

namespace kilobragg::programs {
namespace {

constexpr int phone = 390, tablet = 820, projector = 1920;

class ReportBrowser : public StillsProcess {
protected:
  void SetUp() override {
    const std::string program = testing::browser_program();
    if (program.empty()) GTEST_SKIP() << "no chromium here (scripts/ci-full installs it)";
    browser_ = std::make_unique<testing::Browser>(program);
  }

  /// Seven images processed by two ranks, collected and reported.
  static std::string report_of_a_run() {
    const std::string out = path("out"), html = out + "/report.html";
    if (fs::exists(html)) return html;
    const auto done = run(known_symmetry + path("run_1.h5") + " output.output_dir=" + out, 2);
    EXPECT_EQ(done.status, 0) << done.out;
    report::collect_run(out);
    report::write_html_report(out + "/" + report::ledger_name, out, html);
    return html;
  }

  static std::string report_of_samples(const std::string& name, const testing::SampleRun& sample) {
    const std::string ledger = path(name + ".sqlite"), html = path(name + ".html");
    testing::write_sample_run(ledger, sample);
    report::write_html_report(ledger, path(""), html, {.title = name});
    return html;
  }

  void expect_fits(const std::string& html, int width) {
    const auto measured = browser_->measure(html, width);
    const auto number = [&](const std::string& key) {
      EXPECT_TRUE(measured.numbers.count(key)) << key << "\n" << measured.dom.substr(0, 2000);
      return measured.numbers.count(key) ? measured.numbers.at(key) : -1;
    };
    EXPECT_LE(number("scroll_width"), width) << "scrolls sideways";
    EXPECT_EQ(number("resources"), 0);
    EXPECT_EQ(measured.console, "");
    EXPECT_EQ(number("clipped"), 0) << measured.which;
    EXPECT_EQ(number("overlaps"), 0) << measured.which;
    // 16 px is the body text of a phone; labels may be somewhat smaller.
    EXPECT_GE(number("smallest_text"), width == phone ? 10 : 11.5);
    for (const char* id : {"states", "rates", "cell", "quality", "weather", "frames", "provenance"})
      EXPECT_GT(number(std::string("section_") + id), 50) << id;
    const int columns = width == phone ? 1 : width == tablet ? 2 : 3;
    EXPECT_EQ(number("columns"), columns);
    const std::string png = std::string(KILOBRAGG_BUILD_DIR) + "/tests/app/" +
                            fs::path(html).stem().string() + "_" + std::to_string(width) + ".png";
    browser_->screenshot(html, width, static_cast<int>(number("height")), png);
    EXPECT_GT(fs::file_size(png), 60'000u) << "looks blank";
  }

  std::unique_ptr<testing::Browser> browser_;
};

TEST_F(ReportBrowser, OfARunFitsPhoneTabletAndProjector) {
  const std::string html = report_of_a_run();
  for (const int width : {phone, tablet, projector}) expect_fits(html, width);
  const auto measured = browser_->measure(html, projector);
  EXPECT_GE(measured.numbers.at("pictures"), 2) << "images with spots";
  EXPECT_GE(measured.numbers.at("plots"), 8);
}

TEST_F(ReportBrowser, KeepsItsSectionsAsTheBrowserReadsIt) {
  const std::string dom = browser_->dom(report_of_a_run());
  for (const char* part :
       {"<section id=\"states\"", "<section id=\"rates\"", "<section id=\"cell\"",
        "<section id=\"quality\"", "<section id=\"weather\"", "<section id=\"frames\"",
        "<section id=\"provenance\"", "not_enough_spots", "integrate_ok", "class=\"found\"",
        "class=\"predicted\"", "id=\"exit-states\""})
    EXPECT_TRUE(has(dom, part)) << part;
}

TEST_F(ReportBrowser, OfManyImagesAndAResumedRun) {
  testing::SampleRun resumed;
  resumed.pause = true;
  const std::string small = report_of_samples("resumed", resumed);
  expect_fits(small, phone);
  expect_fits(small, projector);
  testing::SampleRun troubled;
  troubled.images = 1500;
  troubled.ranks = 16;
  troubled.trouble = true;
  expect_fits(report_of_samples("troubled", troubled), projector);
  testing::SampleRun large;
  large.images = 20'000;
  large.ranks = 600;
  const std::string grid = report_of_samples("large", large);
  expect_fits(grid, phone);
  expect_fits(grid, projector);
}

} // namespace
} // namespace kilobragg::programs
