# Simulates three stills of a CSPAD on two ranks, moves them, and asks dxtbx what the master holds.
file(REMOVE_RECURSE ${FOLDER} ${FOLDER}_moved)
execute_process(COMMAND ${MPIEXEC} --oversubscribe -n 2 ${SIMULATE} -q n_images=3 detector.preset=CSPAD
                        beam.spectrum=sase beam.channels=20 amplitudes.d_min=3 fraction.blanks=0
                        output.output_dir=${FOLDER}
                RESULT_VARIABLE status)
if(status)
  message(FATAL_ERROR "simulate_stills ended with ${status}")
endif()
file(RENAME ${FOLDER} ${FOLDER}_moved)
execute_process(COMMAND /usr/bin/python3 ${COMPARE} ${FOLDER}_moved RESULT_VARIABLE status
                OUTPUT_VARIABLE said ERROR_VARIABLE said)
message("${said}")
if(status AND NOT status EQUAL 77)
  message(FATAL_ERROR "dxtbx sees another run than was simulated")
endif()
