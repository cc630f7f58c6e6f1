kilobragg_test(batch_policy SOURCES batch_policy_test.cpp ROOMS programs)
target_include_directories(test_batch_policy PRIVATE ${PROJECT_SOURCE_DIR}/src/programs)
