kilobragg_bench(spotfinding SOURCES ${CMAKE_CURRENT_SOURCE_DIR}/spotfinding_bench.cpp
                ROOMS spotfinding)
