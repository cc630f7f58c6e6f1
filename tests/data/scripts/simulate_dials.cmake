# Simulates three stills and asks DIALS to open the images and the true models.
file(REMOVE_RECURSE ${FOLDER})
execute_process(COMMAND ${SIMULATE} -q n_images=3 detector.preset=flat detector.pixels=256
                        detector.pixel_size=0.4 fraction.blanks=0 fraction.doubles=0
                        output.output_dir=${FOLDER}
                RESULT_VARIABLE status)
if(status)
  message(FATAL_ERROR "simulate_stills ended with ${status}")
endif()
foreach(file run_0000.h5 run_truth.expt)
  execute_process(COMMAND ${SHOW} ${FOLDER}/${file} RESULT_VARIABLE status OUTPUT_VARIABLE shown
                  ERROR_VARIABLE shown)
  if(status)
    message(FATAL_ERROR "DIALS cannot open ${file}: ${shown}")
  endif()
endforeach()
string(REGEX MATCHALL "Space group: *P 43 21 2" crystals "${shown}")
list(LENGTH crystals count)
if(NOT count EQUAL 3)
  message(FATAL_ERROR "DIALS shows ${count} crystals instead of 3: ${shown}")
endif()
