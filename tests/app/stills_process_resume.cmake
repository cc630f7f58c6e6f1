# Runs that are killed or asked to stop, and go on with --resume.
kilobragg_test(app_stills_process_resume SOURCES stills_process_resume_test.cpp ROOMS programs
  LIBS kilobragg_hdf5 LABELS app DEFINES KILOBRAGG_MPIEXEC="${MPIEXEC_EXECUTABLE}")
add_dependencies(test_app_stills_process_resume stills_process)
set_tests_properties(app_stills_process_resume PROPERTIES PROCESSORS 2 TIMEOUT 1200)
target_include_directories(test_app_stills_process_resume PRIVATE ${PROJECT_SOURCE_DIR}/src/programs)
# For scripts/reliability.sh.
add_executable(compare_runs compare_runs.cpp)
target_link_libraries(compare_runs PRIVATE kilobragg_programs kilobragg_testing kilobragg_options)
