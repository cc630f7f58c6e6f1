// Shot records with every field set to something of its own, and their comparison.
#pragma once

#include "kilobragg/pixelrefinement/shoeboxes.hpp"
#include "kilobragg/pixelrefinement/shot_record.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <random>

namespace kilobragg::testing {

inline std::shared_ptr<const models::Detector> drawn_detector(double distance) {
  auto detector = std::make_shared<models::Detector>();
  models::Panel panel;
  panel.name = "q0", panel.type = "PAD", panel.material = "Si", panel.identifier = "id";
  panel.frame = {{1, 0, 0}, {0, -1, 0}, {-10.1, 10.7, -distance}};
  panel.pixel_size = {0.11, 0.12}, panel.image_size = {200, 100}, panel.raw_image_offset = {3, 4};
  panel.trusted_range = {-7, 12345};
  panel.thickness = 0.5, panel.mu = 3.9, panel.gain = 2.5, panel.pedestal = 17;
  panel.parallax = models::Parallax{3.9, 0.5};
  panel.mask = {{1, 2, 3, 4}, {5, 6, 7, 8}};
  detector->panels = {panel, panel};
  detector->panels[1].parallax.reset();
  detector->root = {"root", "group", panel.frame, {{"leaf", "", {}, {}, 1}}, -1};
  return detector;
}

/// Photons are whole or not; readout is per pixel where they are not.
inline pixelrefinement::ShotRecord drawn_shot(const std::string& identifier, unsigned seed,
                                              std::shared_ptr<const models::Detector> detector,
                                              bool whole) {
  std::mt19937 random(seed);
  std::uniform_real_distribution<double> number(0.1, 1);
  const auto matrix = [&] {
    Mat3 m;
    for (double& v : m.m) v = number(random);
    return m;
  };
  pixelrefinement::ShotRecord shot;
  auto& model = shot.model;
  model.identifier = identifier;
  model.source = {"/data/a.h5", "entry/data", 42 + seed, "content"};
  model.detector = std::move(detector);
  model.beam = {{0.001, 0.002, 1},
                1.3,
                0.1,
                0.2,
                {0, 0.9, 0.1},
                0.98,
                1e12,
                0.7,
                {{1.29, 1.31}, {0.4, 0.6 / 7}}};
  model.lattice_identifiers = {identifier, identifier + "b"};
  for (const char* group : {"P 43 21 2", "C 1 2 1"}) {
    auto& lattice = model.lattices.emplace_back();
    lattice.crystal.a_matrix = matrix();
    lattice.crystal.space_group = models::SpaceGroup(group);
    lattice.size = matrix(), lattice.rotation = matrix();
    lattice.fudge = number(random), lattice.scale = number(random);
  }
  model.lattices[0].crystal.mosaicity = models::Mosaicity{number(random), 900};
  model.lattices[1].shape = diffraction::CrystalShape::Square;
  model.lattices[1].blocks = {matrix(), matrix()};
  model.wavelength = {number(random), number(random)};
  model.distance = number(random), model.b_factor = number(random);
  model.state = pixelrefinement::ShotState::Limit;
  auto& pixels = shot.pixels;
  std::size_t first = 0;
  const int boxes = 1 + static_cast<int>(seed % 7);
  for (int i = 0; i < boxes; ++i) {
    const diffraction::Shoebox box{i % 2, 3 * i, 3 * i + 11, i, i + 13};
    pixels.boxes.push_back({box,
                            {i, -i, 7},
                            i % 2,
                            pixelrefinement::BoxState(i % 3),
                            {number(random), number(random) / 100, number(random) / 100},
                            first});
    first += box.size();
  }
  for (std::size_t i = 0; i < first; ++i) {
    pixels.value.push_back(whole ? float(random() % 65536) : float(number(random)));
    pixels.used.push_back(random() % 2);
    if (!whole) pixels.readout.push_back(float(number(random)));
  }
  if (whole) pixels.readout = {0.25};
  pixelrefinement::evaluate_backgrounds(pixels);
  return shot;
}

inline auto fields(const Vec3& v) { return std::array{v.x, v.y, v.z}; }
inline auto fields(const models::Frame& f) {
  return std::array{fields(f.fast), fields(f.slow), fields(f.origin)};
}

inline void expect_same(const models::Detector& a, const models::Detector& b) {
  ASSERT_EQ(a.panels.size(), b.panels.size());
  for (std::size_t i = 0; i < a.panels.size(); ++i) {
    const models::Panel &p = a.panels[i], &q = b.panels[i];
    EXPECT_EQ(std::tie(p.name, p.type, p.material, p.identifier, p.pixel_size, p.image_size),
              std::tie(q.name, q.type, q.material, q.identifier, q.pixel_size, q.image_size));
    EXPECT_EQ(fields(p.frame), fields(q.frame));
    EXPECT_EQ(std::tie(p.raw_image_offset, p.trusted_range, p.thickness, p.mu, p.gain, p.pedestal),
              std::tie(q.raw_image_offset, q.trusted_range, q.thickness, q.mu, q.gain, q.pedestal));
    EXPECT_EQ(p.mask, q.mask);
    ASSERT_EQ(p.parallax.has_value(), q.parallax.has_value());
    if (!p.parallax) continue;
    EXPECT_EQ(p.parallax->mu, q.parallax->mu);
    EXPECT_EQ(p.parallax->thickness, q.parallax->thickness);
  }
  const auto &r = a.root, &s = b.root;
  EXPECT_EQ(std::tie(r.name, r.type, r.panel), std::tie(s.name, s.type, s.panel));
  EXPECT_EQ(fields(r.frame), fields(s.frame));
  ASSERT_EQ(r.children.size(), s.children.size());
  for (std::size_t i = 0; i < r.children.size(); ++i) {
    EXPECT_EQ(r.children[i].name, s.children[i].name);
    EXPECT_EQ(r.children[i].panel, s.children[i].panel);
  }
}

inline void expect_same(const models::Beam& a, const models::Beam& b) {
  EXPECT_EQ(fields(a.direction), fields(b.direction));
  EXPECT_EQ(fields(a.polarization_normal), fields(b.polarization_normal));
  EXPECT_EQ(std::tie(a.wavelength, a.divergence, a.sigma_divergence, a.polarization_fraction),
            std::tie(b.wavelength, b.divergence, b.sigma_divergence, b.polarization_fraction));
  EXPECT_EQ(std::tie(a.flux, a.transmission, a.spectrum.wavelengths, a.spectrum.weights),
            std::tie(b.flux, b.transmission, b.spectrum.wavelengths, b.spectrum.weights));
}

inline void expect_same(const diffraction::ShotLattice& a, const diffraction::ShotLattice& b) {
  EXPECT_EQ(std::tie(a.crystal.a_matrix, a.crystal.space_group, a.shape, a.size, a.fudge),
            std::tie(b.crystal.a_matrix, b.crystal.space_group, b.shape, b.size, b.fudge));
  EXPECT_EQ(std::tie(a.rotation, a.blocks, a.scale), std::tie(b.rotation, b.blocks, b.scale));
  ASSERT_EQ(a.crystal.mosaicity.has_value(), b.crystal.mosaicity.has_value());
  if (!a.crystal.mosaicity) return;
  EXPECT_EQ(a.crystal.mosaicity->half_mosaicity_deg, b.crystal.mosaicity->half_mosaicity_deg);
  EXPECT_EQ(a.crystal.mosaicity->domain_size_angstrom, b.crystal.mosaicity->domain_size_angstrom);
}

inline void expect_same(const pixelrefinement::ShotPixels& a,
                        const pixelrefinement::ShotPixels& b) {
  EXPECT_EQ(a.value, b.value);
  EXPECT_EQ(a.background, b.background);
  EXPECT_EQ(a.readout, b.readout);
  EXPECT_EQ(a.used, b.used);
  ASSERT_EQ(a.boxes.size(), b.boxes.size());
  for (std::size_t i = 0; i < a.boxes.size(); ++i) {
    const auto &p = a.boxes[i], &q = b.boxes[i];
    EXPECT_EQ(std::tie(p.box.panel, p.box.x0, p.box.x1, p.box.y0, p.box.y1),
              std::tie(q.box.panel, q.box.x0, q.box.x1, q.box.y0, q.box.y1));
    EXPECT_EQ(std::tie(p.hkl, p.lattice, p.state, p.first),
              std::tie(q.hkl, q.lattice, q.state, q.first));
    EXPECT_EQ(std::tie(p.background.c, p.background.a, p.background.b),
              std::tie(q.background.c, q.background.a, q.background.b));
  }
}

/// Everything, doubles exactly.
inline void expect_same(const pixelrefinement::ShotRecord& a,
                        const pixelrefinement::ShotRecord& b) {
  const auto &m = a.model, &n = b.model;
  EXPECT_EQ(std::tie(m.identifier, m.lattice_identifiers, m.distance, m.b_factor, m.state),
            std::tie(n.identifier, n.lattice_identifiers, n.distance, n.b_factor, n.state));
  EXPECT_EQ(std::tie(m.source.path, m.source.dataset, m.source.frame, m.source.content_id),
            std::tie(n.source.path, n.source.dataset, n.source.frame, n.source.content_id));
  EXPECT_EQ(std::tie(m.wavelength.offset, m.wavelength.scale),
            std::tie(n.wavelength.offset, n.wavelength.scale));
  expect_same(m.beam, n.beam);
  ASSERT_EQ(m.detector == nullptr, n.detector == nullptr);
  if (m.detector) expect_same(*m.detector, *n.detector);
  ASSERT_EQ(m.lattices.size(), n.lattices.size());
  for (std::size_t i = 0; i < m.lattices.size(); ++i) expect_same(m.lattices[i], n.lattices[i]);
  expect_same(a.pixels, b.pixels);
}

} // namespace kilobragg::testing
