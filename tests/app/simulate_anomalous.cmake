# simulate_stills with anomalous dispersion.
kilobragg_test(app_simulate_anomalous SOURCES simulate_anomalous_test.cpp ROOMS io LABELS app)
add_dependencies(test_app_simulate_anomalous simulate_stills)
