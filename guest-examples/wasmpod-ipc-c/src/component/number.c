/*
 * Numbers in copies of segments: changed in the segment, by calls; here and in the twin is what was found or put there.
 * A number elsewhere is nobody's but ours.
 */
#include "component.h"
#include "../number.h"

#include <string.h>

/* The mappings are only in programs that map. */
#pragma weak ipc_place_of

/* Where the number is in a segment. What the program wrote here since the copy was up to date is put there first. */
static int find(volatile int *number, struct ipc_place *place)
{
	int here = *number, twin;
	host_error_code_t code;
	if (!ipc_place_of || !ipc_place_of(number, place))
		return 0;
	memcpy(&twin, place->twin, sizeof twin);
	return here == twin || host_shm_method_segment_atomic_store32(ipc_borrow(place->segment), place->offset, (uint32_t)here, &code);
}

/* Here as it is there. */
static int settle(volatile int *number, const struct ipc_place *place, uint32_t value)
{
	int now = (int)value;
	*number = now;
	memcpy(place->twin, &now, sizeof now);
	return now;
}

int ipc_load(volatile int *number)
{
	struct ipc_place place;
	uint32_t value;
	host_error_code_t code;
	if (!find(number, &place) || !host_shm_method_segment_atomic_load32(ipc_borrow(place.segment), place.offset, &value, &code))
		return *number;
	return settle(number, &place, value);
}

int ipc_exchange(volatile int *number, int value)
{
	struct ipc_place place;
	uint32_t old = (uint32_t)*number;
	host_error_code_t code;
	if (!find(number, &place) ||
		!host_shm_method_segment_atomic_update32(ipc_borrow(place.segment), place.offset, HOST_SHM_ATOMIC_OPERATION_EXCHANGE, (uint32_t)value, &old, &code))
		*number = value;
	else
		settle(number, &place, (uint32_t)value);
	return (int)old;
}

void ipc_store(volatile int *number, int value)
{
	(void)ipc_exchange(number, value);
}

int ipc_add(volatile int *number, int by)
{
	struct ipc_place place;
	uint32_t old = (uint32_t)*number;
	host_error_code_t code;
	if (!find(number, &place) ||
		!host_shm_method_segment_atomic_update32(ipc_borrow(place.segment), place.offset, HOST_SHM_ATOMIC_OPERATION_ADD, (uint32_t)by, &old, &code))
		*number = (int)(old + (uint32_t)by);
	else
		settle(number, &place, old + (uint32_t)by);
	return (int)old;
}

int ipc_replace(volatile int *number, int *from, int to)
{
	struct ipc_place place;
	uint32_t expected = (uint32_t)*from, old = (uint32_t)*number;
	host_error_code_t code;
	if (!find(number, &place) ||
		!host_shm_method_segment_atomic_compare_exchange32(ipc_borrow(place.segment), place.offset, expected, (uint32_t)to, &old, &code)) {
		if (old == expected)
			*number = to;
	} else {
		settle(number, &place, old == expected ? (uint32_t)to : old);
	}
	*from = (int)old;
	return old == expected;
}

int ipc_futex_wait(volatile void *address, uint32_t expected, int64_t timeout_ns)
{
	struct ipc_place place;
	host_error_code_t code;
	if (!find(address, &place))
		return EINVAL;
	return ipc_outcome(host_shm_method_segment_wait(ipc_borrow(place.segment), place.offset, expected, ipc_option(&timeout_ns), &code), code);
}

int ipc_futex_wake(volatile void *address, uint32_t count, uint32_t *out)
{
	struct ipc_place place;
	host_error_code_t code;
	if (!find(address, &place))
		return EINVAL;
	return ipc_outcome(host_shm_method_segment_wake(ipc_borrow(place.segment), place.offset, count, out, &code), code);
}

int ipc_futex_owner_runs(int number, uint32_t *out)
{
	*out = host_shm_container_runs((uint32_t)number);
	return 0;
}
