# Tables of refinement against pixels.
kilobragg_test(pixel_report SOURCES pixel_report_test.cpp ROOMS programs)
target_include_directories(test_pixel_report PRIVATE ${PROJECT_SOURCE_DIR}/src/programs)
kilobragg_test(factor_conversion SOURCES factor_conversion_test.cpp ROOMS programs)
target_include_directories(test_factor_conversion PRIVATE ${PROJECT_SOURCE_DIR}/src/programs)
