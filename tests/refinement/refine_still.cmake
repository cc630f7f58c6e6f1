kilobragg_test(refine_still
  SOURCES cell_freedom_test.cpp outliers_test.cpp psi_weights_test.cpp refine_still_test.cpp
          stills_target_test.cpp
  ROOMS refinement)
