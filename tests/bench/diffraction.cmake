# Images per second of the forward model, and nanoseconds per lit pixel.
kilobragg_bench(diffraction SOURCES diffraction_bench.cpp ROOMS programs)
kilobragg_bench(nanobragg_image SOURCES nanobragg_image.cpp ROOMS diffraction)
