# CrystFEL streams, and images that were moved.
kilobragg_test(io_stream SOURCES stream_test.cpp ROOMS io integration LIBS GTest::gmock fmt::fmt)
kilobragg_test(io_image_finder SOURCES image_finder_test.cpp ROOMS io LIBS GTest::gmock)
