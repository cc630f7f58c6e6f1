// A dry run says everything that is wrong at once, what would be done, and changes nothing.
#include "check_geometry.hpp"
#include "check_output.hpp"
#include "check_run.hpp"
#include "support/drawn_still.hpp"
#include "support/temporary_folder.hpp"

#include "kilobragg/core/error.hpp"
#include "kilobragg/core/files.hpp"
#include "kilobragg/io/nxmx_writer.hpp"
#include "kilobragg/io/shard.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <limits>
#include <set>

namespace kilobragg::programs {
namespace {

namespace fs = std::filesystem;

bool any_has(const std::vector<std::string>& texts, const std::string& part) {
  return std::any_of(texts.begin(), texts.end(),
                     [&](const std::string& text) { return text.find(part) != std::string::npos; });
}

std::string joined(const std::vector<std::string>& texts) {
  return fmt::format("{}", fmt::join(texts, "\n"));
}

class CheckRun : public ::testing::Test {
protected:
  static void SetUpTestSuite() {
    folder = std::make_unique<testing::TemporaryFolder>();
    write_images("run_1.h5", 6, testing::drawn_detector());
    auto farther = testing::drawn_detector();
    farther.panels[0].frame.origin.z -= 30;
    write_images("run_2.h5", 2, farther);
    core::write_file(path("broken.h5"), std::string("no images"));
  }
  static void TearDownTestSuite() { folder.reset(); }
  static std::string path(const std::string& name) { return (folder->path() / name).string(); }

  static void write_images(const std::string& name, int frames, const models::Detector& detector) {
    io::NxmxLayout layout;
    layout.detector = detector;
    layout.frames = frames;
    io::NxmxWriter writer(path(name), layout);
    for (int frame = 0; frame < frames; ++frame) {
      const auto still = testing::draw_still(std::uint64_t(frame) + 11, frame % 3 != 2);
      writer.write_frame(frame, still.pixels, still.beam.wavelength);
    }
    writer.close();
  }

  void SetUp() override {
    options.declare(set);
    options.output.directory = path(
        "out_of_" + std::string(::testing::UnitTest::GetInstance()->current_test_info()->name()));
    give("indexing.known_symmetry.unit_cell", "77.06,77.06,37.22,90,90,90");
    give("indexing.known_symmetry.space_group", "P43212");
    options.input.paths = {path("run_1.h5")};
  }

  void give(const std::string& name, const std::string& value) { set.set(name, value, "test"); }

