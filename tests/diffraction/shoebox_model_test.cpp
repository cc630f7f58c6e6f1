// Shoeboxes show what the renderer shows, and every derivative is that of finite differences.
#include "tests/support/tilted_panels.hpp"

#include "kernels/diffraction/pixel_factors.hpp"

#include "kilobragg/core/error.hpp"
#include "kilobragg/diffraction/shoebox_model.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>

namespace kilobragg::diffraction {
namespace {

models::Detector make_detector() {
  return testing::tilted_panels({{-31, 15, -60}, {1, 15, -60}, {0.2, 0.21}, {150, 140}});
}

models::Beam make_beam() { return testing::three_wavelengths(); }

ReflectionSphere make_reflections() {
  return expand_to_sphere(testing::graded_amplitudes({50, 50, 60, 90, 90, 90}, 2), 0);
}

Shot make_shot() { return testing::two_lattices({{16, 1, 0.5, 1, 18, -0.7, 0.5, -0.7, 14}}); }

struct Model {
  models::Detector detector = make_detector();
  Shot shot = make_shot();
  WavelengthShift wavelength;
  ShoeboxOptions options{.oversample = 2, .tail = 1e-14};
};

const ReflectionSphere& reflections() {
  static const ReflectionSphere sphere = make_reflections();
  return sphere;
}

const DeviceReflections& on_device() {
  static const DeviceReflections loaded(reflections());
  return loaded;
}

std::vector<float> render(const Model& model) {
  Renderer renderer(model.detector, make_beam(),
                    {.oversample = model.options.oversample, .tail = 1e-14, .floor = 1e-30});
  std::vector<float> image(renderer.pixel_count());
  renderer.add_peaks(model.shot, on_device(), image);
  return image;
}

/// Boxes of 11 x 9 pixels around the brightest pixels, apart from each other.
std::vector<Shoebox> bright_boxes(std::size_t count) {
  const Model model;
  std::vector<float> image = render(model);
  std::vector<Shoebox> boxes;
  while (boxes.size() < count) {
    const auto best = std::max_element(image.begin(), image.end()) - image.begin();
    const int panel = int(best / (150 * 140)), x = int(best % 150), y = int(best / 150 % 140);
    if (x >= 6 && x < 144 && y >= 5 && y < 135)
      boxes.push_back({panel, x - 5, x + 6, y - 4, y + 5});
    for (int j = std::max(0, y - 10); j < std::min(140, y + 11); ++j)
      for (int i = std::max(0, x - 12); i < std::min(150, x + 13); ++i)
        image[std::size_t(panel * 150 * 140 + j * 150 + i)] = 0;
  }
  return boxes;
}

const std::vector<Shoebox>& boxes() {
  static const std::vector<Shoebox> found = bright_boxes(12);
  return found;
}

ShoeboxImage evaluate(const Model& model, const std::vector<ParameterDirection>& parameters = {}) {
  return model_shoeboxes(model.detector, make_beam(),
                         {model.shot, boxes(), parameters, model.wavelength}, on_device(),
                         model.options);
}

/// The model with a parameter moved by `step`.
Model moved(const ParameterDirection& p, double step) {
  Model model;
  ShotLattice& lattice = model.shot.lattices[std::size_t(p.lattice)];
  lattice.crystal.a_matrix = lattice.crystal.a_matrix + step * p.crystal.a_matrix;
  lattice.size = lattice.size + step * p.crystal.size;
  lattice.rotation = lattice.rotation + step * p.crystal.rotation;
  lattice.scale *= std::exp(step * p.crystal.log_scale);
  for (int i = 0; i < 2; ++i) {
    if (p.panel >= 0 && p.panel != i) continue;
    auto& frame = model.detector.panels[std::size_t(i)].frame;
    if (const double angle = norm(p.turn); angle > 0) {
      const Mat3 turn = rotation_about(p.turn / angle, step * angle);
      frame.origin = p.pivot + turn * (frame.origin - p.pivot);
      frame.fast = turn * frame.fast;
      frame.slow = turn * frame.slow;
    }
    frame.origin += step * p.shift;
  }
  model.wavelength.offset += step * p.wavelength_offset;
  model.wavelength.scale += step * p.wavelength_scale;
  return model;
}

/// Derivatives against central differences of fourth order with this step.
void expect_differences(const ParameterDirection& p, double step) {
  const ShoeboxImage image = evaluate(Model(), {p});
  const auto at = [&](double factor) { return evaluate(moved(p, factor * step)).photons; };
  const auto p1 = at(1), m1 = at(-1), p2 = at(2), m2 = at(-2);
  double largest = 0;
  for (const double d : image.derivatives) largest = std::max(largest, std::abs(d));
  ASSERT_GT(largest, 0);
  for (std::size_t i = 0; i < p1.size(); ++i)
    EXPECT_NEAR(image.derivatives[i], (8 * (p1[i] - m1[i]) - (p2[i] - m2[i])) / (12 * step),
                1e-6 * largest)
        << i;
}

ParameterDirection of_crystal(const CrystalDirection& crystal, int lattice = 0) {
  ParameterDirection p;
  p.crystal = crystal;
  p.lattice = lattice;
  return p;
}

TEST(ShoeboxModel, ShowsWhatTheRendererShows) {
  const Model model;
  const auto whole = render(model);
  const auto image = evaluate(model);
  std::size_t i = 0;
  double brightest = 0;
  for (const Shoebox& box : boxes())
    for (int y = box.y0; y < box.y1; ++y)
      for (int x = box.x0; x < box.x1; ++x, ++i) {
        const auto expected =
            static_cast<double>(whole[std::size_t(box.panel * 150 * 140 + y * 150 + x)]);
        EXPECT_NEAR(image.photons[i], expected, 1e-6 * expected + 1e-9);
        brightest = std::max(brightest, expected);
      }
  EXPECT_EQ(i, image.photons.size());
  EXPECT_GT(brightest, 30);
}

TEST(ShoeboxModel, RotationOfEitherLattice) {
  const auto& a = make_shot().lattices;
  for (int lattice = 0; lattice < 2; ++lattice)
    for (const Mat3& generator :
         {Mat3{{0, 0, 0, 0, 0, -1, 0, 1, 0}}, Mat3{{0, 0, 1, 0, 0, 0, -1, 0, 0}},
          Mat3{{0, -1, 0, 1, 0, 0, 0, 0, 0}}})
      expect_differences(
          of_crystal({.a_matrix = generator * a[std::size_t(lattice)].crystal.a_matrix}, lattice),
          2e-5);
}

TEST(ShoeboxModel, EveryElementOfTheOrientationMatrix) {
  for (int i = 0; i < 9; ++i) {
    CrystalDirection d;
    d.a_matrix.m[i] = 1;
    expect_differences(of_crystal(d), 4e-7);
  }
}

TEST(ShoeboxModel, SizeOfBlocks) {
  for (int i = 0; i < 3; ++i)
    for (int j = i; j < 3; ++j) {
      CrystalDirection d;
      d.size(i, j) = d.size(j, i) = 1;
      expect_differences(of_crystal(d), 5e-3);
    }
}

TEST(ShoeboxModel, MosaicSpread) {
  for (int i = 0; i < 3; ++i)
    for (int j = i; j < 3; ++j) {
      CrystalDirection d;
      d.rotation(i, j) = d.rotation(j, i) = 1e-6;
      expect_differences(of_crystal(d, 1), 2e-3);
    }
}

TEST(ShoeboxModel, Scale) { expect_differences(of_crystal({.log_scale = 1}), 1e-3); }

TEST(ShoeboxModel, ShiftsAndTurnsOfPanels) {
  for (const int panel : {-1, 0, 1})
    for (const Vec3& axis : {Vec3{1, 0, 0}, Vec3{0, 1, 0}, Vec3{0, 0, 1}}) {
      ParameterDirection shift;
      shift.panel = panel;
      shift.shift = axis;
      expect_differences(shift, 1e-3);
      ParameterDirection turn;
      turn.panel = panel;
      turn.turn = axis;
      turn.pivot = {3, -2, -55};
      expect_differences(turn, 2e-5);
    }
}

TEST(ShoeboxModel, Wavelength) {
  ParameterDirection p;
  p.wavelength_offset = 1;
  expect_differences(p, 2e-5);
  p.wavelength_offset = 0;
  p.wavelength_scale = 1;
  expect_differences(p, 2e-5);
}

TEST(ShoeboxModel, ExplicitBlocksMoveTogether) {
  Model model;
  model.shot.lattices.pop_back();
  auto& lattice = model.shot.lattices[0];
  lattice.rotation = {};
  for (const double angle : {-0.003, 0.0, 0.004})
    lattice.blocks.push_back(rotation_about(unit({1, -1, 2}), angle));
  ParameterDirection p =
      of_crystal({.a_matrix = Mat3{{0, -1, 0, 1, 0, 0, 0, 0, 0}} * lattice.crystal.a_matrix});
  const auto derivatives = evaluate(model, {p}).derivatives;
  const auto at = [&](double step) {
    Model other = model;
    auto& matrix = other.shot.lattices[0].crystal.a_matrix;
    matrix = matrix + step * p.crystal.a_matrix;
    return evaluate(other).photons;
  };
  const double step = 2e-5;
  const auto p1 = at(step), m1 = at(-step), p2 = at(2 * step), m2 = at(-2 * step);
  double largest = 0;
  for (const double d : derivatives) largest = std::max(largest, std::abs(d));
  ASSERT_GT(largest, 0);
  for (std::size_t i = 0; i < derivatives.size(); ++i)
    EXPECT_NEAR(derivatives[i], (8 * (p1[i] - m1[i]) - (p2[i] - m2[i])) / (12 * step),
                1e-6 * largest);
}

/// Intensity of a pixel of a sharp lattice, point by point as diffBragg has it, and its derivatives:
/// with V = N (h - h0) and C = 2 / 0.63, I ~ (det N)^2 exp(-C V V), dI = -2 C I V (dN (h - h0) + N dh)
/// + 2 I tr(N^-1 dN), dh = -A^-1 dA h.
struct DirectSum {
  double photons = 0;
  std::vector<double> derivatives;
};

DirectSum direct_sum(const Model& model, const Shoebox& box, int x, int y,
                     const std::vector<CrystalDirection>& directions) {
  const auto& panel = model.detector.panels[std::size_t(box.panel)];
  const ShotLattice& lattice = model.shot.lattices[0];
  const Mat3 to_index = inverse(lattice.crystal.a_matrix), &n = lattice.size;
  const Vec3 k0{0, 0, -1}, normal = make_beam().polarization_normal, e = cross(normal, k0);
  const Vec3 middle = panel.pixel_to_lab({x + 0.5, y + 0.5}), plane = panel.normal();
  const double factor = polarisation_factor(unit(middle), e, normal, 0.9) *
                        solid_angle(middle, plane, 0.2 * 0.21) *
                        capture_fraction(unit(middle), plane, panel.mu, panel.thickness);
  DirectSum sum{0, std::vector<double>(directions.size())};
  const models::Spectrum spectrum = make_beam().spectrum;
  for (int point = 0; point < 4; ++point)
    for (std::size_t s = 0; s < spectrum.wavelengths.size(); ++s) {
      const Vec3 at =
          panel.pixel_to_lab({x + 0.25 + 0.5 * (point % 2), y + 0.25 + 0.5 * (point / 2)});
      const Vec3 h = to_index * ((1 / spectrum.wavelengths[s]) * (unit(at) - k0));
      const models::Miller h0{int(std::lround(h.x)), int(std::lround(h.y)), int(std::lround(h.z))};
      const auto found = std::lower_bound(reflections().hkl.begin(), reflections().hkl.end(), h0);
      if (found == reflections().hkl.end() || !(*found == h0)) continue;
      const double f2 = reflections().f_squared[std::size_t(found - reflections().hkl.begin())];
      const Vec3 dh = h - Vec3{double(h0.h), double(h0.k), double(h0.l)}, v = n * dh;
      const double c = 2 / 0.63, i = electron_radius_squared * model.shot.fluence * lattice.scale *
                                     factor * spectrum.weights[s] / 6 / 4 * f2 *
                                     std::pow(determinant(n), 2) * std::exp(-c * dot(v, v));
      sum.photons += i;
      for (std::size_t p = 0; p < directions.size(); ++p) {
        const Vec3 moved = -(to_index * (directions[p].a_matrix * h));
        sum.derivatives[p] += -2 * c * i * dot(v, directions[p].size * dh + n * moved) +
                              2 * i * trace_of_product(inverse(n), directions[p].size);
      }
    }
  return sum;
}

TEST(ShoeboxModel, AgreesWithDiffBraggsFormulas) {
  Model model;
  model.shot.lattices.pop_back();
  model.shot.lattices[0].rotation = {};
  std::vector<CrystalDirection> directions(8);
  const Mat3& a = model.shot.lattices[0].crystal.a_matrix;
  directions[0].a_matrix = Mat3{{0, 0, 0, 0, 0, -1, 0, 1, 0}} * a;
  directions[1].a_matrix = Mat3{{0, 0, 1, 0, 0, 0, -1, 0, 0}} * a;
  std::size_t next = 2;
  for (int i = 0; i < 3; ++i)
    for (int j = i; j < 3; ++j, ++next)
      directions[next].size(i, j) = directions[next].size(j, i) = 1;
  std::vector<ParameterDirection> parameters;
  for (const CrystalDirection& d : directions) parameters.push_back(of_crystal(d));
  const auto image = evaluate(model, parameters);
  const std::size_t pixels = image.photons.size();
  std::vector<double> largest(directions.size());
  for (std::size_t p = 0; p < largest.size(); ++p)
    for (std::size_t i = 0; i < pixels; ++i)
      largest[p] = std::max(largest[p], std::abs(image.derivatives[p * pixels + i]));
  std::size_t i = 0;
  for (const Shoebox& box : boxes())
    for (int y = box.y0; y < box.y1; ++y)
      for (int x = box.x0; x < box.x1; ++x, ++i) {
        const DirectSum direct = direct_sum(model, box, x, y, directions);
        EXPECT_NEAR(image.photons[i], direct.photons, 1e-9 * direct.photons + 1e-9);
        for (std::size_t p = 0; p < largest.size(); ++p)
          EXPECT_NEAR(image.derivatives[p * pixels + i], direct.derivatives[p], 1e-8 * largest[p]);
      }
}

TEST(ShoeboxModel, ContributionsAddUpToThePhotons) {
  Model model;
  model.options.contributions = true;
  const auto image = evaluate(model);
  std::vector<double> sums(image.photons.size());
  for (const Contribution& c : image.contributions) sums[c.pixel] += static_cast<double>(c.photons);
  for (std::size_t i = 0; i < sums.size(); ++i)
    EXPECT_NEAR(sums[i], image.photons[i], 1e-6 * image.photons[i] + 1e-12);
}

TEST(ShoeboxModel, DerivativeToBIsThatOfFiniteDifferences) {
  ReflectionSphere sphere = reflections();
  for (const models::Miller& m : sphere.hkl)
    sphere.inv_d2.push_back(1e-3F * float(m.h * m.h + m.k * m.k + m.l * m.l));
  ParameterDirection p;
  p.b_factor = 1.5;
  const Model model;
  const auto at = [&](double b, const std::vector<ParameterDirection>& parameters) {
    ReflectionSphere weakened = sphere;
    for (std::size_t i = 0; i < weakened.size(); ++i)
      weakened.f_squared[i] *= std::exp(-0.5 * b * double(sphere.inv_d2[i]));
    return model_shoeboxes(model.detector, make_beam(), {model.shot, boxes(), parameters},
                           DeviceReflections(weakened), model.options);
  };
  const auto image = at(0, {p}), more = at(1.5e-3, {}), less = at(-1.5e-3, {});
  double largest = 0;
  for (const double d : image.derivatives) largest = std::max(largest, std::abs(d));
  ASSERT_GT(largest, 1);
  for (std::size_t i = 0; i < image.photons.size(); ++i)
    EXPECT_NEAR(image.derivatives[i], (more.photons[i] - less.photons[i]) / 2e-3, 1e-6 * largest);
  EXPECT_THROW(evaluate(model, {p}), core::Error) << "resolutions are not known";
}

/// Three shots: other scales, spectra, boxes, panels and parts of the list of reflections.
struct ThreeShots {
  std::vector<ShoeboxShot> shots;
  std::vector<models::Detector> detectors;
  std::vector<models::Beam> beams;
  std::vector<ReflectionSphere> spheres;

