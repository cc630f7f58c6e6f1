kilobragg_test(data_tables SOURCES tables_test.cpp ROOMS io LIBS GTest::gmock LABELS data)
kilobragg_test(data_dials_opens SOURCES dials_opens_test.cpp ROOMS io LABELS data)
# DIALS alone takes long to start, on a busy machine minutes.
set_tests_properties(data_dials_opens PROPERTIES TIMEOUT 900)
