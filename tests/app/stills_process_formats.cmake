# stills_process on every kind of image file: the same lattices as from the same pixels as NXmx.
kilobragg_test(app_stills_process_formats SOURCES stills_process_formats_test.cpp ROOMS programs
  LIBS kilobragg_hdf5 kilobragg_cbf LABELS app DEFINES KILOBRAGG_MPIEXEC="${MPIEXEC_EXECUTABLE}")
add_dependencies(test_app_stills_process_formats stills_process)
set_tests_properties(app_stills_process_formats PROPERTIES PROCESSORS 2)
