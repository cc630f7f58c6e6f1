// Where kernels run, and arrays there.
#pragma once

#include <Kokkos_Core.hpp>

#include <cstdint>
#include <span>
#include <type_traits>
#include <vector>

namespace kilobragg {

/// The execution space that Kokkos was built for: a GPU, or the host.
using Device = Kokkos::DefaultExecutionSpace;
#ifdef KILOBRAGG_LIKE_A_GPU // tests take a GPU's ways on the host: one pixel per thread, copies
inline constexpr bool on_host = false;
#else
inline constexpr bool on_host = std::is_same_v<Device::memory_space, Kokkos::HostSpace>;
#endif
/// Kokkos counts in 32 bits on some GPUs, where nothing else is said.
using DeviceRange = Kokkos::RangePolicy<Device, Kokkos::IndexType<std::int64_t>>;

template <typename T>
using DeviceArray = Kokkos::View<T*, Device::memory_space>;
template <typename T>
using HostArray = Kokkos::View<T*, Kokkos::HostSpace, Kokkos::MemoryTraits<Kokkos::Unmanaged>>;

/// Initialises Kokkos at the first call if nobody did, and finalises it then at the end of the program.
/// Everything that makes an array calls it. Launches come from one thread at a time.
inline void start_device() {
  struct Owner {
    bool mine = !Kokkos::is_initialized();
    Owner() {
      if (mine) Kokkos::initialize();
    }
    Owner(const Owner&) = delete;
    Owner& operator=(const Owner&) = delete;
    ~Owner() {
      if (mine) Kokkos::finalize();
    }
  };
  static const Owner owner;
}

/// Memory of `size` elements, not set to anything.
template <typename T>
DeviceArray<T> device_array(std::size_t size) {
  start_device();
  return DeviceArray<T>(Kokkos::view_alloc("kilobragg", Kokkos::WithoutInitializing), size);
}

/// Makes an array at least so long; what it held is lost.
template <typename T>
void grow(DeviceArray<T>& array, std::size_t size) {
  if (array.extent(0) < size) {
    array = DeviceArray<T>(); // first gives back, then takes
    array = device_array<T>(size + size / 4);
  }
}

template <typename T>
DeviceArray<T> to_device(const std::vector<T>& host) {
  DeviceArray<T> array = device_array<T>(host.size());
  Kokkos::deep_copy(
      array, Kokkos::View<const T*, Kokkos::HostSpace, Kokkos::MemoryTraits<Kokkos::Unmanaged>>(
                 host.data(), host.size()));
  return array;
}

/// Copies the first elements of an array to the host, `host.size()` of them.
template <typename T>
void to_host(const DeviceArray<T>& array, std::span<T> host) {
  Kokkos::deep_copy(HostArray<T>(host.data(), host.size()),
                    Kokkos::subview(array, std::make_pair(std::size_t(0), host.size())));
}

} // namespace kilobragg
