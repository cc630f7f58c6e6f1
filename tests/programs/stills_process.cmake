kilobragg_test(stills_options SOURCES stills_options_test.cpp ROOMS programs)
kilobragg_test(stills_parts SOURCES stills_parts_test.cpp ROOMS programs)
target_include_directories(test_stills_parts PRIVATE ${PROJECT_SOURCE_DIR}/src/programs)
