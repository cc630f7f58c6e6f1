// stills_process end to end on real images: exit states, and agreement with DIALS and the truth.
#include "stills_reference.hpp"
#include "support/measured.hpp"
#include "support/test_data.hpp"

#include "kilobragg/io/shard.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <fstream>
#include <set>

namespace kilobragg::testing {
namespace {

namespace fs = std::filesystem;
using models::ExitState;

struct SetRun {
  std::map<int, models::StillResult> stills; ///< by frame
  std::string log;
  int status = -1;
};

/// Runs the program on one set with its phil file; results come from the shard.
SetRun run_set(const std::string& set, const std::string& more = "") {
  const fs::path data = test_data();
  const fs::path out =
      fs::temp_directory_path() / ("kilobragg_" + set + std::to_string(::getpid()));
  fs::create_directories(out);
  const std::string command = std::string(KILOBRAGG_BUILD_DIR) + "/apps/stills_process " +
                              (data / "reference" / (set + ".phil")).string() + " " +
                              (data / "images" / (set + ".h5")).string() +
                              " output.output_dir=" + out.string() + " " + more + " > " +
                              (out / "console.txt").string() + " 2>&1";
  SetRun run;
  run.status = std::system(command.c_str());
  std::ifstream log(out / "console.txt");
  run.log.assign(std::istreambuf_iterator<char>(log), {});
  if (fs::exists(out / "idx-0000.shard"))
    io::read_shard((out / "idx-0000.shard").string(), [&](models::StillResult&& still) {
      const int frame = int(still.source.frame);
      run.stills[frame] = std::move(still);
    });
  fs::remove_all(out);
  return run;
}

double median(std::vector<double> values) {
  if (values.empty()) return 0;
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

struct Expectation {
  std::string set, spots;
  std::size_t frames;
  double orientation_deg;
};

void PrintTo(const Expectation& expected, std::ostream* out) { *out << expected.set; }

class Stills : public ::testing::TestWithParam<Expectation> {};

/// Agreement over all frames of a set.
struct Totals {
  int spots = 0, reference_spots = 0, matched = 0, indexed = 0, reference_indexed = 0, extra = 0;
  int other_lattice = 0; ///< double hits of which DIALS took one lattice and we the other
  std::vector<double> turned, correlations, ratios;
  int predicted = 0;
  double squares = 0, reference_squares = 0;

  void add_spots(const Agreement& a) {
    spots += a.spots;
    reference_spots += a.reference_spots;
    matched += a.matched_spots;
  }
  void add_lattice(const Agreement& a) {
    turned.push_back(a.misorientation_deg);
    correlations.push_back(a.correlation);
    ratios.push_back(a.ratio);
    predicted += a.predicted;
    squares += a.squares;
    reference_squares += a.reference_squares;
  }
  double rmsd() const { return std::sqrt(squares / predicted); }
  double reference_rmsd() const { return std::sqrt(reference_squares / predicted); }
};

double low(const std::vector<double>& v) {
  return v.empty() ? 0 : *std::min_element(v.begin(), v.end());
}
double high(const std::vector<double>& v) {
  return v.empty() ? 0 : *std::max_element(v.begin(), v.end());
}

std::set<int> double_hits(const std::string& set) {
  std::set<int> frames;
  if (set != "lysozyme_nanobragg") return frames;
  for (const auto& [frame, truth] : read_truth(test_data() / "reference"))
    if (truth.kind == "double") frames.insert(frame);
  return frames;
}

TEST_P(Stills, AgreeWithTheReference) {
  KILOBRAGG_NEEDS_TEST_DATA();
  const auto& expected = GetParam();
  const SetRun run = run_set(expected.set);
  ASSERT_EQ(run.status, 0) << run.log;
  ASSERT_EQ(run.stills.size(), expected.frames);
  EXPECT_NE(run.log.find("= inputs"), std::string::npos) << run.log;
  const auto reference = read_reference(test_data() / "reference", expected.set, expected.spots);
  const auto doubles = double_hits(expected.set);
  Totals totals;
  for (const auto& [frame, still] : run.stills) {
    SCOPED_TRACE("frame " + std::to_string(frame) + " " + still.state_line() + " " + still.message);
    const auto it = reference.find(frame);
    const ReferenceFrame theirs = it == reference.end() ? ReferenceFrame{} : it->second;
    const Agreement a = compare(still, theirs);
    totals.add_spots(a);
    totals.reference_indexed += theirs.has_crystal;
    totals.extra += !theirs.has_crystal && !still.lattices.empty();
    if (!theirs.has_crystal) continue;
    EXPECT_EQ(still.state, ExitState::IntegrateOk);
    if (still.state != ExitState::IntegrateOk) continue;
    ++totals.indexed;
    if (doubles.count(frame) && a.misorientation_deg > 1) { // judged against the truth elsewhere
      ++totals.other_lattice;
      continue;
    }
    EXPECT_LE(a.misorientation_deg, expected.orientation_deg);
    EXPECT_GE(a.correlation, 0.95) << a.common << " common reflections";
    EXPECT_GE(a.ratio, 0.95);
    EXPECT_LE(a.ratio, 1.05);
    totals.add_lattice(a);
    if (expected.frames < 10)
      std::printf("  %s %d: turned %.4f deg, CC %.4f of %d, ratio %.3f, RMSD %.3f (%.3f) px\n",
                  expected.set.c_str(), frame, a.misorientation_deg, a.correlation, a.common,
                  a.ratio, std::sqrt(a.squares / a.predicted),
                  std::sqrt(a.reference_squares / a.predicted));
  }
  EXPECT_EQ(totals.spots, totals.reference_spots);
  EXPECT_EQ(totals.matched, totals.reference_spots);
  EXPECT_EQ(totals.extra, 0);
  EXPECT_LE(totals.rmsd(), totals.reference_rmsd()); // over the spots that DIALS kept
  record("stills",
         fmt::format("| {} | {} of {} | {} of {} | {:.4f}, {:.4f} | {:.4f} | {:.3f} to {:.3f} | "
                     "{:.4f} ({:.4f}) |",
                     expected.set, totals.matched, totals.reference_spots, totals.indexed,
                     totals.reference_indexed, median(totals.turned), high(totals.turned),
                     low(totals.correlations), low(totals.ratios), high(totals.ratios),
                     totals.rmsd(), totals.reference_rmsd()));
}

INSTANTIATE_TEST_SUITE_P(
    Sets, Stills,
    ::testing::Values(Expectation{"thermolysin_cspad", "dispersion_extended", 2, 0.2},
                      Expectation{"rayonix_mfx", "dispersion_extended", 1, 0.1},
                      Expectation{"thaumatin_i24", "dispersion_extended", 8, 0.1},
                      Expectation{"lysozyme_nanobragg", "dispersion", 100, 0.1}),
    [](const auto& test_case) { return test_case.param.set; });

/// The algorithm that a set's own run does not use.
TEST_P(Stills, OtherThresholdFindsTheSameSpots) {
  KILOBRAGG_NEEDS_TEST_DATA();
  const auto& expected = GetParam();
  const std::string other = expected.spots == "dispersion" ? "dispersion_extended" : "dispersion";
  const SetRun run =
      run_set(expected.set, "dispatch.index=False spotfinder.threshold.algorithm=" + other);
  ASSERT_EQ(run.status, 0) << run.log;
  int spots = 0, reference_spots = 0, matched = 0;
  const auto reference = read_reference(test_data() / "reference", expected.set, other);
  for (const auto& [frame, still] : run.stills) {
    const auto it = reference.find(frame);
    ReferenceFrame theirs = it == reference.end() ? ReferenceFrame{} : it->second;
    theirs.has_crystal = false;
    const Agreement a = compare(still, theirs);
    spots += a.spots;
    reference_spots += a.reference_spots;
    matched += a.matched_spots;
  }
  EXPECT_EQ(spots, reference_spots);
  EXPECT_EQ(matched, reference_spots);
  record("stills", fmt::format("| {}, {} | {} of {} | | | | | |", expected.set, other, matched,
                               reference_spots));
}

TEST(StillsOnReal, BlankFramesOfThaumatinAreRejected) {
  KILOBRAGG_NEEDS_TEST_DATA();
  const SetRun run = run_set("thaumatin_i24");
  ASSERT_EQ(run.stills.size(), 8U) << run.log;
  EXPECT_EQ(run.stills.at(6).state, ExitState::NotEnoughSpots);
  EXPECT_EQ(run.stills.at(7).state, ExitState::NotEnoughSpots);
}

TEST(StillsOnTruth, LysozymeOrientations) {
  KILOBRAGG_NEEDS_TEST_DATA();
  const SetRun run = run_set("lysozyme_nanobragg");
  ASSERT_EQ(run.stills.size(), 100U) << run.log;
  const auto truth = read_truth(test_data() / "reference");
  std::vector<double> errors;
  int singles = 0, doubles = 0, doubles_right = 0, blanks = 0, blanks_indexed = 0, wrong = 0;
  for (const auto& [frame, still] : run.stills) {
    const TrueFrame& known = truth.at(frame);
    blanks += known.kind == "blank";
    singles += known.kind == "single";
    doubles += known.kind == "double";
    if (still.lattices.empty()) continue;
    if (known.a_matrices.empty()) {
      ++blanks_indexed;
      continue;
    }
    const auto& crystal = still.lattices.front().lattice.crystal;
    const auto rotations = crystal.space_group.proper_rotations();
    double error = 180;
    for (const auto& a : known.a_matrices)
      error = std::min(error, models::misorientation_deg(crystal.a_matrix, a, rotations));
    if (known.kind == "single") errors.push_back(error);
    doubles_right += known.kind == "double" && error < 0.1;
    wrong += error >= 0.1;
    EXPECT_LT(error, 0.1) << "frame " << frame;
  }
  EXPECT_EQ(singles, 79);
  EXPECT_EQ(errors.size(), 79U);
  EXPECT_EQ(blanks, 15);
  EXPECT_EQ(blanks_indexed, 0);
  EXPECT_EQ(doubles_right, doubles);
  EXPECT_LE(median(errors), 0.0136);
  std::sort(errors.begin(), errors.end());
  record("truth",
         fmt::format("| {} of {} | {} of {} | "
                     "{} of {} | {} | {:.4f} | {:.4f} | {:.4f} |",
                     errors.size(), singles, doubles_right, doubles, blanks_indexed, blanks, wrong,
                     median(errors), errors.empty() ? 0 : errors[errors.size() * 95 / 100],
                     errors.empty() ? 0 : errors.back()));
}

} // namespace
} // namespace kilobragg::testing
