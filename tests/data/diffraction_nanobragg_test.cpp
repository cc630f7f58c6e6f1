// Our images from nanoBragg's truth (orientation, cell, size, spread, spectrum, F) beside nanoBragg's.
#include "tests/support/test_data.hpp"

#include "kilobragg/core/files.hpp"
#include "kilobragg/core/units.hpp"
#include "kilobragg/diffraction/renderer.hpp"
#include "kilobragg/io/image_reader.hpp"
#include "kilobragg/io/mtz.hpp"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <cmath>

namespace kilobragg::diffraction {
namespace {

/// Fluence times crystal volume (photons/m^2 times unit cells) of that set, found from its images.
constexpr double strength = 1.5e29;

Shot shot_from(const nlohmann::json& frame) {
  Shot shot;
  shot.beam.wavelength = frame["wavelength"];
  shot.beam.spectrum = {frame["channels"], frame["weights"]};
  shot.fluence = frame["shot"];
  for (const auto& truth : frame["lattices"]) {
    ShotLattice lattice;
    const auto a = truth["A"].get<std::vector<double>>();
    std::copy(a.begin(), a.end(), lattice.crystal.a_matrix.m);
    const double n = truth["N"], eta = truth["eta_deg"].get<double>() * core::degree;
    lattice.size = n * Mat3::identity();
    lattice.rotation = (eta * eta / 3) * Mat3::identity();
    lattice.scale = strength * truth["scale"].get<double>() / (n * n * n);
    shot.lattices.push_back(lattice);
  }
  return shot;
}

/// Sums over the same 7 x 7 pixels in both images, background from the border of 13 x 13.
struct SpotPair {
  double ours = 0, theirs = 0;
  double shift_x = 0, shift_y = 0; ///< of the centroid (pixels)
};

constexpr int half = 3, border = 6;

bool is_lone_peak(const std::vector<float>& ours, const models::PanelWindow& window, int x, int y) {
  const auto at = [&](int i, int j) {
    return ours[window.offset + static_cast<std::size_t>(j) * window.stride +
                static_cast<std::size_t>(i)];
  };
  for (int j = y - border; j <= y + border; ++j)
    for (int i = x - border; i <= x + border; ++i) {
      const bool inside = std::abs(i - x) <= half && std::abs(j - y) <= half;
      if (inside ? at(i, j) > at(x, y) : at(i, j) > 0.02F * at(x, y)) return false;
    }
  return true;
}

SpotPair compare_spot(const std::vector<float>& ours, const models::Image& theirs,
                      const models::PanelWindow& window, int x, int y) {
  const auto index = [&](int i, int j) {
    return window.offset + static_cast<std::size_t>(j) * window.stride +
           static_cast<std::size_t>(i);
  };
  double background = 0;
  int n = 0;
  for (int j = y - border; j <= y + border; ++j)
    for (int i = x - border; i <= x + border; ++i)
      if (std::max(std::abs(i - x), std::abs(j - y)) > half + 1)
        background += theirs.value(index(i, j)), ++n;
  background /= n;
  SpotPair pair;
  double ours_x = 0, ours_y = 0, theirs_x = 0, theirs_y = 0;
  for (int j = y - half; j <= y + half; ++j)
    for (int i = x - half; i <= x + half; ++i) {
      const double a = static_cast<double>(ours[index(i, j)]);
      const double b = theirs.value(index(i, j)) - background;
      pair.ours += a, ours_x += a * i, ours_y += a * j;
      pair.theirs += b, theirs_x += b * i, theirs_y += b * j;
    }
  pair.shift_x = theirs_x / pair.theirs - ours_x / pair.ours;
  pair.shift_y = theirs_y / pair.theirs - ours_y / pair.ours;
  return pair;
}

std::vector<SpotPair> compare_frame(const std::vector<float>& ours, const models::Image& theirs) {
  std::vector<SpotPair> pairs;
  for (const auto& window : theirs.layout->panels)
    for (int y = border; y < window.height - border; ++y)
      for (int x = border; x < window.width - border; ++x) {
        const auto index = window.offset + static_cast<std::size_t>(y) * window.stride +
                           static_cast<std::size_t>(x);
        if (ours[index] > 100 && ours[index] < 60000 && is_lone_peak(ours, window, x, y))
          pairs.push_back(compare_spot(ours, theirs, window, x, y));
      }
  return pairs;
}

double correlation(const std::vector<SpotPair>& pairs) {
  double n = 0, sx = 0, sy = 0, sxx = 0, syy = 0, sxy = 0;
  for (const auto& p : pairs) {
    n += 1, sx += p.ours, sy += p.theirs;
    sxx += p.ours * p.ours, syy += p.theirs * p.theirs, sxy += p.ours * p.theirs;
  }
  return (n * sxy - sx * sy) / std::sqrt((n * sxx - sx * sx) * (n * syy - sy * sy));
}

template <typename Value>
double median(const std::vector<SpotPair>& pairs, const Value& value) {
  std::vector<double> values;
  for (const auto& pair : pairs) values.push_back(value(pair));
  std::nth_element(values.begin(), values.begin() + values.size() / 2, values.end());
  return values[values.size() / 2];
}

class NanoBraggSet : public ::testing::Test {
protected:
  void SetUp() override {
    KILOBRAGG_NEEDS_TEST_DATA();
    const auto data = testing::test_data();
    reader = io::open_images(data / "images" / "lysozyme_nanobragg.h5");
    truth = nlohmann::json::parse(
        core::read_text_file(data / "reference" / "lysozyme_nanobragg.frames.json"));
    const auto mtz = io::read_reference_mtz(data / "structures" / "lysozyme_nanobragg.truth.mtz");
    structure_factors::Amplitudes amplitudes{mtz.cell, mtz.space_group, mtz.hkl, {}};
    for (double intensity : mtz.intensity) amplitudes.f.push_back(std::sqrt(intensity));
    reflections = expand_to_sphere(amplitudes, 0);
  }

