// simulate_stills as a program: same images on any number of ranks, readable truth, clear refusals.
#include "support/temporary_folder.hpp"

#include "kilobragg/core/files.hpp"
#include "kilobragg/io/experiments.hpp"
#include "kilobragg/io/image_reader.hpp"
#include "kilobragg/io/mtz.hpp"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>
#include <sys/wait.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <filesystem>
#include <memory>

namespace kilobragg::programs {
namespace {

namespace fs = std::filesystem;

struct Finished {
  int status = -1;
  std::string out; ///< stdout and stderr
};

/// Seven small images: 4 panels of 96 x 96.
constexpr const char* small = "n_images=7 seed=5 detector.pixels=96 detector.pixel_size=0.8 ";

class SimulateStills : public ::testing::Test {
protected:
  std::string path(const std::string& name) const { return folder_ / name; }

  Finished run(const std::string& arguments, int ranks = 1, const std::string& before = {}) const {
    const std::string log = path("console.txt");
    std::string command = std::string(KILOBRAGG_BUILD_DIR) + "/apps/simulate_stills " + arguments;
    if (ranks > 1)
      command = std::string(KILOBRAGG_MPIEXEC) + " --oversubscribe -n " + std::to_string(ranks) +
                " " + command;
    const int status = std::system(("(" + before + command + ") > " + log + " 2>&1").c_str());
    return {WIFEXITED(status) ? WEXITSTATUS(status) : -1, core::read_text_file(log)};
  }

