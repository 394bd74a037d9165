/*
 * Mappings of components: copies of segments, each with its twin, the bytes as they were when it was last brought up to
 * date. What differs from the twin was changed here and is written into the segment; then the segment is taken over. So
 * two programs that change different bytes do not undo each other's. `number.h` says when that happens.
 *
 * What is written goes last byte first, because what announces other bytes (a flag, a count) usually lies before them.
 */
#include "component.h"
#include "../number.h"

#include <stdlib.h>
#include <string.h>

struct mapping {
	struct mapping *next;
	struct segment *segment;
	uint64_t offset;
	char *address;
	size_t length;
	int to_write;
	char twin[];
};

static struct mapping *mappings;

/* Bytes that are compared with the twin at a time, as words: wasi-libc's memcmp looks at each byte, ten times as slowly. */
#define COMPARED ((size_t)64)
#define WORDS (COMPARED / sizeof(uint64_t))

/* Whether these bytes, at most COMPARED, are alike here and there. */
static inline int are_alike(const char *here, const char *there, size_t length)
{
	uint64_t ours[WORDS] = { 0 }, theirs[WORDS] = { 0 }, difference = 0;
	/* So many bytes, and no other number of them, are copied without a call. */
	if (length == COMPARED) {
		memcpy(ours, here, COMPARED);
		memcpy(theirs, there, COMPARED);
	} else {
		memcpy(ours, here, length);
		memcpy(theirs, there, length);
	}
	for (size_t i = 0; i < WORDS; i++)
		difference |= ours[i] ^ theirs[i];
	return difference == 0;
}

static void write_run(const struct mapping *mapping, size_t start, size_t end)
{
	const host_shm_borrow_segment_t segment = ipc_borrow(mapping->segment);
	const uint64_t offset = mapping->offset + start;
	ipc_list_u8_t list = ipc_bytes(mapping->address + start, end - start);
	host_error_code_t code;
	if (host_shm_method_segment_write(segment, offset, &list, &code))
		return;
	/* What lies behind the end of a segment that was cut off is nobody's. */
	uint64_t size = host_shm_method_segment_size(segment);
	if (size > offset && size - offset < list.len) {
		list.len = (size_t)(size - offset);
		(void)host_shm_method_segment_write(segment, offset, &list, &code);
	}
}

/* Writes the bytes that are not those of the twin, each run of them with one call, and no other byte. */
static void publish(struct mapping *mapping)
{
	const char *here = mapping->address;
	size_t at = mapping->length;
	while (mapping->to_write && at > 0) {
		size_t start = (at - 1) / COMPARED * COMPARED;
		if (are_alike(here + start, mapping->twin + start, at - start)) {
			at = start;
		} else if (here[at - 1] == mapping->twin[at - 1]) {
			at--;
		} else {
			size_t end = at;
			while (at > 0 && here[at - 1] != mapping->twin[at - 1])
				at--;
			write_run(mapping, at, end);
			memcpy(mapping->twin + at, here + at, end - at);
		}
	}
}

static int take_over(struct mapping *mapping)
{
	size_t count;
	int error = ipc_segment_copy(mapping->segment, mapping->offset, mapping->twin, mapping->length, &count);
	if (error)
		return error;
	/* What is behind the end of the segment is zero. */
	memset(mapping->twin + count, 0, mapping->length - count);
	memcpy(mapping->address, mapping->twin, mapping->length);
	return 0;
}

void ipc_synchronize(int is_taking_over)
{
	for (struct mapping *mapping = mappings; mapping; mapping = mapping->next)
		publish(mapping);
	for (struct mapping *mapping = mappings; mapping && is_taking_over; mapping = mapping->next)
		(void)take_over(mapping);
}

/* On Linux what was written stays when a program ends. */
__attribute__((destructor)) static void leave(void)
{
	ipc_synchronize(0);
}

static struct mapping **find(const void *address)
{
	struct mapping **place = &mappings;
	while (*place && !((const char *)address >= (*place)->address && (const char *)address < (*place)->address + (*place)->length))
		place = &(*place)->next;
	return place;
}

void *ipc_shm_mapped(uint32_t fd, int64_t offset, size_t length, unsigned flags)
{
	const struct segment *segment = ipc_segment_of(fd);
	for (struct mapping *mapping = mappings; segment && mapping; mapping = mapping->next)
		if (mapping->segment == segment && mapping->offset == (uint64_t)offset && length == mapping->length && (!flags || mapping->to_write))
			return mapping->address;
	return NULL;
}

int ipc_shm_map(uint32_t fd, int64_t offset, void *address, size_t length, unsigned flags, uint32_t *is_shared)
{
	struct segment *segment = ipc_segment_of(fd);
	if (!segment)
		return EBADF;
	if (flags & WRITE && !segment->can_write)
		return EACCES;
	uint64_t size = host_shm_method_segment_size(ipc_borrow(segment));
	if (offset < 0 || (uint64_t)offset + length > (size + PAGE - 1) / PAGE * PAGE)
		return EINVAL;
	struct mapping *mapping = malloc(sizeof *mapping + length);
	if (!mapping)
		return ENOMEM;
	*mapping = (struct mapping){ mappings, segment, (uint64_t)offset, address, length, (flags & WRITE) != 0 };
	/* The other copies' changes first: they may be of the same segment. */
	ipc_publish();
	int error = take_over(mapping);
	if (error) {
		free(mapping);
		return error;
	}
	segment->uses++;
	mappings = mapping;
	*is_shared = 0;
	return 0;
}

int ipc_shm_sync(void *address, size_t length)
{
	struct mapping *mapping = *find(address);
	(void)length;
	if (!mapping)
		return EINVAL;
	publish(mapping);
	return take_over(mapping);
}

int ipc_shm_unmap(void *address, size_t length)
{
	struct mapping **place = find(address), *mapping = *place;
	(void)length;
	if (!mapping)
		return EINVAL;
	publish(mapping);
	*place = mapping->next;
	ipc_segment_leave(mapping->segment);
	free(mapping);
	return 0;
}

int ipc_place_of(volatile void *number, struct ipc_place *out)
{
	struct mapping *mapping = *find((const void *)number);
	size_t at = mapping ? (size_t)((char *)(uintptr_t)number - mapping->address) : 0;
	if (!mapping || at % sizeof(int) || mapping->length - at < sizeof(int))
		return 0;
	*out = (struct ipc_place){ mapping->segment, mapping->offset + at, mapping->twin + at };
	return 1;
}
