# Decoding of bitshuffle-LZ4 frames, beside HDF5's plugin in the same run.
kilobragg_bench(bitshuffle SOURCES bitshuffle_bench.cpp ROOMS io LIBS kilobragg_hdf5)
