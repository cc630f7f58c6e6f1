// .expt files: round trips, old and new keys, hierarchies, image paths, and what is wrong with bad ones.
#include "support/temporary_folder.hpp"

#include "kilobragg/core/error.hpp"
#include "kilobragg/core/files.hpp"
#include "kilobragg/io/experiments.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <random>

namespace kilobragg::io {
namespace {

using models::Detector;
using models::DetectorNode;
using models::Experiment;
using models::Frame;
using nlohmann::json;
using ::testing::AllOf;
using ::testing::HasSubstr;

std::string error_of(const std::function<void()>& action) {
  try {
    action();
  } catch (const core::Error& error) {
    return error.what();
  }
  return "no error";
}

/// The least that dxtbx 3.12 writes for a still: no __id__ in the beam, no params.
json old_style() {
  return json::parse(R"({
    "__id__": "ExperimentList",
    "experiment": [{"__id__": "Experiment", "identifier": "abc", "beam": 0, "detector": 0,
                    "crystal": 0, "profile": 0, "imageset": 0}],
    "imageset": [{"__id__": "ImageSet", "images": ["/data/run7.h5"], "single_file_indices": [41],
                  "mask": null, "gain": "", "pedestal": "", "dx": "", "dy": "", "params": {}}],
    "beam": [{"direction": [0.0, 0.0, 1.0], "wavelength": 1.3, "divergence": 0.0,
              "sigma_divergence": 0.0, "polarization_normal": [0.0, 1.0, 0.0],
              "polarization_fraction": 0.999, "flux": 0.0, "transmission": 1.0}],
    "detector": [{"panels": [{"name": "p", "type": "SENSOR_PAD", "fast_axis": [1, 0, 0],
        "slow_axis": [0, -1, 0], "origin": [-50, 50, -100], "raw_image_offset": [0, 0],
        "image_size": [1000, 800], "pixel_size": [0.1, 0.2], "trusted_range": [-1, 65535],
        "thickness": 0.5, "material": "Si", "mu": 3.9, "identifier": "", "mask": [[1, 2, 3, 4]],
        "gain": 2.0, "pedestal": 0.0,
        "px_mm_strategy": {"type": "ParallaxCorrectedPxMmStrategy"}}]}],
    "goniometer": [], "scan": [],
    "crystal": [{"__id__": "crystal", "real_space_a": [77, 0, 0], "real_space_b": [0, 77, 0],
                 "real_space_c": [0, 0, 37], "space_group_hall_symbol": " P 4nw 2abw",
                 "B_covariance": [1, 2, 3], "ML_half_mosaicity_deg": 0.05,
                 "ML_domain_size_ang": 2000.0}],
    "profile": [{"__id__": "gaussian_rs", "n_sigma": 3, "sigma_b": 0.02, "sigma_m": 0.0}],
    "scaling_model": []})");
}

TEST(Experiments, ReadsOldKeys) {
  const auto list = parse_experiments(old_style().dump(), "/run/old.expt");
  ASSERT_EQ(list.size(), 1u);
  const Experiment& e = list[0];
  EXPECT_EQ(e.identifier, "abc");
  EXPECT_EQ(e.beam.wavelength, 1.3);
  EXPECT_EQ(e.beam.s0(), (Vec3{0, 0, -1 / 1.3}));
  EXPECT_EQ(e.source.path, "/data/run7.h5");
  EXPECT_EQ(e.source.frame, 41);
  const auto& panel = e.detector->panels.at(0);
  EXPECT_EQ(panel.frame.origin, (Vec3{-50, 50, -100}));
  EXPECT_EQ(panel.image_size, (std::array<int, 2>{1000, 800}));
  EXPECT_EQ(panel.mask, (std::vector<std::array<int, 4>>{{1, 2, 3, 4}}));
  ASSERT_TRUE(panel.parallax); // taken from the panel where the strategy does not say
  EXPECT_EQ(panel.parallax->mu, 3.9);
  EXPECT_EQ(panel.parallax->thickness, 0.5);
  EXPECT_EQ(e.crystal->space_group.hm(), "P 43 21 2");
  EXPECT_EQ(e.crystal->mosaicity->domain_size_angstrom, 2000);
  EXPECT_NEAR(e.crystal->unit_cell().c, 37, 1e-12);
  EXPECT_EQ(e.profile->sigma_b_deg, 0.02);
}

TEST(Experiments, ReadsNewKeysAndPassesOverUnknownOnes) {
  json file = old_style();
  file["beam"][0]["__id__"] = "monochromatic";
  file["beam"][0]["probe"] = "x-ray";
  file["beam"][0]["sample_to_source_distance"] = 0.0;
  file["surprise"] = {{"a", 1}};
  file["experiment"][0]["scaling_model"] = nullptr;
  file["experiment"][0]["surprise"] = 5;
  file["crystal"][0]["recalculated_unit_cell"] = nullptr;
  file["detector"][0]["panels"][0]["px_mm_strategy"] = {
      {"type", "ParallaxCorrectedPxMmStrategy"}, {"mu", 1.5}, {"t0", 0.25}};
  const auto list = parse_experiments(file.dump(), "new.expt");
  EXPECT_EQ(list.at(0).detector->panels[0].parallax->mu, 1.5);
  EXPECT_EQ(list.at(0).detector->panels[0].parallax->thickness, 0.25);
}

TEST(Experiments, MissingKeysAreNamedWithTheirObject) {
  const auto without = [](auto change) {
    json file = old_style();
    change(file);
    return error_of([&] { parse_experiments(file.dump(), "bad.expt"); });
  };
  EXPECT_THAT(without([](json& f) { f["beam"][0].erase("wavelength"); }),
              AllOf(HasSubstr("bad.expt"), HasSubstr("beam 0"), HasSubstr("'wavelength'")));
  EXPECT_THAT(without([](json& f) { f["experiment"][0].erase("beam"); }),
              AllOf(HasSubstr("experiment 0"), HasSubstr("'beam'")));
  EXPECT_THAT(without([](json& f) { f["experiment"][0]["detector"] = 7; }),
              AllOf(HasSubstr("experiment 0"), HasSubstr("detector 7 of 1")));
  EXPECT_THAT(without([](json& f) { f["detector"][0]["panels"][0].erase("origin"); }),
              AllOf(HasSubstr("detector 0"), HasSubstr("panel 0"), HasSubstr("'origin'")));
  EXPECT_THAT(without([](json& f) {
                f["crystal"][0]["real_space_b"] = {0, 77};
              }),
              AllOf(HasSubstr("crystal 0"), HasSubstr("'real_space_b'")));
  EXPECT_THAT(without([](json& f) {
                f["crystal"][0]["real_space_b"] = {77, 0, 0};
              }),
              AllOf(HasSubstr("crystal 0"), HasSubstr("no volume")));
  EXPECT_THAT(without([](json& f) { f["crystal"][0]["space_group_hall_symbol"] = "P nonsense"; }),
              AllOf(HasSubstr("crystal 0"), HasSubstr("P nonsense")));
  EXPECT_THAT(without([](json& f) { f["__id__"] = "Something"; }), HasSubstr("ExperimentList"));
  EXPECT_THAT(without([](json& f) {
                f["imageset"][0]["single_file_indices"] = {1, 2};
              }),
              HasSubstr("imageset 0"));
  EXPECT_THAT(error_of([] { parse_experiments("{\"a\": ", "cut.expt"); }), HasSubstr("cut.expt"));
  EXPECT_THAT(error_of([] { read_experiments("/none.expt"); }), HasSubstr("/none.expt"));
}

TEST(Experiments, DamagedTextGivesAnErrorOrAList) {
  const std::string text = old_style().dump();
  std::mt19937 random(3);
  for (std::size_t size = 0; size < text.size(); ++size)
    EXPECT_THROW(parse_experiments(text.substr(0, size), "cut"), core::Error);
  for (int round = 0; round < 5000; ++round) {
    std::string bad = text;
    bad[random() % bad.size()] = static_cast<char>(random() % 256);
    try {
      parse_experiments(bad, "flipped");
    } catch (const core::Error&) {
    }
  }
}

Frame random_frame(std::mt19937& random, double reach) {
  std::uniform_real_distribution<double> real(-1, 1);
  const Mat3 r = rotation_about(unit(Vec3{real(random), real(random), 2}), real(random));
  return {r.col(0), r.col(1), {reach * real(random), reach * real(random), -100 * reach}};
}

/// Two levels of groups over eight panels, all at general orientations.
std::shared_ptr<Detector> nested_detector() {
  std::mt19937 random(9);
  auto detector = std::make_shared<Detector>();
  detector->root.name = "root";
  detector->root.frame = random_frame(random, 1);
  for (int group = 0; group < 2; ++group) {
    DetectorNode node;
    node.name = "quadrant" + std::to_string(group);
    node.frame = detector->root.frame.compose(random_frame(random, 0.3));
    for (int k = 0; k < 4; ++k) {
      models::Panel panel;
      panel.name = "panel" + std::to_string(4 * group + k);
      panel.frame = node.frame.compose(random_frame(random, 0.1));
      panel.pixel_size = {0.11, 0.12};
      panel.image_size = {194, 185};
      panel.raw_image_offset = {0, 185 * k};
      panel.trusted_range = {-10, 64000.5};
      panel.gain = 1.5;
      panel.pedestal = 0.25;
      DetectorNode leaf;
      leaf.panel = static_cast<int>(detector->panels.size());
      leaf.frame = panel.frame;
      leaf.name = panel.name;
      leaf.type = panel.type;
      node.children.push_back(leaf);
      detector->panels.push_back(panel);
    }
    detector->root.children.push_back(node);
  }
  detector->panels[3].parallax = models::Parallax{3.7, 0.32};
  return detector;
}

void expect_near(const Vec3& a, const Vec3& b, double tolerance) {
  EXPECT_LE(norm(a - b), tolerance);
}

Experiment sample(int shot, const std::shared_ptr<const Detector>& detector) {
  Experiment e;
  e.identifier = "id" + std::to_string(shot);
  e.beam.wavelength = 1.3 + shot / 3.0;
  e.detector = detector;
  e.crystal = models::Crystal::from_cell({70.1, 80.2, 90.3, 91, 102, 93},
                                         rotation_about(unit(Vec3{1, 2, 3}), shot),
                                         models::SpaceGroup("P 1"));
  e.crystal->mosaicity = models::Mosaicity{1 / 7.0, 1234.5};
  e.profile = models::GaussianProfile{3, 1 / 30.0, 0};
  e.source = {"/somewhere/run_" + std::to_string(shot / 2) + ".h5", "/entry/data/data", shot % 2,
              "content" + std::to_string(shot / 2)};
  return e;
}

TEST(Experiments, RoundTripKeepsModelsAndSharesThem) {
  const auto detector = nested_detector();
  std::vector<Experiment> list;
  for (int shot = 0; shot < 4; ++shot) list.push_back(sample(shot, detector));
  list.push_back(list[3]); // a second lattice of the same image
  list.back().identifier = "second";
  const std::string text = format_experiments(list, "/results");
  const json file = json::parse(text);
  EXPECT_EQ(file["detector"].size(), 1u);
  EXPECT_EQ(file["beam"].size(), 4u);
  EXPECT_EQ(file["imageset"].size(), 4u);
  EXPECT_EQ(file["profile"].size(), 1u);
  EXPECT_EQ(file["crystal"].size(), 5u);
  const auto back = parse_experiments(text, "/results/a.expt");
  ASSERT_EQ(back.size(), list.size());
  for (std::size_t i = 0; i < list.size(); ++i) {
    EXPECT_EQ(back[i].identifier, list[i].identifier);
    EXPECT_EQ(back[i].beam.wavelength, list[i].beam.wavelength); // to the last bit
    EXPECT_EQ(back[i].source.path, list[i].source.path);
    EXPECT_EQ(back[i].source.dataset, list[i].source.dataset);
    EXPECT_EQ(back[i].source.frame, list[i].source.frame);
    EXPECT_EQ(back[i].source.content_id, list[i].source.content_id);
    EXPECT_EQ(back[i].profile->sigma_b_deg, list[i].profile->sigma_b_deg);
    EXPECT_EQ(back[i].crystal->mosaicity->half_mosaicity_deg, 1 / 7.0);
    for (int k = 0; k < 9; ++k)
      EXPECT_NEAR(back[i].crystal->a_matrix.m[k], list[i].crystal->a_matrix.m[k], 1e-16);
    EXPECT_EQ(back[i].detector, back[0].detector);
  }
}

TEST(Experiments, NestedFramesAreRelativeInTheFileAndAbsoluteInMemory) {
  const auto detector = nested_detector();
  const std::string text = format_experiments({sample(0, detector)}, "/results");
  const json file = json::parse(text);
  const auto& group = file["detector"][0]["hierarchy"]["children"][1];
  const auto& second = detector->root.children[1];
  const Frame local = detector->root.frame.relative(second.frame);
  EXPECT_NEAR(group["origin"][0].get<double>(), local.origin.x, 1e-12);
  EXPECT_EQ(group["children"][0]["panel"], 4);
  const Frame panel = second.frame.relative(detector->panels[4].frame);
  EXPECT_NEAR(file["detector"][0]["panels"][4]["fast_axis"][1].get<double>(), panel.fast.y, 1e-12);
  const auto back = parse_experiments(text, "a.expt").at(0).detector;
  ASSERT_EQ(back->panels.size(), 8u);
  for (std::size_t i = 0; i < 8; ++i) {
    const auto &a = back->panels[i], &b = detector->panels[i];
    expect_near(a.frame.origin, b.frame.origin, 1e-12);
    expect_near(a.frame.fast, b.frame.fast, 1e-14);
    expect_near(a.frame.slow, b.frame.slow, 1e-14);
    EXPECT_EQ(a.name, b.name);
    EXPECT_EQ(a.pixel_size, b.pixel_size);
    EXPECT_EQ(a.image_size, b.image_size);
    EXPECT_EQ(a.raw_image_offset, b.raw_image_offset);
    EXPECT_EQ(a.trusted_range, b.trusted_range);
    EXPECT_EQ(a.gain, b.gain);
    EXPECT_EQ(a.pedestal, b.pedestal);
    EXPECT_EQ(a.parallax.has_value(), b.parallax.has_value());
  }
  EXPECT_EQ(back->root.children[1].name, "quadrant1");
  EXPECT_EQ(back->root.children[1].children[2].panel, 6);
}

TEST(Experiments, HierarchiesThatDoNotFitAreRefused) {
  json file = json::parse(format_experiments({sample(0, nested_detector())}, "/r"));
  auto& groups = file["detector"][0]["hierarchy"]["children"];
  groups[0]["children"][0]["panel"] = 8;
  EXPECT_THAT(error_of([&] { parse_experiments(file.dump(), "x"); }), HasSubstr("panel 8 of 8"));
  groups[0]["children"][0]["panel"] = 1;
  EXPECT_THAT(error_of([&] { parse_experiments(file.dump(), "x"); }), HasSubstr("panel 1 again"));
  groups[0]["children"].erase(0);
  EXPECT_THAT(error_of([&] { parse_experiments(file.dump(), "x"); }), HasSubstr("panel 0"));
  json deep = groups[0];
  for (int i = 0; i < 100; ++i) {
    json outer = deep;
    outer["children"] = json::array({deep});
    deep = std::move(outer);
  }
  groups[0] = deep;
  EXPECT_THAT(error_of([&] { parse_experiments(file.dump(), "x"); }), HasSubstr("levels"));
}

TEST(Experiments, ImagesAreFoundAfterTheTreeMoved) {
  const testing::TemporaryFolder folder;
  const auto before = folder.path() / "before";
  std::filesystem::create_directories(before / "images");
  std::filesystem::create_directories(before / "out");
  core::write_file((before / "images" / "run.h5").string(), "pixels");
  auto e = sample(0, nested_detector());
  e.source.path = (before / "images" / "run.h5").string();
  write_experiments({e}, (before / "out" / "a.expt").string());
  const json file = json::parse(core::read_text_file((before / "out" / "a.expt").string()));
  EXPECT_EQ(file["imageset"][0]["images"][0], "../images/run.h5");
  EXPECT_EQ(file["imageset"][0]["params"]["kilobragg"]["absolute_images"][0], e.source.path);
  EXPECT_EQ(read_experiments((before / "out" / "a.expt").string())[0].source.path, e.source.path);
  const auto after = folder.path() / "after";
  std::filesystem::rename(before, after);
  EXPECT_EQ(read_experiments((after / "out" / "a.expt").string())[0].source.path,
            (after / "images" / "run.h5").string());
  // The list alone moved: the absolute path still leads to the image.
  std::filesystem::rename(after, before);
  write_experiments({e}, (before / "out" / "b.expt").string());
  std::filesystem::create_directories(folder.path() / "elsewhere" / "deep");
  std::filesystem::rename(before / "out" / "b.expt",
                          folder.path() / "elsewhere" / "deep" / "b.expt");
  const auto moved = folder.path() / "elsewhere" / "deep" / "b.expt";
  EXPECT_EQ(read_experiments(moved.string())[0].source.path, e.source.path);
}

TEST(Experiments, EqualDetectorsAreOne) {
  json file = old_style();
  file["detector"].push_back(file["detector"][0]);
  file["experiment"].push_back(file["experiment"][0]);
  file["experiment"].back()["detector"] = file["detector"].size() - 1;
  const auto list = parse_experiments(file.dump(), "x");
  EXPECT_EQ(list.front().detector, list.back().detector);
  file["detector"].back()["panels"][0]["thickness"] = 77.0;
  const auto differing = parse_experiments(file.dump(), "x");
  EXPECT_NE(differing.front().detector, differing.back().detector);
}

TEST(Experiments, ImageSetsOfManyImages) {
  json file = old_style();
  file["experiment"][0].erase("crystal");
  file["imageset"][0]["images"] = {"/a.h5", "/a.h5", "/b.h5"};
  file["imageset"][0]["single_file_indices"] = {4, 5, 0};
  // One experiment without a crystal stands for all of its images.
  auto list = parse_experiments(file.dump(), "x");
  ASSERT_EQ(list.size(), 3u);
  EXPECT_EQ(list[1].source.frame, 5);
  EXPECT_EQ(list[2].source.path, "/b.h5");
  // As many experiments as images: one each.
  file["experiment"] = {file["experiment"][0], file["experiment"][0], file["experiment"][0]};
  list = parse_experiments(file.dump(), "x");
  ASSERT_EQ(list.size(), 3u);
  EXPECT_EQ(list[0].source.frame, 4);
  EXPECT_EQ(list[2].source.path, "/b.h5");
}

TEST(Experiments, SequencesNameFilesByATemplate) {
  json file = old_style();
  file["experiment"][0].erase("crystal");
  file["experiment"][0]["scan"] = 0;
  file["scan"] = {{{"image_range", {9, 11}}}};
  file["imageset"][0] = {{"__id__", "ImageSequence"}, {"template", "/d/x_###.cbf"}};
  auto list = parse_experiments(file.dump(), "x");
  ASSERT_EQ(list.size(), 3u);
  EXPECT_EQ(list[1].source.path, "/d/x_010.cbf");
  EXPECT_EQ(list[1].source.frame, 0);
  file["imageset"][0]["template"] = "/d/x_master.h5";
  list = parse_experiments(file.dump(), "x");
  EXPECT_EQ(list.at(2).source.path, "/d/x_master.h5");
  EXPECT_EQ(list.at(2).source.frame, 10);
}

} // namespace
} // namespace kilobragg::io
