# What stills_process says about wrong inputs, and geometry, masks and lists from elsewhere.
kilobragg_test(app_stills_process_inputs SOURCES stills_process_inputs_test.cpp ROOMS programs
  LIBS kilobragg_hdf5 LABELS app DEFINES KILOBRAGG_MPIEXEC="${MPIEXEC_EXECUTABLE}")
add_dependencies(test_app_stills_process_inputs stills_process)
set_tests_properties(app_stills_process_inputs PROPERTIES PROCESSORS 2)
