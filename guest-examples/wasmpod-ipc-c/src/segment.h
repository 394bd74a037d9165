/* Descriptors of segments as files: shm_open.c has them, files.c leads the calls of files there. */
#ifndef SEGMENT_H
#define SEGMENT_H

#include "host.h"

#include <sys/stat.h>
#include <sys/types.h>

/* Weak, so that a program without segments gets none of it. */
#pragma weak ipc_segment_close
#pragma weak ipc_segment_truncate
#pragma weak ipc_segment_status
#pragma weak ipc_segment_read
#pragma weak ipc_segment_write
#pragma weak ipc_segment_read_on
#pragma weak ipc_segment_write_on
#pragma weak ipc_segment_seek
#pragma weak ipc_segment_flags

int ipc_segment_close(int fd);
int ipc_segment_truncate(int fd, off_t size);
int ipc_segment_status(int fd, struct stat *status);
/* At an offset: pread(2), pwrite(2). */
ssize_t ipc_segment_read(int fd, void *buffer, size_t length, off_t offset);
ssize_t ipc_segment_write(int fd, const void *data, size_t length, off_t offset);
/* Where the descriptor stands: read(2), write(2). */
ssize_t ipc_segment_read_on(int fd, void *buffer, size_t length);
ssize_t ipc_segment_write_on(int fd, const void *data, size_t length);
off_t ipc_segment_seek(int fd, off_t offset, int whence);
/* F_GETFL. */
int ipc_segment_flags(int fd);

#endif
