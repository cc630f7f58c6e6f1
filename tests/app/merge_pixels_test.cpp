// merge --pixels on simulated stills: the same bytes however it is run or disturbed, and bad input named.
#include "support/child_process.hpp"
#include "support/temporary_folder.hpp"

#include "kilobragg/core/files.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <hdf5.h>
#include <nlohmann/json.hpp>
#include <sys/wait.h>

#include <cstdlib>
#include <filesystem>
#include <map>
#include <memory>
#include <random>
#include <sstream>
#include <vector>

namespace kilobragg::programs {
namespace {

namespace fs = std::filesystem;

using nlohmann::json;
using testing::ChildProcess;

constexpr int images = 16, panels = 4, edge = 512;

struct Finished {
  int status = -1;
  std::string out; ///< stdout and stderr
};

class MergePixels : public ::testing::Test {
protected:
  static void SetUpTestSuite() {
    folder = std::make_unique<testing::TemporaryFolder>();
    const Finished simulated =
        run("simulate_stills", fmt::format("n_images={} seed=3 fraction.blanks=0 "
                                           "fraction.doubles=0 output.output_dir={}",
                                           images, path("in")));
    ASSERT_EQ(simulated.status, 0) << simulated.out;
    const Finished processed =
        run("stills_process",
            path("in/run_master.h5") +
                " spotfinder.threshold.algorithm=dispersion spotfinder.filter.min_spot_size=2 "
                "indexing.known_symmetry.unit_cell=77.06,77.06,37.22,90,90,90 "
                "indexing.known_symmetry.space_group=P43212 output_dir=" +
                path("still"));
    ASSERT_EQ(processed.status, 0) << processed.out;
    const Finished whole = merge("whole", "--pixels");
    ASSERT_EQ(whole.status, 0) << whole.out;
  }
  static void TearDownTestSuite() { folder.reset(); }

  static std::string path(const std::string& name) { return (folder->path() / name).string(); }

  static Finished run(const std::string& program, const std::string& arguments, int ranks = 1,
                      const std::string& before = {}) {
    const std::string log = path("console.txt");
    const int status = std::system(
        ("(" + before + command(program, arguments, ranks) + ") > " + log + " 2>&1").c_str());
    return {WIFEXITED(status) ? WEXITSTATUS(status) : -1, core::read_text_file(log)};
  }
  static std::string command(const std::string& program, const std::string& arguments, int ranks) {
    const std::string start =
        ranks > 1 ? fmt::format("{} --oversubscribe -n {} ", KILOBRAGG_MPIEXEC, ranks) : "";
    return start + KILOBRAGG_BUILD_DIR + "/apps/" + program + " " + arguments;
  }

  static std::string arguments(const std::string& out, const std::string& more,
                               const std::string& input = "still") {
    return (input.empty() ? "" : "input.path=" + path(input)) +
           " merging.d_min=3.5 merging.minimum_multiplicity=1 pixels.cycles=2 "
           "statistics.truth.mtz_file=" +
           path("in/run_truth.mtz") + " output.output_dir=" + path(out) + " " + more;
  }
  static Finished merge(const std::string& out, const std::string& more, int ranks = 1,
                        const std::string& input = "still", const std::string& before = {}) {
    return run("merge", arguments(out, more, input), ranks, before);
  }

  static std::string result(const std::string& out, const std::string& name) {
    const std::string file = path(out + "/iobs_" + name);
    return fs::exists(file) ? core::read_text_file(file) : "no " + file;
  }
  static json figures(const std::string& out) { return json::parse(result(out, "pixels.json")); }

