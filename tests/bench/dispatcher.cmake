# The dispatcher under mpirun, so with a main of its own.
if(KILOBRAGG_BENCHMARKS)
  add_executable(bench_dispatcher dispatcher_bench.cpp)
  target_include_directories(bench_dispatcher PRIVATE ${PROJECT_SOURCE_DIR}/src/programs)
  target_link_libraries(bench_dispatcher PRIVATE kilobragg_programs kilobragg_parallel
                                                 kilobragg_testing kilobragg_options)
endif()
