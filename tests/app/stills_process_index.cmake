# Saved indices of places over several runs.
kilobragg_test(app_stills_process_index SOURCES stills_process_index_test.cpp ROOMS programs
  LIBS kilobragg_hdf5 LABELS app DEFINES KILOBRAGG_MPIEXEC="${MPIEXEC_EXECUTABLE}")
add_dependencies(test_app_stills_process_index stills_process)
set_tests_properties(app_stills_process_index PROPERTIES PROCESSORS 2)
