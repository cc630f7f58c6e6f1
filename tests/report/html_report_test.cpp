// The HTML report: numbers as in the ledger, whole documents for every kind of run, safe texts.
#include "support/html_check.hpp"
#include "support/sample_run.hpp"
#include "support/sample_still.hpp"
#include "support/temporary_folder.hpp"

#include "kilobragg/core/error.hpp"
#include "kilobragg/core/files.hpp"
#include "kilobragg/report/collect.hpp"
#include "kilobragg/report/html_report.hpp"
#include "kilobragg/report/html_text.hpp"
#include "kilobragg/report/load_report.hpp"

#include <gtest/gtest.h>

#include <filesystem>

namespace kilobragg::report {
namespace {

using models::ExitState;
using testing::SampleRun;

bool has(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

class HtmlReport : public ::testing::Test {
protected:
  ReportData load(const SampleRun& run) {
    ledger_ = folder_ / (std::to_string(++runs_) + ".sqlite");
    digests_ = testing::write_sample_run(ledger_, run);
    return load_report_data(ledger_);
  }

  /// Base64 may spell anything.
  static std::string without_pictures(std::string html) {
    for (std::size_t at = 0; (at = html.find("base64,", at)) != std::string::npos; at += 7)
      html.erase(at + 7, html.find('"', at) - at - 7);
    return html;
  }

  /// A document that a browser cannot misread and that needs nothing else.
  static void expect_sound(const std::string& html) {
    testing::HtmlCheck check(html);
    EXPECT_EQ(check.fault(), "");
    for (const std::string& address : check.addresses())
      EXPECT_TRUE(address.starts_with("#") || address.starts_with("data:"))
          << address.substr(0, 80);
    for (const char* id : {"states", "rates", "cell", "quality", "weather", "frames", "provenance"})
      EXPECT_TRUE(check.ids().count(id)) << id;
    const std::string text = without_pictures(html);
    for (const char* word :
         {" nan", ">nan", "\"nan", " inf", ">inf", "\"inf", "://", "<script", "url("})
      EXPECT_FALSE(has(text, word)) << word << " in " << text.substr(text.find(word) - 60, 120);
  }

  testing::TemporaryFolder folder_;
  std::string ledger_;
  std::vector<io::StillDigest> digests_;
  int runs_ = 0;
};

TEST(HtmlText, EscapesAndReplaces) {
  EXPECT_EQ(escape_html("a<b> & \"c\" 'd'"), "a&lt;b&gt; &amp; &quot;c&quot; &#39;d&#39;");
  EXPECT_EQ(escape_html("α Å\n\t"), "α Å\n\t");
  EXPECT_EQ(escape_html("\x01\x7f"), "\uFFFD\uFFFD");
  EXPECT_EQ(escape_html("\xff\xc3(\xe2\x82"), "\uFFFD\uFFFD(\uFFFD\uFFFD");
  EXPECT_EQ(escape_html("\xc0\xaf"), "\uFFFD\uFFFD") << "overlong";
}

TEST(HtmlText, ShortNumbers) {
  EXPECT_EQ(short_number(12.5), "12.5");
  EXPECT_EQ(short_number(12.004), "12");
  EXPECT_EQ(short_number(-0.001), "0");
  EXPECT_EQ(short_number(100), "100");
}

TEST(HtmlText, Base64) {
  const std::string front = "data:image/png;base64,";
  EXPECT_EQ(png_data_url("Man"), front + "TWFu");
  EXPECT_EQ(png_data_url("Ma"), front + "TWE=");
  EXPECT_EQ(png_data_url("M"), front + "TQ==");
  EXPECT_EQ(png_data_url("\xff\xff\xff"), front + "////");
}

TEST_F(HtmlReport, NumbersAreThoseOfTheRun) {
  const auto data = load({});
  std::array<std::int64_t, models::exit_state_count> by_state{};
  std::int64_t lattices = 0, reflections = 0, spots = 0, hits = 0;
  for (const auto& digest : digests_) {
    ++by_state[std::size_t(digest.state)];
    hits += is_hit(outcome_of(digest.state));
    spots += digest.spots;
    lattices += std::int64_t(digest.lattices.size());
    for (const auto& lattice : digest.lattices) reflections += lattice.reflections;
  }
  EXPECT_EQ(data.by_state, by_state);
  EXPECT_EQ(data.images(), 300);
  EXPECT_EQ(data.inputs, 300);
  EXPECT_EQ(data.lattices, lattices);
  EXPECT_EQ(data.reflections, reflections);
  EXPECT_EQ(data.spots, spots);
  EXPECT_EQ(data.count_from(Outcome::NotIndexed), hits);
  EXPECT_EQ(data.ranks, 4);
  EXPECT_EQ(data.space_group, "P 43 21 2");
  EXPECT_NEAR(data.cell[0].spread.median, 77.06, 0.05);
  EXPECT_EQ(data.cell[2].histogram.total(), lattices);
  EXPECT_EQ(data.rmsd_px.histogram.total(), lattices);
}

TEST_F(HtmlReport, EveryImageIsInEveryPlotOnce) {
  const auto data = load({});
  for (const RateSeries* series : {&data.over_time, &data.over_images}) {
    RateBin sum;
    for (const RateBin& bin : series->bins) sum.add(bin);
    EXPECT_EQ(sum.images, 300);
    EXPECT_EQ(sum.hits, data.count_from(Outcome::NotIndexed));
    EXPECT_EQ(sum.indexed, data.count_from(Outcome::Indexed));
    EXPECT_EQ(sum.integrated, data.count_from(Outcome::Integrated));
    EXPECT_EQ(series->bins.size(), 12u);
  }
  std::int64_t images = 0;
  for (const auto& histogram : data.spots_by_outcome) images += histogram.total();
  EXPECT_EQ(images, 300 - data.by_state[std::size_t(ExitState::PreprocessException)]);
  EXPECT_EQ(data.weather.images().size(), 300u);
  EXPECT_GT(data.weather.busy(), 0.5);
}

TEST_F(HtmlReport, BestAndWorstImages) {
  const auto data = load({});
  ASSERT_EQ(data.frames.size(), 6u);
  EXPECT_EQ(data.frames[0].kind, FrameKind::Best);
  EXPECT_LE(data.frames[0].rmsd_px, data.rmsd_px.spread.median);
  EXPECT_EQ(data.frames[2].state, "indexing_failed");
  EXPECT_GE(data.frames[2].spots, data.frames[3].spots);
  double largest = 0;
  for (const auto& digest : digests_)
    for (const auto& lattice : digest.lattices) largest = std::max(largest, lattice.rmsd_px);
  EXPECT_EQ(data.frames[4].kind, FrameKind::LargestRmsd);
  EXPECT_DOUBLE_EQ(data.frames[4].rmsd_px, largest);
}

TEST_F(HtmlReport, IsSoundWithUnpleasantNames) {
  auto data = load({});
  data.title = "</title><b>";
  data.problems = {"cannot open '<&>\"' (no \x01such\xff file)"};
  const auto html = render_html(data);
  expect_sound(html);
  EXPECT_TRUE(has(html, "run &lt;1&gt; &amp; &quot;2&quot;.h5"));
  EXPECT_TRUE(has(html, "&lt;/title&gt;"));
  EXPECT_TRUE(has(html, "Every input is accounted for"));
}

TEST_F(HtmlReport, PauseIsCutOut) {
  SampleRun run;
  run.pause = true;
  const auto data = load(run);
  ASSERT_EQ(data.pauses.size(), 1u);
  EXPECT_LT(data.seconds, 60);
  EXPECT_GT(data.pauses[0], 1);
  EXPECT_LT(data.pauses[0], data.seconds - 1);
  EXPECT_EQ(data.sessions.size(), 2u);
  const auto html = render_html(data);
  expect_sound(html);
  EXPECT_TRUE(has(html, "resumed"));
}

TEST_F(HtmlReport, FromShardsAlone) {
  SampleRun run;
  run.batches = false;
  const auto data = load(run);
  EXPECT_EQ(data.inputs, 0);
  EXPECT_GT(data.seconds, 1);
  EXPECT_EQ(data.images(), 300);
  const auto html = render_html(data);
  expect_sound(html);
  EXPECT_TRUE(has(html, "is not known"));
}

TEST_F(HtmlReport, WithoutTimes) {
  SampleRun run;
  run.times = run.batches = false;
  const auto html = render_html(load(run));
  expect_sound(html);
  EXPECT_TRUE(has(html, "Times were not recorded"));
}

TEST_F(HtmlReport, BatchesAloneWhileTheRunGoesOn) {
  const auto digests = testing::sample_digests({});
  RunLedger ledger(folder_ / "live.sqlite");
  testing::add_sample_session(ledger, {}, digests, 0, 200, 1763640000, SessionState::Stopped);
  const auto data = load_report_data(folder_ / "live.sqlite");
  EXPECT_EQ(data.images(), 200);
  EXPECT_EQ(data.inputs, 300);
  EXPECT_GT(data.lattices, 100);
  RateBin sum;
  for (const RateBin& bin : data.over_time.bins) sum.add(bin);
  EXPECT_EQ(sum.images, 200);
  const auto html = render_html(data);
  expect_sound(html);
  EXPECT_TRUE(has(html, "100 of 300 images have no exit state here"));
}

TEST_F(HtmlReport, SmallAndEmptyRuns) {
  for (const int images : {1, 2, 4}) {
    SampleRun run;
    run.images = images;
    run.ranks = 1;
    expect_sound(render_html(load(run)));
  }
  RunLedger empty(folder_ / "empty.sqlite");
  const auto html = render_html(load_report_data(folder_ / "empty.sqlite"));
  expect_sound(html);
  EXPECT_TRUE(has(html, "No image was processed"));
  EXPECT_TRUE(has(html, "No lattice was found"));
}

TEST_F(HtmlReport, NoHits) {
  SampleRun run;
  run.images = 2;
  const auto html = render_html(load(run));
  expect_sound(html);
  EXPECT_TRUE(has(html, "No image had enough spots"));
}

TEST_F(HtmlReport, LargeRunStaysSmallAndExact) {
  SampleRun run;
  run.images = 60'000;
  run.ranks = 1500;
  const auto data = load(run);
  EXPECT_EQ(data.images(), 60'000);
  EXPECT_EQ(data.sampled_every, 2);
  EXPECT_TRUE(data.weather.is_grid());
  EXPECT_EQ(data.weather.ranks_per_row(), 2);
  EXPECT_EQ(data.cell[0].histogram.total(), data.lattices);
  const auto html = render_html(data);
  expect_sound(html);
  EXPECT_LT(html.size(), 2'000'000u);
}

TEST_F(HtmlReport, EdgesAreEqualOnlyIfTheyAreInEveryLattice) {
  for (const bool equal : {false, true}) {
    const std::string path = folder_ / (equal ? "equal.sqlite" : "swapped.sqlite");
    std::mt19937 random(5);
    std::vector<io::StillDigest> digests;
    for (int i = 0; i < 40; ++i) {
      auto digest = testing::sample_digest(3, random);
      digest.source.frame = i;
      // As many lattices of each length of a as of b, whichever way round.
      const double longer = 78, shorter = 77;
      const double a = i % 2 ? longer : shorter, b = equal == (i % 2 == 1) ? longer : shorter;
      digest.lattices.at(0).crystal =
          models::Crystal::from_cell({a, b, 37, 90, 90, 90}, Mat3::identity(), {});
      digests.push_back(std::move(digest));
    }
    RunLedger(path).add_images(digests);
    EXPECT_EQ(has(render_html(load_report_data(path)), "a = b in every lattice"), equal);
  }
}

TEST_F(HtmlReport, MissingPicturesSayWhy) {
  load({});
  write_html_report(ledger_, folder_.path().string(), folder_ / "report.html");
  const auto html = core::read_text_file(folder_ / "report.html");
  expect_sound(html);
  EXPECT_TRUE(has(html, "No picture: its record is not in the shards"));
}

TEST_F(HtmlReport, GoneImageFilesAreNamed) {
  {
    io::ShardWriter shard(folder_ / "idx-0037.shard", "{}");
    for (int frame = 0; frame < 3; ++frame)
      shard.append(testing::sample_still(frame, testing::sample_detector()));
  }
  const auto collected = collect_run(folder_.path().string());
  write_html_report(collected.ledger, folder_.path().string(), folder_ / "report.html",
                    {.title = "gone"});
  const auto html = core::read_text_file(folder_ / "report.html");
  testing::HtmlCheck check(html);
  EXPECT_EQ(check.fault(), "");
  EXPECT_TRUE(has(html, "<h1>gone</h1>"));
  const auto at = html.find("No picture: ");
  ASSERT_NE(at, std::string::npos);
  EXPECT_TRUE(has(html.substr(at, 200), "/images/run.h5")) << html.substr(at, 200);
}

TEST_F(HtmlReport, ShardsBeyondTheLimitAreNotRead) {
  const auto data = load({});
  core::write_file(folder_ / "idx-0001.shard", std::string(5'000'000, ' '));
  write_html_report(ledger_, folder_.path().string(), folder_ / "report.html",
                    {.title = "", .frames_of_kind = 1, .most_shard_bytes = 4'000'000});
  EXPECT_TRUE(has(core::read_text_file(folder_ / "report.html"), "in the first 4 MB of shards"));
}

TEST_F(HtmlReport, ErrorsNameTheFile) {
  try {
    load_report_data(folder_ / "absent.sqlite");
    FAIL();
  } catch (const core::Error& error) {
    EXPECT_TRUE(has(error.what(), "absent.sqlite"));
  }
  core::write_file(folder_ / "other.sqlite", "this is no database at all, it is a text");
  EXPECT_THROW(load_report_data(folder_ / "other.sqlite"), core::Error);
  load({});
  EXPECT_THROW(write_html_report(ledger_, folder_.path().string(), "/no/such/folder/r.html"),
               core::Error);
}

} // namespace
} // namespace kilobragg::report
