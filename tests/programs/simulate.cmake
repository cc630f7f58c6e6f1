# What simulate_stills draws and on which detectors.
kilobragg_test(simulate_detectors SOURCES simulate_detectors_test.cpp ROOMS programs)
target_include_directories(test_simulate_detectors PRIVATE ${PROJECT_SOURCE_DIR}/src/programs)
kilobragg_test(simulate_draws SOURCES simulate_draws_test.cpp ROOMS programs)
target_include_directories(test_simulate_draws PRIVATE ${PROJECT_SOURCE_DIR}/src/programs)
kilobragg_test(simulate_response SOURCES simulate_response_test.cpp ROOMS programs
  LIBS nlohmann_json::nlohmann_json)
target_include_directories(test_simulate_response PRIVATE ${PROJECT_SOURCE_DIR}/src/programs)
