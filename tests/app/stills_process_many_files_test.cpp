// stills_process on several files whose shots have wavelengths of their own, as at an XFEL, and on
// lists of them of which not every image is there.
#include "support/stills_process_runs.hpp"

#include <fmt/format.h>

#include <cmath>
#include <set>

namespace kilobragg::programs {
namespace {

class ManyFiles : public StillsProcess {
protected:
  /// shot_0.h5, shot_1.h5, shot_2.h5 of one still each.
  static void SetUpTestSuite() {
    folder = std::make_unique<testing::TemporaryFolder>();
    fs::create_directories(path("data"));
    for (int i = 0; i < 3; ++i) write_still(shot(i), i, 1.3 + 0.001 * i);
  }

  static std::string shot(int i) { return path(fmt::format("data/shot_{}.h5", i)); }
  static std::string shots() { return shot(0) + " " + shot(1) + " " + shot(2); }

  static void write_still(const std::string& file, int seed, double wavelength) {
    io::NxmxLayout layout;
    layout.detector = testing::drawn_detector();
    layout.detector.panels[0].thickness = 0.32;
    layout.frames = 1;
    io::NxmxWriter writer(file, layout);
    writer.write_frame(0, testing::draw_still(std::uint64_t(seed) + 11).pixels, wavelength);
    writer.close();
  }

  /// Files of one blank image of 20 x 10 pixels, each with a detector at a distance of its own.
  static std::string write_blanks(int count) {
    std::string files;
    for (int i = 0; i < count; ++i) {
      io::NxmxLayout layout;
      layout.detector = testing::drawn_detector();
      layout.detector.panels[0].image_size = {20, 10};
      layout.detector.panels[0].frame.origin.z -= i;
      layout.frames = 1;
      files += path(fmt::format("blank_{}.h5 ", i));
      io::NxmxWriter writer(path(fmt::format("blank_{}.h5", i)), layout);
      writer.write_frame(0, std::vector<std::int32_t>(200, 2), 1.3);
      writer.close();
    }
    return files;
  }

  static void set_wavelengths(const std::string& file, const std::vector<double>& values) {
    const hid_t h5 = H5Fopen(file.c_str(), H5F_ACC_RDWR, H5P_DEFAULT);
    const hid_t data = H5Dopen2(h5, "/entry/instrument/beam/incident_wavelength", H5P_DEFAULT);
    EXPECT_EQ(H5Sget_simple_extent_npoints(H5Dget_space(data)), hssize_t(values.size()));
    EXPECT_GE(H5Dwrite(data, H5T_NATIVE_DOUBLE, H5S_ALL, H5S_ALL, H5P_DEFAULT, values.data()), 0);
    H5Dclose(data);
    H5Fclose(h5);
  }

