// KOKKOS_FUNCTION for every compiler: also for the host's where Kokkos was built for a GPU.
#pragma once

// Kokkos refuses a compiler that does not know its GPU, but most sources hold no kernel and need none.
// KILOBRAGG_GPU is defined by the build where Kokkos has CUDA or HIP.
#if !defined(KILOBRAGG_GPU) || defined(__CUDACC__) || defined(__HIPCC__)
#include <Kokkos_Macros.hpp>
#else
#define KOKKOS_FUNCTION
#define KOKKOS_INLINE_FUNCTION inline
#define KOKKOS_FORCEINLINE_FUNCTION inline
#endif
