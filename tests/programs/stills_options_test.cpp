// Parameter files of dials.stills_process work unmodified; contradictions are said before work starts.
#include "kilobragg/core/error.hpp"
#include "kilobragg/programs/stills_options.hpp"

#include <gtest/gtest.h>

namespace kilobragg::programs {
namespace {

constexpr const char* thermolysin = R"(dispatch.squash_errors = True
spotfinder {
  filter.min_spot_size=2
  threshold.dispersion.gain=25
  threshold.dispersion.global_threshold=100
}
indexing {
  known_symmetry {
    space_group = P6122
    unit_cell = 92.9 92.9 130.4 90 90 120
  }
  refinement_protocol.d_min_start=1.7
  stills.refine_candidates_with_known_symmetry=True
}
)";

constexpr const char* rayonix = R"(spotfinder.filter.min_spot_size=2
spotfinder.filter.d_min=2
spotfinder.filter.d_max=18
spotfinder.threshold.dispersion.gain=0.46
spotfinder.threshold.dispersion.global_threshold=100
indexing.known_symmetry.space_group='P 21 21 21'
indexing.known_symmetry.unit_cell='41.9 75.7 102 90 90 90'
indexing.refinement_protocol.d_min_start=2
profile.gaussian_rs.centroid_definition=com
)";

constexpr const char* thaumatin = R"(indexing.known_symmetry.space_group=P41212
indexing.known_symmetry.unit_cell=58,58,150,90,90,90
spotfinder.threshold.algorithm=dispersion
indexing.stills.method_list=fft1d real_space_grid_search
mp.nproc=8
)";

struct Parsed {
  StillsOptions options;
  core::OptionSet set;
  Parsed() { options.declare(set); }
  explicit Parsed(const std::string& text)
      : Parsed() {
    set.parse_phil(text, "test.phil");
  }
};

std::string refusal(const std::string& text) {
  try {
    Parsed parsed(text);
    parsed.options.validate();
  } catch (const core::Error& error) {
    return error.what();
  }
  return "accepted";
}

