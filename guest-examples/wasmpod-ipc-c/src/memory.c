/*
 * mmap(2) and munmap(2): segments for real, and what else programs map as far as it makes sense here. Memory without a
 * file is memory; a private mapping of a file, or one for reading, is a copy of it.
 *
 * Deliberately not done: a mapping that is shared with a file (ENOTSUP), fixed addresses (ENOTSUP), unmapping a part
 * (EINVAL), taking access away (mprotect does nothing).
 */
#include "host.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

struct mapping {
	struct mapping *next;
	char *address;
	size_t length;
	int is_segment;
	/* How often it was mapped, and is to be unmapped. */
	unsigned uses;
};

static struct mapping *mappings;

/* How often one is mapped at most: Linux's vm.max_map_count. One more is ENOMEM. */
#define MOST_USES 65530

static size_t rounded(size_t length)
{
	return (length + PAGE - 1) / PAGE * PAGE;
}

static struct mapping *make(size_t length)
{
	if (length == 0 || length > SIZE_MAX - PAGE) {
		errno = length ? ENOMEM : EINVAL;
		return NULL;
	}
	struct mapping *mapping = malloc(sizeof *mapping);
	char *address = mapping ? aligned_alloc(PAGE, rounded(length)) : NULL;
	if (!address) {
		free(mapping);
		errno = ENOMEM;
		return NULL;
	}
	*mapping = (struct mapping){ mappings, address, length, 0, 1 };
	return mapping;
}

static void discard(struct mapping *mapping)
{
	free(mapping->address);
	free(mapping);
}

static struct mapping **find(const void *address)
{
	struct mapping **place = &mappings;
	while (*place && (*place)->address != address)
		place = &(*place)->next;
	return place;
}

void *ipc_map(uint32_t fd, int64_t offset, size_t length, int to_write)
{
	uint32_t is_shared;
	struct mapping *mapping = *find(ipc_shm_mapped(fd, offset, length, to_write ? WRITE : 0));
	if (mapping && mapping->uses == MOST_USES) {
		errno = ENOMEM;
		return NULL;
	}
	if (mapping) {
		mapping->uses++;
		return mapping->address;
	}
	mapping = make(length);
	if (!mapping)
		return NULL;
	if (answer(ipc_shm_map(fd, offset, mapping->address, length, to_write ? WRITE : 0, &is_shared)) != 0) {
		discard(mapping);
		return NULL;
	}
	mapping->is_segment = 1;
	mappings = mapping;
	return mapping->address;
}

int ipc_unmap(const void *address, size_t length)
{
	struct mapping **place = find(address), *mapping = *place;
	if (!mapping || (length && rounded(length) != rounded(mapping->length)))
		return answer(EINVAL);
	if (mapping->uses > 1) {
		mapping->uses--;
		return 0;
	}
	if (mapping->is_segment && answer(ipc_shm_unmap(mapping->address, mapping->length)) != 0)
		return -1;
	*place = mapping->next;
	discard(mapping);
	return 0;
}

/* Memory with what the file holds; behind its end zeros. */
static void *map_copy(int fd, off_t offset, size_t length)
{
	struct mapping *mapping = make(length);
	if (!mapping)
		return NULL;
	memset(mapping->address, 0, rounded(length));
	for (size_t done = 0; fd >= 0 && done < length;) {
		ssize_t more = pread(fd, mapping->address + done, length - done, offset + (off_t)done);
		if (more < 0) {
			discard(mapping);
			return NULL;
		}
		if (more == 0)
			break;
		done += (size_t)more;
	}
	mappings = mapping;
	return mapping->address;
}

void *mmap(void *wanted, size_t length, int protection, int flags, int fd, off_t offset)
{
	int error = 0, to_write = protection & PROT_WRITE, is_shared = (flags & MAP_TYPE) != MAP_PRIVATE;
	void *address = NULL;
	(void)wanted;
	if (flags & (MAP_FIXED | MAP_FIXED_NOREPLACE) || protection & PROT_EXEC)
		error = ENOTSUP;
	else if (!(flags & MAP_ANONYMOUS) && (offset < 0 || (size_t)offset % PAGE))
		error = EINVAL;
	else if (length == 0)
		error = EINVAL;
	else if (flags & MAP_ANONYMOUS)
		address = map_copy(-1, 0, length);
	else if (fd < 0)
		error = EBADF;
	else if (fd >= FIRST_SEGMENT && is_shared)
		address = ipc_map((uint32_t)fd, offset, length, to_write);
	else if (is_shared && to_write)
		error = ENOTSUP;
	else
		address = map_copy(fd, offset, length);
	if (error)
		errno = error;
	return address ? address : MAP_FAILED;
}

int munmap(void *address, size_t length)
{
	return length == 0 ? answer(EINVAL) : ipc_unmap(address, length);
}

/* Where the host shares pages there is nothing to do; where there are copies, this is the moment. */
int msync(void *address, size_t length, int flags)
{
	struct mapping *mapping = *find(address);
	(void)flags;
	if (!mapping || length > rounded(mapping->length))
		return answer(mapping ? ENOMEM : EINVAL);
	return mapping->is_segment ? answer(ipc_shm_sync(mapping->address, mapping->length)) : 0;
}

int mprotect(void *address, size_t length, int protection)
{
	(void)address, (void)length;
	return protection & PROT_EXEC ? answer(ENOTSUP) : 0;
}

/* Pages never leave memory that a guest could know of. */
int mlock(const void *address, size_t length)
{
	(void)address, (void)length;
	return 0;
}

int munlock(const void *address, size_t length)
{
	(void)address, (void)length;
	return 0;
}
