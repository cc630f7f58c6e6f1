# Which files runs open, and what becomes of reads that hang, fail or take long.
add_library(kilobragg_faults MODULE ${CMAKE_CURRENT_SOURCE_DIR}/../support/faults.cpp)
target_link_libraries(kilobragg_faults PRIVATE kilobragg_options ${CMAKE_DL_LIBS})
target_compile_options(kilobragg_faults PRIVATE -U_FORTIFY_SOURCE -fno-builtin)
kilobragg_test(app_stills_process_faults SOURCES stills_process_faults_test.cpp ROOMS programs
  LIBS kilobragg_hdf5 LABELS app DEFINES KILOBRAGG_MPIEXEC="${MPIEXEC_EXECUTABLE}"
          KILOBRAGG_FAULTS="$<TARGET_FILE:kilobragg_faults>")
add_dependencies(test_app_stills_process_faults stills_process kilobragg_faults)
set_tests_properties(app_stills_process_faults PROPERTIES PROCESSORS 2 TIMEOUT 600)
