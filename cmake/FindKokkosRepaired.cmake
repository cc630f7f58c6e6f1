# Kokkos, from Debian's 3.4 up to 5. The range form of find_package rejects Debian's package,
# so the plain minimum is given. Debian's target names an include directory that does not exist.
find_package(Kokkos 3.4 REQUIRED)
get_target_property(_kokkos_dirs Kokkos::kokkos INTERFACE_INCLUDE_DIRECTORIES)
set(_kokkos_found FALSE)
foreach(_dir IN LISTS _kokkos_dirs)
  if(EXISTS "${_dir}/Kokkos_Core.hpp")
    set(_kokkos_found TRUE)
  endif()
endforeach()
if(NOT _kokkos_found AND Kokkos_INCLUDE_DIRS)
  set_target_properties(Kokkos::kokkos PROPERTIES
    INTERFACE_INCLUDE_DIRECTORIES "${Kokkos_INCLUDE_DIRS}"
    INTERFACE_SYSTEM_INCLUDE_DIRECTORIES "${Kokkos_INCLUDE_DIRS}")
endif()
