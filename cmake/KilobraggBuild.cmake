# Build rules shared by every room: language, warnings, and how a room, an app or a test is declared.
set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
if(NOT CMAKE_BUILD_TYPE AND NOT CMAKE_CONFIGURATION_TYPES)
  set(CMAKE_BUILD_TYPE Release CACHE STRING "Release, Debug, RelWithDebInfo" FORCE)
endif()
include(GNUInstallDirs)

# Results must not depend on which instruction set contracted a*b+c, so contraction is off. Sources in
# the language of a GPU (KilobraggDevice) take none of these options: nvcc knows few of them.
add_library(kilobragg_options INTERFACE)
target_compile_options(kilobragg_options INTERFACE
  $<BUILD_INTERFACE:$<$<COMPILE_LANGUAGE:C,CXX>:-Wall;-Wextra;-Wpedantic;-Wshadow;-Wconversion;-Wno-sign-conversion>>
  $<BUILD_INTERFACE:$<$<COMPILE_LANGUAGE:C,CXX>:-ffp-contract=off>>
  # Nobody asks errno about a square root, and loops over roots can then be vectorised.
  $<BUILD_INTERFACE:$<$<COMPILE_LANGUAGE:C,CXX>:-fno-math-errno>>)
if(KILOBRAGG_WERROR)
  target_compile_options(kilobragg_options INTERFACE
    $<BUILD_INTERFACE:$<$<COMPILE_LANGUAGE:C,CXX>:-Werror>>)
endif()
if(KILOBRAGG_ARCH)
  target_compile_options(kilobragg_options INTERFACE
    $<BUILD_INTERFACE:$<$<COMPILE_LANGUAGE:C,CXX>:-march=${KILOBRAGG_ARCH}>>)
endif()
if(KILOBRAGG_SANITIZE)
  target_compile_options(kilobragg_options INTERFACE
    $<BUILD_INTERFACE:-fsanitize=${KILOBRAGG_SANITIZE} -fno-sanitize-recover=all -fno-omit-frame-pointer>)
  target_link_options(kilobragg_options INTERFACE $<BUILD_INTERFACE:-fsanitize=${KILOBRAGG_SANITIZE}>)
endif()

# kilobragg_room(<name> SOURCES ... [ROOMS ...] [PRIVATE ...] [PUBLIC ...])
# One library per room, with the alias kilobragg::<name>. ROOMS are the rooms it knows;
# PRIVATE are libraries that its sources use, PUBLIC those that its headers show.
function(kilobragg_room name)
  cmake_parse_arguments(ROOM "" "" "SOURCES;ROOMS;PRIVATE;PUBLIC" ${ARGN})
  add_library(kilobragg_${name} ${ROOM_SOURCES})
  add_library(kilobragg::${name} ALIAS kilobragg_${name})
  set_target_properties(kilobragg_${name} PROPERTIES EXPORT_NAME ${name})
  target_include_directories(kilobragg_${name} PUBLIC
    $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/include>
    $<BUILD_INTERFACE:${PROJECT_BINARY_DIR}/include>
    $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)
  list(TRANSFORM ROOM_ROOMS PREPEND kilobragg_)
  target_link_libraries(kilobragg_${name}
    PUBLIC kilobragg_kernels ${ROOM_ROOMS} ${ROOM_PUBLIC}
    PRIVATE ${ROOM_PRIVATE} $<BUILD_INTERFACE:kilobragg_options>)
  set_property(GLOBAL APPEND PROPERTY KILOBRAGG_ROOMS kilobragg_${name})
endfunction()

# kilobragg_app(<name> ROOMS ...): apps/<name>.cpp becomes the program <name>.
function(kilobragg_app name)
  cmake_parse_arguments(APP "" "" "ROOMS" ${ARGN})
  add_executable(${name} ${name}.cpp)
  list(TRANSFORM APP_ROOMS PREPEND kilobragg_)
  target_link_libraries(${name} PRIVATE ${APP_ROOMS} kilobragg_options)
  install(TARGETS ${name} RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
endfunction()

# kilobragg_test(<name> SOURCES ... ROOMS ... [LIBS ...] [LABELS unit|mpi|app|data|gpu]
#                [RANKS n ...] [DEFINES ...])
# One GoogleTest program; with RANKS it has its own main and runs once under mpiexec for each n.
function(kilobragg_test name)
  cmake_parse_arguments(TEST "" "" "SOURCES;ROOMS;LIBS;LABELS;RANKS;DEFINES" ${ARGN})
  if(NOT TEST_LABELS)
    set(TEST_LABELS unit)
  endif()
  add_executable(test_${name} ${TEST_SOURCES})
  list(TRANSFORM TEST_ROOMS PREPEND kilobragg_)
  target_link_libraries(test_${name} PRIVATE ${TEST_ROOMS} ${TEST_LIBS} kilobragg_testing
                                             kilobragg_options)
  target_compile_definitions(test_${name} PRIVATE ${TEST_DEFINES})
  if(TEST_RANKS)
    target_link_libraries(test_${name} PRIVATE kilobragg_mpi_test_main)
    foreach(ranks IN LISTS TEST_RANKS)
      add_test(NAME ${name}.${ranks}
        COMMAND ${MPIEXEC_EXECUTABLE} ${MPIEXEC_NUMPROC_FLAG} ${ranks} --oversubscribe
                $<TARGET_FILE:test_${name}>)
      set_tests_properties(${name}.${ranks} PROPERTIES PROCESSORS ${ranks} LABELS "${TEST_LABELS}"
        TIMEOUT 300
        ENVIRONMENT "OMPI_ALLOW_RUN_AS_ROOT=1;OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1;OMPI_MCA_btl_vader_single_copy_mechanism=none")
    endforeach()
  else()
    target_link_libraries(test_${name} PRIVATE GTest::gtest_main)
    add_test(NAME ${name} COMMAND test_${name})
    set_tests_properties(${name} PROPERTIES LABELS "${TEST_LABELS}" TIMEOUT 300
      SKIP_REGULAR_EXPRESSION "^ALL TESTS SKIPPED"
      ENVIRONMENT "OMPI_ALLOW_RUN_AS_ROOT=1;OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1")
  endif()
endfunction()

# kilobragg_bench(<name> SOURCES ... ROOMS ...): one Google Benchmark program, not run by ctest.
function(kilobragg_bench name)
  if(NOT KILOBRAGG_BENCHMARKS)
    return()
  endif()
  cmake_parse_arguments(BENCH "" "" "SOURCES;ROOMS;LIBS" ${ARGN})
  add_executable(bench_${name} ${BENCH_SOURCES})
  list(TRANSFORM BENCH_ROOMS PREPEND kilobragg_)
  target_link_libraries(bench_${name} PRIVATE ${BENCH_ROOMS} ${BENCH_LIBS} kilobragg_options
                                              benchmark::benchmark benchmark::benchmark_main)
endfunction()
