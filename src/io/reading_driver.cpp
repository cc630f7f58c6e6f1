// An HDF5 file driver over pread that notes reads of raw data.
#include "reading_driver.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#if H5_VERSION_GE(1, 14, 0)
#include <H5FDdevelop.h>
#endif

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <new>
#include <type_traits>
#include <utility>

namespace kilobragg::io::hdf5 {
namespace {

thread_local std::vector<FileRange>* noted = nullptr;

/// HDF5 knows it by its first member only.
struct ReadingFile {
  H5FD_t shared = {};
  std::string path;
  int descriptor = -1;
  haddr_t end_of_allocation = 0;
  haddr_t end_of_file = 0;
  dev_t device = 0;
  ino_t inode = 0;
};
static_assert(std::is_standard_layout_v<ReadingFile>);

ReadingFile* mine(H5FD_t* file) { return reinterpret_cast<ReadingFile*>(file); }
const ReadingFile* mine(const H5FD_t* file) { return reinterpret_cast<const ReadingFile*>(file); }

H5FD_t* open_reading(const char* name, unsigned flags, hid_t, haddr_t) {
  if ((flags & (H5F_ACC_RDWR | H5F_ACC_TRUNC | H5F_ACC_CREAT)) != 0) return nullptr;
  const int descriptor = ::open(name, O_RDONLY | O_CLOEXEC);
  struct stat status {};
  if (descriptor < 0 || ::fstat(descriptor, &status) != 0) {
    if (descriptor >= 0) ::close(descriptor);
    return nullptr;
  }
  auto* file = new (std::nothrow) ReadingFile;
  if (!file) return nullptr;
  file->path = std::filesystem::absolute(name).lexically_normal().string();
  file->descriptor = descriptor;
  file->end_of_file = static_cast<haddr_t>(status.st_size);
  file->device = status.st_dev;
  file->inode = status.st_ino;
  return &file->shared;
}

herr_t close_reading(H5FD_t* file) {
  const int status = ::close(mine(file)->descriptor);
  delete mine(file);
  return status;
}

/// Order of files, the same file opened twice being equal.
int compare(const H5FD_t* first, const H5FD_t* second) {
  const auto a = std::pair(mine(first)->device, mine(first)->inode);
  const auto b = std::pair(mine(second)->device, mine(second)->inode);
  return a < b ? -1 : a > b ? 1 : 0;
}

herr_t features(const H5FD_t*, unsigned long* flags) {
  if (flags)
    *flags = H5FD_FEAT_AGGREGATE_METADATA | H5FD_FEAT_ACCUMULATE_METADATA | H5FD_FEAT_DATA_SIEVE |
             H5FD_FEAT_POSIX_COMPAT_HANDLE | H5FD_FEAT_SUPPORTS_SWMR_IO |
             H5FD_FEAT_DEFAULT_VFD_COMPATIBLE;
  return 0;
}

haddr_t end_of_allocation(const H5FD_t* file, H5FD_mem_t) { return mine(file)->end_of_allocation; }

herr_t set_end_of_allocation(H5FD_t* file, H5FD_mem_t, haddr_t address) {
  mine(file)->end_of_allocation = address;
  return 0;
}

haddr_t end_of_file(const H5FD_t* file, H5FD_mem_t) { return mine(file)->end_of_file; }

/// What lies beyond the end of the file reads as zeros, as HDF5 expects of a driver.
herr_t read_bytes(H5FD_t* shared, H5FD_mem_t kind, hid_t, haddr_t address, std::size_t size,
                  void* out) {
  ReadingFile& file = *mine(shared);
  auto* to = static_cast<char*>(out);
  for (std::size_t done = 0; done < size;) {
    const ssize_t n =
        ::pread(file.descriptor, to + done, size - done, static_cast<off_t>(address + done));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return -1;
    if (n == 0) {
      std::memset(to + done, 0, size - done);
      break;
    }
    done += static_cast<std::size_t>(n);
  }
  if (noted && kind == H5FD_MEM_DRAW) noted->push_back({file.path, address, size});
  return 0;
}

herr_t write_nothing(H5FD_t*, H5FD_mem_t, hid_t, haddr_t, std::size_t, const void*) { return -1; }

hid_t register_driver() {
  // HDF5 keeps the pointer.
  static H5FD_class_t driver = [] {
    H5FD_class_t c;
    std::memset(&c, 0, sizeof c);
#if H5_VERSION_GE(1, 14, 0)
    c.version = H5FD_CLASS_VERSION;
    c.value = static_cast<H5FD_class_value_t>(H5_VFD_RESERVED + 75);
#endif
    c.name = "kilobragg_reading";
    c.maxaddr = (haddr_t{1} << 62) - 1;
    c.fc_degree = H5F_CLOSE_WEAK;
    c.open = open_reading;
    c.close = close_reading;
    c.cmp = compare;
    c.query = features;
    c.get_eoa = end_of_allocation;
    c.set_eoa = set_end_of_allocation;
    c.get_eof = end_of_file;
    c.read = read_bytes;
    c.write = write_nothing;
    return c;
  }();
  return H5FDregister(&driver);
}

} // namespace

Handle reading_access() {
  static const hid_t driver = register_driver();
  Handle access(H5Pcreate(H5P_FILE_ACCESS));
  if (driver < 0 || H5Pset_driver(access.get(), driver, nullptr) < 0)
    core::fail("HDF5 takes no file driver ({})", last_error());
  return access;
}

RawReads::RawReads() { noted = &ranges_; }
RawReads::~RawReads() { noted = nullptr; }

} // namespace kilobragg::io::hdf5