bool has(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

TEST(StillsOptions, ThermolysinFile) {
  Parsed parsed(thermolysin);
  const auto& still = parsed.options.still;
  EXPECT_EQ(still.spotfinder.dispersion.gain, 25);
  EXPECT_EQ(still.spotfinder.dispersion.global_threshold, 100);
  EXPECT_EQ(still.spotfinder.filter.min_spot_size, 2);
  EXPECT_EQ(still.spotfinder.algorithm, spotfinding::ThresholdAlgorithm::DispersionExtended);
  EXPECT_EQ(still.indexing.d_min_start, 1.7);
  EXPECT_EQ(still.indexing.unit_cell.c, 130.4);
  EXPECT_EQ(still.indexing.unit_cell.gamma, 120);
  EXPECT_EQ(still.indexing.space_group.number(), 178);
  EXPECT_TRUE(still.squash_errors);
  EXPECT_EQ(parsed.options.without_effect.size(), 1U);
  parsed.options.validate();
}

TEST(StillsOptions, QuotesListsAndChoices) {
  Parsed a(rayonix), b(thaumatin);
  EXPECT_EQ(a.options.still.indexing.space_group.number(), 19);
  EXPECT_EQ(a.options.still.spotfinder.filter.d_max, 18);
  EXPECT_TRUE(a.options.still.integration.centroid_definition_com);
  EXPECT_EQ(b.options.still.indexing.unit_cell.b, 58);
  EXPECT_EQ(b.options.still.spotfinder.algorithm, spotfinding::ThresholdAlgorithm::Dispersion);
  EXPECT_EQ(b.options.without_effect.at("indexing.stills.method_list"),
            "fft1d real_space_grid_search");
}

TEST(StillsOptions, WhatRankZeroSendsGivesTheSameOptions) {
  for (const char* text :
       {"", thermolysin, rayonix, thaumatin,
        "spotfinder.filter.resolution_range=3.9 3.6\nresolution_range=2,2.1\n"
        "input.glob=a*\ninput.glob='b c'\noutput.strong_filename=None\n"
        "minimum_number_of_reflections=None\ngeometry.detector.distance=100.125"}) {
    Parsed first(text);
    const std::string sent = first.set.to_phil();
    Parsed second(sent);
    EXPECT_EQ(second.set.to_phil(), sent);
    EXPECT_EQ(second.options.still.spotfinder.filter.resolution_range,
              first.options.still.spotfinder.filter.resolution_range);
  }
}

TEST(StillsOptions, DefaultsAreThoseOfTheParameterStructs) {
  Parsed parsed;
  const auto help = parsed.set.help();
  EXPECT_TRUE(has(help, "minimum_number_of_reflections = 16"));
  EXPECT_TRUE(has(help, "sigma_background = 6"));
  EXPECT_TRUE(has(help, "kernel_size = 3 3"));
  EXPECT_TRUE(has(help, "threshold.algorithm = dispersion_extended"));
}

TEST(StillsOptions, WhatIsNotPossibleIsRefused) {
  EXPECT_TRUE(has(refusal("output.composite_output=False"), "only True is possible"));
  EXPECT_TRUE(has(refusal("integration.profile.fitting=True"), "only False"));
  EXPECT_TRUE(has(refusal("spotfinder.threshold.algorithm=radial_profile"),
                  "dispersion, dispersion_extended"));
}

TEST(StillsOptions, ContradictionsAreSaidBeforeWorkStarts) {
  EXPECT_TRUE(has(refusal("max_images=1"), "known_symmetry.unit_cell is not set"));
  EXPECT_TRUE(has(refusal("unit_cell=77 77 37 90 90 90"), "known_symmetry.space_group is not set"));
  EXPECT_TRUE(has(refusal("unit_cell=77 87 37 90 90 90\nspace_group=P43212"), "contradicts"));
  EXPECT_TRUE(has(refusal("space_group=P43213"), "indexing.known_symmetry.space_group"));
  EXPECT_TRUE(has(refusal("unit_cell=77 77 37"), "indexing.known_symmetry.unit_cell"));
  EXPECT_TRUE(has(refusal("dispatch.index=False\nprocess_percent=0"), "1 to 100"));
  EXPECT_TRUE(has(refusal("dispatch.index=False\nspotfinder.lookup.mask=/no/such"), "/no/such"));
  EXPECT_TRUE(has(refusal("dispatch.index=False\nintegrated_filename=a%s.refl"), "pair"));
  EXPECT_TRUE(has(refusal("dispatch.find_spots=False"), "dispatch.index"));
  EXPECT_EQ(refusal("dispatch.index=False"), "accepted");
}

TEST(StillsOptions, LimitsThatNothingCanMeetAreRefused) {
  const std::string spots_only = "dispatch.index=False\n";
  for (const char* option : {"min_spot_size=0", "min_spot_size=-1", "max_spot_size=0",
                             "geometry.detector.distance=0", "geometry.detector.distance=-100"})
    EXPECT_TRUE(has(refusal(spots_only + option), option)) << refusal(spots_only + option);
  EXPECT_TRUE(has(refusal(spots_only + "min_spot_size=10\nmax_spot_size=9"), "max_spot_size=9"));
  EXPECT_TRUE(has(refusal(spots_only + "filter.d_min=10\nfilter.d_max=2"), "filter.d_max=2"));
  EXPECT_EQ(refusal(spots_only + "min_spot_size=9\nmax_spot_size=9"), "accepted");
  EXPECT_EQ(refusal(spots_only + "filter.d_min=2\nfilter.d_max=10"), "accepted");
}

TEST(StillsOptions, MovedImages) {
  Parsed parsed("input.map = /old=/new\ninput { map = /a b=/c=d\n search_path = / }\n");
  const io::ImageSearch search = parsed.options.input.image_search();
  ASSERT_EQ(search.maps.size(), 2u);
  EXPECT_EQ(search.maps[0], std::make_pair(std::string("/old"), std::string("/new")));
  EXPECT_EQ(search.maps[1], std::make_pair(std::string("/a b"), std::string("/c=d")));
  EXPECT_EQ(search.folders, std::vector<std::string>{"/"});
  Parsed again(parsed.set.to_phil());
  EXPECT_EQ(again.options.input.maps, parsed.options.input.maps);

  Parsed flagged;
  const char* const line[] = {"stills_process", "--map", "/old=/new", "--map=/a=/b", "x.expt"};
  EXPECT_EQ(core::parse_command_line(5, line, flagged.set).inputs,
            std::vector<std::string>{"x.expt"});
  EXPECT_EQ(flagged.options.input.maps, (std::vector<std::string>{"/old=/new", "/a=/b"}));

  const std::string symmetry = "unit_cell=77 77 37 90 90 90\nspace_group=P43212\n";
  EXPECT_TRUE(has(refusal(symmetry + "input.map=/old"), "/old"));
  EXPECT_TRUE(has(refusal(symmetry + "input.search_path=/no/such"), "input.search_path"));
}

TEST(StillsOptions, StreamsAreWrittenOnRequest) {
  EXPECT_EQ(Parsed().options.output.stream, "");
  EXPECT_EQ(Parsed("output.stream_filename=a.stream").options.output.stream, "a.stream");
  EXPECT_EQ(Parsed("output.stream_filename=None").options.output.stream, "");
}

} // namespace
} // namespace kilobragg::programs
