// A complete P1 array of |F|^2 in memory of its own: on a device, or for a refinement to change.
#pragma once

#include "kernels/diffraction/amplitude_grid.hpp"

#include <Kokkos_Core.hpp>

namespace kilobragg::diffraction {

/// The arrays of a view in memory of their own, for a device or as a copy that a refinement changes.
template <typename MemorySpace>
class AmplitudeGridCopy {
public:
  AmplitudeGridCopy() = default;
  /// Copies what `host` points to.
  explicit AmplitudeGridCopy(const AmplitudeGridView& host)
      : view_(host)
      , unique_("unique indices", points(host))
      , f_squared_("squared amplitudes", values(host)) {
    using HostIds = Kokkos::View<const std::int32_t*, Kokkos::HostSpace, Kokkos::MemoryUnmanaged>;
    using HostValues = Kokkos::View<const float*, Kokkos::HostSpace, Kokkos::MemoryUnmanaged>;
    Kokkos::deep_copy(unique_, HostIds(host.unique, points(host)));
    Kokkos::deep_copy(f_squared_, HostValues(host.f_squared, values(host)));
    view_.unique = unique_.data();
    view_.f_squared = f_squared_.data();
  }
  /// Valid as long as this object or a copy of it.
  const AmplitudeGridView& view() const { return view_; }
  /// The table, layer by layer, to be changed.
  const Kokkos::View<float*, MemorySpace>& f_squared() const { return f_squared_; }

private:
  static std::size_t points(const AmplitudeGridView& host) {
    const auto length = [](std::int32_t limit) { return static_cast<std::size_t>(2 * limit + 1); };
    return host.h_max < 0 ? 0 : length(host.h_max) * length(host.k_max) * length(host.l_max);
  }
  static std::size_t values(const AmplitudeGridView& host) {
    return static_cast<std::size_t>(host.unique_count) * static_cast<std::size_t>(host.layer_count);
  }

  AmplitudeGridView view_;
  Kokkos::View<std::int32_t*, MemorySpace> unique_;
  Kokkos::View<float*, MemorySpace> f_squared_;
};

} // namespace kilobragg::diffraction
