# merge on several ranks writes the same bytes as on one.
kilobragg_test(mpi_merge SOURCES merge_ranks_test.cpp
  ROOMS programs LIBS MPI::MPI_CXX LABELS mpi RANKS 1 2 3 5)
