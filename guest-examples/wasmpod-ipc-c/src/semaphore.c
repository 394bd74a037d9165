/*
 * sem_overview(7). A named semaphore is the host's, and the program gets the address of its descriptor; where the host can,
 * its number is in a page of our memory, and calls are made only when somebody waits or is to wait. An unnamed one is a
 * number where the program put it, in a segment or in its own memory, with futexes.
 */
#include "host.h"
#include "number.h"

#include <limits.h>
#include <semaphore.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

/* The fields of sem_t: the value or the descriptor, how many wait, where a named one's number is, and which it is. */
#define VALUE(sem) ((sem)->__val[0])
#define WAITING(sem) ((sem)->__val[1])
#define NUMBER(sem) ((volatile uint32_t *)(uintptr_t)(sem)->__val[2])
#define SET_NUMBER(sem, address) ((sem)->__val[2] = (int)(uintptr_t)(address))
#define KIND(sem) ((sem)->__val[3])

#define NAMED 0x6e616d65

/* The bit of a named semaphore's number that says that somebody waits. Then only the host may change it. */
#define LINE 0x80000000u
#define MOST (LINE - 1)

/* The page with the numbers of all semaphores; once it is mapped it stays. */
static char *numbers;

/* Where the number of a semaphore is, or NULL when the host has it. */
static volatile uint32_t *find_number(uint32_t descriptor)
{
	static int is_impossible;
	uint32_t offset;
	if (is_impossible)
		return NULL;
	char *page = numbers ? numbers : aligned_alloc(PAGE, PAGE);
	if (!page)
		return NULL;
	if (ipc_sem_map(descriptor, page, &offset) == 0) {
		numbers = page;
		return (volatile uint32_t *)(page + offset);
	}
	if (!numbers) {
		free(page);
		is_impossible = 1;
	}
	return NULL;
}

/* Adds `by` to a number whose bits of the mask are within these bounds; whether it did. */
static int change(volatile uint32_t *number, uint32_t least, uint32_t most, uint32_t mask, int32_t by)
{
	if (!number)
		return 0;
	uint32_t value = __atomic_load_n(number, __ATOMIC_RELAXED);
	while ((value & mask) >= least && (value & mask) <= most)
		if (__atomic_compare_exchange_n(number, &value, value + (uint32_t)by, 0, __ATOMIC_SEQ_CST, __ATOMIC_RELAXED))
			return 1;
	return 0;
}

/* The named semaphores that are open: one that is opened again has the address that it has. */
struct named {
	struct named *next;
	unsigned uses;
	sem_t sem;
	size_t length;
	char name[];
};

static struct named *open_ones;

/* The one of this name that a descriptor is, too; NULL when there is none. */
static struct named *find_same(const char *name, size_t length, uint32_t descriptor)
{
	for (struct named *named = open_ones; named; named = named->next) {
		uint32_t is_same = 0;
		if (named->length == length && memcmp(named->name, name, length) == 0 &&
			ipc_sem_is_same((uint32_t)VALUE(&named->sem), descriptor, &is_same) == 0 && is_same)
			return named;
	}
	return NULL;
}

sem_t *sem_open(const char *name, int flags, ...)
{
	char host_name[NAME_BYTES];
	uint32_t descriptor, value = 0;
	if (flags & O_CREAT) {
		va_list rest;
		va_start(rest, flags);
		(void)va_arg(rest, mode_t);
		value = va_arg(rest, unsigned);
		va_end(rest);
	}
	size_t length = ipc_name(name, host_name);
	if (length == 0)
		return SEM_FAILED;
	struct named *named = calloc(1, sizeof *named + length);
	if (!named)
		return SEM_FAILED;
	unsigned host = ipc_open_flags(flags) & (CREATE | EXCLUSIVE);
	if (answer(ipc_sem_open(host_name, length, host, value, &descriptor)) != 0) {
		free(named);
		return SEM_FAILED;
	}
	struct named *same = find_same(host_name, length, descriptor);
	if (same) {
		(void)ipc_sem_close(descriptor);
		free(named);
		same->uses++;
		return &same->sem;
	}
	*named = (struct named){ .next = open_ones, .uses = 1, .length = length };
	memcpy(named->name, host_name, length);
	open_ones = named;
	VALUE(&named->sem) = (int)descriptor;
	SET_NUMBER(&named->sem, find_number(descriptor));
	KIND(&named->sem) = NAMED;
	return &named->sem;
}

