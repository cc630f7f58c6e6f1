# `cmake --install` puts programs, headers and an exported package in place:
# find_package(KiloBragg) then offers kilobragg::<room>.
include(CMakePackageConfigHelpers)
set(_package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/KiloBragg)
get_property(_rooms GLOBAL PROPERTY KILOBRAGG_ROOMS)
set(_targets kilobragg_kernels ${_rooms})
if(NOT KILOBRAGG_KERNELS_ONLY)
  # Private interface targets travel with static libraries as $<LINK_ONLY:...>.
  list(APPEND _targets kilobragg_gemmi kilobragg_msgpack kilobragg_lz4 kilobragg_cbf kilobragg_hdf5)
  install(DIRECTORY ${PROJECT_SOURCE_DIR}/include/ DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}
    FILES_MATCHING PATTERN "*.hpp")
endif()
install(DIRECTORY ${PROJECT_SOURCE_DIR}/kernels DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/kilobragg
  FILES_MATCHING PATTERN "*.hpp")
install(TARGETS ${_targets} EXPORT KiloBraggTargets
  LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR} ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(EXPORT KiloBraggTargets NAMESPACE kilobragg:: DESTINATION ${_package_dir})
configure_package_config_file(${PROJECT_SOURCE_DIR}/cmake/KiloBraggConfig.cmake.in
  ${PROJECT_BINARY_DIR}/KiloBraggConfig.cmake INSTALL_DESTINATION ${_package_dir})
write_basic_package_version_file(${PROJECT_BINARY_DIR}/KiloBraggConfigVersion.cmake
  COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/KiloBraggConfig.cmake
  ${PROJECT_BINARY_DIR}/KiloBraggConfigVersion.cmake
  ${PROJECT_SOURCE_DIR}/cmake/FindKokkosRepaired.cmake DESTINATION ${_package_dir})
