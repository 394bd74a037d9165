/*
 * shm_overview(7): names, and the descriptors of segments as files. The host reads and writes at offsets; where a
 * descriptor stands, and what it was opened for, is kept here.
 */
#include "segment.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

struct segment {
	struct segment *next;
	int fd, flags;
	off_t position;
};

static struct segment *segments;

static struct segment **find(int fd)
{
	struct segment **place = &segments;
	while (*place && (*place)->fd != fd)
		place = &(*place)->next;
	return place;
}

int shm_open(const char *name, int flags, mode_t mode)
{
	char host_name[NAME_BYTES];
	uint32_t fd;
	(void)mode; /* the containers of a pod are one user */
	size_t length = ipc_name(name, host_name);
	if (length == 0)
		return -1;
	struct segment *segment = malloc(sizeof *segment);
	if (!segment)
		return -1;
	unsigned host = (ipc_open_flags(flags) | READ) & ~(unsigned)NONBLOCKING;
	if (answer(ipc_shm_open(host_name, length, host, &fd)) != 0) {
		free(segment);
		return -1;
	}
	*segment = (struct segment){ segments, (int)fd, flags & (O_RDWR | O_APPEND), 0 };
	segments = segment;
	return (int)fd;
}

int shm_unlink(const char *name)
{
	char host_name[NAME_BYTES];
	size_t length = ipc_name(name, host_name);
	return length ? answer(ipc_shm_unlink(host_name, length)) : -1;
}

int ipc_segment_close(int fd)
{
	struct segment **place = find(fd), *segment = *place;
	if (!segment)
		return answer(EBADF);
	*place = segment->next;
	free(segment);
	return answer(ipc_shm_close((uint32_t)fd));
}

int ipc_segment_truncate(int fd, off_t size)
{
	struct segment *segment = *find(fd);
	if (segment && !(segment->flags & O_WRONLY))
		return answer(EINVAL);
	return answer(ipc_shm_truncate((uint32_t)fd, size));
}

int ipc_segment_status(int fd, struct stat *status)
{
	uint64_t size;
	if (answer(ipc_shm_size((uint32_t)fd, &size)) != 0)
		return -1;
	memset(status, 0, sizeof *status);
	status->st_mode = S_IFREG | 0600;
	status->st_nlink = 1;
	status->st_size = (off_t)size;
	status->st_blksize = (blksize_t)PAGE;
	status->st_blocks = (blkcnt_t)((size + 511) / 512);
	return 0;
}

ssize_t ipc_segment_read(int fd, void *buffer, size_t length, off_t offset)
{
	uint32_t count;
	return answer(ipc_shm_read((uint32_t)fd, offset, buffer, length, &count)) == 0 ? (ssize_t)count : -1;
}

/* As a file does, a segment grows by what is written behind its end. */
ssize_t ipc_segment_write(int fd, const void *data, size_t length, off_t offset)
{
	uint64_t size;
	if (answer(ipc_shm_size((uint32_t)fd, &size)) != 0)
		return -1;
	if (offset < 0)
		return answer(EINVAL);
	if ((uint64_t)offset + length > size && ipc_segment_truncate(fd, offset + (off_t)length) != 0)
		return -1;
	return answer(ipc_shm_write((uint32_t)fd, offset, data, length)) == 0 ? (ssize_t)length : -1;
}

ssize_t ipc_segment_read_on(int fd, void *buffer, size_t length)
{
	struct segment *segment = *find(fd);
	if (!segment)
		return answer(EBADF);
	ssize_t count = ipc_segment_read(fd, buffer, length, segment->position);
	if (count > 0)
		segment->position += count;
	return count;
}

ssize_t ipc_segment_write_on(int fd, const void *data, size_t length)
{
	struct segment *segment = *find(fd);
	uint64_t size;
	if (!segment || !(segment->flags & O_WRONLY))
		return answer(EBADF);
	if (segment->flags & O_APPEND && ipc_shm_size((uint32_t)fd, &size) == 0)
		segment->position = (off_t)size;
	ssize_t count = ipc_segment_write(fd, data, length, segment->position);
	if (count > 0)
		segment->position += count;
	return count;
}

off_t ipc_segment_seek(int fd, off_t offset, int whence)
{
	struct segment *segment = *find(fd);
	uint64_t size;
	if (!segment || ipc_shm_size((uint32_t)fd, &size) != 0)
		return answer(EBADF);
	off_t from = whence == SEEK_SET ? 0 : whence == SEEK_CUR ? segment->position : (off_t)size;
	if ((whence != SEEK_SET && whence != SEEK_CUR && whence != SEEK_END) || from + offset < 0)
		return answer(EINVAL);
	return segment->position = from + offset;
}

int ipc_segment_flags(int fd)
{
	struct segment *segment = *find(fd);
	return segment ? segment->flags : answer(EBADF);
}