int sem_close(sem_t *sem)
{
	struct named **place = &open_ones, *named;
	while ((named = *place) && &named->sem != sem)
		place = &named->next;
	if (!named)
		return answer(EINVAL);
	if (--named->uses)
		return 0;
	*place = named->next;
	int error = ipc_sem_close((uint32_t)VALUE(sem));
	free(named);
	return answer(error);
}

int sem_unlink(const char *name)
{
	char host_name[NAME_BYTES];
	size_t length = ipc_name(name, host_name);
	return length ? answer(ipc_sem_unlink(host_name, length)) : -1;
}

int sem_init(sem_t *sem, int is_shared, unsigned value)
{
	(void)is_shared; /* where it lies decides */
	if (value > SEM_VALUE_MAX)
		return answer(EINVAL);
	VALUE(sem) = (int)value;
	WAITING(sem) = 0;
	KIND(sem) = 0;
	return 0;
}

int sem_destroy(sem_t *sem)
{
	return KIND(sem) == NAMED ? answer(EINVAL) : 0;
}

int sem_post(sem_t *sem)
{
	ipc_publish();
	if (KIND(sem) == NAMED) {
		if (change(NUMBER(sem), 0, MOST - 1, ~0u, 1))
			return 0;
		return answer(ipc_sem_post((uint32_t)VALUE(sem)));
	}
	int value = ipc_load(&VALUE(sem));
	do {
		if (value == SEM_VALUE_MAX)
			return answer(EOVERFLOW);
	} while (!ipc_replace(&VALUE(sem), &value, value + 1));
	if (ipc_load(&WAITING(sem)))
		ipc_wake(&VALUE(sem), 1);
	return 0;
}

/* Takes one if there is one; an errno. */
static int try_wait(sem_t *sem)
{
	if (KIND(sem) == NAMED)
		return change(NUMBER(sem), 1, MOST, MOST, -1) ? 0 : ipc_sem_try_wait((uint32_t)VALUE(sem));
	int value = ipc_load(&VALUE(sem));
	while (value > 0)
		if (ipc_replace(&VALUE(sem), &value, value - 1))
			return 0;
	return EAGAIN;
}

int sem_trywait(sem_t *sem)
{
	if (answer(try_wait(sem)) != 0)
		return -1;
	ipc_refresh();
	return 0;
}

/* An errno. */
static int wait_until(sem_t *sem, clockid_t clock, const struct timespec *end)
{
	int error;
	while ((error = try_wait(sem)) == EAGAIN) {
		int64_t left = end ? ipc_left(clock, end) : FOREVER;
		if (end && left < 0)
			return (int)-left;
		if (KIND(sem) == NAMED)
			return ipc_sem_wait((uint32_t)VALUE(sem), left);
		ipc_add(&WAITING(sem), 1);
		error = ipc_wait_on(&VALUE(sem), 0, left);
		ipc_add(&WAITING(sem), -1);
		if (error && error != EAGAIN)
			break;
	}
	return error;
}

int sem_clockwait(sem_t *restrict sem, clockid_t clock, const struct timespec *restrict end)
{
	if (answer(wait_until(sem, clock, end)) != 0)
		return -1;
	ipc_refresh();
	return 0;
}

int sem_timedwait(sem_t *restrict sem, const struct timespec *restrict end)
{
	return sem_clockwait(sem, CLOCK_REALTIME, end);
}

int sem_wait(sem_t *sem)
{
	return sem_clockwait(sem, CLOCK_REALTIME, NULL);
}

int sem_getvalue(sem_t *restrict sem, int *restrict out)
{
	if (KIND(sem) == NAMED) {
		uint32_t value;
		if (answer(ipc_sem_get_value((uint32_t)VALUE(sem), &value)) != 0)
			return -1;
		*out = (int)value;
		return 0;
	}
	*out = ipc_load(&VALUE(sem));
	return 0;
}
