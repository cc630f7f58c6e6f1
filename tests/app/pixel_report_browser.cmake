# The page of refinement against pixels in chromium; skipped where there is none.
kilobragg_test(app_pixel_report_browser SOURCES pixel_report_browser_test.cpp ROOMS report
  LABELS app browser)
