kilobragg_test(io_amplitudes SOURCES ${CMAKE_CURRENT_LIST_DIR}/cif_text_test.cpp
  ${CMAKE_CURRENT_LIST_DIR}/reference_amplitudes_test.cpp ROOMS io LIBS ZLIB::ZLIB)
