# simulate_stills as users start it, alone and under mpirun; what it draws and refuses.
kilobragg_test(app_simulate_stills SOURCES simulate_stills_test.cpp ROOMS programs
  LIBS nlohmann_json::nlohmann_json LABELS app
  DEFINES KILOBRAGG_MPIEXEC="${MPIEXEC_EXECUTABLE}")
add_dependencies(test_app_simulate_stills simulate_stills stills_process)
set_tests_properties(app_simulate_stills PROPERTIES PROCESSORS 2)
