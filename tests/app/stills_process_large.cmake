# Many frames and many files: the first result comes at once.
kilobragg_test(app_stills_process_large SOURCES stills_process_large_test.cpp ROOMS programs
  LIBS kilobragg_hdf5 LABELS app DEFINES KILOBRAGG_MPIEXEC="${MPIEXEC_EXECUTABLE}")
add_dependencies(test_app_stills_process_large stills_process)
set_tests_properties(app_stills_process_large PROPERTIES PROCESSORS 2 TIMEOUT 600)
