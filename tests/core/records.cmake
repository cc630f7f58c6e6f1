kilobragg_test(core_hash SOURCES hash_test.cpp ROOMS core)
kilobragg_test(core_files SOURCES files_test.cpp ROOMS core LIBS GTest::gmock)
kilobragg_test(core_record_log SOURCES record_log_test.cpp ROOMS core)
