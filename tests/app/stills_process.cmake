# stills_process as users start it, alone and under mpirun.
kilobragg_test(app_stills_process SOURCES stills_process_test.cpp ROOMS programs LIBS kilobragg_hdf5 LABELS app
  DEFINES KILOBRAGG_MPIEXEC="${MPIEXEC_EXECUTABLE}")
add_dependencies(test_app_stills_process stills_process)
set_tests_properties(app_stills_process PROPERTIES PROCESSORS 2)
