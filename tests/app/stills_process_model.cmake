# stills_process with integration.integrator=pixel_model on simulated stills.
kilobragg_test(app_stills_process_model SOURCES stills_process_model_test.cpp ROOMS programs LIBS kilobragg_hdf5 LABELS app
  DEFINES KILOBRAGG_MPIEXEC="${MPIEXEC_EXECUTABLE}")
add_dependencies(test_app_stills_process_model stills_process simulate_stills)
set_tests_properties(app_stills_process_model PROPERTIES PROCESSORS 2)
