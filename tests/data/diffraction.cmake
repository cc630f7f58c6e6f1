# The forward model beside an independent simulator's images, from the same truth.
kilobragg_test(data_diffraction SOURCES diffraction_nanobragg_test.cpp
  ROOMS diffraction io LIBS nlohmann_json::nlohmann_json LABELS data)

# What DIALS makes of simulated images and truth.
find_program(KILOBRAGG_DIALS_SHOW dials.show)
if(KILOBRAGG_DIALS_SHOW)
  add_test(NAME data_simulate_dials
    COMMAND ${CMAKE_COMMAND} -D SIMULATE=$<TARGET_FILE:simulate_stills> -D SHOW=${KILOBRAGG_DIALS_SHOW}
            -D FOLDER=${CMAKE_CURRENT_BINARY_DIR}/simulate_dials
            -P ${CMAKE_CURRENT_LIST_DIR}/scripts/simulate_dials.cmake)
  set_tests_properties(data_simulate_dials PROPERTIES LABELS data TIMEOUT 300)

  # The master of a run on many panels, on two ranks.
  add_test(NAME data_simulate_master
    COMMAND ${CMAKE_COMMAND} -D SIMULATE=$<TARGET_FILE:simulate_stills> -D MPIEXEC=${MPIEXEC_EXECUTABLE}
            -D FOLDER=${CMAKE_CURRENT_BINARY_DIR}/simulate_master
            -D COMPARE=${CMAKE_CURRENT_LIST_DIR}/scripts/compare_master.py
            -P ${CMAKE_CURRENT_LIST_DIR}/scripts/simulate_master.cmake)
  set_tests_properties(data_simulate_master PROPERTIES LABELS data TIMEOUT 300 PROCESSORS 2
    SKIP_REGULAR_EXPRESSION "SKIPPED: ")
endif()

kilobragg_test(data_nanobragg_images SOURCES nanobragg_images_test.cpp ROOMS diffraction LABELS data)
