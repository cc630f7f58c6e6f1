# Nanoseconds per pixel of one evaluation of stage 2, beside STREAM's triad.
kilobragg_bench(factor_stream SOURCES factor_stream_bench.cpp ROOMS pixelrefinement)
if(TARGET bench_factor_stream)
  target_include_directories(bench_factor_stream PRIVATE ${PROJECT_SOURCE_DIR})
endif()