  static inline std::unique_ptr<testing::TemporaryFolder> folder;
  StillsOptions options;
  core::OptionSet set;
};

TEST_F(CheckRun, NothingWrong) {
  const auto report = check(options, set, {.ranks = 4, .hosts = 2});
  EXPECT_TRUE(report.problems.empty()) << joined(report.problems);
  EXPECT_TRUE(report.doubts.empty()) << joined(report.doubts);
  const std::string text = format_check(report);
  for (const char* part :
       {"stages: find spots, index, integrate", "6 images in 1 file; 1 opened\n",
        "pixels read as 32-bit integers: 1 file", "1 panel of 800 x 800 pixels of 0.2 mm",
        "distance 120.00 mm, wavelength 1.3 A; the beam meets panel 0 at pixel (400.5, 399.5)",
        "resolution 2.25 A at the edge", "P 43 21 2 (number 96)", "reflections predicted",
        "4 of 6 end as integrate_ok", "2 of 6 end as not_enough_spots", "kB per image", "free",
        "(would be made)", "\nWould process 6 images on 4 ranks on 2 hosts.\n"})
    EXPECT_NE(text.find(part), std::string::npos) << part << " is not in\n" << text;
  EXPECT_FALSE(fs::exists(options.output.directory));
}

TEST_F(CheckRun, EverythingThatIsWrongAtOnce) {
  options.input.paths.push_back(path("broken.h5"));
  options.input.paths.push_back(path("absent.h5"));
  give("indexing.known_symmetry.unit_cell", "77,90,37,90,90,90");
  give("spotfinder.lookup.mask", path("no_mask.h5"));
  give("input.reference_geometry", path("no_geometry.expt"));
  give("dispatch.process_percent", "200");
  give("spotfinder.filter.d_max", "1.0");
  core::write_file(path("in_the_way"), std::string("a file"));
  options.output.directory = path("in_the_way/out");
  const auto report = check(options, set, {});
  for (const char* part : {"broken.h5", "absent.h5", "contradicts space_group", "no_mask.h5",
                           "no_geometry.expt", "process_percent", "d_max=1", "in_the_way"})
    EXPECT_TRUE(any_has(report.problems, part)) << part << " is not in\n"
                                                << joined(report.problems);
  EXPECT_EQ(report.problems.size(), 8U) << joined(report.problems);
  EXPECT_NE(format_check(report).find("\n8 problems.\n"), std::string::npos);
}

TEST_F(CheckRun, NoImagesAreAProblem) {
  options.input.paths.clear();
  EXPECT_TRUE(any_has(check(options, set, {}).problems, "no images were given"));
  options.input.paths = {path("nothing_*.h5")};
  EXPECT_TRUE(any_has(check(options, set, {}).problems, "nothing matches"));
}

TEST_F(CheckRun, GeometriesAreGrouped) {
  options.input.paths = {path("run_1.h5"), path("run_2.h5")};
  const std::string text = format_check(check(options, set, {}));
  EXPECT_NE(text.find("geometry 1 of 2: 1 file"), std::string::npos) << text;
  EXPECT_NE(text.find("distance 150.00 mm"), std::string::npos) << text;
  give("geometry.detector.distance", "130");
  EXPECT_NE(format_check(check(options, set, {})).find("geometry 1 of 1: 2 files"),
            std::string::npos)
      << "the option moves both to the same place";
}

TEST_F(CheckRun, ThousandsOfFilesAreSampled) {
  options.input.paths = {path("run_1.h5"), path("run_2.h5")};
  CheckLimits limits;
  limits.header_seconds = 0;
  const std::string text = format_check(check(options, set, {}, limits));
  EXPECT_NE(text.find("8 images in 2 files; 1 opened, spread over all"), std::string::npos) << text;
}

TEST_F(CheckRun, MasksAgainstTheImages) {
  io::NxmxLayout small;
  small.detector = testing::drawn_detector();
  small.detector.panels[0].image_size = {40, 30};
  small.frames = 1;
  io::NxmxWriter writer(path("mask_of_another.h5"), small);
  writer.write_frame(0, std::vector<std::int32_t>(1200, 0), 1.3);
  writer.close();
  give("integration.lookup.mask", path("mask_of_another.h5") + ":/entry/data/data");
  const auto report = check(options, set, {});
  EXPECT_TRUE(any_has(report.problems, "mask_of_another.h5")) << joined(report.problems);
}

TEST_F(CheckRun, OptionsThatHaveNoEffect) {
  give("indexing.method", "fft3d");
  give("prediction.d_min", "0.8");
  const auto report = check(options, set, {});
  EXPECT_NE(format_check(report).find("indexing.method = fft3d is accepted but has no effect"),
            std::string::npos);
  EXPECT_TRUE(any_has(report.doubts, "prediction.d_min=0.8 cuts nothing")) << joined(report.doubts);
  EXPECT_TRUE(report.problems.empty()) << joined(report.problems);
}

TEST_F(CheckRun, ALimitThatLetsNoHitPass) {
  give("dispatch.hit_finder.maximum_number_of_reflections", "10");
  EXPECT_TRUE(any_has(options.problems(), "lets no image pass"));
  EXPECT_THROW(options.validate(), core::Error);
}

TEST_F(CheckRun, ResultsOfAnEarlierRun) {
  fs::create_directories(options.output.directory);
  {
    io::ShardWriter writer(options.output.directory + "/idx-0000.shard", "{}");
    for (const std::int64_t frame : {0, 3}) {
      models::StillResult still;
      still.source = {path("run_1.h5"), "/entry/data/data", frame, "id"};
      still.detector = std::make_shared<const models::Detector>(testing::drawn_detector());
      still.state = models::ExitState::NotEnoughSpots;
      writer.append(still);
    }
  }
  const auto before = core::read_file(options.output.directory + "/idx-0000.shard");
  const auto fresh = check(options, set, {});
  EXPECT_TRUE(any_has(fresh.doubts, "--resume, which would process 4 images"))
      << joined(fresh.doubts);
  const auto resumed = format_check(check(options, set, {.resume = true}));
  EXPECT_NE(resumed.find("2 of the 6 images of this run are among them"), std::string::npos)
      << resumed;
  EXPECT_NE(resumed.find("Would process 4 images on 1 rank, continuing"), std::string::npos)
      << resumed;
  EXPECT_EQ(core::read_file(options.output.directory + "/idx-0000.shard"), before);
}

TEST_F(CheckRun, RoomForResults) {
  SampleOutcome sample;
  sample.summary.stills = 1;
  const auto index = io::build_event_index(options.input.paths);
  const auto problems = [&](double mean, double largest) {
    sample.bytes_per_image = mean;
    sample.bytes_of_largest = largest;
    CheckReport report;
    check_output(options, index, sample, {.ranks = 4}, {}, report);
    return std::pair(report.problems, report.doubts);
  };
  EXPECT_TRUE(problems(1000, 1000).first.empty());
  EXPECT_TRUE(any_has(problems(1e18, 1e18).first, "results would need about"));
  EXPECT_TRUE(any_has(problems(1000, 1e18).second, "results could need up to"));
}

TEST_F(CheckRun, MoreRanksThanImages) {
  EXPECT_TRUE(any_has(check(options, set, {.ranks = 64}).doubts, "64 ranks are more than the 6"));
}

TEST(CheckGeometry, Numbers) {
  const models::Beam beam{.wavelength = 1.3};
  const auto facts = measure_geometry(testing::drawn_detector(), beam);
  EXPECT_NEAR(facts.distance, 120, 1e-9);
  ASSERT_TRUE(facts.beam_hit);
  // The nearest edge is 79.9 mm from the beam, the farthest corner 80.1 mm along both axes.
  const auto d = [](double mm) { return 1.3 / (2 * std::sin(std::atan(mm / 120) / 2)); };
  EXPECT_NEAR(*facts.edge, d(79.9), 1e-9);
  EXPECT_NEAR(facts.corner, d(80.1 * std::sqrt(2.0)), 1e-9);
  EXPECT_NEAR(spot_separation_px(testing::drawn_detector(), beam, testing::drawn_cell()),
              1.3 / 77.06 * 120 / 0.2, 1e-9);
  EXPECT_TRUE(geometry_problems(testing::drawn_detector(), beam).empty());
  EXPECT_TRUE(geometry_doubts(testing::drawn_detector(), beam).empty());
}

TEST(CheckGeometry, WhatCannotBe) {
  const models::Beam beam{.wavelength = 1.3};
  const auto problem_after = [&](auto change) {
    auto detector = testing::drawn_detector();
    change(detector);
    const auto found = geometry_problems(detector, beam);
    return found.size() == 1 ? found[0] : fmt::format("{} problems", found.size());
  };
  const auto has = [](const std::string& text, const char* part) {
    return text.find(part) != std::string::npos;
  };
  EXPECT_TRUE(has(problem_after([](auto& d) { d.panels.clear(); }), "no panels"));
  EXPECT_TRUE(has(problem_after([](auto& d) {
                    d.panels[0].frame.origin.x = std::numeric_limits<double>::quiet_NaN();
                  }),
                  "not a number"));
  EXPECT_TRUE(has(problem_after([](auto& d) { d.panels[0].pixel_size[1] = 0; }), "no size"));
  EXPECT_TRUE(has(problem_after([](auto& d) {
                    d.panels[0].frame.slow = {1, 0, 0};
                  }),
                  "perpendicular"));
  EXPECT_TRUE(has(problem_after([](auto& d) {
                    d.panels[0].trusted_range = {10, 1};
                  }),
                  "leaves no pixel"));
  EXPECT_TRUE(has(problem_after([](auto& d) { d.panels[0].frame.origin.z = 120; }), "behind"));
  for (const double wavelength : {0.0, -1.0, std::numeric_limits<double>::quiet_NaN()})
    EXPECT_EQ(geometry_problems(testing::drawn_detector(), {.wavelength = wavelength}).size(), 1U);
}

TEST(CheckGeometry, WhatIsHardlyRight) {
  auto metres = testing::drawn_detector();
  metres.panels[0].frame.origin = metres.panels[0].frame.origin * 1e-3;
  metres.panels[0].pixel_size = {0.2e-3, 0.2e-3};
  EXPECT_EQ(geometry_doubts(metres, {.wavelength = 1.3}).size(), 2U) << "distance and pixels";
  EXPECT_EQ(geometry_doubts(testing::drawn_detector(), {.wavelength = 13}).size(), 1U);
  auto aside = testing::drawn_detector();
  aside.panels[0].frame.origin.x += 150;
  EXPECT_TRUE(any_has(geometry_doubts(aside, {.wavelength = 1.3}), "passes the detector at 70 mm"));
  EXPECT_FALSE(measure_geometry(aside, {.wavelength = 1.3}).edge);
}

TEST(SpreadOrder, AnyFirstPartIsSpread) {
  for (const std::size_t n : {0, 1, 2, 7, 1000}) {
    const auto order = spread_order(n);
    EXPECT_EQ(std::set<std::size_t>(order.begin(), order.end()).size(), n);
  }
  const auto order = spread_order(1000);
  std::set<std::size_t> tenths;
  for (std::size_t i = 0; i < 20; ++i) tenths.insert(order[i] / 100);
  EXPECT_EQ(tenths.size(), 10U) << "20 of 1000 files are in every tenth of them";
}

} // namespace
} // namespace kilobragg::programs