  static void expect_same(const std::string& out, const std::string& like) {
    for (const char* name : {"refined_all.mtz", "refined_odd.mtz", "refined_even.mtz", "shots.csv",
                             "convergence.csv", "pixels.json"})
      EXPECT_TRUE(result(out, name) == result(like, name))
          << name << " of " << out << " is not that of " << like;
    expect_nothing_left(out);
  }
  /// The report as well, which shows the options and as many boxes as were asked for.
  static void expect_same_report(const std::string& out, const std::string& like) {
    expect_same(out, like);
    EXPECT_TRUE(result(out, "pixels.html") == result(like, "pixels.html")) << out << ", " << like;
  }
  static void expect_nothing_left(const std::string& out) {
    for (const auto& entry : fs::directory_iterator(path(out)))
      for (const char* part : {"resume", ".state", ".checkpoint", ".part"})
        EXPECT_EQ(entry.path().filename().string().find(part), std::string::npos) << entry.path();
  }
  static void expect_says(const Finished& finished, int status,
                          const std::vector<std::string>& words) {
    EXPECT_EQ(finished.status, status) << finished.out;
    EXPECT_EQ(finished.out.find("MPI_ABORT"), std::string::npos) << finished.out;
    for (const std::string& word : words)
      EXPECT_NE(finished.out.find(word), std::string::npos) << "'" << word << "' is not in:\n"
                                                            << finished.out;
  }
  /// States add up to the shots; returns them.
  static std::map<std::string, int> states(const std::string& out, int shots = images) {
    const std::map<std::string, int> found = figures(out)["shots"];
    int sum = 0;
    for (const auto& [word, n] : found) sum += n;
    EXPECT_EQ(sum, shots) << result(out, "pixels.json");
    return found;
  }

  static std::map<int, std::string> states_of_frames(const std::string& out) {
    std::map<int, std::string> found;
    std::istringstream rows(result(out, "shots.csv"));
    std::string row, cell;
    std::getline(rows, row);
    while (std::getline(rows, row)) {
      std::vector<std::string> cells;
      for (std::istringstream in(row); std::getline(in, cell, ',');) cells.push_back(cell);
      found[std::stoi(cells.at(3))] = cells.at(5);
    }
    return found;
  }

  /// A copy of the stills and, if asked for, of the images, that a test may spoil.
  static std::string copy_of(const std::string& name, bool with_images) {
    fs::create_directories(path(name));
    for (const char* kind : {"expt", "refl"})
      fs::copy_file(path(fmt::format("still/idx-0000_integrated.{}", kind)),
                    path(fmt::format("{}/idx-0000_integrated.{}", name, kind)));
    if (with_images) fs::copy(path("in"), path(name + "/in"));
    return name;
  }
  static std::string map_to(const std::string& name) {
    return " input.map=" + path("in") + "=" + path(name + "/in ");
  }
  static void change(const std::string& name, const std::function<void(json&)>& edit) {
    const std::string file = path(name + "/idx-0000_integrated.expt");
    json all = json::parse(core::read_text_file(file));
    edit(all);
    core::write_file(file, all.dump());
  }
  /// New values, from the old ones, of all pixels of one frame of the images of a copy.
  static void paint(const std::string& name, int frame, const std::function<int(int)>& value) {
    std::vector<std::int32_t> pixels(std::size_t(panels) * edge * edge);
    const hid_t file = H5Fopen(path(name + "/in/run_0000.h5").c_str(), H5F_ACC_RDWR, H5P_DEFAULT);
    const hid_t data = H5Dopen2(file, "/entry/data/data", H5P_DEFAULT);
    const hid_t space = H5Dget_space(data);
    std::vector<hsize_t> size(std::size_t(H5Sget_simple_extent_ndims(space)));
    H5Sget_simple_extent_dims(space, size.data(), nullptr);
    std::vector<hsize_t> start(size.size());
    start[0] = hsize_t(frame);
    size[0] = 1;
    H5Sselect_hyperslab(space, H5S_SELECT_SET, start.data(), nullptr, size.data(), nullptr);
    const hid_t memory = H5Screate_simple(int(size.size()), size.data(), nullptr);
    EXPECT_GE(H5Dread(data, H5T_NATIVE_INT32, memory, space, H5P_DEFAULT, pixels.data()), 0);
    for (std::int32_t& pixel : pixels) pixel = value(pixel);
    EXPECT_GE(H5Dwrite(data, H5T_NATIVE_INT32, memory, space, H5P_DEFAULT, pixels.data()), 0);
    H5Sclose(memory), H5Sclose(space), H5Dclose(data), H5Fclose(file);
  }

  /// While it lives the images are not where they were, but for the truth.
  struct Hidden {
    Hidden() {
      fs::rename(path("in"), path("hidden"));
      fs::create_directories(path("in"));
      fs::copy_file(path("hidden/run_truth.mtz"), path("in/run_truth.mtz"));
    }
    ~Hidden() {
      fs::remove_all(path("in"));
      fs::rename(path("hidden"), path("in"));
    }
    Hidden(const Hidden&) = delete;
    Hidden& operator=(const Hidden&) = delete;
  };

