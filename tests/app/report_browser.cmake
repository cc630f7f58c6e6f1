# The HTML report of a run in chromium; skipped where there is none.
kilobragg_test(app_report_browser SOURCES report_browser_test.cpp ROOMS programs
  LIBS kilobragg_hdf5 LABELS app browser DEFINES KILOBRAGG_MPIEXEC="${MPIEXEC_EXECUTABLE}")
add_dependencies(test_app_report_browser stills_process)
set_tests_properties(app_report_browser PROPERTIES PROCESSORS 2)
