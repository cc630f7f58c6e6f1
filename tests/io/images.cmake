# Image files: chunk codec, NXmx, CBF, event index, masks, geometry.
kilobragg_test(io_bitshuffle SOURCES bitshuffle_test.cpp ROOMS io LIBS kilobragg_lz4)
kilobragg_test(io_nxmx_geometry SOURCES nxmx_geometry_test.cpp ROOMS io LIBS kilobragg_hdf5)
kilobragg_test(io_nxmx_frames SOURCES nxmx_frames_test.cpp ROOMS io LIBS kilobragg_hdf5)
