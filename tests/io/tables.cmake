kilobragg_test(io_reflection_file SOURCES reflection_file_test.cpp ROOMS io LIBS GTest::gmock)
