# Tables, states and stores of refinement against pixels.
kilobragg_test(pixel_report SOURCES pixel_report_test.cpp ROOMS programs)
target_include_directories(test_pixel_report PRIVATE ${PROJECT_SOURCE_DIR}/src/programs)
kilobragg_test(factor_conversion SOURCES factor_conversion_test.cpp ROOMS programs)
target_include_directories(test_factor_conversion PRIVATE ${PROJECT_SOURCE_DIR}/src/programs)
kilobragg_test(pixel_state SOURCES pixel_state_test.cpp ROOMS programs)
target_include_directories(test_pixel_state PRIVATE ${PROJECT_SOURCE_DIR}/src/programs)
kilobragg_test(shot_store SOURCES shot_store_test.cpp ROOMS programs LABELS mpi RANKS 1 2)
target_include_directories(test_shot_store PRIVATE ${PROJECT_SOURCE_DIR}/src/programs)
