# stills_process on several files with a wavelength per shot, on their lists, and on lists with gaps.
kilobragg_test(app_stills_process_many_files SOURCES stills_process_many_files_test.cpp
  ROOMS programs LIBS kilobragg_hdf5 LABELS app
  DEFINES KILOBRAGG_MPIEXEC="${MPIEXEC_EXECUTABLE}")
add_dependencies(test_app_stills_process_many_files stills_process simulate_stills)
set_tests_properties(app_stills_process_many_files PROPERTIES PROCESSORS 2)