  void refuses(const std::string& arguments, const std::string& words, int ranks = 1) const {
    const Finished finished =
        run(small + arguments + " output.output_dir=" + path("refused"), ranks);
    EXPECT_EQ(finished.status, 2) << arguments << "\n" << finished.out;
    const auto said = finished.out.find("simulate_stills: ");
    EXPECT_NE(said, std::string::npos) << arguments << "\n" << finished.out;
    EXPECT_EQ(finished.out.find("simulate_stills: ", said + 1), std::string::npos)
        << "said more than once\n"
        << finished.out;
    EXPECT_NE(finished.out.find(words), std::string::npos) << arguments << "\n" << finished.out;
    EXPECT_EQ(finished.out.find("MPI_ABORT"), std::string::npos) << finished.out;
  }

private:
  testing::TemporaryFolder folder_;
};

std::vector<std::int32_t> pixels(io::ImageReader& reader, std::int64_t frame) {
  return std::get<std::vector<std::int32_t>>(reader.read(frame).pixels);
}

/// All images of a run in order of their number.
std::vector<std::vector<std::int32_t>> all_images(const std::string& folder) {
  std::vector<std::vector<std::int32_t>> images;
  for (int rank = 0; fs::exists(folder + "/run_000" + std::to_string(rank) + ".h5"); ++rank) {
    const auto reader = io::open_images(folder + "/run_000" + std::to_string(rank) + ".h5");
    for (std::int64_t frame = 0; frame < reader->frame_count(); ++frame)
      images.push_back(pixels(*reader, frame));
  }
  return images;
}

TEST_F(SimulateStills, ImagesAndTruthDoNotDependOnRanks) {
  std::vector<std::vector<std::int32_t>> expected;
  nlohmann::json truth;
  for (int ranks : {1, 2, 3}) {
    const std::string folder = path("ranks" + std::to_string(ranks));
    const Finished finished = run(small + ("output.output_dir=" + folder), ranks);
    ASSERT_EQ(finished.status, 0) << finished.out;
    EXPECT_EQ(fs::exists(folder + "/run_0002.h5"), ranks == 3);
    auto images = all_images(folder);
    auto frames = nlohmann::json::parse(core::read_text_file(folder + "/run_truth.json"))["frames"];
    for (auto& frame : frames) frame.erase("file"), frame.erase("frame");
    if (ranks == 1) expected = images, truth = frames;
    EXPECT_EQ(images.size(), 7U);
    EXPECT_TRUE(images == expected) << ranks;
    EXPECT_EQ(frames, truth) << ranks;
  }
  EXPECT_NE(expected[0], expected[1]);
}

/// The same with everything that can be drawn besides, read through the master.
TEST_F(SimulateStills, ChallengesDoNotDependOnRanksEither) {
  const std::string hard =
      std::string(small) +
      "beam.spectrum=sase beam.channels=40 'n_lattices=poisson 1.5' crystal.angle_jitter=0.1 "
      "'crystal.orientation.axis=0 0 1' challenge.ice.fraction=0.5 challenge.salt.fraction=0.5 "
      "challenge.salt.peaks=5 challenge.zingers.mean=4 challenge.hot_pixels.count=20 "
      "challenge.dead_pixels.count=20 challenge.dead_panels.count=1 ";
  std::vector<std::vector<std::int32_t>> expected;
  nlohmann::json truth;
  for (int ranks : {1, 2, 3}) {
    const std::string folder = path("hard" + std::to_string(ranks));
    const Finished finished = run(hard + "output.output_dir=" + folder, ranks);
    ASSERT_EQ(finished.status, 0) << finished.out;
    auto all = nlohmann::json::parse(core::read_text_file(folder + "/run_truth.json"));
    for (auto& frame : all["frames"]) frame.erase("file"), frame.erase("frame");
    all.erase("options");
    const auto master = io::open_images(folder + "/run_master.h5");
    ASSERT_EQ(master->frame_count(), 7);
    std::vector<std::vector<std::int32_t>> images;
    for (std::int64_t frame = 0; frame < 7; ++frame) {
      images.push_back(pixels(*master, frame));
      const auto beam = master->beam(frame);
      const auto& want = all["frames"][static_cast<std::size_t>(frame)];
      EXPECT_EQ(beam.spectrum.weights, want["weights"].get<std::vector<double>>());
      EXPECT_EQ(beam.spectrum.wavelengths, want["channels"].get<std::vector<double>>());
      EXPECT_EQ(beam.wavelength, want["wavelength"].get<double>());
    }
    if (ranks == 1) expected = images, truth = all;
    EXPECT_TRUE(images == expected) << ranks;
    EXPECT_TRUE(images == all_images(folder)) << ranks;
    EXPECT_EQ(all, truth) << ranks;
  }
  EXPECT_EQ(truth["challenges"]["hot_pixels"].size(), 20U);
  const auto box = truth["challenges"]["dead_panels"][0];
  const auto first = static_cast<std::size_t>(box["panel"].get<int>()) * 96 * 96;
  for (const auto& image : expected)
    for (std::size_t i = 0; i < 96 * 96; ++i) ASSERT_EQ(image[first + i], 0);
}

/// Everything behind the sensor that draws or reads something: the same on any number of ranks, and the
/// files say what is true of the counts.
TEST_F(SimulateStills, ResponsesDoNotDependOnRanksAndTheFilesDescribeThem) {
  core::write_file(path("table.txt"), "0 9\n0.3 5\n0.6 2\n");
  const std::string common =
      "n_images=3 seed=5 detector.preset=jungfrau_4m detector.distance=200 "
      "amplitudes.d_min=4 detector.point_spread.fwhm=60 render.layers=3 "
      "detector.calibration_noise=0.02 background.air=2 background.water=0.001 "
      "background.level=0 background.table_path=0.001 background.table=" +
      path("table.txt") + " background.table_column=intensity ";
  struct Case {
    const char *name, *options;
    double low, high;
  };
  for (const Case& c :
       {Case{"linear", "detector.readout_noise=2 detector.saturation=4000 ", -14, 3999},
        {"gain_stages", "detector.gain_stages.limit=\"100 5000\" ", -10,
         14297}}) { // the code of the last stage ends
    std::vector<std::vector<std::int32_t>> expected;
    for (const int ranks : {1, 2}) {
      const std::string folder = path(c.name + std::to_string(ranks));
      const Finished finished = run(common + "detector.response=" + c.name + " " + c.options +
                                        "output.output_dir=" + folder,
                                    ranks);
      ASSERT_EQ(finished.status, 0) << finished.out;
      if (ranks == 1) expected = all_images(folder);
      EXPECT_TRUE(all_images(folder) == expected) << c.name << ranks;
    }
    const auto reader = io::open_images(path(std::string(c.name) + "1/run_master.h5"));
    const std::array<double, 2> trusted{c.low, c.high};
    EXPECT_EQ(reader->detector()->panels[0].trusted_range, trusted) << c.name;
    std::int32_t lowest = 0;
    for (const auto& image : expected)
      for (const std::int32_t count : image) {
        lowest = std::min(lowest, count);
        ASSERT_TRUE(count >= c.low && count <= c.high + 1) << c.name << " " << count;
      }
    if (c.name == std::string("linear")) {
      EXPECT_LT(lowest, -5);
    }
    const auto truth =
        nlohmann::json::parse(core::read_text_file(path(std::string(c.name) + "1/run_truth.json")));
    EXPECT_EQ(truth["detector"]["response"], c.name);
    EXPECT_EQ(truth["detector"]["layers"], 3);
    EXPECT_EQ(truth["detector"]["point_spread"]["fwhm_um"], 60);
    EXPECT_EQ(truth["media"]["table"]["column"], "intensity");
    EXPECT_EQ(truth["media"]["air"], 2);
    if (c.name == std::string("gain_stages")) {
      EXPECT_EQ(truth["detector"]["gain_stages"]["stages"][1]["limit_kev"], 5000);
    }
  }
}

/// What a real detector does to spots must not stop stills_process.
TEST_F(SimulateStills, ImagesOfGainStagesAreProcessedAsPlainOnesAre) {
  const std::string six = "n_images=6 seed=11 detector.preset=jungfrau_4m amplitudes.d_min=1.8 "
                          "fraction.blanks=0 fraction.doubles=0 output.output_dir=";
  ASSERT_EQ(run(six + path("plain"), 2).status, 0);
  ASSERT_EQ(run(six + path("real") +
                    " detector.response=gain_stages detector.point_spread.fwhm=60 render.layers=5 "
                    "detector.calibration_noise=0.01 background.air=5",
                2)
                .status,
            0);
  for (const char* name : {"plain", "real"}) {
    const std::string command =
        std::string(KILOBRAGG_BUILD_DIR) + "/apps/stills_process " + path(name) +
        "/run_master.h5 indexing.known_symmetry.unit_cell=77.06,77.06,37.22,90,90,90 "
        "indexing.known_symmetry.space_group=P43212 output.output_dir=" +
        path(name) + "/out > " + path("processed.txt") + " 2>&1";
    EXPECT_EQ(std::system(command.c_str()), 0);
    const std::string out = core::read_text_file(path("processed.txt"));
    EXPECT_NE(out.find("indexing rate 100.00 % (6 of 6 hits)"), std::string::npos) << name << out;
  }
}

/// Panels on their own axis hold the same pixels in the same order.
TEST_F(SimulateStills, PanelsMayHaveTheirOwnAxis) {
  for (const char* stacked : {"True", "False"})
    ASSERT_EQ(run(small + ("n_images=2 output.stacked=" + std::string(stacked) +
                           " output.output_dir=" + path(stacked)))
                  .status,
              0);
  EXPECT_TRUE(all_images(path("True")) == all_images(path("False")));
  for (const char* stacked : {"True", "False"})
    EXPECT_EQ(pixels(*io::open_images(path(stacked) + "/run_master.h5"), 1),
              all_images(path("True"))[1]);
}

/// The detector of a run and its mask, taken from its master, its .expt and one of its files.
TEST_F(SimulateStills, TakesTheDetectorFromFiles) {
  ASSERT_EQ(run("n_images=1 seed=5 detector.preset=CSPAD amplitudes.d_min=4 "
                "challenge.dead_panels.count=2 output.output_dir=" +
                path("first"))
                .status,
            0);
  const auto first = io::open_images(path("first/run_master.h5"));
  const auto image = first->read(0);
  for (const char* from : {"run_master.h5", "run_truth.expt", "run_0000.h5"}) {
    const std::string folder = path(std::string("from_") + from);
    const Finished finished =
        run("n_images=1 seed=6 amplitudes.d_min=4 detector.from=" + path("first/") + from +
            " output.output_dir=" + folder);
    ASSERT_EQ(finished.status, 0) << finished.out;
    const auto again = io::open_images(folder + "/run_master.h5");
    ASSERT_EQ(again->detector()->panels.size(), 64U);
    for (std::size_t i = 0; i < 64; ++i) {
      const auto &a = first->detector()->panels[i], &b = again->detector()->panels[i];
      EXPECT_LT(norm(a.frame.origin - b.frame.origin), 1e-9) << from << i;
      EXPECT_LT(norm(a.frame.fast - b.frame.fast), 1e-9);
      EXPECT_EQ(a.thickness, b.thickness);
      EXPECT_EQ(a.trusted_range, b.trusted_range);
    }
    const auto other = again->read(0);
    std::size_t masked = 0;
    for (std::size_t k = 0; k < image.mask->size(); ++k) {
      ASSERT_EQ(image.usable(k), other.usable(k)) << from << " " << k;
      masked += !image.usable(k);
    }
    EXPECT_EQ(masked, 2U * 194 * 185);
  }
}

TEST_F(SimulateStills, AnotherSeedGivesOtherImagesAndFewerImagesTheSame) {
  ASSERT_EQ(run(small + ("output.output_dir=" + path("a"))).status, 0);
  ASSERT_EQ(run(small + ("n_images=2 output.output_dir=" + path("b"))).status, 0);
  ASSERT_EQ(run(small + ("n_images=2 seed=6 output.output_dir=" + path("c"))).status, 0);
  const auto a = all_images(path("a")), b = all_images(path("b")), c = all_images(path("c"));
  ASSERT_EQ(b.size(), 2U);
  EXPECT_TRUE(b[0] == a[0] && b[1] == a[1]);
  EXPECT_NE(c[0], a[0]);
}

TEST_F(SimulateStills, TruthIsReadableAndAgreesWithItself) {
  const std::string folder = path("run");
  ASSERT_EQ(run(small + ("n_images=20 output.output_dir=" + folder)).status, 0);
  const auto truth = nlohmann::json::parse(core::read_text_file(folder + "/run_truth.json"));
  const auto experiments = io::read_experiments(folder + "/run_truth.expt");
  const auto reader = io::open_images(folder + "/run_0000.h5");
  ASSERT_EQ(reader->frame_count(), 20);
  std::size_t at = 0;
  for (const auto& frame : truth["frames"]) {
    const auto number = frame["frame"].get<std::int64_t>();
    const models::Beam beam = reader->beam(number);
    EXPECT_NEAR(beam.wavelength, frame["wavelength"].get<double>(), 1e-6);
    for (int i = 0; i < static_cast<int>(frame["lattices"].size()); ++i, ++at) {
      ASSERT_LT(at, experiments.size());
      const auto& experiment = experiments[at];
      const auto a = frame["lattices"][static_cast<std::size_t>(i)]["A"].get<std::vector<double>>();
      for (std::size_t k = 0; k < 9; ++k)
        EXPECT_NEAR(experiment.crystal.value().a_matrix.m[k], a[k], 1e-9);
      EXPECT_EQ(experiment.source.frame, number);
      EXPECT_EQ(experiment.identifier,
                models::experiment_identifier(reader->content_id(), number, i));
    }
  }
  EXPECT_EQ(at, experiments.size());
  EXPECT_GT(at, 10U);
  const auto mtz = io::read_reference_mtz(folder + "/run_truth.mtz");
  EXPECT_EQ(mtz.space_group.number(), 96);
  EXPECT_NEAR(mtz.cell.a, 77.06, 1e-3);
  EXPECT_GT(mtz.hkl.size(), 10000U);
}

TEST_F(SimulateStills, PresetsWithGapsMaskThem) {
  const std::string folder = path("eiger");
  ASSERT_EQ(
      run("n_images=1 detector.preset=eiger_4m amplitudes.d_min=3 output.output_dir=" + folder)
          .status,
      0);
  const auto reader = io::open_images(folder + "/run_0000.h5");
  const auto image = reader->read(0);
  const std::size_t gap = 520 * 2070 + 100, live = 100 * 2070 + 100;
  EXPECT_FALSE(image.usable(gap));
  EXPECT_TRUE(image.usable(live));
}

TEST_F(SimulateStills, TakesAmplitudesFromItsOwnTruth) {
  ASSERT_EQ(run(small + ("n_images=1 output.output_dir=" + path("a"))).status, 0);
  const Finished again = run(small + ("n_images=1 amplitudes.file=" + path("a/run_truth.mtz") +
                                      " output.output_dir=" + path("b")));
  ASSERT_EQ(again.status, 0) << again.out;
  const auto a = io::read_reference_mtz(path("a/run_truth.mtz"));
  const auto b = io::read_reference_mtz(path("b/run_truth.mtz"));
  EXPECT_EQ(a.hkl, b.hkl);
  EXPECT_EQ(a.intensity, b.intensity);
}

TEST_F(SimulateStills, RefusesWhatCannotBe) {
  refuses("n_images=0", "n_images=0 leaves nothing to simulate");
  refuses("'crystal.unit_cell=77 90 37 90 90 90' crystal.space_group=P43212", "contradicts");
  refuses("crystal.space_group=P212121", "they belong together");
  refuses("amplitudes.d_min=0.8", "finer than the detector sees");
  refuses("amplitudes.file=missing.mtz", "missing.mtz");
  refuses("detector.distance=-3", "detector.distance=-3");
  refuses("detector.preset=pilatus_6m", "detector.pixels cannot change");
  refuses("fraction.blanks=0.9 fraction.doubles=0.4", "no part of all images");
  refuses("crystal.cells_per_block.min=40", "crystal.cells_per_block.min=40");
  refuses("output.prefix=a/b", "output.prefix");
  refuses("output.prefix=a%d", "output.prefix");
  refuses("detector.preset=eiger_17m", "eiger_16m");
  refuses("detector.from=" + path("nowhere.expt"), "detector.pixels and detector.pixel_size");
  refuses("'n_lattices=1 -2'", "n_lattices");
  refuses("'crystal.orientation.axis=1 2'", "crystal.orientation.axis");
  refuses("challenge.ice.fraction=2", "challenge.ice.fraction");
  refuses("challenge.dead_panels.count=9", "challenge.dead_panels.count=9");
  refuses("challenge.dead_panels.count=9", "challenge.dead_panels.count=9", 2);
  refuses("detector.readout_noise=3", "detector.response=linear?");
  refuses("render.layers=3", "panel p0 has no sensor");
  refuses("background.table_path=1 background.table=" + path("missing.txt"), "missing.txt", 2);
  refuses("n_imges=3", "n_images");
  refuses("image.h5", "image.h5");
  refuses("n_images=0", "n_images=0 leaves nothing to simulate", 2);
  refuses("amplitudes.file=missing.mtz", "missing.mtz", 2);
  ASSERT_EQ(run(small + ("n_images=1 output.output_dir=" + path("true"))).status, 0);
  refuses("amplitudes.column=FOO amplitudes.file=" + path("true/run_truth.mtz"), "FOO", 2);
}

TEST_F(SimulateStills, SaysWhereItCannotWrite) {
  core::write_file(path("file"), "in the way");
  for (const int ranks : {1, 2}) {
    const Finished finished = run(small + ("output.output_dir=" + path("file")), ranks);
    EXPECT_EQ(finished.status, 2);
    EXPECT_NE(finished.out.find("output.output_dir"), std::string::npos) << finished.out;
    EXPECT_EQ(finished.out.find("MPI_ABORT"), std::string::npos) << finished.out;
  }
}

TEST_F(SimulateStills, KnowsItsFolderByTwoNames) {
  ASSERT_EQ(run(small + ("n_images=1 output.directory=" + path("other_name"))).status, 0);
  EXPECT_TRUE(fs::exists(path("other_name/run_0000.h5")));
}

TEST_F(SimulateStills, AFullDiskIsAnErrorWithTheFilesName) {
  // One rank alone: MPI itself needs larger files than the limit that stands in for a full disk.
  const Finished finished =
      run(small + ("output.output_dir=" + path("full")), 1, "trap '' XFSZ; ulimit -f 64; ");
  EXPECT_EQ(finished.status, 1) << finished.out;
  EXPECT_NE(finished.out.find("run_0000.h5"), std::string::npos) << finished.out;
}

TEST_F(SimulateStills, HelpNamesEveryGroupOfOptions) {
  const Finished finished = run("--help");
  EXPECT_EQ(finished.status, 0);
  for (const char* word :
       {"n_images", "crystal.unit_cell", "beam.bandwidth", "detector.preset", "background.level",
        "amplitudes.file", "output.prefix", "four_panels", "detector.from", "jungfrau_16m",
        "challenge.ice.fraction", "n_lattices", "beam.spectrum", "crystal.orientation.axis",
        "output.master", "detector.response", "detector.point_spread.fwhm", "background.air",
        "render.layers"})
    EXPECT_NE(finished.out.find(word), std::string::npos) << word;
}

} // namespace
} // namespace kilobragg::programs
