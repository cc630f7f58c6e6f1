# The program merge as users call it: what it writes, and what it says about bad input.
kilobragg_test(app_merge SOURCES merge_app_test.cpp ROOMS programs
  LIBS nlohmann_json::nlohmann_json LABELS app DEFINES KILOBRAGG_MERGE="$<TARGET_FILE:merge>"
          KILOBRAGG_MPIEXEC="${MPIEXEC_EXECUTABLE}")
add_dependencies(test_app_merge merge)
set_tests_properties(app_merge PROPERTIES PROCESSORS 2)
