# Images per second of the forward model, and nanoseconds per lit pixel.
kilobragg_bench(diffraction SOURCES diffraction_bench.cpp ROOMS programs)