  static inline std::unique_ptr<testing::TemporaryFolder> folder;
};

TEST_F(MergePixels, ComesNearerToTheTruthThanTheMerge) {
  const json j = figures("whole");
  const double merged = j["merged_common"]["overall"]["truth"]["r1"],
               refined = j["refined_common"]["overall"]["truth"]["r1"];
  std::printf("R1 to the truth on common indices: merged %.3f, refined %.3f\n", merged, refined);
  EXPECT_LT(refined, 0.65 * merged);
  EXPECT_GT(j["refined"]["overall"]["completeness"], j["merged"]["overall"]["completeness"]);
  EXPECT_GE(states("whole")["refined"], images * 3 / 4);
  expect_nothing_left("whole");
}

TEST_F(MergePixels, RanksDoNotChangeAByte) {
  for (const int ranks : {2, 3, 5}) {
    const std::string out = fmt::format("ranks{}", ranks);
    const Finished finished = merge(out, "--pixels", ranks);
    ASSERT_EQ(finished.status, 0) << finished.out;
    expect_same_report(out, "whole");
  }
}

TEST_F(MergePixels, EveryEnergyHasItsFactors) {
  for (const int ranks : {1, 3}) {
    const Finished finished = merge(fmt::format("energies{}", ranks),
                                    "--pixels pixels.cycles=1 pixels.energies=9500,9570", ranks);
    ASSERT_EQ(finished.status, 0) << finished.out;
    EXPECT_NE(finished.out.find("at 2 photon energies each"), std::string::npos) << finished.out;
  }
  expect_nothing_left("energies3");
  const json energies = figures("energies1")["energies"];
  ASSERT_EQ(energies.size(), 2u);
  for (std::size_t i = 0; i < 2; ++i) {
    const std::string ev = i == 0 ? "9500eV" : "9570eV";
    for (const std::string& name : {"refined_all_" + ev + ".mtz", "refined_odd_" + ev + ".mtz",
                                    "refined_even_" + ev + ".mtz", "pixels_" + ev + ".html"}) {
      EXPECT_TRUE(fs::exists(path("energies1/iobs_" + name))) << name;
      EXPECT_TRUE(result("energies1", name) == result("energies3", name)) << name;
    }
    // The truth has the same F at all energies.
    const auto r1 = [&](const char* which) {
      return energies[i][which]["overall"]["truth"]["r1"].get<double>();
    };
    EXPECT_EQ(energies[i]["energy_ev"], i == 0 ? 9500 : 9570);
    EXPECT_LT(r1("refined_common"), 0.65 * r1("merged_common"));
  }
  EXPECT_FALSE(fs::exists(path("energies1/iobs_refined_all.mtz")));
  expect_says(merge("dark", "--pixels pixels.cycles=1 pixels.energies=5000,6000"), 0,
              {"No pixel tells of structure factors at 5000 eV"});
}

TEST_F(MergePixels, MoreRanksThanShots) {
  std::string list;
  for (const int e : {1, 4, 7})
    list += fmt::format("{0}.expt {0}.refl {1}\n", path("still/idx-0000_integrated"), e);
  core::write_file(path("three.txt"), list);
  const std::string more = "--pixels input.exp_ref_spec=" + path("three.txt");
  const Finished one = merge("three1", more, 1, ""), five = merge("three5", more, 5, "");
  ASSERT_EQ(one.status, 0) << one.out;
  ASSERT_EQ(five.status, 0) << five.out;
  states("three1", 3);
  expect_same_report("three5", "three1");
}

TEST_F(MergePixels, LatticesOfOneImageInSeveralFilesAreOneShot) {
  copy_of("split", false);
  for (const int e : {0, 1}) {
    const std::string one = fmt::format("split/one{}_integrated", e);
    json all = json::parse(core::read_text_file(path("still/idx-0000_integrated.expt")));
    core::write_file(path(one + ".expt"), all.dump());
    fs::copy_file(path("still/idx-0000_integrated.refl"), path(one + ".refl"));
  }
  // Of three files with the same experiments the list takes other ones of each.
  std::string list;
  for (int e = 0; e < images; ++e)
    list += fmt::format("{0}.expt {0}.refl {1}\n",
                        path(e % 3 == 0   ? "split/idx-0000_integrated"
                             : e % 3 == 1 ? "split/one0_integrated"
                                          : "split/one1_integrated"),
                        e);
  core::write_file(path("split.txt"), list);
  const Finished finished =
      merge("split_out", "--pixels input.exp_ref_spec=" + path("split.txt"), 3, "");
  ASSERT_EQ(finished.status, 0) << finished.out;
  expect_same_report("split_out", "whole");
}

TEST_F(MergePixels, GoesOnAfterSignalsAndKills) {
  std::mt19937_64 random(7);
  const std::string more = "--pixels pixels.stage2.checkpoint_every=5";
  for (const int signal : {SIGTERM, SIGUSR1, SIGUSR2, SIGINT, SIGKILL}) {
    SCOPED_TRACE(signal);
    const std::string out = fmt::format("signal{}", signal);
    int disturbed = 0;
    Finished finished;
    for (int attempt = 0; attempt < 12; ++attempt) {
      const int ranks = 1 + int(random() % 3);
      const std::string again = more + (attempt > 0 ? " --resume" : "");
      ChildProcess child(command("merge", arguments(out, again), ranks), path("child.txt"));
      if (attempt == 0) // in the middle, however fast the machine
        testing::wait_until(
            120, [&] { return !child.runs() || fs::exists(path(out + "/iobs_pixels.state")); });
      const double seconds =
          attempt < 4 ? 0.001 * double(random() % (attempt == 0 ? 300 : 2500)) : 300;
      auto status = child.wait(seconds);
      if (!status) {
        ++disturbed;
        for (const pid_t pid : child.named("merge")) ::kill(pid, signal);
        status = child.wait(60);
        ASSERT_TRUE(status) << "runs on: " << core::read_text_file(path("child.txt"));
      }
      finished = {*status, core::read_text_file(path("child.txt"))};
      if (finished.status == 0) break;
      // A signal that comes before the refinement ends the process as usual.
      if (signal != SIGKILL && finished.status == 75) {
        EXPECT_NE(finished.out.find("--resume"), std::string::npos) << finished.out;
      } else {
        EXPECT_EQ(finished.out.find("\nmerge: "), std::string::npos) << finished.out;
      }
    }
    EXPECT_GT(disturbed, 0);
    ASSERT_EQ(finished.status, 0) << finished.out;
    expect_same_report(out, "whole");
  }
}

TEST_F(MergePixels, ResumeRefusesOtherProblemsAndNeedsNone) {
  Finished finished = merge("other", "--pixels --resume");
  expect_says(finished, 0, {"Nothing to resume"});
  expect_same_report("other", "whole");
  // A full disk leaves the state of before stage 2.
  fs::create_directories(path("stopped"));
  finished = merge("stopped", "--pixels pixels.stage2.checkpoint_every=1");
  ASSERT_EQ(finished.status, 0) << finished.out;
  for (int attempt = 0; attempt < 10; ++attempt) {
    fs::remove_all(path("stopped"));
    ChildProcess child(command("merge", arguments("stopped", "--pixels"), 1), path("child.txt"));
    testing::wait_until(
        120, [&] { return !child.runs() || fs::exists(path("stopped/iobs_pixels.state")); });
    child.signal(SIGTERM);
    if (child.wait(60) == std::optional<int>(75)) break;
  }
  expect_says(merge("stopped", "--pixels --resume pixels.gain=2"), 2,
              {"iobs_pixels.state", "pixels.gain is 2", "was 1"});
  expect_says(merge("stopped", "--pixels --resume filter.n_obs.min=1"), 2, {"filter.n_obs.min"});
  finished = merge("stopped", "--pixels --resume output.report_boxes=3");
  EXPECT_EQ(finished.status, 0) << finished.out;
  expect_same("stopped", "whole");
}

TEST_F(MergePixels, StepsOneByOneAreACycle) {
  ASSERT_EQ(merge("cycle", "--pixels pixels.cycles=1").status, 0);
  const std::string input = copy_of("steps_in", true);
  Finished finished = merge("steps", "--stage1" + map_to(input), 2, input);
  ASSERT_EQ(finished.status, 0) << finished.out;
  states("steps");
  fs::remove_all(path(input + "/in"));
  const std::string nowhere = " input.map=" + path("in") + "=" + path("nowhere");
  finished = merge("steps", "--stage2" + nowhere, 3, input); // raw images are gone
  ASSERT_EQ(finished.status, 0) << finished.out;
  expect_same("steps", "cycle");
  finished = merge("steps", "--predict", 2, input);
  ASSERT_EQ(finished.status, 0) << finished.out;
  finished = merge("steps", "--stage2", 1, input);
  ASSERT_EQ(finished.status, 0) << finished.out;
  EXPECT_LT(figures("steps")["refined_common"]["overall"]["truth"]["r1"],
            0.75 * figures("steps")["merged_common"]["overall"]["truth"]["r1"].get<double>());
  // Shards of two runs do not mix, and none may be missing.
  ASSERT_EQ(merge("steps", "--stage1", 2).status, 0);
  fs::remove(path("steps/iobs_shots-0001.shard"));
  expect_says(merge("steps", "--stage2"), 2, {"1 shards of 2", "iobs_shots-"});
  expect_says(merge("no_steps", "--stage2"), 2, {"iobs_shots-", "--stage1"});
}

TEST_F(MergePixels, ImagesThatMovedAreFoundOrSaidToBeMissing) {
  const std::string input = copy_of("moved", true);
  const Hidden originals;
  Finished finished = merge("lost", "--pixels", 2, input);
  expect_says(finished, 3, {"no shot has pixels", "input.map", "run_master"});
  finished = merge("mapped", "--pixels" + map_to(input), 2, input);
  EXPECT_EQ(finished.status, 0) << finished.out;
  finished = merge("searched", "--pixels input.search_path=" + path(input + "/in"), 1, input);
  EXPECT_EQ(finished.status, 0) << finished.out;
  expect_same("mapped", "whole");
  expect_same("searched", "whole");
}

TEST_F(MergePixels, ATruncatedFileIsSaid) {
  const std::string input = copy_of("cut", true);
  fs::resize_file(path("cut/in/run_0000.h5"), fs::file_size(path("cut/in/run_0000.h5")) / 3);
  const Hidden originals;
  expect_says(merge("cut_out", "--pixels" + map_to(input), 2, input), 3,
              {"no shot has pixels", "run_"});
}

TEST_F(MergePixels, AnotherDetectorIsSaid) {
  const std::string input = copy_of("panels", false);
  change(input, [](json& all) { all["detector"][0]["panels"].erase(3); });
  change(input, [](json& all) {
    json& tree = all["detector"][0]["hierarchy"]["children"];
    if (tree.is_array() && tree.size() == 4) tree.erase(3);
  });
  expect_says(merge("panels_out", "--pixels", 1, input), 3, {"4 panels", "3"});
}

TEST_F(MergePixels, BadFramesHarmNoOther) {
  const std::string input = copy_of("frames", true);
  paint(input, 3, [](int) { return 2000000000; }); // saturated everywhere
  std::mt19937_64 random(3);
  paint(input, 5, [&](int counts) { return counts * int(1 + random() % 40); }); // hot
  const Finished finished = merge("frames_out", "--pixels" + map_to(input), 2, input);
  ASSERT_EQ(finished.status, 0) << finished.out;
  const auto whole = states("whole");
  const auto found = states("frames_out");
  EXPECT_GE(found.at("refined"), whole.at("refined") - 2) << result("frames_out", "shots.csv");
  const auto frame_states = states_of_frames("frames_out");
  EXPECT_EQ(frame_states.at(3), "no_pixels");
  EXPECT_EQ(frame_states.at(5), "bad_fit");
  const double before = figures("whole")["refined"]["overall"]["truth"]["r1"],
               after = figures("frames_out")["refined"]["overall"]["truth"]["r1"];
  EXPECT_LT(after, 1.3 * before);
}

TEST_F(MergePixels, LatticesThatTheMergeRejectedAreCounted) {
  const std::string input = copy_of("cells", false);
  change(input, [](json& all) {
    for (const char* axis : {"real_space_a", "real_space_b", "real_space_c"})
      for (json& x : all["crystal"][2][axis]) x = 1.2 * x.get<double>();
  });
  const Finished finished = merge("cells_out", "--pixels", 2, input);
  expect_says(finished, 0, {"16, 1 of them rejected", "1 contradiction"});
  EXPECT_EQ(states("cells_out").at("contradiction"), 1);
}

TEST_F(MergePixels, FullDisksAreSaidAndLoseNothing) {
  const auto shard = static_cast<int>(fs::file_size(path("whole/iobs_shots-0000.shard")) / 512);
  for (const int blocks : {40, shard / 10, shard / 2}) { // of 512 bytes
    SCOPED_TRACE(blocks);
    const std::string out = fmt::format("full{}", blocks);
    const Finished full = merge(out, "--pixels", 1, "still", fmt::format("ulimit -f {}; ", blocks));
    expect_says(full, 1, {"merge: ", path(out)});
    const Finished finished = merge(out, "--pixels --resume");
    ASSERT_EQ(finished.status, 0) << finished.out;
    expect_same_report(out, "whole");
  }
  core::write_file(path("a_file"), "no folder");
  expect_says(merge("a_file/out", "--pixels"), 2, {"output.output_dir"});
}

TEST_F(MergePixels, RefusesWhatCannotBe) {
  for (const char* option : {"pixels.gain=0",
                             "pixels.gain=nan",
                             "pixels.readout_noise=-1",
                             "pixels.cycles=0",
                             "pixels.left_out=0.9",
                             "pixels.oversample=0",
                             "pixels.Nabc_elements=4",
                             "pixels.init.Nabc=-3",
                             "pixels.stage1.max_evaluations=0",
                             "pixels.stage1.max_sigma_z=0",
                             "pixels.stage2.tolerance=0",
                             "pixels.stage2.checkpoint_every=0",
                             "pixels.stage2.wilson=-1",
                             "pixels.tolerance=-1",
                             "pixels.energies=7100,7000",
                             "pixels.energies=7100,7x",
                             "pixels.stage2.energy_sigma=-1",
                             "pixels.predict.threshold=-1",
                             "output.free_flags.fraction=2",
                             "output.report_boxes=-1"})
    expect_says(merge("refused", std::string("--pixels ") + option), 2,
                {std::string(option).substr(0, std::string(option).find('='))});
  expect_says(merge("refused", "--pixels pixels.stage2.max_iteration=3"), 2,
              {"pixels.stage2.max_iterations"});
  expect_says(merge("refused", "--pixels --stage1"), 2, {"--pixels", "--stage1"});
  expect_says(merge("refused", "--resume"), 2, {"--resume", "--pixels"});
  expect_says(merge("refused", "--pixels input.exp_ref_spec=" + path("no.txt")), 2,
              {"no.txt", "input.exp_ref_spec"});
  expect_says(merge("refused", "--pixels input.map=nonsense"), 2, {"nonsense"});
}

/// A data set for every pixel of the images, whose panels lie below each other.
template <typename T>
void write_map(const std::string& file, const char* name, hid_t type, std::vector<hsize_t> shape,
               const std::vector<T>& values) {
  const hid_t h5 = H5Fcreate(file.c_str(), H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
  const hid_t space = H5Screate_simple(int(shape.size()), shape.data(), nullptr);
  const hid_t data = H5Dcreate2(h5, name, type, space, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
  EXPECT_GE(H5Dwrite(data, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, values.data()), 0);
  H5Dclose(data), H5Sclose(space), H5Fclose(h5);
}

TEST_F(MergePixels, NoiseAndMasksOfEachPixel) {
  constexpr std::size_t pixels = std::size_t(panels) * edge * edge;
  const std::vector<hsize_t> shape{panels * edge, edge};
  std::vector<float> noise(pixels, 0.3f);
  write_map(path("noise.h5"), "pixel_rms", H5T_NATIVE_FLOAT, shape, noise);
  const std::string one_cycle = "--pixels pixels.cycles=1 pixels.likelihood=normal ";
  ASSERT_EQ(merge("noise", one_cycle + "pixels.readout_noise=0.3").status, 0);
  ASSERT_EQ(merge("map", one_cycle + "pixels.lookup.readout_noise=" + path("noise.h5"), 2).status,
            0);
  const auto r1 = [](const json& j) {
    return j["refined"]["overall"]["truth"]["r1"].get<double>();
  };
  EXPECT_NEAR(r1(figures("map")), r1(figures("noise")), 1e-3);
  EXPECT_EQ(figures("map")["cycles"][0]["boxes"], figures("noise")["cycles"][0]["boxes"]);
  // A quarter of the detector is taken out, and a part of another where the noise is no number.
  std::vector<std::int32_t> mask(pixels, 0);
  std::fill(mask.begin(), mask.begin() + edge * edge, 1);
  write_map(path("mask.h5"), "mask", H5T_NATIVE_INT32, shape, mask);
  std::fill(noise.end() - edge * edge / 2, noise.end(), NAN);
  write_map(path("noise.h5"), "pixel_rms", H5T_NATIVE_FLOAT, shape, noise);
  ASSERT_EQ(merge("masked", one_cycle + "pixels.lookup.readout_noise=" + path("noise.h5") +
                                " pixels.lookup.mask=" + path("mask.h5"))
                .status,
            0);
  const double boxes = figures("masked")["cycles"][0]["boxes"].get<double>() /
                       figures("map")["cycles"][0]["boxes"].get<double>();
  EXPECT_GT(boxes, 0.5);
  EXPECT_LT(boxes, 0.85);
  EXPECT_LT(r1(figures("masked")), 1.5 * r1(figures("map")));
  write_map(path("mask.h5"), "mask", H5T_NATIVE_INT32, {edge, panels * edge}, mask);
  expect_says(merge("refused", "--pixels pixels.lookup.mask=" + path("mask.h5")), 3,
              {"wrong shape", "mask.h5", "of another detector"});
  expect_says(merge("refused", "--pixels pixels.lookup.readout_noise=" + path("none.h5")), 2,
              {"none.h5"});
}

TEST_F(MergePixels, RefusesBadLists) {
  const std::string pair =
      path("still/idx-0000_integrated.expt") + " " + path("still/idx-0000_integrated.refl");
  core::write_file(path("garbage.lam"), "1.3 0.5\nnot numbers\n");
  const std::vector<std::pair<std::string, std::string>> bad = {
      {pair + " 99\n", "no experiment 99"},
      {pair + " 1\n" + pair + " 1\n", "twice"},
      {pair + " missing.lam 1\n", "missing.lam"},
      {pair + " garbage.lam 1\n", "garbage.lam line 2"},
      {"one_word\n", "line 1"},
      {"# nothing\n", "lists no shot"}};
  for (const auto& [text, words] : bad) {
    core::write_file(path("bad.txt"), text);
    expect_says(merge("refused", "--pixels input.exp_ref_spec=" + path("bad.txt"), 2, ""), 2,
                {words});
  }
}

TEST_F(MergePixels, RefusesReferencesOfAnotherCrystal) {
  for (const std::string& symmetry :
       {std::string("crystal.unit_cell=60,60,90,90,90,90 crystal.space_group=P43212"),
        std::string("crystal.unit_cell=77,77,37.2,90,90,90 crystal.space_group=P4")}) {
    fs::remove_all(path("foreign"));
    ASSERT_EQ(run("simulate_stills",
                  "n_images=1 detector.pixels=32 detector.pixel_size=2.4 amplitudes.d_min=4 " +
                      symmetry + " output.output_dir=" + path("foreign"))
                  .status,
              0);
    const std::string mtz = path("foreign/run_truth.mtz");
    expect_says(merge("refused", "--pixels pixels.start.mtz_file=" + mtz, 2), 2,
                {mtz, "pixels.start.mtz_file"});
    expect_says(merge("refused", "--pixels statistics.truth.mtz_file=" + mtz, 2), 2,
                {mtz, "statistics.truth.mtz_file"});
  }
  // Indices that a start does not have begin at the means of their shells.
  ASSERT_EQ(run("simulate_stills",
                "n_images=1 seed=3 detector.pixels=32 detector.pixel_size=2.4 amplitudes.d_min=5 "
                "output.output_dir=" +
                    path("short"))
                .status,
            0);
  const Finished finished =
      merge("from_short", "--pixels pixels.start.mtz_file=" + path("short/run_truth.mtz"));
  EXPECT_EQ(finished.status, 0) << finished.out;
}

} // namespace
} // namespace kilobragg::programs