  static int count(const std::string& out, models::ExitState state) {
    int found = 0;
    for (const auto& [key, still] : results(path(out))) found += still.state == state;
    return found;
  }
};

TEST_F(ManyFiles, TheirListsAreInputsAgainWhereverTheImagesAre) {
  const auto first = run(known_symmetry + shots() + " output_dir=" + path("out") +
                         " output.stream_filename=" + path("out.stream"));
  ASSERT_EQ(first.status, 0) << first.out;
  EXPECT_TRUE(fs::exists(path("out.stream")));
  EXPECT_FALSE(fs::exists(path("out_2.stream"))) << "one detector, one stream";
  const auto before = results(path("out"));
  ASSERT_EQ(before.size(), 3U);
  for (const std::string name : {"refined", "integrated"}) {
    fs::rename(path("data"), path("moved"));
    const auto again =
        run(known_symmetry + path("out/idx-0000_" + name + ".expt") + " --map " + path("data") +
                "=" + path("moved") + " output_dir=" + path("again_" + name),
            2);
    fs::rename(path("moved"), path("data"));
    ASSERT_EQ(again.status, 0) << again.out;
    const auto after = results(path("again_" + name));
    ASSERT_EQ(after.size(), 3U);
    for (const auto& [key, still] : before) {
      EXPECT_EQ(still.state, models::ExitState::IntegrateOk) << still.message;
      expect_same(still, after.at(key));
    }
  }
}

TEST_F(ManyFiles, TheListOfASimulatedRunWithWavelengthJitter) {
  const std::string simulate =
      fmt::format("{} --oversubscribe -n 2 {}/apps/simulate_stills n_images=4 seed=5 "
                  "detector.pixels=192 detector.pixel_size=0.4 beam.wavelength_jitter=0.01 "
                  "output.output_dir={} > {} 2>&1",
                  KILOBRAGG_MPIEXEC, KILOBRAGG_BUILD_DIR, path("simulated"), path("console.txt"));
  ASSERT_EQ(std::system(simulate.c_str()), 0) << core::read_text_file(path("console.txt"));
  const auto done =
      run(known_symmetry + path("simulated/run_0*.h5") + " output_dir=" + path("simulated/out"));
  ASSERT_EQ(done.status, 0) << done.out;
  fs::create_directories(path("archive"));
  for (const std::string name : {"run_0000.h5", "run_0001.h5"})
    fs::rename(path("simulated/" + name), path("archive/" + name));
  const auto again =
      run(known_symmetry + path("simulated/out/idx-*_refined.expt") + " --map " +
          path("simulated") + "=" + path("archive") + " output_dir=" + path("simulated_again"));
  ASSERT_EQ(again.status, 0) << again.out;
  const auto before = results(path("simulated/out")), after = results(path("simulated_again"));
  std::set<std::string> files;
  for (const auto& [key, still] : after) {
    // Frames of panels are relative to their group in a list: the last digits are rounded.
    const auto& first = before.at(key);
    EXPECT_EQ(still.spots.size(), first.spots.size());
    ASSERT_EQ(still.lattices.size(), first.lattices.size());
    for (std::size_t i = 0; i < still.lattices.size(); ++i) {
      const Vec3 hkl{10, 20, 30};
      EXPECT_LT(norm(still.lattices[i].lattice.crystal.a_matrix * hkl -
                     first.lattices[i].lattice.crystal.a_matrix * hkl),
                1e-6);
    }
    files.insert(still.source.path);
  }
  EXPECT_EQ(files,
            (std::set<std::string>{path("archive/run_0000.h5"), path("archive/run_0001.h5")}))
      << "indexed images of both";
}

TEST_F(ManyFiles, AMissingImageOfAListHarmsNoOtherAndIsDoneWhenItIsBack) {
  const auto first = run(known_symmetry + shots() + " output_dir=" + path("whole"));
  ASSERT_EQ(first.status, 0) << first.out;
  for (const int gone : {0, 2}) {
    SCOPED_TRACE(gone);
    const std::string out = fmt::format("without_{}", gone);
    const std::string arguments =
        known_symmetry + path("whole/idx-0000_integrated.expt") + " output_dir=" + path(out);
    fs::rename(shot(gone), path("hidden.h5"));
    const auto finished = run(arguments, 2);
    EXPECT_EQ(finished.status, 0) << finished.out;
    EXPECT_EQ(count(out, models::ExitState::IntegrateOk), 2);
    EXPECT_EQ(count(out, models::ExitState::PreprocessException), 1);
    fs::rename(path("hidden.h5"), shot(gone)); // what could not be opened is tried again, alone
    const auto resumed = run(arguments + " --resume", 2);
    EXPECT_EQ(resumed.status, 0) << resumed.out;
    EXPECT_EQ(count(out, models::ExitState::IntegrateOk), 3);
  }
}

TEST_F(ManyFiles, TooManyGeometriesCostNothingButTheStream) {
  const auto finished = run(known_symmetry + write_blanks(17) + "output_dir=" + path("blanks") +
                            " output.stream_filename=" + path("blanks.stream"));
  EXPECT_EQ(finished.status, 0) << finished.out;
  EXPECT_TRUE(has(finished.out, "more than 16 geometries")) << finished.out;
  EXPECT_FALSE(fs::exists(path("blanks.stream")));
  EXPECT_TRUE(has(finished.out, "Wrote the report")) << finished.out;
}

TEST_F(ManyFiles, ShotsWithoutAWavelengthFailAlone) {
  write_images(path("dark.h5"), 5, 12);
  set_wavelengths(path("dark.h5"), {0, std::nan(""), 1.3, 1.3, -1});
  const std::string arguments = known_symmetry + path("dark.h5") + " output_dir=";
  const auto some = run(arguments + path("some"), 2);
  EXPECT_EQ(some.status, 0) << some.out;
  for (const auto& [key, still] : results(path("some"))) {
    const bool dark = still.source.frame < 2 || still.source.frame == 4;
    EXPECT_EQ(still.state == models::ExitState::PreprocessException, dark)
        << key << ": " << still.message;
    EXPECT_EQ(has(still.message, "it must be positive"), dark) << key << ": " << still.message;
  }
  const auto all = run(arguments + path("all") + " geometry.beam.wavelength=1.3", 2);
  EXPECT_EQ(all.status, 0) << all.out;
  EXPECT_EQ(count("all", models::ExitState::PreprocessException), 0);
  EXPECT_EQ(count("all", models::ExitState::IntegrateOk), 4) << "frame 2 is blank";
}

} // namespace
} // namespace kilobragg::programs
