# Image files: chunk codec, NXmx, CBF, event index, masks, geometry.
kilobragg_test(io_bitshuffle SOURCES bitshuffle_test.cpp ROOMS io LIBS kilobragg_lz4)
kilobragg_test(io_nxmx_geometry SOURCES nxmx_geometry_test.cpp ROOMS io LIBS kilobragg_hdf5)
kilobragg_test(io_nxmx_frames SOURCES nxmx_frames_test.cpp ROOMS io LIBS kilobragg_hdf5)
kilobragg_test(io_nxmx_beams SOURCES nxmx_beams_test.cpp ROOMS io LIBS kilobragg_hdf5)
kilobragg_test(io_nxmx_writer SOURCES nxmx_writer_test.cpp ROOMS io LIBS kilobragg_hdf5)
kilobragg_test(io_nxmx_master SOURCES nxmx_master_test.cpp ROOMS io LIBS kilobragg_hdf5 fmt::fmt)
kilobragg_test(io_event_index SOURCES event_index_test.cpp ROOMS io LIBS kilobragg_hdf5)
kilobragg_test(io_geometry_and_masks SOURCES geometry_and_masks_test.cpp ROOMS io
  LIBS kilobragg_hdf5)
kilobragg_test(io_cbf SOURCES cbf_test.cpp ROOMS io LIBS kilobragg_hdf5 kilobragg_cbf)
