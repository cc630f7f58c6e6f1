# merge --pixels as users call it: ranks, signals, kills, steps one by one, and all that can be wrong.
kilobragg_test(app_merge_pixels SOURCES merge_pixels_test.cpp ROOMS programs
  LIBS nlohmann_json::nlohmann_json kilobragg_hdf5 LABELS app
  DEFINES KILOBRAGG_MPIEXEC="${MPIEXEC_EXECUTABLE}")
add_dependencies(test_app_merge_pixels merge simulate_stills stills_process)
set_tests_properties(app_merge_pixels PROPERTIES PROCESSORS 2 TIMEOUT 1200)
