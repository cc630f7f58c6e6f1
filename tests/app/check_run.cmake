# The dry run of stills_process.
kilobragg_test(app_check_run SOURCES check_run_test.cpp ROOMS programs LIBS kilobragg_hdf5 LABELS app
  DEFINES KILOBRAGG_MPIEXEC="${MPIEXEC_EXECUTABLE}")
add_dependencies(test_app_check_run stills_process)
set_tests_properties(app_check_run PROPERTIES PROCESSORS 2)
