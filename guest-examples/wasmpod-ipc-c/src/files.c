/*
 * The calls of files that programs use on segments: the linker's option --wrap leads all calls here, and those on
 * other descriptors back to wasi-libc. `options` lists the same names.
 */
#include "segment.h"

#include <fcntl.h>
#include <stdarg.h>

/* Whether a descriptor is a segment's; then shm_open is in the program, and its other functions with it. */
static int is_segment(int fd)
{
	return fd >= FIRST_SEGMENT && ipc_segment_close;
}

int __real_close(int fd);
int __real_ftruncate(int fd, off_t size);
int __real_fstat(int fd, struct stat *status);
int __real_fchmod(int fd, mode_t mode);
int __real_fcntl(int fd, int command, ...);
int __real_fsync(int fd);
off_t __real_lseek(int fd, off_t offset, int whence);
ssize_t __real_read(int fd, void *buffer, size_t length);
ssize_t __real_write(int fd, const void *data, size_t length);
ssize_t __real_pread(int fd, void *buffer, size_t length, off_t offset);
ssize_t __real_pwrite(int fd, const void *data, size_t length, off_t offset);

int __wrap_close(int fd)
{
	return is_segment(fd) ? ipc_segment_close(fd) : __real_close(fd);
}

int __wrap_ftruncate(int fd, off_t size)
{
	return is_segment(fd) ? ipc_segment_truncate(fd, size) : __real_ftruncate(fd, size);
}

int __wrap_fstat(int fd, struct stat *status)
{
	return is_segment(fd) ? ipc_segment_status(fd, status) : __real_fstat(fd, status);
}

/* The containers of a pod are one user: there is no mode to change. */
int __wrap_fchmod(int fd, mode_t mode)
{
	return is_segment(fd) ? answer(ipc_segment_flags(fd) < 0 ? EBADF : 0) : __real_fchmod(fd, mode);
}

int __wrap_fsync(int fd)
{
	return is_segment(fd) ? answer(ipc_segment_flags(fd) < 0 ? EBADF : 0) : __real_fsync(fd);
}

int __wrap_fcntl(int fd, int command, ...)
{
	va_list rest;
	va_start(rest, command);
	int argument = command == F_SETFD || command == F_SETFL ? va_arg(rest, int) : 0;
	va_end(rest);
	if (!is_segment(fd))
		return __real_fcntl(fd, command, argument);
	int flags = ipc_segment_flags(fd);
	if (flags < 0 || command == F_GETFL)
		return flags;
	/* shm_open(3) sets it. */
	if (command == F_GETFD)
		return FD_CLOEXEC;
	return command == F_SETFD || command == F_SETFL ? 0 : answer(EINVAL);
}

off_t __wrap_lseek(int fd, off_t offset, int whence)
{
	return is_segment(fd) ? ipc_segment_seek(fd, offset, whence) : __real_lseek(fd, offset, whence);
}

ssize_t __wrap_read(int fd, void *buffer, size_t length)
{
	return is_segment(fd) ? ipc_segment_read_on(fd, buffer, length) : __real_read(fd, buffer, length);
}

ssize_t __wrap_write(int fd, const void *data, size_t length)
{
	return is_segment(fd) ? ipc_segment_write_on(fd, data, length) : __real_write(fd, data, length);
}

ssize_t __wrap_pread(int fd, void *buffer, size_t length, off_t offset)
{
	return is_segment(fd) ? ipc_segment_read(fd, buffer, length, offset) : __real_pread(fd, buffer, length, offset);
}

ssize_t __wrap_pwrite(int fd, const void *data, size_t length, off_t offset)
{
	return is_segment(fd) ? ipc_segment_write(fd, data, length, offset) : __real_pwrite(fd, data, length, offset);
}
