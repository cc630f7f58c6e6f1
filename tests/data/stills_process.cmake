# stills_process on the real image sets, judged against DIALS's results and the truth.
kilobragg_test(data_stills_process
  SOURCES stills_process_test.cpp stills_reference.cpp
  ROOMS programs
  LIBS nlohmann_json::nlohmann_json LABELS data)
add_dependencies(test_data_stills_process stills_process)
set_tests_properties(data_stills_process PROPERTIES TIMEOUT 600)
