kilobragg_test(phil SOURCES phil_test.cpp ROOMS core)
kilobragg_test(options SOURCES options_test.cpp ROOMS core)
kilobragg_test(log SOURCES log_test.cpp ROOMS core)