  ThreeShots() {
    for (int s = 0; s < 3; ++s) {
      ShoeboxShot shot{make_shot(), boxes()};
      shot.shot.lattices[0].scale = 1 + s;
      shot.wavelength = {0.001 * s, 1 - 1e-4 * s};
      shot.boxes.resize(std::size_t(12 - 4 * s));
      std::rotate(shot.boxes.begin(), shot.boxes.begin() + s, shot.boxes.end());
      CrystalDirection d;
      d.a_matrix(0, 1) = 1 + s;
      shot.parameters = {of_crystal({.log_scale = 1}), of_crystal(d, s % 2), {}};
      shot.parameters[2].shift = {0, 0.1, 1.0 + s};
      shot.parameters[2].panel = s - 1;
      shots.push_back(shot);
      detectors.push_back(make_detector());
      for (models::Panel& panel : detectors.back().panels) panel.frame.origin.z -= 0.05 * s;
      if (s == 2) detectors.back().panels.push_back(detectors.back().panels[0]);
      beams.push_back(make_beam());
      beams.back().polarization_fraction = 1 - 0.2 * s;
      ReflectionSphere sphere = reflections();
      const auto skipped = static_cast<std::size_t>(37 * s);
      sphere.hkl.erase(sphere.hkl.begin(), sphere.hkl.begin() + std::ptrdiff_t(skipped));
      sphere.f_squared.erase(sphere.f_squared.begin(),
                             sphere.f_squared.begin() + std::ptrdiff_t(skipped));
      for (double& f : sphere.f_squared) f *= 1 + 0.3 * s;
      spheres.push_back(sphere);
    }
  }
};

TEST(ShoeboxModel, SeveralShotsAtOnceAreThoseOneByOne) {
  const ThreeShots three;
  ReflectionSphere all;
  std::vector<ShoeboxJob> jobs;
  for (std::size_t s = 0; s < 3; ++s) {
    const ReflectionSphere& own = three.spheres[s];
    jobs.push_back({&three.detectors[s], &three.beams[s], &three.shots[s], all.size(), own.size()});
    all.hkl.insert(all.hkl.end(), own.hkl.begin(), own.hkl.end());
    all.f_squared.insert(all.f_squared.end(), own.f_squared.begin(), own.f_squared.end());
  }
  ShoeboxOptions options;
  options.contributions = true;
  const auto together = model_shoeboxes(jobs, DeviceReflections(all), options);
  std::size_t contribution = 0;
  for (std::size_t s = 0; s < 3; ++s) {
    const auto alone = model_shoeboxes(three.detectors[s], three.beams[s], three.shots[s],
                                       DeviceReflections(three.spheres[s]), options);
    ASSERT_GT(*std::max_element(alone.photons.begin(), alone.photons.end()), 1);
    const ShoeboxView own = together.of_shot(s);
    EXPECT_TRUE(std::equal(own.photons.begin(), own.photons.end(), alone.photons.begin(),
                           alone.photons.end()));
    EXPECT_TRUE(std::equal(own.derivatives.begin(), own.derivatives.end(),
                           alone.derivatives.begin(), alone.derivatives.end()));
    for (const Contribution& c : alone.contributions) {
      const Contribution& other = together.contributions[contribution++];
      EXPECT_EQ(other.pixel, together.first_pixel[s] + c.pixel);
      EXPECT_EQ(other.reflection, jobs[s].first_reflection + c.reflection);
      EXPECT_EQ(other.photons, c.photons);
    }
  }
  EXPECT_EQ(contribution, together.contributions.size());
}

TEST(ShoeboxModel, RefusesWhatItCannotDo) {
  Model model;
  model.shot.lattices[0].shape = CrystalShape::Square;
  EXPECT_THROW(evaluate(model), core::Error);
  EXPECT_THROW(model_shoeboxes(make_detector(), make_beam(), {make_shot(), {{0, 145, 151, 0, 5}}},
                               on_device(), {}),
               core::Error);
  EXPECT_THROW(evaluate(Model(), {of_crystal({}, 2)}), core::Error);
  const ShoeboxShot none{make_shot(), boxes()}, one{make_shot(), boxes(), {of_crystal({})}};
  const auto detector = make_detector();
  const auto beam = make_beam();
  const auto job = [&](const ShoeboxShot& shot, std::size_t count) {
    return ShoeboxJob{&detector, &beam, &shot, 0, count};
  };
  EXPECT_THROW(model_shoeboxes(std::vector{job(none, 1), job(one, 1)}, on_device(), {}),
               core::Error);
  EXPECT_THROW(model_shoeboxes(std::vector{job(none, reflections().size() + 1)}, on_device(), {}),
               core::Error);
}

} // namespace
} // namespace kilobragg::diffraction
