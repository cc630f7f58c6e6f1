// DIALS opens the composite files, and sees every pixel where we put it.
#include "support/sample_still.hpp"
#include "support/temporary_folder.hpp"
#include "support/test_data.hpp"

#include "kilobragg/core/files.hpp"
#include "kilobragg/io/experiments.hpp"
#include "kilobragg/io/shard.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <sys/wait.h>

namespace kilobragg::io {
namespace {

bool has_dials() {
  return std::system("/usr/bin/python3 -c 'import dials.array_family.flex' > /dev/null 2>&1") == 0;
}

int run(const std::string& command) {
  const int status = std::system(command.c_str());
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

TEST(Dials, OpensTheCompositesOfAShard) {
  const testing::TemporaryFolder folder;
  {
    ShardWriter writer(folder / "a.shard", "{}");
    const auto detector = testing::sample_detector();
    for (int frame = 0; frame < 6; ++frame) {
      auto still =
          testing::sample_still(frame, detector, models::ExitState::IntegrateOk, 1 + frame % 2);
      for (auto& lattice : still.lattices)
        for (auto& r : lattice.reflections) {
          if (r.hkl == models::Miller{0, 0, 0}) r.hkl = {1, 1, 1};
          r.d = lattice.lattice.crystal.unit_cell().d(r.hkl);
        }
      writer.append(still);
    }
    writer.append(testing::sample_still(9, detector, models::ExitState::NotEnoughSpots, 0));
  }
  write_composites(folder / "a.shard", folder.path().string(), 0);
  const int status = run(std::string(KILOBRAGG_SOURCE_DIR) + "/scripts/check_dials_opens.sh " +
                         (folder / "idx-0000"));
  if (status == 77) GTEST_SKIP() << "no DIALS here";
  EXPECT_EQ(status, 0);
}

/// A root, two groups and four panels, turned and shifted at every level.
std::shared_ptr<models::Detector> turned_detector() {
  auto detector = std::make_shared<models::Detector>();
  const auto frame = [](double angle, const Vec3& origin) {
    const Mat3 r = rotation_about(unit(Vec3{1, -2, 0.5}), angle);
    return models::Frame{r.col(0), r.col(1), origin};
  };
  detector->root.frame = frame(0.02, {1, 2, -120});
  for (int g = 0; g < 2; ++g) {
    models::DetectorNode group;
    group.frame = detector->root.frame.compose(frame(0.1 + g, {40.0 * g, -3, 1}));
    for (int k = 0; k < 2; ++k) {
      models::Panel panel;
      panel.frame = group.frame.compose(frame(-0.03 * k, {0.1, 20.0 * k, 0.2}));
      panel.pixel_size = {0.11, 0.11};
      panel.image_size = {194, 185};
      panel.parallax = models::Parallax{3.7, 0.5};
      panel.thickness = 0.5;
      panel.mu = 3.7;
      models::DetectorNode leaf;
      leaf.panel = static_cast<int>(detector->panels.size());
      leaf.frame = panel.frame;
      group.children.push_back(leaf);
      detector->panels.push_back(panel);
    }
    detector->root.children.push_back(group);
  }
  return detector;
}

TEST(Dials, SeesPixelsAndCrystalsWhereTheyAre) {
  if (!has_dials()) GTEST_SKIP() << "no DIALS here";
  const testing::TemporaryFolder folder;
  models::Experiment e;
  e.identifier = "x";
  e.detector = turned_detector();
  // A group whose Hall symbol carries a change of origin, and a general cell beside it.
  e.crystal = models::Crystal::from_cell({92.9, 92.9, 130.4, 90, 90, 120},
                                         rotation_about(unit(Vec3{1, 1, 3}), 1.0),
                                         models::SpaceGroup("P6122"));
  e.source = {"/nowhere/run.h5", "/entry/data/data", 3, "abc"};
  write_experiments({e}, folder / "a.expt");
  std::string check =
      "from dxtbx.model.experiment_list import ExperimentList\n"
      "e = ExperimentList.from_file('" +
      (folder / "a.expt") +
      "', check_format=False)[0]\n"
      "assert e.crystal.get_space_group().type().number() == 178\n"
      "assert e.imageset.indices()[0] == 3 and e.imageset.paths() == ['/nowhere/run.h5']\n"
      "def near(a, b, t):\n"
      "    assert all(abs(x - y) < t for x, y in zip(a, b)), (a, b)\n";
  const auto& a = e.crystal->a_matrix.m;
  check += fmt::format("near(e.crystal.get_A(), ({}), 1e-12)\n", fmt::join(a, a + 9, ", "));
  for (std::size_t i = 0; i < e.detector->panels.size(); ++i) {
    const auto& panel = e.detector->panels[i];
    const Vec3 lab = panel.pixel_to_lab({12.5, 150.25});
    const auto mm = panel.pixel_to_mm({12.5, 150.25});
    check += fmt::format("p = e.detector[{}]\n"
                         "near(p.get_pixel_lab_coord((12.5, 150.25)), ({}, {}, {}), 1e-6)\n"
                         "near(p.pixel_to_millimeter((12.5, 150.25)), ({}, {}), 1e-6)\n"
                         "near(p.get_origin(), ({}, {}, {}), 1e-9)\n",
                         i, lab.x, lab.y, lab.z, mm.x, mm.y, panel.frame.origin.x,
                         panel.frame.origin.y, panel.frame.origin.z);
  }
  core::write_file(folder / "check.py", check);
  EXPECT_EQ(run("/usr/bin/python3 " + (folder / "check.py")), 0);
}

/// With its images at hand, DIALS finds the frame through the .expt.
TEST(Dials, OpensTheImagesOfAnExperimentList) {
  KILOBRAGG_NEEDS_TEST_DATA();
  if (!has_dials()) GTEST_SKIP() << "no DIALS here";
  const testing::TemporaryFolder folder;
  models::Experiment e;
  e.identifier = "x";
  e.detector = testing::sample_detector();
  e.source = {(testing::test_data() / "images/thaumatin_i24.h5").string(), "/entry/data/data", 5,
              "abc"};
  write_experiments({e}, folder / "a.expt");
  core::write_file(folder / "check.py", "from dxtbx.model.experiment_list import ExperimentList\n"
                                        "e = ExperimentList.from_file('" +
                                            (folder / "a.expt") +
                                            "', check_format=True)[0]\n"
                                            "assert e.imageset.indices()[0] == 5\n"
                                            "print(e.imageset.get_raw_data(0)[0].all())\n");
  EXPECT_EQ(run("/usr/bin/python3 " + (folder / "check.py")), 0);
}

} // namespace
} // namespace kilobragg::io
