// Copies reflections to the device, as a list and as a box of indices.
#include "lattice_renderers.hpp"

#include "kilobragg/core/error.hpp"
#include "kilobragg/core/units.hpp"

#include <algorithm>
#include <cstdlib>

namespace kilobragg::diffraction {
namespace {

/// The smallest box about the origin that holds all indices.
AmplitudeGridView box_around(const std::vector<models::Miller>& hkl) {
  AmplitudeGridView grid;
  grid.h_max = grid.k_max = grid.l_max = 0;
  for (const auto& index : hkl) {
    grid.h_max = std::max(grid.h_max, std::abs(index.h));
    grid.k_max = std::max(grid.k_max, std::abs(index.k));
    grid.l_max = std::max(grid.l_max, std::abs(index.l));
  }
  const double points = (2.0 * grid.h_max + 1) * (2.0 * grid.k_max + 1) * (2.0 * grid.l_max + 1);
  core::require(points < 2147483648.0,
                "indices to {} {} {} are {:.3g} points (want less than 2^31) a coarser limit?",
                grid.h_max, grid.k_max, grid.l_max, points);
  return grid;
}

/// Numbers of the reflections at every point.
std::vector<std::int32_t> number_points(const std::vector<models::Miller>& hkl,
                                        const AmplitudeGridView& grid) {
  const auto length = [](std::int32_t limit) { return 2 * static_cast<std::size_t>(limit) + 1; };
  const std::size_t rows = length(grid.k_max), columns = length(grid.l_max);
  std::vector<std::int32_t> numbers(length(grid.h_max) * rows * columns, -1);
  for (std::size_t i = 0; i < hkl.size(); ++i) {
    const auto row = static_cast<std::size_t>(hkl[i].h + grid.h_max) * rows +
                     static_cast<std::size_t>(hkl[i].k + grid.k_max);
    numbers[row * columns + static_cast<std::size_t>(hkl[i].l + grid.l_max)] =
        static_cast<std::int32_t>(i);
  }
  return numbers;
}

} // namespace

DeviceReflections::DeviceReflections(const ReflectionSphere& sphere) {
  const std::size_t layers = std::max<std::size_t>(1, sphere.energies.size());
  core::require(sphere.f_squared.size() == layers * sphere.size(),
                "{} squared amplitudes for {} reflections in {} layers", sphere.f_squared.size(),
                sphere.size(), layers);
  core::require(sphere.inv_d2.empty() || sphere.inv_d2.size() == sphere.size(),
                "{} resolutions for {} reflections", sphere.inv_d2.size(), sphere.size());
  auto state = std::make_shared<State>();
  std::vector<MillerIndex> hkl;
  for (const auto& index : sphere.hkl) hkl.push_back({index.h, index.k, index.l});
  hkl.resize(hkl.size() + lanes<DeviceLane>);
  state->host_hkl = sphere.hkl;
  state->hkl = to_device(hkl);
  state->f_squared = to_device(sphere.f_squared);
  state->inv_d2 = to_device(sphere.inv_d2);
  state->list = {state->hkl.data(), state->f_squared.data(),
                 sphere.inv_d2.empty() ? nullptr : state->inv_d2.data(),
                 static_cast<std::int32_t>(sphere.size()), static_cast<std::int32_t>(layers)};
  state->energies = sphere.energies;
  state_ = std::move(state);
}

const AmplitudeGridView& DeviceReflections::State::grid() const {
  if (grid_.unique != nullptr) return grid_;
  AmplitudeGridView grid = box_around(host_hkl);
  box_ = to_device(number_points(host_hkl, grid));
  std::vector<double> values(f_squared.extent(0));
  to_host(f_squared, std::span(values));
  rounded_ = to_device(std::vector<float>(values.begin(), values.end()));
  grid.unique = box_.data();
  grid.f_squared = rounded_.data();
  grid.unique_count = list.count;
  grid.layer_count = list.layers;
  return grid_ = grid;
}

std::vector<LayerMix> mix_layers(const DeviceReflections::State& reflections,
                                 const ShotChannels& channels) {
  std::vector<LayerMix> mixes;
  if (reflections.list.layers < 2) return mixes;
  for (const double u : channels.wave_number) {
    const auto place = structure_factors::place_of(core::ev_angstrom * u, reflections.energies);
    mixes.push_back({static_cast<std::int32_t>(place.lower), static_cast<float>(place.part)});
  }
  return mixes;
}

} // namespace kilobragg::diffraction
