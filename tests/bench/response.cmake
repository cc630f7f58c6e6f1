# Megapixels per second of background, point spread, noise and readout.
kilobragg_bench(response SOURCES response_bench.cpp ROOMS diffraction)
