# Libraries that come without a usable CMake package on Debian 12 or Ubuntu 24.04.

# gemmi: header-only up to 0.5, a compiled library later; kilobragg_gemmi hides which. Its CMake
# package is passed by: Debian's names a program that comes in another package.
find_path(GEMMI_INCLUDE_DIR gemmi/symmetry.hpp REQUIRED)
find_library(GEMMI_LIBRARY gemmi_cpp)
add_library(kilobragg_gemmi INTERFACE)
target_include_directories(kilobragg_gemmi SYSTEM INTERFACE ${GEMMI_INCLUDE_DIR})
if(GEMMI_LIBRARY)
  target_link_libraries(kilobragg_gemmi INTERFACE ${GEMMI_LIBRARY} ZLIB::ZLIB)
else()
  target_compile_definitions(kilobragg_gemmi INTERFACE KILOBRAGG_GEMMI_HEADER_ONLY=1)
  target_link_libraries(kilobragg_gemmi INTERFACE ZLIB::ZLIB)
endif()

# msgpack-c: the C++ headers, without their optional Boost parts.
find_path(MSGPACK_INCLUDE_DIR msgpack.hpp REQUIRED)
add_library(kilobragg_msgpack INTERFACE)
target_include_directories(kilobragg_msgpack SYSTEM INTERFACE ${MSGPACK_INCLUDE_DIR})
target_compile_definitions(kilobragg_msgpack INTERFACE MSGPACK_NO_BOOST=1)

find_path(LZ4_INCLUDE_DIR lz4.h REQUIRED)
find_library(LZ4_LIBRARY lz4 REQUIRED)
add_library(kilobragg_lz4 INTERFACE)
target_include_directories(kilobragg_lz4 SYSTEM INTERFACE ${LZ4_INCLUDE_DIR})
target_link_libraries(kilobragg_lz4 INTERFACE ${LZ4_LIBRARY})

find_path(CBF_INCLUDE_DIR cbflib/cbf.h PATH_SUFFIXES cbf REQUIRED)
find_library(CBF_LIBRARY cbf REQUIRED)
add_library(kilobragg_cbf INTERFACE)
target_include_directories(kilobragg_cbf SYSTEM INTERFACE ${CBF_INCLUDE_DIR})
target_link_libraries(kilobragg_cbf INTERFACE ${CBF_LIBRARY})

# HDF5 as one target with the serial flavour, whichever way FindHDF5 reports it.
add_library(kilobragg_hdf5 INTERFACE)
target_include_directories(kilobragg_hdf5 SYSTEM INTERFACE ${HDF5_C_INCLUDE_DIRS})
target_link_libraries(kilobragg_hdf5 INTERFACE ${HDF5_C_LIBRARIES})