  /// The set was made with one point per pixel, and with sensors that absorb everything whatever
  /// thickness its files name.
  Renderer make_renderer() const {
    models::Beam beam;
    beam.wavelength = 1.3;
    models::Detector detector = *reader->detector();
    for (auto& panel : detector.panels) panel.thickness = 0;
    return {detector, beam, {.oversample = 1}};
  }

  std::vector<float> render(std::size_t frame) const {
    Renderer renderer = make_renderer();
    std::vector<float> image(renderer.pixel_count());
    renderer.add_peaks(shot_from(truth[frame]), DeviceReflections(reflections), image);
    return image;
  }

  std::unique_ptr<io::ImageReader> reader;
  nlohmann::json truth;
  ReflectionSphere reflections;
};

TEST_F(NanoBraggSet, SpotsHaveTheSamePlacesAndIntensities) {
  std::vector<SpotPair> all;
  for (std::size_t frame = 0; frame < 30; ++frame) {
    if (truth[frame]["kind"] != "single") continue;
    const auto pairs = compare_frame(render(frame), reader->read(static_cast<std::int64_t>(frame)));
    if (pairs.size() < 10) continue;
    // Explicit random blocks and counting noise are what is left.
    EXPECT_GT(correlation(pairs), 0.94) << frame;
    EXPECT_NEAR(median(pairs, [](const SpotPair& p) { return p.theirs / p.ours; }), 1, 0.2)
        << frame;
    all.insert(all.end(), pairs.begin(), pairs.end());
  }
  const double ratio = median(all, [](const SpotPair& p) { return p.theirs / p.ours; });
  const double x = median(all, [](const SpotPair& p) { return p.shift_x; });
  const double y = median(all, [](const SpotPair& p) { return p.shift_y; });
  auto strong = all;
  std::erase_if(strong, [](const SpotPair& p) { return p.ours < 1000; });
  const double apart =
      median(strong, [](const SpotPair& p) { return std::hypot(p.shift_x, p.shift_y); });
  std::cout << all.size() << " spots: ratio " << ratio << ", shift " << x << ' ' << y
            << " px, median distance " << apart << " px, CC " << correlation(all) << '\n';
  EXPECT_GT(all.size(), 1000U);
  EXPECT_GT(correlation(all), 0.985);
  EXPECT_NEAR(ratio, 1, 0.05);
  EXPECT_NEAR(x, 0, 0.01);
  EXPECT_NEAR(y, 0, 0.01);
  EXPECT_LT(apart, 0.1);
}

TEST_F(NanoBraggSet, BackgroundHasTheSameShape) {
  Renderer renderer = make_renderer();
  std::size_t hit = 0;
  while (truth[hit]["kind"] != "single") ++hit;
  const auto theirs = reader->read(static_cast<std::int64_t>(hit));
  Shot shot;
  shot.background = 1;
  std::vector<float> ours(renderer.pixel_count());
  renderer.add_background(shot, ours);
  // Mean of both over blocks of 64 x 64 pixels; bright pixels left out.
  double sxy = 0, sxx = 0, syy = 0, sx = 0, sy = 0, n = 0;
  for (const auto& window : theirs.layout->panels)
    for (int by = 0; by < 8; ++by)
      for (int bx = 0; bx < 8; ++bx) {
        double a = 0, b = 0, count = 0;
        for (int i = 0; i < 64 * 64; ++i) {
          const auto index = window.offset +
                             static_cast<std::size_t>(by * 64 + i / 64) * window.stride +
                             static_cast<std::size_t>(bx * 64 + i % 64);
          if (theirs.value(index) > 60) continue;
          a += static_cast<double>(ours[index]), b += theirs.value(index), count += 1;
        }
        a /= count, b /= count;
        sx += a, sy += b, sxx += a * a, syy += b * b, sxy += a * b, n += 1;
      }
  EXPECT_GT((n * sxy - sx * sy) / std::sqrt((n * sxx - sx * sx) * (n * syy - sy * sy)), 0.99);
}

} // namespace
} // namespace kilobragg::diffraction
