// Stands before the C library (LD_PRELOAD): notes which files are opened, and spoils reads of one.
//   KILOBRAGG_FAULT_LOG    file for a line "<rank> <path>" per open of a path with KILOBRAGG_FAULT_UNDER
//   KILOBRAGG_FAULT_FILE   part of the path of the file to spoil, KILOBRAGG_FAULT_RANK by this rank only
//   KILOBRAGG_FAULT_KIND   hang, slow (KILOBRAGG_FAULT_MS per read) or error (EIO); fread too
//   KILOBRAGG_FAULT_FROM, KILOBRAGG_FAULT_TO   reads that touch these bytes, from <= byte < to
#include <dlfcn.h>
#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <climits>
#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace {

/// The C library's own function.
template <typename Function>
Function real(const char* name) {
  return reinterpret_cast<Function>(::dlsym(RTLD_NEXT, name));
}

const char* text(const char* name) { return std::getenv(name); }
long number(const char* name, long otherwise) {
  const char* value = text(name);
  return value != nullptr ? std::atol(value) : otherwise;
}

std::array<std::atomic<bool>, 65536> spoiled{};

bool is_spoiled(int file) {
  return file >= 0 && std::size_t(file) < spoiled.size() && spoiled[std::size_t(file)];
}

const char* rank() {
  const char* value = text("OMPI_COMM_WORLD_RANK");
  return value != nullptr ? value : "0";
}

void note_open(int file, const char* path) {
  if (file < 0 || path == nullptr) return;
  const int error = errno;
  const char *log = text("KILOBRAGG_FAULT_LOG"), *under = text("KILOBRAGG_FAULT_UNDER");
  if (log != nullptr && under != nullptr && std::strstr(path, under) != nullptr) {
    std::array<char, PATH_MAX + 32> line{};
    const int length = std::snprintf(line.data(), line.size(), "%s %s\n", rank(), path);
    const int out =
        real<int (*)(const char*, int, ...)>("open")(log, O_WRONLY | O_CREAT | O_APPEND, 0666);
    if (::write(out, line.data(), std::size_t(length)) != length) std::abort();
    real<int (*)(int)>("close")(out);
  }
  const char *name = text("KILOBRAGG_FAULT_FILE"), *only = text("KILOBRAGG_FAULT_RANK");
  if (std::size_t(file) < spoiled.size())
    spoiled[std::size_t(file)] = name != nullptr && std::strstr(path, name) != nullptr &&
                                 (only == nullptr || std::strcmp(only, rank()) == 0);
  errno = error;
}

/// True if this read is to fail; slow ones come back later, hanging ones never.
bool spoil(int file, off_t offset, std::size_t count) {
  if (!is_spoiled(file)) return false;
  const long from = number("KILOBRAGG_FAULT_FROM", 0), to = number("KILOBRAGG_FAULT_TO", LONG_MAX);
  if (offset >= to || offset + off_t(count) <= from) return false;
  const char* kind = text("KILOBRAGG_FAULT_KIND");
  if (kind == nullptr) return false;
  if (std::strcmp(kind, "hang") == 0)
    for (;;) ::pause();
  if (std::strcmp(kind, "slow") == 0)
    ::usleep(useconds_t(number("KILOBRAGG_FAULT_MS", 200) * 1000));
  return std::strcmp(kind, "error") == 0;
}

int open_with(const char* name, const char* path, int flags, mode_t mode) {
  const int file = real<int (*)(const char*, int, ...)>(name)(path, flags, mode);
  note_open(file, path);
  return file;
}

int openat_with(const char* name, int folder, const char* path, int flags, mode_t mode) {
  const int file = real<int (*)(int, const char*, int, ...)>(name)(folder, path, flags, mode);
  note_open(file, path);
  return file;
}

FILE* fopen_with(const char* name, const char* path, const char* mode) {
  FILE* file = real<FILE* (*)(const char*, const char*)>(name)(path, mode);
  if (file != nullptr) note_open(::fileno(file), path);
  return file;
}

ssize_t pread_with(const char* name, int file, void* out, std::size_t count, off_t offset) {
  if (spoil(file, offset, count)) {
    errno = EIO;
    return -1;
  }
  return real<ssize_t (*)(int, void*, std::size_t, off_t)>(name)(file, out, count, offset);
}

mode_t mode_of(int flags, va_list arguments) {
  return (flags & (O_CREAT | O_TMPFILE)) != 0 ? mode_t(va_arg(arguments, unsigned)) : 0;
}

} // namespace

extern "C" {

int open(const char* path, int flags, ...) {
  va_list arguments;
  va_start(arguments, flags);
  const mode_t mode = mode_of(flags, arguments);
  va_end(arguments);
  return open_with("open", path, flags, mode);
}
int open64(const char* path, int flags, ...) {
  va_list arguments;
  va_start(arguments, flags);
  const mode_t mode = mode_of(flags, arguments);
  va_end(arguments);
  return open_with("open64", path, flags, mode);
}
int openat(int folder, const char* path, int flags, ...) {
  va_list arguments;
  va_start(arguments, flags);
  const mode_t mode = mode_of(flags, arguments);
  va_end(arguments);
  return openat_with("openat", folder, path, flags, mode);
}
int openat64(int folder, const char* path, int flags, ...) {
  va_list arguments;
  va_start(arguments, flags);
  const mode_t mode = mode_of(flags, arguments);
  va_end(arguments);
  return openat_with("openat64", folder, path, flags, mode);
}
FILE* fopen(const char* path, const char* mode) { return fopen_with("fopen", path, mode); }
FILE* fopen64(const char* path, const char* mode) { return fopen_with("fopen64", path, mode); }
int close(int file) {
  if (file >= 0 && std::size_t(file) < spoiled.size()) spoiled[std::size_t(file)] = false;
  return real<int (*)(int)>("close")(file);
}
ssize_t pread(int file, void* out, std::size_t count, off_t offset) {
  return pread_with("pread", file, out, count, offset);
}
ssize_t pread64(int file, void* out, std::size_t count, off_t offset) {
  return pread_with("pread64", file, out, count, offset);
}
std::size_t fread(void* out, std::size_t size, std::size_t n, FILE* file) {
  if (const int number = ::fileno(file);
      is_spoiled(number) && spoil(number, ::ftello(file), size * n)) {
    file->_flags |= _IO_ERR_SEEN; // as the C library marks a read that failed
    errno = EIO;
    return 0;
  }
  return real<std::size_t (*)(void*, std::size_t, std::size_t, FILE*)>("fread")(out, size, n, file);
}
ssize_t read(int file, void* out, std::size_t count) {
  if (is_spoiled(file) && spoil(file, ::lseek(file, 0, SEEK_CUR), count)) {
    errno = EIO;
    return -1;
  }
  return real<ssize_t (*)(int, void*, std::size_t)>("read")(file, out, count);
}
}
