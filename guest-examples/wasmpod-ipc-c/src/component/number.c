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

/* The new value, here and, of a number in a segment, in the twin. */
static void settle(volatile int *number, const struct ipc_place *place, int is_shared, uint32_t value)
{
	*number = (int)value;
	if (is_shared)
		memcpy(place->twin, &value, sizeof value);
}

int ipc_load(volatile int *number)
{
	struct ipc_place place;
	uint32_t value;
	host_error_code_t code;
	if (find(number, &place) && host_shm_method_segment_atomic_load32(ipc_borrow(place.segment), place.offset, &value, &code))
		settle(number, &place, 1, value);
	return *number;
}

/* Adds or exchanges; the old value. */
static int update(volatile int *number, host_shm_atomic_operation_t operation, int operand)
{
	struct ipc_place place;
	uint32_t old = (uint32_t)*number;
	host_error_code_t code;
	int is_shared = find(number, &place) &&
		host_shm_method_segment_atomic_update32(ipc_borrow(place.segment), place.offset, operation, (uint32_t)operand, &old, &code);
	settle(number, &place, is_shared, (operation == HOST_SHM_ATOMIC_OPERATION_ADD ? old : 0) + (uint32_t)operand);
	return (int)old;
}

int ipc_exchange(volatile int *number, int value)
{
	return update(number, HOST_SHM_ATOMIC_OPERATION_EXCHANGE, value);
}

void ipc_store(volatile int *number, int value)
{
	(void)ipc_exchange(number, value);
}

int ipc_add(volatile int *number, int by)
{
	return update(number, HOST_SHM_ATOMIC_OPERATION_ADD, by);
}

int ipc_replace(volatile int *number, int *from, int to)
{
	struct ipc_place place;
	uint32_t expected = (uint32_t)*from, old = (uint32_t)*number;
	host_error_code_t code;
	int is_shared = find(number, &place) &&
		host_shm_method_segment_atomic_compare_exchange32(ipc_borrow(place.segment), place.offset, expected, (uint32_t)to, &old, &code);
	settle(number, &place, is_shared, old == expected ? (uint32_t)to : old);
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
