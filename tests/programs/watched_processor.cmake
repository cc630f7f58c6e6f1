kilobragg_test(watched_processor SOURCES watched_processor_test.cpp ROOMS programs)
target_include_directories(test_watched_processor PRIVATE ${PROJECT_SOURCE_DIR}/src/programs)
