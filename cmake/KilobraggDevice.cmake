# The language of the GPU that Kokkos was built for. Kokkos must have been built with
# Kokkos_ENABLE_COMPILE_AS_CMAKE_LANGUAGE; then only the sources that hold launches need nvcc or ROCm's
# clang, everything else is translated as ever.
set(KILOBRAGG_DEVICE_LANGUAGE CXX)
if(Kokkos_ENABLE_CUDA OR Kokkos_ENABLE_HIP)
  if(Kokkos_COMPILE_LANGUAGE)
    set(KILOBRAGG_DEVICE_LANGUAGE ${Kokkos_COMPILE_LANGUAGE})
  endif()
  if(KILOBRAGG_DEVICE_LANGUAGE STREQUAL "CXX")
    message(FATAL_ERROR "Kokkos (${Kokkos_DIR}) was built for a GPU through a compiler wrapper. "
      "Build it with -DKokkos_ENABLE_COMPILE_AS_CMAKE_LANGUAGE=ON")
  endif()
  if(NOT CMAKE_${KILOBRAGG_DEVICE_LANGUAGE}_ARCHITECTURES)
    set(CMAKE_${KILOBRAGG_DEVICE_LANGUAGE}_ARCHITECTURES
      ${Kokkos_${KILOBRAGG_DEVICE_LANGUAGE}_ARCHITECTURES})
  endif()
  enable_language(${KILOBRAGG_DEVICE_LANGUAGE})
  if(NOT CMAKE_${KILOBRAGG_DEVICE_LANGUAGE}20_STANDARD_COMPILE_OPTION)
    # CMake below 3.26 does not know that nvcc speaks C++20.
    set(CMAKE_${KILOBRAGG_DEVICE_LANGUAGE}20_STANDARD_COMPILE_OPTION -std=c++20)
    set(CMAKE_${KILOBRAGG_DEVICE_LANGUAGE}20_EXTENSION_COMPILE_OPTION -std=c++20)
  endif()
  # fmt 9 takes nvcc for a compiler that cannot do constexpr, and stumbles over itself.
  add_compile_definitions($<$<COMPILE_LANGUAGE:CUDA>:FMT_USE_CONSTEXPR=1>)
  message(STATUS "Launches are compiled as ${KILOBRAGG_DEVICE_LANGUAGE} for "
    "${CMAKE_${KILOBRAGG_DEVICE_LANGUAGE}_ARCHITECTURES}")
endif()

# kilobragg_device_sources(<source> ...): sources that include kernels/device.hpp, to be called in the
# CMakeLists.txt that makes their target. Tests compile them again (KILOBRAGG_DEVICE_SOURCES).
function(kilobragg_device_sources)
  set_source_files_properties(${ARGN} PROPERTIES LANGUAGE ${KILOBRAGG_DEVICE_LANGUAGE})
  list(TRANSFORM ARGN PREPEND ${CMAKE_CURRENT_SOURCE_DIR}/)
  set_property(GLOBAL APPEND PROPERTY KILOBRAGG_DEVICE_SOURCES ${ARGN})
endfunction()
