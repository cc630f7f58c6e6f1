// stills_process as a program for tests: images to process, a way to start it, what it left.
#pragma once

#include "support/drawn_still.hpp"
#include "support/temporary_folder.hpp"

#include "kilobragg/core/files.hpp"
#include "kilobragg/io/nxmx_writer.hpp"
#include "kilobragg/io/shard.hpp"

#include <gtest/gtest.h>
#include <hdf5.h>
#include <sys/wait.h>

#include <cstdlib>
#include <filesystem>
#include <map>

namespace kilobragg::programs {

namespace fs = std::filesystem;

inline constexpr const char* known_symmetry =
    "indexing.known_symmetry.unit_cell=77.06,77.06,37.22,90,90,90 "
    "indexing.known_symmetry.space_group=P43212 ";

inline bool has(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

struct Finished {
  int status = -1;
  std::string out; ///< stdout and stderr
};

class StillsProcess : public ::testing::Test {
protected:
  /// run_1.h5: frames 2 and 5 of 7 are blank.
  static void SetUpTestSuite() {
    folder = std::make_unique<testing::TemporaryFolder>();
    write_images(path("run_1.h5"), 7);
  }
  static void TearDownTestSuite() { folder.reset(); }

  static std::string path(const std::string& name) { return (folder->path() / name).string(); }

  static void write_images(const std::string& file, int frames, std::uint64_t seed = 11) {
    io::NxmxLayout layout;
    layout.detector = testing::drawn_detector();
    layout.frames = frames;
    io::NxmxWriter writer(file, layout);
    for (int frame = 0; frame < frames; ++frame) {
      const auto still = testing::draw_still(std::uint64_t(frame) + seed, frame % 3 != 2);
      writer.write_frame(frame, still.pixels, still.beam.wavelength);
    }
    writer.close();
  }

  /// The least of an NXmx file whose data set has room for frames but holds none.
  static void write_without_frames(const std::string& file) {
    const hid_t h5 = H5Fcreate(file.c_str(), H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
    const hid_t group = H5Gcreate2(H5Gcreate2(h5, "entry", 0, 0, 0), "data", 0, 0, 0);
    const hsize_t none[3] = {0, 8, 8};
    H5Dcreate2(group, "data", H5T_STD_I32LE, H5Screate_simple(3, none, nullptr), 0, 0, 0);
    H5Fclose(h5);
  }

  static std::string command(const std::string& arguments, int ranks = 1) {
    const std::string alone =
        std::string(KILOBRAGG_BUILD_DIR) + "/apps/stills_process " + arguments;
    if (ranks == 1) return alone;
    return std::string(KILOBRAGG_MPIEXEC) + " --oversubscribe -n " + std::to_string(ranks) + " " +
           alone;
  }

  static Finished run(const std::string& arguments, int ranks = 1) {
    const std::string log = path("console.txt");
    const int status = std::system((command(arguments, ranks) + " > " + log + " 2>&1").c_str());
    return {WIFEXITED(status) ? WEXITSTATUS(status) : -1, core::read_text_file(log)};
  }

  /// All results in an output folder by file and frame.
  static std::map<std::string, models::StillResult> results(const std::string& directory) {
    std::map<std::string, models::StillResult> found;
    for (const auto& entry : fs::directory_iterator(directory))
      if (entry.path().extension() == ".shard")
        io::read_shard(entry.path().string(), [&](models::StillResult&& still) {
          const auto key = fs::path(still.source.path).filename().string() + ":" +
                           std::to_string(still.source.frame);
          EXPECT_FALSE(found.count(key)) << key << " twice";
          found[key] = std::move(still);
        });
    return found;
  }

  static inline std::unique_ptr<testing::TemporaryFolder> folder;
};

inline void expect_same(const models::StillResult& a, const models::StillResult& b) {
  EXPECT_EQ(a.state, b.state);
  EXPECT_EQ(a.count, b.count);
  EXPECT_EQ(a.message, b.message);
  ASSERT_EQ(a.spots.size(), b.spots.size());
  ASSERT_EQ(a.lattices.size(), b.lattices.size());
  for (std::size_t i = 0; i < a.lattices.size(); ++i) {
    EXPECT_EQ(a.lattices[i].identifier, b.lattices[i].identifier);
    EXPECT_EQ(a.lattices[i].lattice.crystal.a_matrix, b.lattices[i].lattice.crystal.a_matrix);
    ASSERT_EQ(a.lattices[i].reflections.size(), b.lattices[i].reflections.size());
    for (std::size_t j = 0; j < a.lattices[i].reflections.size(); ++j) {
      EXPECT_EQ(a.lattices[i].reflections[j].hkl, b.lattices[i].reflections[j].hkl);
      EXPECT_EQ(a.lattices[i].reflections[j].intensity, b.lattices[i].reflections[j].intensity);
    }
  }
}

} // namespace kilobragg::programs
