/* Segments of both kinds, of components: names and identifiers, sizes, reading and writing at offsets. */
#include "component.h"
#include "../number.h"

#include <stdlib.h>

/* Descriptors are places here, counted from FIRST_SEGMENT. */
static struct segment **segments;
static uint32_t segment_count;

struct segment *ipc_segment_of(uint32_t fd)
{
	return fd >= FIRST_SEGMENT && fd - FIRST_SEGMENT < segment_count ? segments[fd - FIRST_SEGMENT] : NULL;
}

void ipc_segment_leave(struct segment *segment)
{
	if (--segment->uses == 0) {
		host_shm_segment_drop_own(segment->handle);
		free(segment);
	}
}

/* A descriptor for a segment that is open. It is closed when there is no memory. */
static int describe(host_shm_own_segment_t handle, int can_write, uint32_t *fd)
{
	uint32_t place = 0;
	while (place < segment_count && segments[place])
		place++;
	struct segment *segment = malloc(sizeof *segment);
	struct segment **more = place < segment_count ? segments : realloc(segments, (segment_count + 1) * sizeof(struct segment *));
	if (more)
		segments = more;
	if (!segment || !more) {
		free(segment);
		host_shm_segment_drop_own(handle);
		return ENOMEM;
	}
	if (place == segment_count)
		segment_count++;
	*segment = (struct segment){ handle, can_write, 1 };
	segments[place] = segment;
	*fd = FIRST_SEGMENT + place;
	return 0;
}

int ipc_shm_open(const char *name, size_t length, unsigned flags, uint32_t *out)
{
	ipc_string_t string;
	host_shm_own_segment_t handle;
	host_error_code_t code;
	host_shm_open_flags_t host = (host_shm_open_flags_t)((flags & WRITE ? HOST_SHM_OPEN_FLAGS_WRITE : 0) |
		(flags & CREATE ? HOST_SHM_OPEN_FLAGS_CREATE : 0) | (flags & EXCLUSIVE ? HOST_SHM_OPEN_FLAGS_EXCLUSIVE : 0) |
		(flags & TRUNCATE ? HOST_SHM_OPEN_FLAGS_TRUNCATE : 0));
	int error = ipc_string(name, length, &string);
	if (error == 0)
		error = ipc_outcome(host_shm_static_segment_open(&string, host, &handle, &code), code);
	return error ? error : describe(handle, (flags & WRITE) != 0, out);
}

int ipc_shm_close(uint32_t fd)
{
	struct segment *segment = ipc_segment_of(fd);
	if (!segment)
		return EBADF;
	segments[fd - FIRST_SEGMENT] = NULL;
	ipc_segment_leave(segment);
	return 0;
}

int ipc_shm_unlink(const char *name, size_t length)
{
	ipc_string_t string;
	host_error_code_t code;
	int error = ipc_string(name, length, &string);
	return error ? error : ipc_outcome(host_shm_unlink(&string, &code), code);
}

/* What is mapped and what is read are the same bytes, so copies are brought up to date before and after. */
int ipc_shm_truncate(uint32_t fd, int64_t size)
{
	const struct segment *segment = ipc_segment_of(fd);
	host_error_code_t code;
	if (!segment)
		return EBADF;
	if (size < 0)
		return EINVAL;
	ipc_publish();
	int error = ipc_outcome(host_shm_method_segment_truncate(ipc_borrow(segment), (uint64_t)size, &code), code);
	ipc_refresh();
	return error;
}

int ipc_shm_size(uint32_t fd, uint64_t *out)
{
	const struct segment *segment = ipc_segment_of(fd);
	if (!segment)
		return EBADF;
	*out = host_shm_method_segment_size(ipc_borrow(segment));
	return 0;
}

int ipc_segment_copy(const struct segment *segment, uint64_t offset, void *buffer, size_t length, size_t *count)
{
	ipc_list_u8_t list;
	host_error_code_t code;
	/* A call gives some MiB at most. */
	for (*count = 0; *count < length;) {
		char *rest = (char *)buffer + *count;
		ipc_receive_at(rest, length - *count);
		if (!host_shm_method_segment_read(ipc_borrow(segment), offset + *count, (uint32_t)(length - *count), &list, &code)) {
			ipc_received_nothing();
			return ipc_errno(code);
		}
		size_t more = ipc_received(&list, rest, length - *count);
		if (more == 0)
			break;
		*count += more;
	}
	return 0;
}

int ipc_shm_read(uint32_t fd, int64_t offset, void *buffer, size_t length, uint32_t *out)
{
	const struct segment *segment = ipc_segment_of(fd);
	size_t count;
	if (!segment)
		return EBADF;
	if (offset < 0)
		return EINVAL;
	ipc_publish();
	int error = ipc_segment_copy(segment, (uint64_t)offset, buffer, length, &count);
	*out = (uint32_t)count;
	return error;
}

int ipc_shm_write(uint32_t fd, int64_t offset, const void *data, size_t length)
{
	const struct segment *segment = ipc_segment_of(fd);
	ipc_list_u8_t list = ipc_bytes(data, length);
	host_error_code_t code;
	if (!segment)
		return EBADF;
	if (offset < 0)
		return EINVAL;
	ipc_publish();
	int error = ipc_outcome(host_shm_method_segment_write(ipc_borrow(segment), (uint64_t)offset, &list, &code), code);
	ipc_refresh();
	return error;
}

int ipc_shmseg_get(int key, int64_t size, unsigned flags, int *out)
{
	host_error_code_t code;
	return size < 0 ? EINVAL : ipc_outcome(host_shmseg_get(key, (uint64_t)size, ipc_creation(flags), out, &code), code);
}

int ipc_shmseg_attach(int id, unsigned flags, uint32_t *out)
{
	host_shm_own_segment_t handle;
	host_error_code_t code;
	int error = ipc_outcome(host_shmseg_attach(id, !(flags & WRITE), &handle, &code), code);
	return error ? error : describe(handle, (flags & WRITE) != 0, out);
}

int ipc_shmseg_stat(int id, struct ipc_shmseg_status *out)
{
	host_shmseg_status_t status;
	host_error_code_t code;
	int error = ipc_outcome(host_shmseg_stat(id, &status, &code), code);
	if (error == 0)
		*out = (struct ipc_shmseg_status){
			.key = status.key,
			.attached = status.attached,
			.size = status.size,
			.creator = status.creator,
			.last = status.last_container,
			.attached_at = status.attach_time,
			.detached_at = status.detach_time,
			.changed = status.change_time,
			.is_removed = status.is_removed,
		};
	return error;
}

int ipc_shmseg_remove(int id)
{
	host_error_code_t code;
	return ipc_outcome(host_shmseg_remove(id, &code), code);
}
