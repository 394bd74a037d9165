/*
 * What the files of this folder share: they are the functions of `host.h` by the package `wasmpod:ipc`, through what
 * wit-bindgen makes of it (`ipc.h`; `world.wit` and `renames` say with which names).
 */
#ifndef COMPONENT_H
#define COMPONENT_H

#include "../host.h"

#include <ipc.h>

/* The errno of an error that the interfaces share. */
int ipc_errno(host_error_code_t error);

/* 0 for a call that worked. */
static inline int ipc_outcome(bool worked, host_error_code_t error)
{
	return worked ? 0 : ipc_errno(error);
}

/* A name for the host: EINVAL when it is not UTF-8, with which the host would end the component. */
int ipc_string(const char *name, size_t length, ipc_string_t *out);

static inline ipc_list_u8_t ipc_bytes(const void *data, size_t length)
{
	return (ipc_list_u8_t){ (uint8_t *)(uintptr_t)data, length };
}

/* A duration in nanoseconds as an option: none when it is negative. Points to `*timeout_ns`. */
static inline uint64_t *ipc_option(int64_t *timeout_ns)
{
	return *timeout_ns < 0 ? NULL : (uint64_t *)timeout_ns;
}

/* CREATE and EXCLUSIVE as flags of getting: its first two bits. */
static inline uint8_t ipc_creation(unsigned flags)
{
	return (uint8_t)(flags >> 2 & 3);
}

/*
 * The bytes that the next call receives shall be put at `buffer`, if they are no more than `room`; `ipc_received` puts
 * them there if they are elsewhere, and says how many came. The room is offered for one call only.
 */
void ipc_receive_at(void *buffer, size_t room);
size_t ipc_received(ipc_list_u8_t *list, void *buffer, size_t room);
/* Takes the offer back, after a call that received nothing. */
void ipc_received_nothing(void);

/* An open segment; descriptors and mappings use it. */
struct segment {
	host_shm_own_segment_t handle;
	int can_write;
	unsigned uses;
};

static inline host_shm_borrow_segment_t ipc_borrow(const struct segment *segment)
{
	return (host_shm_borrow_segment_t){ segment->handle.__handle };
}

/* The segment of a descriptor, or NULL. */
struct segment *ipc_segment_of(uint32_t fd);
/* One use less: closes it with the last. */
void ipc_segment_leave(struct segment *segment);
/* Copies out, less at the end of the segment; an errno. */
int ipc_segment_copy(const struct segment *segment, uint64_t offset, void *buffer, size_t length, size_t *count);

/* Where a number of 32 bits in a copy is: in the segment, and in the copy's twin. */
struct ipc_place {
	const struct segment *segment;
	uint64_t offset;
	char *twin;
};

/* Whether the number is in a copy. */
int ipc_place_of(volatile void *number, struct ipc_place *out);

#endif
