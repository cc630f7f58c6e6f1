kilobragg_test(io_reflection_file SOURCES reflection_file_test.cpp ROOMS io LIBS GTest::gmock)
kilobragg_test(io_experiments SOURCES experiments_test.cpp ROOMS io
               LIBS GTest::gmock nlohmann_json::nlohmann_json)
kilobragg_test(io_mtz SOURCES mtz_test.cpp ROOMS io LIBS GTest::gmock)
kilobragg_test(io_still_tables SOURCES still_tables_test.cpp ROOMS io)
kilobragg_test(io_shard SOURCES shard_test.cpp ROOMS io LIBS GTest::gmock)
kilobragg_test(io_shot_list SOURCES shot_list_test.cpp ROOMS io LIBS GTest::gmock)
kilobragg_test(io_factors_mtz SOURCES factors_mtz_test.cpp ROOMS io LIBS GTest::gmock)
kilobragg_test(io_free_flags SOURCES free_flags_test.cpp ROOMS io
               LIBS GTest::gmock kilobragg_gemmi)
