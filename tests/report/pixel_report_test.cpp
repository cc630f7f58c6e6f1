// The page of refinement against pixels: sound, self-contained, true to its numbers, safe with any text.
#include "support/html_check.hpp"
#include "support/sample_pixel_report.hpp"
#include "support/temporary_folder.hpp"

#include "kilobragg/core/error.hpp"
#include "kilobragg/core/files.hpp"

#include <gtest/gtest.h>

namespace kilobragg::report {
namespace {

bool has(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

std::size_t count(const std::string& text, const std::string& part) {
  std::size_t n = 0;
  for (std::size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++n;
  return n;
}

void expect_sound(const std::string& html) {
  testing::HtmlCheck check(html);
  EXPECT_EQ(check.fault(), "");
  for (const std::string& address : check.addresses())
    EXPECT_TRUE(address.starts_with("#") || address.starts_with("data:")) << address.substr(0, 80);
  for (const char* id : {"factors", "convergence", "shots", "pixels", "provenance"})
    EXPECT_TRUE(check.ids().count(id)) << id;
  std::string text = html;
  for (std::size_t at = 0; (at = text.find("base64,", at)) != std::string::npos; at += 7)
    text.erase(at + 7, text.find('"', at) - at - 7);
  for (const char* word :
       {" nan", ">nan", "\"nan", " inf", ">inf", "\"inf", "://", "<script", "url("})
    EXPECT_FALSE(has(text, word)) << word << " in " << text.substr(text.find(word) - 60, 120);
}

TEST(PixelHtml, ShowsWhatItIsGiven) {
  const auto data = testing::sample_pixel_report();
  const std::string html = render_pixel_html(data);
  expect_sound(html);
  EXPECT_EQ(count(html, "<figure class=\"box\">"), data.boxes.size());
  EXPECT_EQ(count(html, "<img "), 3 * data.boxes.size());
  EXPECT_EQ(count(html, "<svg class=\"plot\""), 10u);
  for (const char* part :
       {"Amplitudes before and after", "R1 to the truth", "Sigma-Z of the shots",
        "Errors against the truth", "Pixels left out", "bad_fit", "2500 indices"})
    EXPECT_TRUE(has(html, part)) << part;
  EXPECT_TRUE(has(html, "<td class=\"n\">1003</td>")) << "sum of the states";
}

TEST(PixelHtml, IsSoundWithUnpleasantTexts) {
  auto data = testing::sample_pixel_report();
  const std::string evil = "</style><b>\"'&\x01\xff";
  data.title = data.subtitle = data.program = data.version = data.options = evil;
  data.problems = {evil};
  data.tiles = {{evil, evil}};
  data.shots_by_state = {{evil, 3}};
  for (BoxShown& box : data.boxes) box.caption = evil;
  const std::string html = render_pixel_html(data);
  expect_sound(html);
  EXPECT_FALSE(has(html, evil));
  EXPECT_FALSE(has(html, "</style><b>"));
}

TEST(PixelHtml, SaysWhatIsNotThere) {
  const std::string html = render_pixel_html({});
  expect_sound(html);
  for (const char* part : {"No iteration was recorded", "No shot was refined", "were not recorded",
                           "No shoebox was chosen", "No structure factor was refined"})
    EXPECT_TRUE(has(html, part)) << part;
  PixelReportData one;
  one.iterations = {{.iteration = 0, .f = 5}};
  one.sigma_z = {1};
  one.shots_by_state = {{"refined", 1}};
  one.f_before = one.f_after = {3};
  one.shells = {{.d_low = 0, .d_high = 2}};
  one.pulls = {unknown_number};
  one.boxes = {{"alone", 1, 1, {0}, {std::nanf("")}, {std::nanf("")}}};
  expect_sound(render_pixel_html(one));
}

TEST(PixelHtml, ManyIndicesStaySmall) {
  auto data = testing::sample_pixel_report();
  data.f_before.assign(300'000, 3);
  data.f_after.assign(300'000, 4);
  const std::string html = render_pixel_html(data);
  expect_sound(html);
  EXPECT_LT(html.size(), 500'000u);
  EXPECT_TRUE(has(html, "every 120th shown"));
}

TEST(PixelHtml, ColumnsOfUnequalLengthAreRefused) {
  auto data = testing::sample_pixel_report();
  data.f_after.pop_back();
  EXPECT_THROW(render_pixel_html(data), core::Error);
  data = testing::sample_pixel_report();
  data.boxes[0].z.pop_back();
  EXPECT_THROW(render_pixel_html(data), core::Error);
}

TEST(PixelHtml, IsWritten) {
  const testing::TemporaryFolder folder;
  const auto data = testing::sample_pixel_report();
  write_pixel_report(data, folder / "pixels.html");
  EXPECT_EQ(core::read_text_file(folder / "pixels.html"), render_pixel_html(data));
}

} // namespace
} // namespace kilobragg::report
