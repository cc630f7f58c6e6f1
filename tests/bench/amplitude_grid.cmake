# Looking up structure factors by index.
kilobragg_bench(amplitude_grid SOURCES amplitude_grid_bench.cpp ROOMS diffraction)
