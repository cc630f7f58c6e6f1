// Copies reflections to the device, as a list and as a box of indices.
#include "lattice_renderers.hpp"

#include "kilobragg/core/error.hpp"
#include "kilobragg/core/units.hpp"

#include <algorithm>
#include <cstdlib>

namespace kilobragg::diffraction {
namespace {

/// Numbers of the reflections at every point of the smallest box about the origin.
std::vector<std::int32_t> number_points(const ReflectionSphere& sphere, AmplitudeGridView& grid) {
  grid.h_max = grid.k_max = grid.l_max = 0;
  for (const auto& hkl : sphere.hkl) {
    grid.h_max = std::max(grid.h_max, std::abs(hkl.h));
    grid.k_max = std::max(grid.k_max, std::abs(hkl.k));
    grid.l_max = std::max(grid.l_max, std::abs(hkl.l));
  }
  const auto length = [](std::int32_t limit) { return static_cast<std::size_t>(2 * limit + 1); };
  const std::size_t rows = length(grid.k_max), columns = length(grid.l_max);
  std::vector<std::int32_t> numbers(length(grid.h_max) * rows * columns, -1);
  for (std::size_t i = 0; i < sphere.size(); ++i) {
    const auto& hkl = sphere.hkl[i];
    const auto row = static_cast<std::size_t>(hkl.h + grid.h_max) * rows +
                     static_cast<std::size_t>(hkl.k + grid.k_max);
    numbers[row * columns + static_cast<std::size_t>(hkl.l + grid.l_max)] =
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
  auto state = std::make_shared<State>();
  std::vector<MillerIndex> hkl;
  for (const auto& index : sphere.hkl) hkl.push_back({index.h, index.k, index.l});
  hkl.resize(hkl.size() + lanes<DeviceLane>);
  state->hkl = to_device(hkl);
  state->f_squared = to_device(sphere.f_squared);
  state->rounded = to_device(std::vector<float>(sphere.f_squared.begin(), sphere.f_squared.end()));
  state->box = to_device(number_points(sphere, state->grid));
  state->list = {state->hkl.data(), state->f_squared.data(),
                 static_cast<std::int32_t>(sphere.size()), static_cast<std::int32_t>(layers)};
  state->grid.unique = state->box.data();
  state->grid.f_squared = state->rounded.data();
  state->grid.unique_count = state->list.count;
  state->grid.layer_count = state->list.layers;
  state->energies = sphere.energies;
  state_ = std::move(state);
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
