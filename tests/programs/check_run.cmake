kilobragg_test(check_run SOURCES check_run_test.cpp ROOMS programs)
target_include_directories(test_check_run PRIVATE ${PROJECT_SOURCE_DIR}/src/programs)
